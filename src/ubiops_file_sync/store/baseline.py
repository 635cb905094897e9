"""The baseline: what both sides said of each key when they were last in step.

A file `PROFILE.sqlite` per profile, with a rollback journal rather than a write-ahead log: a dry
run can then read it without creating a file beside it (invariant I8). Only the thread that made a
store uses it.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from ubiops_file_sync.errors import ConfigError, SafetyHalt, SyncError
from ubiops_file_sync.model import (
    BaselineEntry,
    BaselineRow,
    Intent,
    Part,
    RowBlock,
    Unfinished,
    as_row,
)
from ubiops_file_sync.store.history import PassHistory
from ubiops_file_sync.store.state_file import (
    HAS_HISTORY,
    HAS_TRANSFERS,
    SCHEMA_VERSION,
    Identity,
    closed_unless_well,
    connect,
    create,
    extend,
    fill,
)
from ubiops_file_sync.store.unfinished import UnfinishedTransfers
from ubiops_file_sync.store.unusable import unusable

OTHER_PLACES = "other-places"
"""The name that lets a pass begin anew where the recorded state speaks of other places."""
BUCKET_TTL = "bucket_ttl_us"
"""The name of the fact (`note`) for how long objects stay: microseconds, or `NO_TTL`."""
NO_TTL = "none"
_PAGE_ROWS = 500
"""Few enough to stay in a processor's cache until they are compared."""

_NUMBER = re.compile(r"-?[0-9]{1,18}", re.ASCII)
"""One that SQLite can still add another to."""

_NEXT_ENTRIES = """
SELECT key, size, mtime_ns, created_us FROM baseline WHERE key > ? ORDER BY key LIMIT ?
"""
_NEXT_INTENTS = """
SELECT key, size, mtime_ns, started_us, finished_us FROM intent
WHERE key > ? ORDER BY key LIMIT ?
"""


