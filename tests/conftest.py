"""Options of the longer campaigns."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--histories`: how many whole histories are played (100000 for a long campaign)."""
    parser.addoption("--histories", type=int, default=2000)
