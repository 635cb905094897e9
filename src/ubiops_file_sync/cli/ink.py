"""Colour for lines that are plain text everywhere else. Pure.

A line is coloured by what it begins with, so that whoever makes it need not know of terminals, and
what is piped somewhere or read by a test is the very same text without its colours.
"""

from __future__ import annotations

import re

_RESET = "\x1b[0m"
_RED, _GREEN, _YELLOW = "\x1b[31m", "\x1b[32m", "\x1b[33m"
_BOLD, _DIM = "\x1b[1m", "\x1b[2m"

_COLOURS = (
    # What is coloured is the group; what stands before it decides.
    (re.compile(r"(error|critical):"), _BOLD + _RED),
    (re.compile(r"(warning):"), _BOLD + _YELLOW),
    (re.compile(r" +(error|problem|failed|DAMAGED|a pass would halt)\b"), _RED),
    (
        re.compile(r" +(warning|note|differing|only here|only in the bucket|not known|skip)\b"),
        _YELLOW,
    ),
    (re.compile(r" +(delete-local|delete-remote)\b"), _RED),
    (re.compile(r" +(upload|download|put back|ok)\b"), _GREEN),
    (re.compile(r" +(adopt|forget|as it was)\b"), _DIM),
    (re.compile(r"([A-Za-z0-9._-]+):(?= )"), _BOLD),
)


def inked(line: str) -> str:
    """The line with its first words coloured, if they are known."""
    for form, colour in _COLOURS:
        found = form.match(line)
        if found is not None:
            first, last = found.span(1)
            return f"{line[:first]}{colour}{line[first:last]}{_RESET}{line[last:]}"
    return line
