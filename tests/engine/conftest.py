from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.world import World
from ubiops_file_sync.emulator import BucketServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[BucketServer]:
    with BucketServer(tmp_path / "server", rate_limit=None) as running:
        yield running


@pytest.fixture
def world(server: BucketServer, tmp_path: Path) -> World:
    root = tmp_path / "here" / "root"
    root.mkdir(parents=True)
    return World(server, root, tmp_path / "here" / "state", {})
