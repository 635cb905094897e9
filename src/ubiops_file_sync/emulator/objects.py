"""The index of objects: which versions exist, and which of them may be seen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from .clock import US, Clock
from .database import Database
from .records import Bucket, StoredObject

END = b""
"""Sorts after every key: SQLite puts any BLOB after any TEXT."""

_FOREVER_US = 1 << 62
_COLUMNS = "key, size, created_us, etag, md5, crc32c, blob"
_PUT = f"INSERT OR REPLACE INTO objects (bucket, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants only

SORTED_PAGE = """
SELECT key, size, created_us FROM objects
WHERE bucket = ? AND key >= ? AND key < ? AND created_us > ? ORDER BY key LIMIT ?
"""

_SHUFFLED_INDEX = "CREATE INDEX IF NOT EXISTS objects_shuffled ON objects (bucket, shuffled(key))"
_SHUFFLED_PAGE = """
SELECT key, size, created_us, shuffled(key) FROM objects
WHERE bucket = ? AND shuffled(key) > ? AND key >= ? AND key < ? AND created_us > ?
ORDER BY shuffled(key) LIMIT ?
"""


class Row(NamedTuple):
    """What a listing tells of an object."""

    key: str
    size: int
    created_us: int


class Objects:
    """Objects of every bucket. May be used by several threads.

    Expired objects are never shown. They stay in the table until the bucket is purged.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._next_due_us: int | None = None
        # Only listings that are unsorted on purpose need it, and each write pays for it.
        database.run("DROP INDEX IF EXISTS objects_shuffled")
        self._is_shuffled = False

    def put(self, bucket: Bucket, stored: StoredObject, due_us: int | None) -> list[str | None]:
        """Make `stored` the object of its key, at once or from `due_us` on.

        Returns the blobs that are no longer needed.
        """
        with self._database.lock:
            if due_us is None:
                return self._replace(bucket.seq, stored)
            self._database.run(
                "INSERT INTO pending VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (due_us, bucket.seq, *_values(stored)),
            )
            self._next_due_us = min(due_us, self._next_due_us or due_us)
            return []

    def put_many(self, bucket: Bucket, objects: Iterable[StoredObject]) -> None:
        """Add objects that have no blob, all or none."""
        self._database.run_many(_PUT, ((bucket.seq, *_values(stored)) for stored in objects))

    def find(self, bucket: Bucket, key: str) -> StoredObject | None:
        """The version that may be seen now."""
        row = self._database.one(
            f"SELECT {_COLUMNS} FROM objects WHERE bucket = ? AND key = ? AND created_us > ?",  # noqa: S608 - constants only
            (bucket.seq, key, self._oldest_us(bucket)),
        )
        return None if row is None else StoredObject(*row)

    def newest_created_us(self, bucket: Bucket, key: str) -> int | None:
        """`created_us` of the last version of that key, seen or not."""
        row = self._database.one(
            "SELECT max(created_us) FROM ("
            "SELECT created_us FROM objects WHERE bucket = ?1 AND key = ?2 UNION ALL "
            "SELECT created_us FROM pending WHERE bucket = ?1 AND key = ?2)",
            (bucket.seq, key),
        )
        return None if row is None else row[0]

    def delete(self, bucket: Bucket, key: str) -> list[str | None]:
        """Remove every version of that key; returns their blobs."""
        with self._database.lock:
            return self._remove(bucket.seq, "key = ?", key)

    def clear(self, bucket: Bucket) -> list[str | None]:
        """Remove every object of the bucket; returns their blobs."""
        with self._database.lock:
            return self._remove(bucket.seq, "key >= ?", "")

    def purge(self, bucket: Bucket) -> list[str | None]:
        """Remove what has expired; returns the blobs."""
        with self._database.lock:
            return self._remove(bucket.seq, "created_us <= ?", self._oldest_us(bucket))

    def page(self, bucket: Bucket, start: str, stop: str | bytes, limit: int) -> list[Row]:
        """Objects with `start` <= key < `stop`, by key."""
        values = (bucket.seq, start, stop, self._oldest_us(bucket), limit)
        return [Row._make(row) for row in self._database.rows(SORTED_PAGE, values)]

    def shuffled_page(
        self, bucket: Bucket, after: int, start: str, stop: str | bytes, limit: int
    ) -> tuple[list[Row], int]:
        """As `page`, in an order of its own, and the place after which to go on."""
        with self._database.lock:
            if not self._is_shuffled:
                self._database.run(_SHUFFLED_INDEX)
                self._is_shuffled = True
            values = (bucket.seq, after, start, stop, self._oldest_us(bucket), limit)
            rows = self._database.rows(_SHUFFLED_PAGE, values)
        return [Row(*row[:3]) for row in rows], rows[-1][3] if rows else after

    def total_size(self, bucket: Bucket) -> int:
        """Bytes of all objects. Walks the whole bucket."""
        row = self._database.one(
            "SELECT coalesce(sum(size), 0) FROM objects WHERE bucket = ? AND created_us > ?",
            (bucket.seq, self._oldest_us(bucket)),
        )
        return 0 if row is None else int(row[0])

    def show_due(self) -> list[str | None]:
        """Let versions be seen whose time has come; returns the blobs they replace."""
        due_us = self._next_due_us
        if due_us is None or self._clock.now_us() < due_us:
            return []
        return self._show(self._clock.now_us())

    def show_all(self) -> list[str | None]:
        """Let every version be seen; returns the blobs they replace."""
        return self._show(_FOREVER_US)

    def _show(self, last_us: int) -> list[str | None]:
        with self._database.lock:
            blobs: list[str | None] = []
            for seq, bucket_seq, *values in self._database.rows(
                f"SELECT seq, bucket, {_COLUMNS} FROM pending WHERE due_us <= ? ORDER BY seq",  # noqa: S608 - constants only
                (last_us,),
            ):
                blobs += self._replace(bucket_seq, StoredObject(*values))
                self._database.run("DELETE FROM pending WHERE seq = ?", (seq,))
            row = self._database.one("SELECT min(due_us) FROM pending")
            self._next_due_us = None if row is None else row[0]
            return blobs

    def _replace(self, bucket_seq: int, stored: StoredObject) -> list[str | None]:
        old = self._database.one(
            "SELECT blob FROM objects WHERE bucket = ? AND key = ?", (bucket_seq, stored.key)
        )
        self._database.run(_PUT, (bucket_seq, *_values(stored)))
        return [] if old is None else [old[0]]

    def _remove(self, bucket_seq: int, condition: str, value: object) -> list[str | None]:
        blobs: list[str | None] = []
        for table in ("objects", "pending"):
            where = f"FROM {table} WHERE bucket = ? AND {condition}"
            blobs += [
                row[0] for row in self._database.rows(f"SELECT blob {where}", (bucket_seq, value))
            ]
            self._database.run(f"DELETE {where}", (bucket_seq, value))
        return blobs

    def _oldest_us(self, bucket: Bucket) -> int:
        """Objects stored then or earlier have expired."""
        if bucket.ttl_s is None:
            return -1
        return self._clock.now_us() - bucket.ttl_s * US


def _values(stored: StoredObject) -> tuple[Any, ...]:
    return (
        stored.key,
        stored.size,
        stored.created_us,
        stored.etag,
        stored.md5,
        stored.crc32c,
        stored.blob,
    )
