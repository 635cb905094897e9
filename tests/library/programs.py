"""Programs that use the library, each a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import ubiops_file_sync
from library.conftest import Place

SAME_PACKAGE = str(Path(ubiops_file_sync.__file__).parents[1])
PATIENCE_S = 60.0
"""For what surely comes; the machine may be busy."""


def begin(place: Place, code: str, **options: Any) -> subprocess.Popen[str]:
    """A program that has begun, with the place's variables and nothing else in its environment."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": SAME_PACKAGE,
            "HOME": str(place.folder),
            **place.env,
        },
        cwd=place.folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def says(program: subprocess.Popen[str], line: str) -> None:
    """Wait for the next line that it prints, which is this one."""
    assert program.stdout is not None
    said = program.stdout.readline()
    if said != f"{line}\n":
        program.kill()
        raise AssertionError(f"it said {said!r}, and {program.communicate()}")


def ends(program: subprocess.Popen[str], code: int = 0) -> tuple[str, str]:
    """Let it end; its output and its errors."""
    out, err = program.communicate(timeout=PATIENCE_S)
    assert program.returncode == code, (program.returncode, out, err)
    return out, err


def run(place: Place, code: str, exit_code: int = 0) -> tuple[str, str]:
    """A program from its beginning to its end."""
    return ends(begin(place, code), exit_code)
