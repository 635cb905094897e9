"""Options of the longer campaigns."""

from __future__ import annotations

import pytest

from engine.behaviours import BEHAVIOURS


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--histories`: how many whole histories are played (100000 for a long campaign).

    `--behaviour`: how the bucket of the engine's tests uses the room that UbiOps leaves.
    `--live`: look at the bucket that the default profile's variables name.
    """
    parser.addoption("--histories", type=int, default=2000)
    parser.addoption("--behaviour", choices=sorted(BEHAVIOURS), default="")
    parser.addoption("--live", action="store_true")
