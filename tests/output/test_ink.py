"""Colour adds nothing but colour."""

from __future__ import annotations

import re

import pytest

from ubiops_file_sync.cli.ink import inked

LINES = [
    "error: profile 'models': the bucket is gone",
    "warning: models: list: try 2 of 5",
    "models: 3 uploaded (compared 3 files here with 0 in the bucket)",
    "  problem: a.txt: no space left on device",
    "  upload             5 bytes  a.txt  (new here, absent from the bucket)",
    "  delete-local                a.txt  (deleted in the bucket)",
    "  note: this machine's clock is 5 s ahead",
]


@pytest.mark.parametrize("line", LINES)
def test_what_a_line_begins_with_is_coloured(line: str) -> None:
    coloured = inked(line)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[\d+m", "", coloured) == line
    assert coloured.endswith(line[-10:])


@pytest.mark.parametrize("line", ["", "  0 bytes up", "{", '  "profile": "models",', "a/b: c"])
def test_other_lines_are_left_alone(line: str) -> None:
    assert inked(line) == line
