from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.processes import Place
from ubiops_file_sync.emulator import BucketServer


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with BucketServer(tmp_path / "server", rate_limit=None) as server:
        yield Place(server, tmp_path)
