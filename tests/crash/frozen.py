"""All places of a profile as they were at a moment, to be brought back as often as one likes."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ubiops_file_sync.emulator import BucketServer

_TABLES = {
    "objects": ("bucket", "blob"),
    "uploads": ("bucket", None),
    "parts": ("bucket", "blob"),
}
"""The server's tables that tell of a bucket, each with the columns for it and for bytes."""


@dataclass(frozen=True)
class Frozen:
    """A folder with all that is below it, and a bucket: objects, times, and uploads under way."""

    folder: Path
    copy: Path
    server: BucketServer
    bucket: str
    rows: dict[str, list[tuple[Any, ...]]]
    blobs: dict[str, bytes]
    offset_s: float

    @classmethod
    def of(cls, folder: Path, copy: Path, server: BucketServer, bucket: str) -> Frozen:
        """As they are now; `copy` is made, and must not be there."""
        shutil.copytree(folder, copy, symlinks=True)
        store = server._store
        number = server._bucket(bucket).seq
        rows, blobs = {}, {}
        with store.database.lock:
            for table, (of_bucket, of_blob) in _TABLES.items():
                found = store.database.rows(
                    f"SELECT * FROM {table} WHERE {of_bucket} = ?", (number,)
                )
                rows[table] = found
                if of_blob is None or not found:
                    continue
                for (name,) in store.database.rows(
                    f"SELECT {of_blob} FROM {table} WHERE {of_bucket} = ?", (number,)
                ):
                    blobs[name] = Path(store.blobs.path(name)).read_bytes()
        return cls(folder, copy, server, bucket, rows, blobs, server.clock.offset_s)

    def bring_back(self) -> None:
        """Have them as they were, byte for byte and time for time."""
        shutil.rmtree(self.folder)
        shutil.copytree(self.copy, self.folder, symlinks=True)
        store = self.server._store
        bucket = self.server._bucket(self.bucket)
        self.server.clock.offset_s = self.offset_s
        with store.database.lock:
            gone = {*store.objects.clear(bucket), *store.uploads.clear(bucket)}
            for table, rows in self.rows.items():
                if rows:
                    marks = ", ".join("?" * len(rows[0]))
                    store.database.run_many(f"INSERT INTO {table} VALUES ({marks})", rows)
            store.blobs.remove(gone - self.blobs.keys())
            for name, content in self.blobs.items():
                path = Path(store.blobs.path(name))
                if not path.exists():
                    path.parent.mkdir(mode=0o700, exist_ok=True)
                    path.write_bytes(content)

    def unfinished_uploads(self) -> int:
        """Uploads in parts that the bucket knows of now."""
        number = self.server._bucket(self.bucket).seq
        found = self.server._store.database.one(
            "SELECT count(*) FROM uploads WHERE bucket = ?", (number,)
        )
        return 0 if found is None else int(found[0])
