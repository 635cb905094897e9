"""The SQLite index of the data folder: one connection, shared under one lock."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS projects (name TEXT PRIMARY KEY, record BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS buckets (seq INTEGER PRIMARY KEY AUTOINCREMENT, record BLOB);
CREATE TABLE IF NOT EXISTS objects (
    bucket INTEGER, key TEXT, size INTEGER, created_us INTEGER,
    etag TEXT, md5 BLOB, crc32c BLOB, blob TEXT,
    PRIMARY KEY (bucket, key)
) WITHOUT ROWID;
-- Versions that are stored but may not be seen before due_us.
CREATE TABLE IF NOT EXISTS pending (
    seq INTEGER PRIMARY KEY, due_us INTEGER,
    bucket INTEGER, key TEXT, size INTEGER, created_us INTEGER,
    etag TEXT, md5 BLOB, crc32c BLOB, blob TEXT
);
CREATE TABLE IF NOT EXISTS uploads (id TEXT PRIMARY KEY, bucket INTEGER, key TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS parts (
    bucket INTEGER, upload TEXT, name TEXT, size INTEGER, md5 BLOB, blob TEXT,
    PRIMARY KEY (bucket, upload, name)
) WITHOUT ROWID;
"""


class Database:
    """The index. Every method may be called by any thread; each call is one transaction.

    Nothing is synced to disk: what survives is what was written before the process ended,
    however it ended. A power cut may lose the last moments, which a demo and tests can bear.
    """

    def __init__(self, path: Path) -> None:
        self.lock = threading.RLock()
        self._connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.create_function("shuffled", 1, shuffled, deterministic=True)
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file. No other method may be called after it."""
        with self.lock:
            self._connection.close()

    def run(self, statement: str, values: Iterable[Any] = ()) -> int:
        """The number of rows that the statement changed."""
        with self.lock:
            return self._connection.execute(statement, tuple(values)).rowcount

    def run_many(self, statement: str, rows: Iterable[Iterable[Any]]) -> None:
        """Run the statement once for each row, all or none."""
        with self.transaction():
            self._connection.executemany(statement, (tuple(row) for row in rows))

    def insert(self, statement: str, values: Iterable[Any]) -> int:
        """The row number that the statement made."""
        with self.lock:
            return self._connection.execute(statement, tuple(values)).lastrowid or 0

    def one(self, statement: str, values: Iterable[Any] = ()) -> tuple[Any, ...] | None:
        """The first row."""
        with self.lock:
            row: tuple[Any, ...] | None = self._connection.execute(
                statement, tuple(values)
            ).fetchone()
            return row

    def rows(self, statement: str, values: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        """Every row."""
        with self.lock:
            return self._connection.execute(statement, tuple(values)).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make several calls one transaction. Other threads wait. May not be nested."""
        with self.lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def count_steps(self, statement: str, values: Iterable[Any]) -> int:
        """How many instructions SQLite's machine takes for the statement, to the next ten.

        Tells whether a query walks an index or a table, without measuring time.
        """
        ticks = 0

        def tick() -> int:
            nonlocal ticks
            ticks += 1
            return 0

        with self.lock:
            self._connection.set_progress_handler(tick, 10)
            try:
                self._connection.execute(statement, tuple(values)).fetchall()
            finally:
                self._connection.set_progress_handler(None, 0)
        return ticks * 10


def shuffled(key: str) -> int:
    """A number that puts keys in an order that has nothing to do with their own."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big") >> 1
