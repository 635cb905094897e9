"""Scratch space of one pass: the plan, and a listing that needs sorting.

SQLite's temporary databases: they spill to disk when they grow, so memory stays flat (invariant
I11), they vanish with the process, however it ends, and they leave nothing behind in the state
folder (invariant I8).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Self

from ubiops_file_sync import keys
from ubiops_file_sync.errors import ConfigError
from ubiops_file_sync.model import (
    Action,
    BaselineEntry,
    LocalEntry,
    Loser,
    Outcome,
    PlanSummary,
    Reason,
    RemoteBlock,
    RemoteEntry,
    Settled,
    Verb,
    in_step,
)
from ubiops_file_sync.outline import FolderShare, Gist, Outline, unfolded
from ubiops_file_sync.parts import NEVER_BIG, upload_calls

_BLOCK = 1000


@contextmanager
def scratch_space() -> Iterator[None]:
    """Where scratch databases are used: what SQLite says of them becomes a `ConfigError`."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise ConfigError(
            f"the temporary files of the pass cannot be used ({error}). What was done until now is "
            "recorded, or found again; make room where they are (TMPDIR, else /var/tmp or /tmp), "
            "and run this again"
        ) from error


_CALLS = """
CASE verb
    -- an upload over somebody else's version fetches that first, and looks again before it sends;
    -- a loser that is renamed is sent too, both ways after a look whether its name is free
    WHEN 'upload' THEN upload_calls(local_size)
        + iif(remote_size IS NOT NULL AND (compare OR loser != 'none'), 2, 0)
        + iif(loser = 'rename', 1 + upload_calls(remote_size), 0)
    WHEN 'download' THEN 1 + iif(loser = 'rename', 1 + upload_calls(local_size), 0)
    -- fetched into the trash, looked at, deleted
    WHEN 'delete-remote' THEN 3
    -- looked at
    WHEN 'delete-local' THEN 1
    WHEN 'adopt' THEN compare
    ELSE 0
END
"""
"""API calls that an action takes, at most."""

_BYTES = """
CAST(total(CASE verb WHEN 'upload' THEN local_size WHEN 'download' THEN remote_size
    WHEN 'delete-remote' THEN remote_size ELSE 0 END) AS INTEGER) AS bytes
"""
"""Bytes that actions move, at most. They are added up by `total`, which knows no overflow:
sparse files may be larger than any disk."""

_TOTALS = f"""
SELECT verb, count(*), sum(loser != 'none'), sum(compare), {_BYTES}, sum({_CALLS})
FROM action GROUP BY verb
"""  # noqa: S608  ours

_BY_REASON = f"""
SELECT verb, reason, loser, compare, count(*) AS files, {_BYTES} FROM action
GROUP BY verb, reason, loser, compare ORDER BY files DESC, verb, reason
"""  # noqa: S608  ours

# The part of the key behind `:above`, up to its first slash; '' for a file that stands there.
_FOLDER = "substr(key, length(:above) + 1, instr(substr(key, length(:above) + 1), '/'))"
_IS_BELOW = "(:above = '' OR (key >= :above AND key < :beyond))"
_BY_FOLDER = f"""
SELECT {_FOLDER} AS folder, count(*) AS files, {_BYTES} FROM action
WHERE {_IS_BELOW} GROUP BY folder ORDER BY files DESC, folder
"""  # noqa: S608  ours
_VERBS_OF_FOLDER = f"""
SELECT verb, count(*) FROM action WHERE {_IS_BELOW} AND {_FOLDER} = :folder GROUP BY verb
"""  # noqa: S608  ours
_GOOD_PART = 0.2
"""Of all actions, in one folder: that is worth telling of by the folders in it."""

_IS_BIG = """
(verb IN ('upload', 'download', 'delete-remote')
    AND max(coalesce(local_size, 0), coalesce(remote_size, 0)) >= :big)
"""


_IS_SETTLED = "(verb = 'forget' OR (verb = 'adopt' AND NOT compare))"
"""Nothing is left to find out or to move: only the baseline is to be written."""
_SETTLED_BLOCK = 4_000
_ADOPT, _FORGET = Verb.ADOPT.value, Verb.FORGET.value
_VERB = {verb: verb.value for verb in Verb}
_REASON = {reason: reason.name for reason in Reason}
_LOSER = {loser: loser.value for loser in Loser}
"""As they stand in the database; an enum takes longer to tell its own name."""
_INSERT = "INSERT INTO action VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"


class Scratch:
    """A temporary database, for the thread that made it."""

    def __init__(self, schema: str) -> None:
        # An empty name is SQLite's for a private file that nobody else can open or find.
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute(schema)
        self._db.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._db.close()


