"""Passes over a profile, remembered for some time; the last one always.

A pass writes its row when it begins, and how it ended when it does. A row without an end whose
pass holds no lock any more is one of a pass that was killed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import msgspec

from ubiops_file_sync.model import Problem
from ubiops_file_sync.past import Account, PastPass, Stage, Trigger

_BLOCK = 200

# The number and not the time tells what came first: clocks are set back. Troubles have a table of
# their own, since a file that fails does so in every pass, with the same words.
SCHEMA = """
CREATE TABLE pass (
    number INTEGER PRIMARY KEY,
    pass_id TEXT NOT NULL,
    began_us INTEGER NOT NULL,
    asked_by TEXT NOT NULL,
    process INTEGER NOT NULL,
    ended_us INTEGER,
    exit_code INTEGER,
    account TEXT,
    trouble INTEGER
) STRICT;
CREATE INDEX pass_began ON pass (began_us);
CREATE TABLE trouble (number INTEGER PRIMARY KEY, problems TEXT NOT NULL) STRICT;
"""

_NEWEST = """
SELECT pass.number, pass_id, began_us, asked_by, process, ended_us, exit_code, account, problems
FROM pass LEFT JOIN trouble ON trouble.number = pass.trouble
WHERE pass.number < ? ORDER BY pass.number DESC LIMIT ?
"""

# The last pass stays however old it is, and so does the last that went well: for how long nothing
# has is what somebody will want to know.
_PRUNE_PASSES = """
DELETE FROM pass WHERE began_us < ?
AND number IS NOT (SELECT max(number) FROM pass)
AND number IS NOT (SELECT number FROM pass WHERE exit_code = 0 ORDER BY number DESC LIMIT 1)
"""

# Their numbers grow with those of the passes, so the oldest pass that has one has the oldest.
_PRUNE_TROUBLES = """
DELETE FROM trouble WHERE EXISTS (SELECT 1 FROM trouble) AND number < coalesce(
    (SELECT trouble FROM pass WHERE trouble IS NOT NULL ORDER BY number LIMIT 1),
    (SELECT max(number) + 1 FROM trouble)
)
"""


class PassHistory:
    """The part of a profile's store that speaks of them. Only the store's thread uses it."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        usable: Callable[[], AbstractContextManager[None]],
        *,
        is_there: bool,
    ) -> None:
        """`usable` turns the database's exceptions into ours.

        `is_there`: False for a store of an older version that is only read.
        """
        self._db = connection
        self._usable = usable
        self._is_there = is_there

    def begin(self, one: PastPass) -> None:
        """Write down that a pass is under way."""
        with self._usable(), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._add(one)

    def end(self, one: PastPass, keep_since_us: int) -> None:
        """Write down how a pass ended, and forget those that began before `keep_since_us`."""
        with self._usable(), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            done = self._db.execute(
                "UPDATE pass SET ended_us = ?, exit_code = ?, account = ?, trouble = ?"
                " WHERE number = (SELECT max(number) FROM pass) AND pass_id = ?",
                (*self._ending(one), one.pass_id),
            )
            if not done.rowcount:
                self._add(one)  # Its beginning could not be written.
            if self._db.execute(_PRUNE_PASSES, (keep_since_us,)).rowcount:
                self._db.execute(_PRUNE_TROUBLES)

    def newest_first(self) -> Iterator[PastPass]:
        """Every pass; read in blocks, so that no lock is held between.

        One whose end is not written is `CUT_OFF`: whether it is still under way, the profile's
        lock knows.
        """
        before = 2**63 - 1
        while self._is_there:
            with self._usable():
                block = self._db.execute(_NEWEST, (before, _BLOCK)).fetchall()
                passes = [_past_pass(row) for row in block]
            yield from passes
            if len(block) < _BLOCK:
                return
            before = block[-1][0]

    def _add(self, one: PastPass) -> None:
        self._db.execute(
            "INSERT INTO pass (pass_id, began_us, asked_by, process, ended_us, exit_code, account,"
            " trouble) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (one.pass_id, one.began_us, one.trigger.value, one.process, *self._ending(one)),
        )

    def _ending(self, one: PastPass) -> tuple[int | None, int | None, str | None, int | None]:
        if one.ended_us is None:
            return None, None, None, None
        return one.ended_us, one.exit_code, _json(one.account), self._trouble(one.problems)

    def _trouble(self, problems: tuple[Problem, ...]) -> int | None:
        """The number of these problems: that of the last ones, if they are the same."""
        if not problems:
            return None
        text = _json(problems)
        last = self._db.execute("SELECT * FROM trouble ORDER BY number DESC LIMIT 1").fetchone()
        if last is not None and last[1] == text:
            return int(last[0])
        return self._db.execute("INSERT INTO trouble (problems) VALUES (?)", (text,)).lastrowid


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _past_pass(row: tuple[Any, ...]) -> PastPass:
    _, pass_id, began_us, asked_by, process, ended_us, exit_code, account, problems = row
    try:
        return PastPass(
            pass_id,
            began_us,
            Trigger(asked_by),
            process,
            Stage.CUT_OFF if ended_us is None else Stage.ENDED,
            ended_us,
            exit_code,
            msgspec.json.decode(account or "{}", type=Account),
            msgspec.json.decode(problems or "[]", type=tuple[Problem, ...]),
        )
    except (ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise sqlite3.DataError(f"pass {pass_id} cannot be read: {error}") from error
