"""What filters hide: as git would, from both sides at once, and never to anybody's loss."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from keys.strategies import unhurried
from plan.sides import DAY_US, EDITED_US, NOW_US, SECOND_US, base, local, remote
from plan.streams import Planned, plan
from ubiops_file_sync.keys import IGNORE_FILE
from ubiops_file_sync.model import (
    BaselineRow,
    Deletions,
    Direction,
    FolderRules,
    Intent,
    LocalItem,
    Reason,
    RemoteEntry,
    Unknown,
    Verb,
)
from ubiops_file_sync.plan import BadPattern, Filters, Policy, Scope
from ubiops_file_sync.plan.filters import compile_rules

# -- patterns --------------------------------------------------------------------------------------

_segments = st.sampled_from(["a", "b", "a.x", "*", "?", "a*", "*.x", "[ab]", "**"])
_plain_lines = st.builds(
    lambda slash, parts, end: slash + "/".join(parts) + end,
    st.sampled_from(["", "/"]),
    st.lists(_segments, min_size=1, max_size=3),
    st.sampled_from(["", "", "/"]),
)
_lines = st.builds(lambda sign, line: sign + line, st.sampled_from(["", "!"]), _plain_lines)
_parts = st.sampled_from(["a", "b", "a.x", "b.x", "ab"])
_keys = st.lists(_parts, min_size=1, max_size=4).map("/".join)
_folders = st.lists(_parts, max_size=2).map(lambda parts: "".join(part + "/" for part in parts))


def in_sight(
    keys: Iterable[str], filters: Filters, ignore_files: Mapping[str, list[str]] | None = None
) -> list[str]:
    """What a walk in key order over `keys` and the ignore files of folders tells of."""
    scope, found = Scope(filters), []
    files = ignore_files or {}
    for place in sorted({*keys, *files}):
        if place not in files:
            if not scope.hides(place):
                found.append(place)
        elif not place or not scope.hides(place):
            scope.enter(FolderRules(place, tuple(files[place]), ready=False))
    return found


@settings(unhurried, max_examples=400)
@given(st.sets(_keys, max_size=12), st.dictionaries(_folders, st.lists(_plain_lines), max_size=3))
def test_without_exceptions_whatever_any_pattern_matches_is_hidden(
    keys: set[str], ignore_files: dict[str, list[str]]
) -> None:
    specs = {
        folder: GitIgnoreSpec.from_lines(line for line in lines if "**/" not in line[-4:])
        for folder, lines in ignore_files.items()
    }
    ignore_files = {
        folder: [line for line in lines if "**/" not in line[-4:]]
        for folder, lines in ignore_files.items()
    }
    expected = [
        key
        for key in sorted(keys)
        if not any(
            key.startswith(folder) and spec.match_file(key[len(folder) :])
            for folder, spec in specs.items()
        )
    ]
    assert in_sight(keys, Filters(), ignore_files) == expected


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@settings(unhurried, max_examples=250)
@given(
    st.sets(_keys, max_size=12),
    st.dictionaries(_folders, st.lists(_lines, max_size=4), max_size=3),
)
@example({"a", "a/b", "b.x", "a/b/b.x"}, {"": ["*", "!*/", "!*.x"]})
@example({"a/b", "a/a"}, {"": ["a/*", "!a/b"]})
@example({"a/b", "a/a"}, {"": ["a/", "!a/b"]})
@example({"a/b", "a/a"}, {"": ["a/**", "!a/b"]})
@example({"a/b/a", "b/b"}, {"": ["*/", "!a/"]})
@example({"a/b/a", "a/b"}, {"": ["a/**/"]})
@example({"a/b/a", "a/b"}, {"": ["b"], "a/": ["!b"]})
def test_ignore_files_mean_what_they_mean_to_git(
    keys: set[str], ignore_files: dict[str, list[str]]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        seen = _written(root, keys, ignore_files)
        assert in_sight(seen, Filters(), _standing(root, ignore_files)) == _told_by_git(root)


def _written(root: Path, keys: set[str], ignore_files: dict[str, list[str]]) -> list[str]:
    """The keys that a folder can hold side by side."""
    seen = []
    for folder, lines in ignore_files.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder / IGNORE_FILE).write_text("\n".join(lines))
    for key in sorted(keys):
        path = root / key
        if not path.is_dir() and not any(above.is_file() for above in path.parents):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            seen.append(key)
    return seen


def _standing(root: Path, ignore_files: dict[str, list[str]]) -> dict[str, list[str]]:
    return {folder: lines for folder, lines in ignore_files.items() if (root / folder).is_dir()}


def _told_by_git(root: Path) -> list[str]:
    for command in (
        ["init", "--quiet"],
        ["ls-files", "-z", "--others", f"--exclude-per-directory={IGNORE_FILE}"],
    ):
        done = subprocess.run(
            ["git", *command],
            cwd=root,
            env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"},
            capture_output=True,
            text=True,
            check=True,
        )
    found = done.stdout.split("\0")[:-1]
    return sorted(key for key in found if not key.endswith(IGNORE_FILE))


MEANINGS = [
    pytest.param(["*.csv"], ["a.csv", "d/a.csv", "d/a.csv/x"], ["a.txt"], id="at every depth"),
    pytest.param(["/a"], ["a", "a/x"], ["d/a"], id="at the root only"),
    pytest.param(["a/"], ["a/x", "d/a/x"], ["a", "d/a"], id="folders only"),
    pytest.param(["d/a"], ["d/a", "d/a/x"], ["e/d/a"], id="a slash inside anchors"),
    pytest.param(["a/**/"], ["a/b/c"], ["a/b"], id="every folder below a folder"),
    pytest.param(["*"], ["a", "a\nb", "\n"], [], id="a line feed is a character like any other"),
    pytest.param(["d/*.csv"], ["d/\n.csv"], ["d/x/a.csv"], id="one level"),
    pytest.param([r"\#a", r"\!b", "c\\ "], ["#a", "!b", "c "], ["a", "b", "c"], id="escapes"),
    pytest.param(["a  ", "", "  ", "# b"], ["a"], ["b"], id="blanks and comments"),
]


@pytest.mark.parametrize(("lines", "hidden", "seen"), MEANINGS)
def test_what_patterns_mean(lines: list[str], hidden: list[str], seen: list[str]) -> None:
    assert in_sight([*hidden, *seen], Filters(), {"": lines}) == sorted(seen)


@pytest.mark.parametrize("line", ["!", "a\\", "[z-a]", "a[", "/", "[[:alpha:]]", "a\0b"])
def test_a_line_that_would_be_passed_over_is_refused(line: str) -> None:
    with pytest.raises(BadPattern, match="line 3 "):
        compile_rules(("# all is well", "a", line))
    with pytest.raises(BadPattern, match="`exclude`: line 1 "):
        Filters.of(exclude=[line])


def test_a_comment_in_a_setting_is_refused() -> None:
    with pytest.raises(BadPattern, match="`include`: '#a' is a comment"):
        Filters.of(include=["#a"])


INCLUDES = [
    pytest.param(["*.csv"], ["a.csv", "d/e/a.csv"], ["a", "d/a"], id="files"),
    pytest.param(
        ["/data/"], ["data/a", "data/d/b"], ["data", "data2/a", "d/data/a"], id="a folder"
    ),
    pytest.param(["d/e/*.csv"], ["d/e/a.csv"], ["d/a.csv", "d/e/a", "e/a.csv"], id="deep down"),
    pytest.param(["d", "!d/e", "d/e/f"], ["d/a", "d/e/f"], ["d/e/a", "a"], id="exceptions"),
]


@pytest.mark.parametrize(("lines", "seen", "hidden"), INCLUDES)
def test_nothing_but_what_is_included(lines: list[str], seen: list[str], hidden: list[str]) -> None:
    assert in_sight([*hidden, *seen], Filters.of(include=lines)) == sorted(seen)


@settings(unhurried, max_examples=400)
@given(st.sets(_keys, max_size=12), st.lists(_lines, max_size=4), st.lists(_lines, max_size=4))
def test_a_hidden_folder_holds_nothing_that_is_in_sight(
    keys: set[str], include: list[str], exclude: list[str]
) -> None:
    filters = Filters.of(include, exclude)
    for key in in_sight(keys, filters):
        folders = [key[: at + 1] for at, char in enumerate(key) if char == "/"]
        assert not any(Scope(filters).hides(folder) for folder in folders)


def test_a_folder_out_of_reach_of_every_include_is_hidden() -> None:
    scope = Scope(Filters.of(include=["/data/new/*.csv", "logs/"]))
    assert not scope.hides("a/"), "`logs/` may be anywhere"
    scope = Scope(Filters.of(include=["/data/new/*.csv", "!*.tmp"]))
    assert scope.hides("a/")
    assert not scope.hides("data/")
    assert scope.hides("data/old/")


def test_the_profile_has_the_last_word() -> None:
    filters = Filters.of(exclude=["secret"])
    assert in_sight(["a", "secret"], filters, {"": ["!secret", "!a"]}) == ["a"]


def test_the_nearest_ignore_file_has_the_word_in_its_folder() -> None:
    files = {"": ["*.log"], "keep/": ["!a.log", "b"]}
    keys = ["a.log", "b", "keep/a.log", "keep/b", "keep/c.log", "other/b"]
    assert in_sight(keys, Filters(), files) == ["b", "keep/a.log", "other/b"]


# -- in the merge ----------------------------------------------------------------------------------


def known(key: str) -> BaselineRow:
    return BaselineRow(key, base(key), None)


ANY_POLICY = [
    Policy(direction, deletions=deletions) for direction in Direction for deletions in Deletions
]
SIDES = [(False, False), (False, True), (True, False), (True, True)]


@pytest.mark.parametrize("policy", ANY_POLICY)
@pytest.mark.parametrize(("is_here", "is_there"), SIDES)
@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize("edited", [False, True])
def test_what_is_hidden_is_at_most_forgotten(
    policy: Policy, is_here: bool, is_there: bool, recorded: bool, edited: bool
) -> None:
    size = 11 if edited else 10
    planned = plan(
        [local(EDITED_US, size, "d/k")] if is_here else [],
        [remote(NOW_US, size, "d/k")] if is_there else [],
        [known("d/k")] if recorded else [],
        policy,
        Filters.of(exclude=["d/"]),
    )
    assert planned.verbs() == ({"d/k": "forget"} if recorded else {})
    assert planned.problems == []
    assert planned.summary.left == {}
    if recorded:
        assert planned.actions["d/k"].reason is Reason.HIDDEN


def test_rules_of_a_folder_hold_from_there_downwards_on_both_sides() -> None:
    items: list[LocalItem] = [
        local(NOW_US, key="a.tmp"),
        FolderRules("d/", ("*.tmp",), ready=False),
        local(NOW_US, key="d/a.tmp"),
        local(NOW_US, key="d/b"),
        local(NOW_US, key="e.tmp"),
    ]
    theirs = [remote(NOW_US, key=key) for key in ("c.tmp", "d/e/c.tmp", "d/f", "f.tmp")]
    planned = plan(items, theirs, [known("d/old.tmp"), known("d-old.tmp")])
    assert planned.verbs() == {
        "a.tmp": "upload",
        "c.tmp": "download",
        "d-old.tmp": "forget",
        "d/b": "upload",
        "d/f": "download",
        "d/old.tmp": "forget",
        "e.tmp": "upload",
        "f.tmp": "download",
    }
    assert planned.actions["d/old.tmp"].reason is Reason.HIDDEN
    assert planned.actions["d-old.tmp"].reason is Reason.GONE


def test_rules_of_a_folder_come_before_an_object_of_its_name() -> None:
    items: list[LocalItem] = [FolderRules("d/", ("x",), ready=False)]
    planned = plan(items, [remote(NOW_US, key="d/"), remote(NOW_US, key="d/x")])
    assert [problem.key for problem in planned.problems] == ["d/"]
    assert planned.verbs() == {}


LIMITS = [
    pytest.param(Filters.of(max_size=20), True, id="larger"),
    pytest.param(Filters.of(max_size=30), False, id="just as large"),
    pytest.param(Filters.of(min_size=40), True, id="smaller"),
    pytest.param(Filters.of(min_size=10), False, id="just as small"),
    pytest.param(Filters.of(max_age_s=86_400 * 5), True, id="older"),
    pytest.param(Filters.of(max_age_s=86_400 * 10), False, id="just as old"),
]


@pytest.mark.parametrize(("filters", "hidden"), LIMITS)
@pytest.mark.parametrize(("is_here", "is_there"), SIDES[1:])
def test_limits_look_at_every_side_that_is_present(
    filters: Filters, hidden: bool, is_here: bool, is_there: bool
) -> None:
    mine = [local(NOW_US - 10 * DAY_US, 30)] if is_here else []
    theirs = [remote(NOW_US - 10 * DAY_US, 30)] if is_there else []
    planned = plan(mine, theirs, [known("k")], filters=filters)
    is_forgotten = planned.verbs().get("k") == "forget"
    assert is_forgotten == hidden


def test_one_side_beyond_the_limits_is_enough() -> None:
    for mine, theirs in ((10, 30), (30, 10)):
        planned = plan(
            [local(NOW_US, mine)],
            [remote(NOW_US - SECOND_US, theirs)],
            [known("k")],
            filters=Filters.of(max_size=20),
        )
        assert planned.verbs() == {"k": "forget"}


def test_ages_are_told_by_each_sides_own_clock() -> None:
    ahead = Policy(skew_us=100 * SECOND_US)
    filters = Filters.of(max_age_s=10)
    stored = remote(NOW_US - 100 * SECOND_US - 9 * SECOND_US)
    assert plan([], [stored], policy=ahead, filters=filters).verbs() == {"k": "download"}
    assert plan([], [stored], filters=filters).verbs() == {}


def test_a_hidden_file_is_in_no_folders_way() -> None:
    planned = plan(
        [local(NOW_US, key="a")],
        [remote(NOW_US, key="a/b")],
        filters=Filters.of(exclude=["b"]),
    )
    assert planned.verbs() == {"a": "upload"}
    assert planned.clashes == []


def test_what_cannot_be_read_stays_unknown_beside_filters() -> None:
    planned = plan(
        [Unknown("d/", "why", is_problem=True)],
        [remote(NOW_US, key="d/a.tmp"), remote(NOW_US, key="d/b")],
        [known("d/c")],
        filters=Filters.of(exclude=["*.tmp"]),
    )
    assert planned.verbs() == {}
    assert [problem.key for problem in planned.problems] == ["d"]


def test_an_upload_that_was_begun_before_its_key_was_hidden_is_no_longer_heeded() -> None:
    intent = Intent("k", 10, EDITED_US * 1000, NOW_US, NOW_US)
    for recorded, expected in ((None, {}), (base(), {"k": "forget"})):
        planned = plan(
            [local(EDITED_US)],
            [remote(NOW_US)],
            [BaselineRow("k", recorded, intent)],
            filters=Filters.of(exclude=["k"]),
        )
        assert planned.verbs() == expected


# -- the ready file --------------------------------------------------------------------------------

READY = Filters.of(ready_file="_SUCCESS")


def gated(
    *items: LocalItem, theirs: Iterable[RemoteEntry] = (), rows: Iterable[BaselineRow] = ()
) -> Planned:
    return plan(items, theirs, rows, filters=READY)


def test_nothing_new_goes_up_from_a_folder_that_is_not_ready() -> None:
    planned = gated(
        FolderRules("done/", (), ready=True),
        local(NOW_US, key="done/_SUCCESS"),
        local(NOW_US, key="done/part/a"),
        local(NOW_US, key="done-not/a"),
        local(NOW_US, key="e"),
    )
    assert planned.verbs() == {"done/_SUCCESS": "upload", "done/part/a": "upload"}
    assert planned.summary.left == {Reason.NOT_READY: 2}


def test_a_ready_file_at_the_root_is_one_for_all() -> None:
    planned = gated(FolderRules("", (), ready=True), local(NOW_US, key="d/e/a"))
    assert planned.verbs() == {"d/e/a": "upload"}


def test_the_gate_holds_back_nothing_but_new_content() -> None:
    planned = gated(
        local(EDITED_US, key="lost"),
        local(NOW_US, 11, key="mine"),
        theirs=[remote(NOW_US - DAY_US * 9, key="mine"), remote(NOW_US, key="new")],
        rows=[known("lost"), known("mine"), known("gone")],
    )
    assert planned.verbs() == {"gone": "forget", "lost": "upload", "new": "download"}
    assert planned.actions["lost"].verb is Verb.UPLOAD
    assert planned.summary.left == {Reason.NOT_READY: 1}
