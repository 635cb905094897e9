"""A folder, a bucket, and a program that knows of both by environment variables alone."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.world import World
from ubiops_file_sync import watcher
from ubiops_file_sync.emulator import BucketServer
from ubiops_file_sync.keys import CONTROL_DIR


@dataclass
class Place:
    """What the variables name."""

    server: BucketServer
    folder: Path
    """Of the test: everything else is below it."""
    monkeypatch: pytest.MonkeyPatch

    @property
    def root(self) -> Path:
        """`LOCAL_SYNC_DIR`."""
        return self.folder / "local"

    @property
    def state_dir(self) -> Path:
        return self.folder / "state"

    @property
    def prefix(self) -> str:
        """Of the objects that belong to the place."""
        bucket_dir = os.environ["BUCKET_DIR"].strip("/")
        return f"{bucket_dir}/" if bucket_dir else ""

    @property
    def env(self) -> dict[str, str]:
        """The variables, for a process of its own."""
        return {
            "UBIOPS_API_HOST": self.server.api_host,
            "UBIOPS_API_TOKEN": self.server.token,
            "BUCKET_PROJECT_NAME": self.server.project,
            "BUCKET_NAME": self.server.bucket,
            "BUCKET_DIR": "data",
            "LOCAL_SYNC_DIR": str(self.root),
            "OVERWRITE_NEWER_FILES": "true",
            "STATE_DIRECTORY": str(self.state_dir),
        }

    def setenv(self, **variables: str) -> None:
        """Change variables of this process."""
        for name, value in variables.items():
            self.monkeypatch.setenv(name, value)

    def write(self, key: str, content: bytes, *, age_s: float | None = 100) -> Path:
        """A local file; `age_s`: how long ago it was last changed, None: now."""
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        if age_s is not None:
            when = time.time_ns() - int(age_s * 1e9)
            os.utime(path, ns=(when, when))
        return path

    def put(self, key: str, content: bytes, *, age_s: float | None = None) -> None:
        """An object of the place, stored by somebody else."""
        created = None if age_s is None else time.time_ns() // 1000 - int(age_s * 1e6)
        self.server.put_object(self.prefix + key, content, created_us=created)

    def local(self) -> dict[str, bytes]:
        """Every local file."""
        return {
            path.relative_to(self.root).as_posix(): path.read_bytes()
            for path in sorted(self.root.rglob("*"))
            if path.is_file() and CONTROL_DIR not in path.relative_to(self.root).parts
        }

    def remote(self) -> dict[str, bytes]:
        """Every object of the bucket, by its full key."""
        return {key: self.server.read_object(key) for key in self.server.objects()}

    def trash(self) -> set[bytes]:
        """Every version that stands in the trash."""
        trash = self.root / CONTROL_DIR / "trash"
        return {path.read_bytes() for path in trash.rglob("*") if path.is_file()}

    def eventually_stored(self, key: str, content: bytes, patience_s: float = 30.0) -> None:
        """Wait for an object with that content."""
        deadline = time.monotonic() + patience_s
        full = self.prefix + key
        while full not in self.server.objects() or self.server.read_object(full) != content:
            assert time.monotonic() < deadline, f"{full} never came; there is {self.remote()}"
            time.sleep(0.02)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[BucketServer]:
    with BucketServer(tmp_path / "server", rate_limit=None) as running:
        yield running


@pytest.fixture
def place(server: BucketServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """The place of this process's variables, with a folder that exists; nothing watches it."""
    (tmp_path / "here").mkdir()
    there = Place(server, tmp_path / "here", monkeypatch)
    there.root.mkdir()
    for name in [name for name in os.environ if name.startswith(("UBIOPS", "BUCKET"))]:
        monkeypatch.delenv(name)
    there.setenv(**there.env)
    yield there
    watcher.shutdown()


@pytest.fixture
def world(server: BucketServer, tmp_path: Path) -> World:
    """The same for the engine itself: a profile that a test has made."""
    root = tmp_path / "here" / "root"
    root.mkdir(parents=True)
    return World(server, root, tmp_path / "here" / "state", {})
