"""Patterns find what they always found, and none takes for ever."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from keys.strategies import unhurried
from ubiops_file_sync.plan import Filters, Scope
from ubiops_file_sync.plan.steady import steady

_names = st.lists(st.sampled_from(["a", "b", "*", "?", "[ab]", "[!a]", "**", "\\*"]), max_size=6)
patterns = st.builds(
    lambda start, parts, end: start + "/".join("".join(part) for part in parts) + end,
    st.sampled_from(["", "", "/", "**/", "!"]),
    st.lists(st.one_of(_names, st.just(["**"])), min_size=1, max_size=5),
    st.sampled_from(["", "", "/", "/**"]),
)
paths = st.builds(
    lambda parts, end: "/".join(parts) + end,
    st.lists(st.text("ab*", min_size=1, max_size=4), min_size=1, max_size=6),
    st.sampled_from(["", "/"]),
)


def source_of(line: str) -> str | None:
    """pathspec's expression, in which a class matches no slash."""
    try:
        (pattern,) = GitIgnoreSpec.from_lines([line]).patterns
    except ValueError:
        return None
    if pattern.regex is None:
        return None
    return re.sub(r"\[(?!\^/\])", "(?!/)[", pattern.regex.pattern)


@settings(unhurried, max_examples=600)
@given(patterns, st.lists(paths, min_size=1, max_size=6))
def test_it_finds_the_same(line: str, some: list[str]) -> None:
    source = source_of(line)
    if source is None:
        return
    (pattern,) = GitIgnoreSpec.from_lines([line]).patterns
    changed = steady(pattern.regex.pattern)  # type: ignore[union-attr]
    for path in some:
        was, now = re.search(source, path), re.search(changed, path)
        assert (was is None) == (now is None), (source, changed, path)
        if was is not None and now is not None:
            assert (was.end(), was.lastindex) == (now.end(), now.lastindex), (changed, path)


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("*a" * 20 + "*b", "a" * 255),
        ("*[a]" * 20 + "*b", "a" * 255),
        ("*?" * 20 + "*b", "a" * 255),
        ("*" * 50 + "b", "a" * 255),
        ("x" + "/**/a" * 20 + "/**/b", "x" + "/a" * 500),
        ("**/a" * 20 + "/b", "/".join("a" * 500)),
        ("**/*a*a*a" * 10 + "/b", "/".join(["a" * 100] * 10)),
        ("*a*a*a/" * 5 + "b", "/".join(["a" * 200] * 5)),
    ],
)
def test_no_name_keeps_a_pattern_busy(line: str, path: str) -> None:
    scope = Scope(Filters.of((), (line,)))
    began = time.process_time()
    assert not scope.hides(path)
    assert time.process_time() - began < 2


def test_a_class_is_about_one_letter_of_a_name() -> None:
    scope = Scope(Filters.of((), ("a[!x]b",)))
    assert scope.hides("ayb")
    assert not scope.hides("a/b")
