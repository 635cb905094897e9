from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from crash.campaign import Stand
from crash.zygote import Zygote
from ubiops_file_sync.emulator import BucketServer


@pytest.fixture(scope="session")
def stand() -> Iterator[Stand]:
    """A server and a process that forks passes, in memory where there is room."""
    shm = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=shm if os.access(shm, os.W_OK) else None))
    with BucketServer(folder / "server", rate_limit=None) as server, Zygote() as zygote:
        yield Stand(server, zygote, folder)
    shutil.rmtree(folder)
