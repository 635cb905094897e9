"""State files, and processes that die while they hold one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import ubiops_file_sync
from ubiops_file_sync.model import BaselineEntry, Intent
from ubiops_file_sync.store import BaselineStore, Identity

IDENTITY = Identity("/data/models", "https://api.example.com/v2.1", "project", "default", "models")


def entry(key: str, number: int = 1) -> BaselineEntry:
    return BaselineEntry(key, number, number + 1, number + 2)


def intent(key: str, number: int = 1, finished_us: int | None = None) -> Intent:
    return Intent(key, number, number + 1, number + 2, finished_us)


def entries(count: int) -> list[BaselineEntry]:
    """So many that they fill many pages."""
    return [entry(f"{number:05}" * 8) for number in range(count)]


def made(path: Path, *in_step: BaselineEntry, identity: Identity = IDENTITY) -> Path:
    """A state file on disk."""
    with BaselineStore.open(path, identity) as store:
        store.record(in_step=in_step)
    return path


def recorded(store: BaselineStore) -> list[BaselineEntry]:
    """Everything in step."""
    return [row.base for row in store.rows() if row.base is not None]


def snapshot(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Every file of `folder`: content, mode, time."""
    return {
        path.name: (path.read_bytes(), path.stat().st_mode, path.stat().st_mtime_ns)
        for path in folder.iterdir()
    }


_TESTS = Path(__file__).parent.parent
_SAME_PACKAGE = str(Path(ubiops_file_sync.__file__).parents[1])
_PREAMBLE = """
import ctypes, os, signal, sys
# PR_SET_PDEATHSIG: it ends with the test, however that ends.
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
from pathlib import Path
from store.states import *
from ubiops_file_sync.store import *
folder = Path(sys.argv[1])
"""


def child(folder: Path, code: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """Another process that runs `code`, with these tests at hand."""
    return subprocess.Popen(
        [sys.executable, "-c", _PREAMBLE + code, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": os.pathsep.join([str(_TESTS), _SAME_PACKAGE]), **(env or {})},
    )


def lines_of(process: subprocess.Popen[str]) -> list[str]:
    """What it prints, once it has ended."""
    told, _ = process.communicate(timeout=60)
    return told.splitlines()
