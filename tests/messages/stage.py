"""Where messages are provoked: a home, a bucket server, and the real command, shown as typed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cli.conftest import COMMAND, SAME_PACKAGE, Shell
from no_secrets import watch

UNKNOWN_TOKEN = "3f786850e387550fdab836ed7e6dc881de23001b"
HOME = "/home/you"
_LIKE_ANYBODY = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
"""Runs what follows as root that may not read and write everything: permissions mean something."""

_SAME = (
    (re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}"), "20261123T042015Z-ab12cd"),
    (re.compile(r"conflict-\d{8}T\d{6}Z"), "conflict-20261123T042015Z"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?"), "2026-11-23 04:20:15"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?"), "2026-11-23T04:20:15"),
    (re.compile(r"next tick 2026-11-23 [\d:]+"), "next tick 2026-11-23 04:25:00"),
    (re.compile(r"59 min 59 s"), "1 h"),
    (re.compile(r"127\.0\.0\.1:\d\d+"), "127.0.0.1:8765"),
    (re.compile(r"process \d+"), "process 4711"),
    (re.compile(r"(?<=API calls, )[\d.]+ m?s|(?<=API call, )[\d.]+ m?s"), "0.1 s"),
    (re.compile(r"(?<=bytes in )[\d.]+ m?s"), "0.1 s"),
    (re.compile(r"(?<=comes in )[\d.]+ s"), "0.8 s"),
)
"""What differs from run to run, and what stands on the page instead."""
_OF_THIS_MACHINE = re.compile(r"  (problem|warning)  (file system|disk|service): ")


class Cannot(Exception):
    """It cannot be provoked on this machine, or by this user."""


@dataclass
class Stage(Shell):
    """A working directory `work` in a home of its own, and what was shown until now."""

    shown: list[str] = field(default_factory=list)

    def run(self, *words: str, checks: tuple[str, ...] = ()) -> None:
        """Run the command and show it, its output and its exit code.

        Of what `doctor` finds that differs from machine to machine, only `checks` are shown.
        """
        done = subprocess.run(
            [*_like_anybody(), *COMMAND, *words],
            cwd=self.cwd,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": SAME_PACKAGE,
                "HOME": str(self.cwd.parent),
            }
            | {"LC_ALL": "C.UTF-8", "TZ": "UTC"}
            | self.env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
            check=False,
        )
        assert not watch.tells(done.stdout)
        assert UNKNOWN_TOKEN not in done.stdout
        assert "Traceback" not in done.stdout, done.stdout
        lines = list(_without_this_machine(done.stdout.splitlines(), checks))
        told = self.same("\n".join(lines))
        self.shown.append(f"$ ubiops-file-sync {' '.join(map(_quoted, words))}")
        self.shown.extend(told.splitlines())
        self.shown.append(f"[exit code {done.returncode}]")

    def show(self, path: Path) -> None:
        """Show a file."""
        self.shown.append(f"$ cat {path.relative_to(self.cwd)}")
        text = path.read_text().replace(UNKNOWN_TOKEN, "…")
        self.shown.extend(self.same(text).splitlines())

    def forbid(self, path: Path) -> None:
        """Take away all permissions of a file or a folder."""
        if os.geteuid() == 0 and not _like_anybody():
            raise Cannot("root may read everything, and setpriv is not here")
        path.chmod(0)

    def say(self, *words: str) -> None:
        """Show something else that was typed, and done already."""
        self.shown.append(f"$ {' '.join(words)}")

    def same(self, text: str) -> str:
        """The text as every machine has it."""
        text = text.replace(str(self.cwd.parent), HOME)
        for form, words in _SAME:
            text = form.sub(words, text)
        return text

    def in_step(self, *keys: str, **settings: object) -> None:
        """Have these files in step."""
        self.profile(**settings)
        for key in keys:
            path = self.files / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"as it was")
        assert self("reconcile").returncode == 0

    @contextmanager
    def disk(self, name: str, options: str) -> Iterator[Path]:
        """A small file system of the stage's own."""
        if os.geteuid() != 0 or shutil.which("mount") is None:
            raise Cannot("only root can make a file system")
        place = self.cwd / name
        place.mkdir(exist_ok=True)
        mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
            raise Cannot("mounting is not allowed here")
        try:
            yield place
        finally:
            subprocess.run(["umount", str(place)], check=True)


def _like_anybody() -> list[str]:
    return _LIKE_ANYBODY if os.geteuid() == 0 and shutil.which("setpriv") else []


def _quoted(word: str) -> str:
    return word if re.fullmatch(r"[\w./:=-]+", word, re.ASCII) else f"'{word}'"


def _without_this_machine(lines: list[str], checks: tuple[str, ...]) -> Iterator[str]:
    """Without the findings about this machine, and what is to be done about them."""
    is_left_out = False
    for line in lines:
        found = _OF_THIS_MACHINE.match(line)
        is_left_out = (found is not None and found[2] not in checks) or (
            is_left_out and line.startswith("       so: ")
        )
        if not is_left_out:
            yield line


Scene = Callable[[Stage], None]
_CHAPTERS: dict[str, list[Scene]] = {
    "The configuration": [],
    "The token": [],
    "UbiOps": [],
    "The directory": [],
    "Guards": [],
    "The state": [],
    "Single files": [],
    "Wrong usage": [],
    "Saved plans": [],
}


def scene(chapter: str) -> Callable[[Scene], Scene]:
    """A scene of a chapter; its docstring has its title, and perhaps a sentence more."""

    def add(one: Scene) -> Scene:
        _CHAPTERS[chapter].append(one)
        return one

    return add


def chapters() -> dict[str, list[Scene]]:
    """All of them, in their order."""
    return _CHAPTERS
