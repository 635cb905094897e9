"""Processes that log, each with a script of a few lines."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import ubiops_file_sync
from engine.world import World
from ubiops_file_sync.emulator import BucketServer
from ubiops_file_sync.logs import tear_down

SAME_PACKAGE = str(Path(ubiops_file_sync.__file__).parents[1])
"""Where the package was imported from: what a script imports is then of the same tree."""

BEGIN = """
import logging, sys, threading
from pathlib import Path
from ubiops_file_sync.logs import LogFile, LogFormat, Stderr, set_up
from ubiops_file_sync.redact import keep_secret
log = logging.getLogger("ubiops_file_sync.test")
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts Python with a script, after `BEGIN`; what still runs at the end is killed."""
    running = []

    def run(script: str, *words: str, env: dict[str, str] | None = None, **options: Any) -> Any:
        usual: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(
            [sys.executable, "-c", BEGIN + script, *words],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": SAME_PACKAGE, **(env or {})},
            cwd=tmp_path,
            text=True,
            **{**usual, **options},
        )
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def said(start: Start) -> Callable[..., str]:
    """Runs a script to its end; what it wrote to standard error."""

    def run(script: str, *words: str, **options: Any) -> str:
        process = start(script, *words, **options)
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 0, stderr
        return str(stderr)

    return run


@pytest.fixture
def torn_down() -> Iterator[None]:
    """Whatever a test set up in this process is gone after it."""
    yield
    tear_down()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A profile between a folder and a bucket, without a quota."""
    root = tmp_path / "here" / "root"
    root.mkdir(parents=True)
    with BucketServer(tmp_path / "server", rate_limit=None) as server:
        yield World(server, root, tmp_path / "here" / "state", {})
