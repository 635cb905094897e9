"""A root of its own for each test, and somewhere outside that nothing may reach."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ubiops_file_sync.local import LocalTree


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder beside the root with one file in it."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "precious").write_bytes(b"not yours")
    return folder


@pytest.fixture
def tree(root: Path) -> Iterator[LocalTree]:
    with LocalTree(root, "profile", "PASS") as opened:
        yield opened