class BaselineStore:
    """The recorded state of one profile."""

    def __init__(self, connection: sqlite3.Connection, path: Path, *, read_only: bool) -> None:
        self._db = connection
        self._path = path
        self._read_only = read_only
        self._unfinished = UnfinishedTransfers(connection)
        self._version = SCHEMA_VERSION

    @classmethod
    def open(cls, path: Path, identity: Identity, *, other_places: bool = False) -> Self:
        """The store at `path`, made if there is none. The profile's lock must be held.

        Raises `SafetyHalt` if it speaks of other places than `identity`, unless `other_places`
        says to begin anew then, and `ConfigError` if it cannot be used.
        """
        try:
            if not path.exists():
                create(path, identity)
        except (OSError, sqlite3.DatabaseError) as error:
            raise unusable(path, error) from error
        with closed_unless_well(connect(path, read_only=False)) as db:
            store = cls(db, path, read_only=False)
            if other_places and store._moved(identity):
                store.begin_anew(identity)
            store._require_same(identity)
        return store

    @classmethod
    def open_read_only(cls, path: Path, identity: Identity) -> Self:
        """The store at `path` for a dry run: nothing is written; none there is an empty one."""
        try:
            exists = path.exists()
        except OSError as error:
            raise unusable(path, error) from error
        there = connect(path, read_only=True) if exists else None
        with closed_unless_well(there or sqlite3.connect("", isolation_level=None)) as db:
            if not exists:
                fill(db, identity)
            store = cls(db, path, read_only=True)
            store._require_same(identity)
        return store

    @classmethod
    def look(cls, path: Path) -> Self | None:
        """The store at `path`, whatever places it speaks of, for those who only tell of it.

        Nothing is written, and a pass may be under way. None: there is none. Raises `ConfigError`
        if it cannot be used.
        """
        try:
            if not path.exists():
                return None
        except OSError as error:
            raise unusable(path, error) from error
        with closed_unless_well(connect(path, read_only=True)) as db:
            store = cls(db, path, read_only=True)
            store._recorded_places()
        return store

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._db.close()

    def _recorded_places(self) -> dict[str, str]:
        with self._usable():
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                raise ConfigError(
                    f"{self._path} was written by a newer version of ubiops-file-sync; use that "
                    "version, or move the file away to begin anew (no file is lost by that)"
                )
            self._version = version
            if not self._read_only:
                self._bring_up_to_date()
            return dict(self._db.execute("SELECT name, value FROM meta"))

    def _bring_up_to_date(self) -> None:
        """Add what later versions of the schema have, one transaction for all of it."""
        if 0 < self._version < SCHEMA_VERSION:  # 0: not a state of ours, which reading it shows
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                extend(self._db, self._version)
            self._version = SCHEMA_VERSION

    def is_of_other_places(self, identity: Identity) -> bool:
        """Whether a pass between the places of `identity` would halt, since others were in step."""
        return bool(self._moved(identity)) and not self.is_empty()

    def _moved(self, identity: Identity) -> dict[str, tuple[str | None, str]]:
        """Names of the places that are others now, each with the old and the new one."""
        recorded = self._recorded_places()
        return {
            name: (recorded.get(name), value)
            for name, value in asdict(identity).items()
            if recorded.get(name) != value
        }

    def _require_same(self, identity: Identity) -> None:
        moved = self._moved(identity)
        if moved and self.is_empty():
            # Nothing was ever in step, so nothing can be taken for missing: a typo, corrected.
            for name, value in asdict(identity).items():
                self.note(name, value)
        elif moved:
            changes = "; ".join(
                f"{name} was {old!r} and is {new!r}" for name, (old, new) in moved.items()
            )
            raise SafetyHalt(
                f"profile {self._path.stem!r}: what was in step belongs to other places: {changes}."
                " Nothing was changed. If they are the right ones now, begin anew with them; that "
                "compares both sides by content and loses nothing: ubiops-file-sync reconcile "
                f"{self._path.stem} --allow {OTHER_PLACES}. If another job uses a profile of this "
                f"name for them, give one of the two another name, or a `state_dir` of its own "
                f"(the state is {self._path})"
            )

    def recorded_places(self) -> dict[str, str]:
        """The places that it speaks of, by the names that `Identity` has."""
        recorded = self._recorded_places()
        return {name: recorded[name] for name in Identity.__slots__ if name in recorded}

    def damage(self) -> str | None:
        """What is wrong with the file, in SQLite's words; None: nothing. Reads all of it."""
        with self._usable():
            told = self._db.execute("PRAGMA integrity_check(1)").fetchone()[0]
        return None if told == "ok" else str(told)

    @contextmanager
    def suspected(self) -> Iterator[None]:
        """Where what stands in the file is relied upon: an exception that nobody foresaw makes it
        be looked through. `ConfigError` if it is damaged; else the exception, as it is.

        So that what SQLite does not notice by itself is no bug of the program, without a check of
        each row that is read.
        """
        try:
            yield
        except SyncError:
            raise
        except Exception as error:
            damage = self.damage()
            if damage is not None:
                raise unusable(self._path, sqlite3.DataError(damage)) from error
            raise

    def begin_anew(self, identity: Identity) -> None:
        """Forget everything that was in step, and speak of these places from now on."""
        with self._usable(), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            for table in ("baseline", "intent", "transfer", "part", "meta"):
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608  names of our own
            self._db.executemany("INSERT INTO meta VALUES (?, ?)", asdict(identity).items())

    def rows(self) -> Iterator[BaselineRow]:
        """Everything recorded, sorted by key."""
        for block in self.row_blocks():
            yield from map(as_row, block)

    def row_blocks(self) -> Iterator[RowBlock]:
        """Everything recorded, sorted by key, in blocks; no lock is held between them.

        Where no upload is under way a block is of bare tuples, as SQLite makes them.
        """
        after = ""
        while True:
            with self._usable():
                entries = self._db.execute(_NEXT_ENTRIES, (after, _PAGE_ROWS)).fetchall()
                intents = self._db.execute(_NEXT_INTENTS, (after, _PAGE_ROWS)).fetchall()
            # What is told up to here of one table may not be all there is of the other.
            full = [rows for rows in (entries, intents) if len(rows) == _PAGE_ROWS]
            until = min((rows[-1][0] for rows in full), default=None)
            if until is not None:
                entries = [row for row in entries if row[0] <= until]
                intents = [row for row in intents if row[0] <= until]
            if intents:
                yield _joined(entries, intents)
            elif entries:
                yield entries
            if until is None:
                return
            after = until

    def is_empty(self) -> bool:
        """Whether nothing at all is recorded."""
        return next(self.row_blocks(), None) is None

    def row(self, key: str) -> BaselineRow | None:
        """What is recorded of one key; None: nothing."""
        with self._usable():
            base = self._db.execute("SELECT * FROM baseline WHERE key = ?", (key,)).fetchone()
            intent = self._db.execute("SELECT * FROM intent WHERE key = ?", (key,)).fetchone()
        if base is None and intent is None:
            return None
        return BaselineRow(
            key,
            None if base is None else BaselineEntry(*base),
            None if intent is None else Intent(*intent),
        )

    def base(self, key: str) -> BaselineEntry | None:
        """What both sides said of `key` when they were last in step; None: they never were."""
        row = self.row(key)
        return None if row is None else row.base

    def record(
        self,
        *,
        in_step: Iterable[BaselineEntry] = (),
        begun: Iterable[Intent] = (),
        forgotten: Iterable[str] = (),
        ended: Collection[str] = (),
    ) -> None:
        """Write what really happened, in one transaction. A key in step has no intent any more.

        `ended` are keys whose transfers in parts have come to their end.
        """
        in_step, begun, gone = list(in_step), list(begun), [(key,) for key in forgotten]
        with self._usable(), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT OR REPLACE INTO baseline VALUES (?, ?, ?, ?)", in_step)
            self._db.executemany("INSERT OR REPLACE INTO intent VALUES (?, ?, ?, ?, ?)", begun)
            self._db.executemany("DELETE FROM baseline WHERE key = ?", gone)
            if self._has_intents():
                settled = [*gone, *((entry.key,) for entry in in_step)]
                self._db.executemany("DELETE FROM intent WHERE key = ?", settled)
            if ended:
                self._unfinished.end(ended)

    def _has_intents(self) -> bool:
        return self._db.execute("SELECT 1 FROM intent LIMIT 1").fetchone() is not None

    def drop_intents(self, begun_before_us: int, ended_before_us: int) -> None:
        """Forget the uploads of earlier passes: the plan that was just carried out heeded them.

        Those are the ones without an end that began before `begun_before_us`. Those that ended
        well, and not before `ended_before_us`, are kept: they may still have to show.
        """
        with self._usable(), self._db:
            self._db.execute(
                "DELETE FROM intent"
                " WHERE iif(finished_us IS NULL, started_us < ?, finished_us < ?)",
                (begun_before_us, ended_before_us),
            )

    def pending(self) -> Iterator[Intent]:
        """Uploads that ended well and whose `time_created` is not yet known, sorted by key."""
        query = (
            "SELECT key, size, mtime_ns, started_us, finished_us FROM intent"
            " WHERE finished_us IS NOT NULL ORDER BY key"
        )
        with self._usable():
            rows = self._db.execute(query).fetchall()
        yield from (Intent(*row) for row in rows)

    def pending_for(self, key: str) -> Intent | None:
        """The upload of `key` that ended well and is not yet confirmed."""
        query = "SELECT * FROM intent WHERE key = ? AND finished_us IS NOT NULL"
        with self._usable():
            row = self._db.execute(query, (key,)).fetchone()
        return None if row is None else Intent(*row)

    def count_pending(self) -> int:
        """How many uploads ended well and are not yet confirmed."""
        query = "SELECT count(*) FROM intent WHERE finished_us IS NOT NULL"
        with self._usable():
            return int(self._db.execute(query).fetchone()[0])

    def note(self, name: str, value: str) -> None:
        """Remember a fact about the profile, such as the order of its listings.

        A store that is open for a dry run remembers nothing.
        """
        if self._read_only or self.noted(name) == value:
            return
        with self._usable(), self._db:
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def noted(self, name: str) -> str | None:
        """A fact remembered by `note`; None: never."""
        with self._usable():
            row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def noted_number(self, name: str) -> int | None:
        """A fact that is a whole number; None: never. Raises `ConfigError` if it is none."""
        noted = self.noted(name)
        if noted is None:
            return None
        with self._usable():
            if _NUMBER.fullmatch(noted) is None:
                raise sqlite3.DataError(f"{name} is no number")
            return int(noted)

    @property
    def history(self) -> PassHistory:
        """The passes over the profile that are remembered."""
        return PassHistory(self._db, self._usable, is_there=self._version >= HAS_HISTORY)

    def count_in_step(self) -> int:
        """How many keys are in step, as far as is recorded. Reads the whole baseline."""
        with self._usable():
            return int(self._db.execute("SELECT count(*) FROM baseline").fetchone()[0])

    def oldest_objects(self, before_us: int) -> tuple[int | None, int]:
        """When the oldest object in step was stored, and how many were before `before_us`.

        None: nothing is in step. Reads the whole baseline.
        """
        query = "SELECT min(created_us), coalesce(sum(created_us < ?), 0) FROM baseline"
        with self._usable():
            oldest_us, count = self._db.execute(query, (before_us,)).fetchone()
        return oldest_us, count

    def keys_like(self, pattern: str) -> Iterator[str]:
        """Keys in step that match a pattern of SQLite's GLOB, sorted. Reads the whole baseline."""
        after = ""
        query = "SELECT key FROM baseline WHERE key > ? AND key GLOB ? ORDER BY key LIMIT ?"
        while True:
            with self._usable():
                block = self._db.execute(query, (after, pattern, _PAGE_ROWS)).fetchall()
            yield from (key for (key,) in block)
            if len(block) < _PAGE_ROWS:
                return
            after = block[-1][0]

    def note_transfer(self, news: Unfinished | Part) -> None:
        """Write down that a transfer in parts begins, or that one more part has arrived."""
        with self._usable():
            self._unfinished.note(news)

    def unfinished_transfers(self) -> list[Unfinished]:
        """Transfers in parts that an earlier pass did not end."""
        if self._version < HAS_TRANSFERS:
            return []  # Open for a dry run, which writes nothing.
        with self._usable():
            return self._unfinished.all()

    def forget_transfers(self, transfers: Iterable[Unfinished]) -> None:
        """Forget transfers in parts that will not be gone on with."""
        with self._usable():
            self._unfinished.forget(transfers)

    def fetched_bytes(self) -> int:
        """Bytes of unfinished downloads that stand on the disk already, about."""
        if self._version < HAS_TRANSFERS:
            return 0  # As above.
        with self._usable():
            return self._unfinished.fetched_bytes()

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.DatabaseError, ValueError) as error:  # The latter: text that is none.
            raise unusable(self._path, error) from error


def _joined(entries: list[Any], intents: list[Any]) -> list[BaselineRow]:
    """What both tables say of each key, in key order."""
    base = {row[0]: BaselineEntry._make(row) for row in entries}
    begun = {row[0]: Intent._make(row) for row in intents}
    return [BaselineRow(key, base.get(key), begun.get(key)) for key in sorted(base.keys() | begun)]
