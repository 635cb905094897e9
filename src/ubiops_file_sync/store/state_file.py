"""The file of a profile's state: its schema, and how it is made, opened and brought up to date."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from ubiops_file_sync.store import history, unfinished
from ubiops_file_sync.store.unusable import unusable

SCHEMA_VERSION = 3
_BUSY_S = 30.0
"""How long another program's transaction is waited for."""

_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID, STRICT;
CREATE TABLE baseline (
    key TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    created_us INTEGER NOT NULL
) WITHOUT ROWID, STRICT;
CREATE TABLE intent (
    key TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    started_us INTEGER NOT NULL,
    finished_us INTEGER
) WITHOUT ROWID, STRICT;
"""

HAS_TRANSFERS = 2
HAS_HISTORY = 3
_CHANGES = {HAS_TRANSFERS: unfinished.SCHEMA, HAS_HISTORY: history.SCHEMA}
"""What was added to the schema since the first version, by the version that brought it."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The two places that a baseline speaks of; it means nothing for any others."""

    local_dir: str
    api_host: str
    project: str
    bucket: str
    bucket_dir: str


def create(path: Path, identity: Identity) -> None:
    """Make an empty store under another name and rename it: what stands at `path` is whole.

    A file without content there is then a damaged one, and not a beginning that was killed.
    A journal whose database was moved away must go: SQLite would play it back into the new one.
    """
    new = path.with_name(f"{path.name}.new")
    for leftover in (new, _journal(new), _journal(path)):
        leftover.unlink(missing_ok=True)
    os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with closing(connect(new, read_only=False)) as db:
        fill(db, identity)
    new.rename(path)


def fill(db: sqlite3.Connection, identity: Identity) -> None:
    """Make the tables of an empty state that speaks of these places."""
    with db:
        db.execute("BEGIN IMMEDIATE")
        for statement in _SCHEMA.split(";"):
            db.execute(statement)
        extend(db, version=1)
        db.executemany("INSERT INTO meta VALUES (?, ?)", asdict(identity).items())


def extend(db: sqlite3.Connection, version: int) -> None:
    """Bring a schema of `version` up to date, within a transaction."""
    for later in range(version + 1, SCHEMA_VERSION + 1):
        for statement in _CHANGES[later].split(";"):
            db.execute(statement)
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """The open database. Raises `ConfigError` if it cannot be used."""
    uri = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rw'}"
    try:
        with closed_unless_well(
            sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_BUSY_S)
        ) as db:
            if not read_only or not _was_cut_short(db):
                db.execute("PRAGMA synchronous = FULL")
                return db
        db.close()
        return _recovered_copy(path)
    except (OSError, sqlite3.DatabaseError, ValueError) as error:
        raise unusable(path, error) from error


@contextmanager
def closed_unless_well(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """An open database, closed if the block raises."""
    with ExitStack() as opened:
        yield opened.enter_context(closing(db))
        opened.pop_all()


def _was_cut_short(db: sqlite3.Connection) -> bool:
    """Whether a killed writer left a transaction that whoever reads must take back first."""
    try:
        db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.DatabaseError as error:
        return error.sqlite_errorcode == sqlite3.SQLITE_READONLY_ROLLBACK
    return False


def _recovered_copy(path: Path) -> sqlite3.Connection:
    """A private copy of the store, as it was before the transaction that was cut short.

    Taking it back in place would be a write, which a dry run must not do (invariant I8).
    """
    journal = _journal(path)
    with tempfile.TemporaryDirectory(prefix="ubiops-file-sync-") as folder:
        copy = Path(folder) / "state"
        while True:
            before = _stamp(journal)
            if before is None:
                return connect(path, read_only=True)  # A pass has begun, and taken it back.
            with suppress(FileNotFoundError):
                shutil.copyfile(journal, _journal(copy))
                shutil.copyfile(path, copy)
            if _stamp(journal) == before:
                break
        with (
            closed_unless_well(sqlite3.connect("", isolation_level=None)) as db,
            closing(sqlite3.connect(copy)) as recovered,
        ):
            recovered.backup(db)
    return db


def _journal(path: Path) -> Path:
    """Where SQLite keeps the journal of the database `path`."""
    return path.with_name(f"{path.name}-journal")


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Something that is another once the file was written anew; None: there is no file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
