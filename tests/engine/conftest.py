from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.behaviours import BEHAVIOURS, why_unfit
from engine.world import SeeingServer, World
from ubiops_file_sync.emulator import BucketServer


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what pins the very thing that `--behaviour` changes."""
    behaviour = config.getoption("--behaviour")
    for item in items:
        reason = why_unfit(item.name.partition("[")[0], behaviour)
        if reason is not None:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[BucketServer]:
    behaviour = BEHAVIOURS.get(request.config.getoption("--behaviour"))
    with SeeingServer(tmp_path / "server", rate_limit=None, behaviour=behaviour) as running:
        yield running


@pytest.fixture
def world(server: BucketServer, tmp_path: Path) -> World:
    root = tmp_path / "here" / "root"
    root.mkdir(parents=True)
    return World(server, root, tmp_path / "here" / "state", {})
