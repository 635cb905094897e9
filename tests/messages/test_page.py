"""The page on messages says what the commands say."""

from __future__ import annotations

from pathlib import Path

import pytest

from messages.page import PAGE, chapter, chapters_of, sections_of
from messages.stage import chapters


@pytest.mark.parametrize("name", chapters())
def test_every_message_is_as_the_page_has_it(name: str, tmp_path: Path) -> None:
    """If it is not: PYTHONPATH=tests .venv/bin/python -m messages.page, and read what changed."""
    page = PAGE.read_text()
    assert chapter(name, tmp_path, sections_of(page)) == chapters_of(page)[name]


def test_the_page_has_no_other_chapters() -> None:
    assert list(chapters_of(PAGE.read_text())) == list(chapters())
