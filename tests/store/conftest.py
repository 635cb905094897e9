"""Where the state of a test is kept."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of a state file that is not there yet, alone in its folder."""
    folder = tmp_path / "state"
    folder.mkdir()
    return folder / "models.sqlite"


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can get to."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)
