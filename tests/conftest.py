"""Options of the longer campaigns."""

from __future__ import annotations

import pytest

from engine.behaviours import BEHAVIOURS


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--histories`: how many whole histories are played (100000 for a long campaign).

    `--behaviour`: how the bucket of the engine's tests uses the room that UbiOps leaves.
    """
    parser.addoption("--histories", type=int, default=2000)
    parser.addoption("--behaviour", choices=sorted(BEHAVIOURS), default="")


def pytest_configure(config: pytest.Config) -> None:
    """The marks of our own."""
    config.addinivalue_line(
        "markers", "not_under(*names, reason): the behaviours under which a test makes no sense"
    )
