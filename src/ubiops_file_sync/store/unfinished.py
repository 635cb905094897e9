"""Big files on their way in parts, so that a killed pass loses the parts under way and no more."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Iterable
from dataclasses import replace

from ubiops_file_sync.model import Direction, Part, Unfinished
from ubiops_file_sync.parts import MOST_PARTS, count_parts

SCHEMA = """
CREATE TABLE transfer (
    key TEXT NOT NULL,
    direction TEXT NOT NULL,
    size INTEGER NOT NULL,
    stamp INTEGER NOT NULL,
    handle TEXT NOT NULL,
    source TEXT NOT NULL,
    part_bytes INTEGER NOT NULL,
    started_us INTEGER NOT NULL,
    PRIMARY KEY (key, direction)
) WITHOUT ROWID, STRICT;
CREATE TABLE part (
    key TEXT NOT NULL,
    direction TEXT NOT NULL,
    number INTEGER NOT NULL,
    tag TEXT NOT NULL,
    PRIMARY KEY (key, direction, number)
) WITHOUT ROWID, STRICT;
"""

_NO_NAME = re.compile(r"[/\0]|\A\.{0,2}\Z")


def _is_possible(one: Unfinished) -> bool:
    """Whether its numbers are such as there are, and its staged file is where all are."""
    if one.part_bytes < 1 or not 0 < count_parts(one.size, one.part_bytes) <= MOST_PARTS:
        return False
    return one.direction is Direction.UPLOAD or _NO_NAME.search(one.handle) is None


class UnfinishedTransfers:
    """The part of a profile's store that speaks of them. Only the store's thread uses it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def all(self) -> list[Unfinished]:
        """Every one, with the parts that have arrived.

        Raises `sqlite3.DataError` for what no transfer can be.
        """
        try:
            return self._all()
        except (KeyError, ValueError) as error:
            raise sqlite3.DataError(f"an unfinished transfer cannot be read: {error}") from error

    def _all(self) -> list[Unfinished]:
        known = {
            (row[0], row[1]): Unfinished(row[0], Direction(row[1]), *row[2:])
            for row in self._db.execute("SELECT * FROM transfer ORDER BY key")
        }
        if not all(map(_is_possible, known.values())):
            raise ValueError("its numbers or its staged file are none that there are")
        parts: dict[tuple[str, str], dict[int, str]] = {place: {} for place in known}
        for key, direction, number, tag in self._db.execute("SELECT * FROM part"):
            parts[key, direction][number] = tag
        return [replace(one, parts=parts[place]) for place, one in known.items()]

    def fetched_bytes(self) -> int:
        """Bytes that stand on the disk already of what is to be downloaded, about."""
        query = (
            "SELECT coalesce(sum(part_bytes), 0) FROM part JOIN transfer USING (key, direction)"
            " WHERE direction = ?"
        )
        return int(self._db.execute(query, (Direction.DOWNLOAD.value,)).fetchone()[0])

    def note(self, news: Unfinished | Part) -> None:
        """Write down a transfer that begins (one of before is forgotten), or one more part."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            if isinstance(news, Part):
                self._db.execute(
                    "INSERT OR REPLACE INTO part VALUES (?, ?, ?, ?)",
                    (news.key, news.direction.value, news.number, news.tag),
                )
                return
            self._remove([(news.key, news.direction.value)])
            self._db.execute(
                "INSERT INTO transfer VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    news.key,
                    news.direction.value,
                    news.size,
                    news.stamp,
                    news.handle,
                    news.source,
                    news.part_bytes,
                    news.started_us,
                ),
            )

    def forget(self, transfers: Iterable[Unfinished]) -> None:
        """Forget transfers that will not be gone on with."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._remove([(one.key, one.direction.value) for one in transfers])

    def end(self, keys: Collection[str]) -> None:
        """Forget all transfers of keys; within the transaction that records what they came to."""
        self._remove([(key, way.value) for key in keys for way in Direction])

    def _remove(self, places: Collection[tuple[str, str]]) -> None:
        for table in ("transfer", "part"):
            self._db.executemany(
                f"DELETE FROM {table} WHERE key = ? AND direction = ?",  # noqa: S608  ours
                places,
            )
