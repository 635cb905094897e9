"""Trees and buckets that hold the same files, of any number."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

FILES_A_FOLDER = 100
_FOLDERS_A_FOLDER = 100
STORED_US = 1_750_000_000_123_456
"""When all of it was stored; also the mtime of each file, as of one that was downloaded."""


def entries(count: int) -> Iterator[tuple[str, int]]:
    """Key and size of each file, in key order for up to a hundred million."""
    for number in range(count):
        folder = number // FILES_A_FOLDER
        above, name = divmod(folder, _FOLDERS_A_FOLDER)
        yield f"part-{above:04}/day-{name:02}/sample-{number:08}.npz", 1000 + number % 5000


def plant(root: Path, count: int) -> None:
    """Make the tree: sparse files, which take no space."""
    folder = ""
    fd = -1
    for key, size in entries(count):
        above, _, name = key.rpartition("/")
        if above != folder:
            folder = above
            (root / above).mkdir(parents=True, exist_ok=True)
            if fd >= 0:
                os.close(fd)
            fd = os.open(root / above, os.O_RDONLY | os.O_DIRECTORY)
        file = os.open(name, os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=fd)
        os.ftruncate(file, size)
        os.utime(file, ns=(STORED_US * 1000, STORED_US * 1000))
        os.close(file)
    if fd >= 0:
        os.close(fd)
