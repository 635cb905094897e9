"""Regular expressions of gitignore patterns that no name can keep busy. Pure.

Python's `re` tries every way in which the wildcards of a pattern may share a name: six stars and a
name of 200 letters take longer than anyone waits, and neither Ctrl-C nor a stop ends it. Ignore
files may come out of the bucket. So a wildcard that another one follows is made to take the first
place that fits, and to keep it (an atomic group): if what comes behind fits after a later place,
it does so after the first one too, for the next wildcard takes up what lies between.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_STAR = "[^/]*"
"""What pathspec makes of `*`."""
_FOLDERS = "(?:/.+)?"
"""What it makes of `/**` before another slash."""
_TOKEN = re.compile(r"\(\?:/\.\+\)\?|\[\^/\]\*|\\.|\[\^?\]?[^\]]*\]|.", re.DOTALL)


def steady(source: str) -> str:
    """An expression that finds what `source`, one of pathspec's, does, in a time that is bounded.

    But a class such as `[!x]` matches no slash: pathspec's do, and git's do not.
    """
    first, *further = _split(_TOKEN.findall(source), _FOLDERS)
    found = _of_names(first)
    for number, tokens in enumerate(further, start=1):
        names = _of_names(tokens)
        is_last = number == len(further)
        found += f"{_FOLDERS}{names}" if is_last else f"(?>(?:/.+?)??{names}(?=/))"
    return found


def _of_names(tokens: list[str]) -> str:
    """The expression between two wildcards for folders, with its stars seen to."""
    first, *further = _split(tokens, _STAR)
    found = _text(first)
    for number, piece in enumerate(further, start=1):
        is_followed = number < len(further) and "/" not in piece
        found += f"(?>[^/]*?{_text(piece)})" if is_followed else _STAR + _text(piece)
    return found


def _split(tokens: list[str], at: str) -> Iterator[list[str]]:
    """The tokens between those that are `at`."""
    piece: list[str] = []
    for token in tokens:
        if token == at:
            yield piece
            piece = []
        else:
            piece.append(token)
    yield piece


def _text(tokens: list[str]) -> str:
    return "".join(
        f"(?!/){one}" if one.startswith("[") and one != "[^/]" else one for one in tokens
    )