class Spool(Scratch):
    """A whole plan, in key order. Complete before its first action is done."""

    def __init__(self, big_bytes: int = NEVER_BIG) -> None:
        """`big_bytes`: the size from which on files travel in parts."""
        super().__init__(
            "CREATE TABLE action (key TEXT PRIMARY KEY, verb TEXT, reason TEXT, loser TEXT,"
            " compare INTEGER, local_size INTEGER, mtime_ns INTEGER, remote_size INTEGER,"
            " created_us INTEGER) WITHOUT ROWID, STRICT"
        )
        self.big_bytes = big_bytes
        self._added: list[tuple[object, ...]] = []
        """What is not in the database yet."""
        self._db.create_function("upload_calls", 1, self._upload_calls, deterministic=True)

    def _upload_calls(self, size: int | None) -> int:
        return upload_calls(size or 0, self.big_bytes)

    def add(self, action: Action) -> None:
        """Append an action; a key has one at most."""
        local, remote = action.local, action.remote
        self._added.append(
            (
                action.key,
                _VERB[action.verb],
                _REASON[action.reason],
                _LOSER[action.loser],
                action.compare,
                None if local is None else local.size,
                None if local is None else local.mtime_ns,
                None if remote is None else remote.size,
                None if remote is None else remote.created_us,
            )
        )
        if len(self._added) >= _BLOCK:
            self._write()

    def _write(self) -> None:
        """What was added is in the database; many at a time, which takes half as long."""
        self._db.executemany(_INSERT, self._added)
        self._added.clear()

    def take_back(self, key: str) -> None:
        """Remove the action on `key`, if there is one."""
        self._write()
        self._db.execute("DELETE FROM action WHERE key = ?", (key,))

    def clear(self) -> None:
        """Remove every action."""
        self._added.clear()
        self._db.execute("DELETE FROM action")

    def actions(self) -> Iterator[Action]:
        """The plan, sorted by key."""
        return self._those("TRUE")

    def small(self) -> Iterator[Action]:
        """The actions on files that travel whole, sorted by key, but for those of `settled`."""
        return self._those(f"NOT {_IS_BIG} AND NOT {_IS_SETTLED}")

    def settled(self) -> Iterator[Settled]:
        """The actions that only write the baseline, many at a time, sorted by key."""
        self._write()
        query = f"SELECT * FROM action WHERE {_IS_SETTLED} ORDER BY key"  # noqa: S608  ours
        cursor = self._db.execute(query)
        while rows := cursor.fetchmany(_SETTLED_BLOCK):
            yield Settled(
                [
                    tuple.__new__(BaselineEntry, (row[0], row[5], row[6], row[8]))
                    for row in rows
                    if row[1] == _ADOPT
                ],
                [row[0] for row in rows if row[1] == _FORGET],
                partial(_settled_outcomes, rows),
            )

    def big(self) -> Iterator[Action]:
        """The actions on files that travel in parts, sorted by key."""
        return self._those(_IS_BIG)

    def find(self, key: str) -> Action | None:
        """The action on `key`; None: there is none."""
        self._write()
        row = self._db.execute("SELECT * FROM action WHERE key = ?", (key,)).fetchone()
        return None if row is None else _action(row)

    def _those(self, condition: str) -> Iterator[Action]:
        query = f"SELECT * FROM action WHERE {condition} ORDER BY key"  # noqa: S608  ours
        self._write()
        cursor = self._db.execute(query, {"big": self.big_bytes})
        while block := cursor.fetchmany(_BLOCK):
            for row in block:
                yield _action(row)

    def sum_up(self, summary: PlanSummary) -> None:
        """Fill in what `summary` says of the actions."""
        self._write()
        summary.conflicts = summary.comparisons = summary.transfer_calls = 0
        summary.bytes_up = summary.bytes_down = 0
        for name, count, conflicts, compared, size_bytes, calls in self._db.execute(_TOTALS):
            verb = Verb(name)
            summary.actions[verb] = count
            summary.conflicts += conflicts
            summary.comparisons += compared
            summary.transfer_calls += calls
            if verb is Verb.UPLOAD:
                summary.bytes_up = size_bytes
            else:
                summary.bytes_down += size_bytes

    def outline(self, most_folders: int) -> Outline:
        """The plan in a few rows; `most_folders` are named."""
        self._write()
        gists = [
            Gist(Verb(verb), Reason[reason], Loser(loser), bool(compare), files, size)
            for verb, reason, loser, compare, files, size in self._db.execute(_BY_REASON)
        ]
        first, last = self._db.execute("SELECT min(key), max(key) FROM action").fetchone()
        shared = _shared_folder(first or "", last or "")
        rest = [0, 0, 0]
        # Half of the room is left for folders within the large ones.
        shares = self._below(shared, -(-most_folders // 2), rest)
        large = int(_GOOD_PART * sum(gist.files for gist in gists))

        def inside(folder: str) -> list[FolderShare]:
            left_out = [0, 0, 0]
            inner = self._below(folder, most_folders, left_out)
            return [] if left_out[0] else inner

        named = unfolded(shares, inside, large, most_folders)
        return Outline(gists, shared, named, *rest)

    def _below(self, above: str, most: int, rest: list[int]) -> list[FolderShare]:
        """The shares just below a folder; of those left out `rest` gets folders, files, bytes."""
        within = {"above": above, "beyond": f"{above[:-1]}0"}
        cursor = self._db.execute(_BY_FOLDER, within)
        rows = cursor.fetchmany(most)
        for _, files, size_bytes in cursor:
            rest[:] = rest[0] + 1, rest[1] + files, rest[2] + size_bytes
        shares = []
        for folder, files, size_bytes in rows:
            verbs = self._db.execute(_VERBS_OF_FOLDER, {**within, "folder": folder})
            actions = {Verb(verb): count for verb, count in verbs}
            is_flat = not folder
            shares.append(FolderShare(f"{above}{folder}", is_flat, files, size_bytes, actions))
        return shares


def _action(
    row: tuple[str, str, str, str, int, int | None, int | None, int | None, int | None],
) -> Action:
    key, verb, reason, loser, compare, local_size, mtime_ns, remote_size, created_us = row
    local = remote = None
    if local_size is not None and mtime_ns is not None:
        local = LocalEntry(key, local_size, mtime_ns)
    if remote_size is not None and created_us is not None:
        remote = RemoteEntry(key, remote_size, created_us)
    return Action(
        _VERBS[verb], key, _REASONS[reason], local, remote, _LOSERS[loser], compare=bool(compare)
    )


_VERBS = {one.value: one for one in Verb}
_REASONS = dict(Reason.__members__)
_LOSERS = {one.value: one for one in Loser}


def _settled_outcomes(rows: list[Any]) -> Iterator[Outcome]:
    for action in map(_action, rows):
        if action.verb is Verb.FORGET:
            yield Outcome(action, Verb.FORGET, forgotten=True)
        elif action.local is not None and action.remote is not None:
            yield Outcome(action, Verb.ADOPT, baseline=in_step(action.local, action.remote))


def _shared_folder(first: str, last: str) -> str:
    """The deepest folder above all keys from `first` to `last`, with a slash behind it."""
    above = set(keys.parent_chain(first)).intersection(keys.parent_chain(last))
    deepest = max(above, key=len, default="")
    return f"{deepest}/" if deepest else ""


class FolderSet(Scratch):
    """Folders that hold something, at whatever depth."""

    def __init__(self) -> None:
        super().__init__("CREATE TABLE folder (name TEXT PRIMARY KEY) WITHOUT ROWID, STRICT")

    def note(self, key: str) -> None:
        """Every folder above `key` holds it."""
        self._db.executemany(
            "INSERT OR IGNORE INTO folder VALUES (?)", [(name,) for name in keys.parent_chain(key)]
        )

    def holds(self, folder: str) -> bool:
        """Whether `folder` (``""``: the root) holds anything that was noted."""
        found = self._db.execute("SELECT 1 FROM folder WHERE name = ?", (folder,)).fetchone()
        return found is not None


_ANY = "surrogatepass"
"""Names that are no valid Unicode pass too; the order of the bytes is still that of the keys."""


class ListingSort(Scratch):
    """Sorts a listing whose pages do not come in key order. The last word on a key counts.

    By the bytes of the keys: a name that is no valid Unicode is not SQLite's text, and is refused
    by itself later on.
    """

    def __init__(self) -> None:
        super().__init__(
            "CREATE TABLE entry (key BLOB PRIMARY KEY, size INTEGER, created_us INTEGER)"
            " WITHOUT ROWID, STRICT"
        )

    def sorted(self, pages: Iterable[RemoteBlock]) -> Iterator[RemoteBlock]:
        """All of `pages`, read to their end first, sorted by key and without repeats."""
        for page in pages:
            self._db.executemany(
                "INSERT OR REPLACE INTO entry VALUES (?, ?, ?)",
                [(key.encode(errors=_ANY), size, created) for key, size, created in page],
            )
        cursor = self._db.execute("SELECT key, size, created_us FROM entry ORDER BY key")
        while block := cursor.fetchmany(_BLOCK):
            yield [
                RemoteEntry(key.decode(errors=_ANY), size, created) for key, size, created in block
            ]
