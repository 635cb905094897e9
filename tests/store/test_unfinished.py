"""Transfers in parts: what the next pass needs to go on with them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from store.states import IDENTITY, entries, made, recorded
from ubiops_file_sync.errors import ConfigError
from ubiops_file_sync.model import BaselineEntry, Direction, Part, Unfinished
from ubiops_file_sync.store import BaselineStore

UP = Unfinished("big", Direction.UPLOAD, 30, 7, "an-upload", "amazon_s3", 10, 5)
DOWN = Unfinished("big", Direction.DOWNLOAD, 25, 8, "p.part.x", '"etag"', 10, 6)


def test_parts_are_found_by_the_next_pass(path: Path) -> None:
    with BaselineStore.open(path, IDENTITY) as store:
        for news in (UP, DOWN, Part("big", Direction.UPLOAD, 2, "t2")):
            store.note_transfer(news)
        store.note_transfer(Part("big", Direction.DOWNLOAD, 1, ""))
        assert store.fetched_bytes() == 10
    with BaselineStore.open_read_only(path, IDENTITY) as store:
        assert store.fetched_bytes() == 10
        assert store.unfinished_transfers() == [
            replace(DOWN, parts={1: ""}),
            replace(UP, parts={2: "t2"}),
        ]


def test_a_transfer_that_begins_anew_has_no_parts(path: Path) -> None:
    with BaselineStore.open(path, IDENTITY) as store:
        store.note_transfer(UP)
        store.note_transfer(Part("big", Direction.UPLOAD, 2, "t2"))
        anew = replace(UP, handle="another")
        store.note_transfer(anew)
        assert store.unfinished_transfers() == [anew]


def test_one_transfer_is_forgotten_without_the_other_of_its_key(path: Path) -> None:
    with BaselineStore.open(path, IDENTITY) as store:
        for news in (UP, DOWN, Part("big", Direction.UPLOAD, 2, "t2")):
            store.note_transfer(news)
        store.forget_transfers([UP])
        assert store.unfinished_transfers() == [DOWN]
        store.note_transfer(UP)
        assert store.unfinished_transfers() == [DOWN, UP]


def test_what_a_transfer_came_to_takes_the_place_of_its_parts(path: Path) -> None:
    with BaselineStore.open(path, IDENTITY) as store:
        for news in (UP, DOWN, replace(UP, key="other")):
            store.note_transfer(news)
        store.record(in_step=[BaselineEntry("big", 30, 7, 9)], ended=["big"])
        assert store.unfinished_transfers() == [replace(UP, key="other")]
        store.begin_anew(IDENTITY)
        assert store.unfinished_transfers() == []


def test_a_state_of_the_first_version_is_brought_up_to_date(path: Path) -> None:
    made(path, *entries(3))
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            "DROP TABLE transfer; DROP TABLE part; DROP TABLE pass; DROP TABLE trouble;"
            "PRAGMA user_version = 1"
        )
    before = path.read_bytes()
    with BaselineStore.open_read_only(path, IDENTITY) as store:
        assert (store.fetched_bytes(), recorded(store)) == (0, entries(3))
    assert path.read_bytes() == before
    with BaselineStore.open(path, IDENTITY) as store:
        store.note_transfer(UP)
    with BaselineStore.open_read_only(path, IDENTITY) as store:
        assert (store.unfinished_transfers(), recorded(store)) == ([UP], entries(3))


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE transfer SET direction = 'sideways'",
        "UPDATE part SET key = 'of no transfer'",
        "UPDATE transfer SET part_bytes = 0",
        "UPDATE transfer SET part_bytes = 1, size = 9223372036854775807",
        "UPDATE transfer SET size = -1",
        "UPDATE transfer SET handle = '../../../elsewhere'",
        "UPDATE transfer SET handle = '..'",
        "UPDATE transfer SET handle = CAST(x'ff' AS TEXT)",
    ],
)
def test_a_transfer_that_cannot_be_is_a_damaged_state(path: Path, damage: str) -> None:
    with BaselineStore.open(path, IDENTITY) as store:
        store.note_transfer(DOWN)
        store.note_transfer(Part("big", Direction.DOWNLOAD, 1, ""))
        store._db.execute(damage)
        with pytest.raises(ConfigError, match=r"is damaged .*; move it away: mv "):
            store.unfinished_transfers()
