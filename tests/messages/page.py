"""`docs/messages.md`, made by provoking every message with the real command.

PYTHONPATH=tests .venv/bin/python -m messages.page
"""

from __future__ import annotations

import inspect
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from messages import of_configuration, of_directory, of_files, of_state, of_ubiops, of_usage
from messages.stage import Cannot, Scene, Stage, chapters
from ubiops_file_sync.emulator import BucketServer

PAGE = Path(__file__).parents[2] / "docs/messages.md"
_AT_ONCE = 4
"""Scenes; most of the time they wait for the next try."""
_HEAD = """# Messages

What `check-config`, `doctor` and `reconcile` say when something is wrong, word for word. Each was
provoked with the real command (of `doctor`, with `-q`, only what is not well); a test does so again
and compares. Times, paths and ports are always the same here.

Every message says what is wrong, what it concerns, and what to do. Look up the exit code, or search
for a word of it.

| exit code | chapter |
| --- | --- |
| 78 | [The configuration](#the-configuration), [The token](#the-token), [The state](#the-state) |
| 3 | [UbiOps](#ubiops) |
| 4 | [The directory](#the-directory), [Guards](#guards) |
| 5 | [The state](#the-state) |
| 1 | [Single files](#single-files) |
| 2 | [Wrong usage](#wrong-usage), [Saved plans](#saved-plans) |
"""
_SCENES = (of_configuration, of_ubiops, of_directory, of_state, of_files, of_usage)
"""Each adds its scenes to the chapters."""


def titles(one: Scene) -> tuple[str, str]:
    """A scene's title, and what else is to be said of it."""
    title, _, more = inspect.cleandoc(one.__doc__ or "").partition("\n")
    return title.rstrip("."), " ".join(more.split())


def section(one: Scene, folder: Path) -> str:
    """A scene as the page has it. Raises `Cannot`."""
    (folder / "home/work/files").mkdir(parents=True)
    with BucketServer(folder / "server", rate_limit=None) as server:
        stage = Stage(server, folder / "home/work", {"UBIOPS_API_TOKEN": server.token})
        one(stage)
    title, more = titles(one)
    shown = "\n".join(line.rstrip() for line in stage.shown)
    fence = "````" if "```" in shown else "```"
    return f"### {title}\n\n{more + chr(10) * 2 if more else ''}{fence}text\n{shown}\n{fence}\n"


def chapter(name: str, folder: Path, before: dict[str, str]) -> str:
    """A chapter; scenes that cannot be played here stay as they were `before`."""

    def play(numbered: tuple[int, Scene]) -> str:
        number, one = numbered
        try:
            return section(one, folder / f"{number}")
        except Cannot:
            return before.get(titles(one)[0], "")

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        sections = list(pool.map(play, enumerate(chapters()[name])))
    return f"## {name}\n\n" + "\n".join(one for one in sections if one)


def sections_of(page: str) -> dict[str, str]:
    """The sections of a page, by title."""
    parts = page.replace("\n## ", "\n### \n## ").split("\n### ")
    return {part.partition("\n")[0]: f"### {part.rstrip()}\n" for part in parts}


def chapters_of(page: str) -> dict[str, str]:
    """The chapters of a page, by name."""
    parts = page.split("\n## ")[1:]
    return {part.partition("\n")[0]: f"## {part.rstrip()}\n" for part in parts}


def main() -> int:
    """Make the page anew."""
    before = sections_of(PAGE.read_text()) if PAGE.exists() else {}
    with tempfile.TemporaryDirectory(prefix="messages-") as folder:
        told = [
            chapter(name, Path(folder, str(number)), before)
            for number, name in enumerate(chapters())
        ]
    PAGE.write_text("\n".join([_HEAD, *told]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
