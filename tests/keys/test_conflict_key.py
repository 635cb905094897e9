"""The name under which the loser of a conflict is kept."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.strategies import long_keys, unhurried, valid_keys
from ubiops_file_sync import keys

WHEN_US = int(datetime(2026, 3, 1, 9, 5, 7, 999_999, tzinfo=UTC).timestamp() * 1_000_000)

NAMES = [
    pytest.param("a.csv", "a.conflict-20260301T090507Z.csv", id="an extension stays last"),
    pytest.param("d/e/a.csv", "d/e/a.conflict-20260301T090507Z.csv", id="it stays in its folder"),
    pytest.param("d.x/a", "d.x/a.conflict-20260301T090507Z", id="a folder's dot is no extension"),
    pytest.param("Makefile", "Makefile.conflict-20260301T090507Z", id="no extension"),
    pytest.param(".bashrc", ".bashrc.conflict-20260301T090507Z", id="a dotfile has no extension"),
    pytest.param(".env.local", ".env.conflict-20260301T090507Z.local", id="a dotfile with one"),
    pytest.param("a.tar.gz", "a.tar.conflict-20260301T090507Z.gz", id="only the last counts"),
    pytest.param("a.", "a.conflict-20260301T090507Z.", id="a dot at the end"),
    pytest.param("...", "...conflict-20260301T090507Z.", id="nothing but dots"),
    pytest.param("é.€", "é.conflict-20260301T090507Z.€", id="many bytes a letter"),
    pytest.param(
        "v1." + "x" * 33, "v1." + "x" * 33 + ".conflict-20260301T090507Z", id="no real extension"
    ),
    pytest.param("a" * 255, "a" * 229 + ".conflict-20260301T090507Z", id="the longest name is cut"),
    pytest.param(
        "a" * 251 + ".csv",
        "a" * 225 + ".conflict-20260301T090507Z.csv",
        id="cut before its extension",
    ),
    pytest.param("€" * 85, "€" * 76 + ".conflict-20260301T090507Z", id="cut between letters"),
]


@pytest.mark.parametrize(("key", "name"), NAMES)
def test_the_loser_is_found_beside_the_winner(key: str, name: str) -> None:
    assert keys.conflict_key(key, WHEN_US) == name
    assert keys.refusal(name) is None


def test_a_taken_name_is_followed_by_numbers() -> None:
    assert keys.conflict_key("a.csv", WHEN_US, 1) == "a.conflict-20260301T090507Z-1.csv"
    assert keys.conflict_key("a.csv", WHEN_US, 12) == "a.conflict-20260301T090507Z-12.csv"


TIMES = [
    pytest.param(0, "19700101T000000Z", id="the epoch"),
    pytest.param(-1, "19700101T000000Z", id="just before the epoch"),
    pytest.param(-(2**63) // 1000, "19700101T000000Z", id="the earliest mtime"),
    pytest.param((2**63 - 1) // 1000, "22620411T234716Z", id="the latest mtime of 64 bits"),
    pytest.param(253_402_300_799_999_999, "99991231T235959Z", id="the last of the calendar"),
    pytest.param(253_402_300_800_000_000, "99991231T235959Z", id="after the calendar"),
    pytest.param(2**80, "99991231T235959Z", id="after the end of all things"),
    pytest.param(-(2**80), "19700101T000000Z", id="before the beginning of all things"),
]


@pytest.mark.parametrize(("changed_us", "shown"), TIMES)
def test_a_file_with_an_impossible_time_can_lose_a_conflict_too(
    changed_us: int, shown: str
) -> None:
    assert keys.conflict_key("a", changed_us) == f"a.conflict-{shown}"


def test_a_folder_that_leaves_no_room_sends_its_loser_to_the_one_above() -> None:
    deep = "/".join(["d" * 200] * 4) + "/" + "e" * 209 + "/"
    key = deep + "x.csv"
    assert len(key) == 1019
    assert keys.refusal(key) is None
    name = keys.conflict_key(key, WHEN_US)
    assert name == "/".join(["d" * 200] * 4) + "/x.conflict-20260301T090507Z.csv"


times_us = st.one_of(st.integers(), st.integers(-(2**63), 2**63), st.just(WHEN_US))
any_keys = st.one_of(valid_keys, long_keys)


@unhurried
@given(any_keys, times_us, st.integers(0, 99))
def test_the_name_is_always_a_valid_key_of_another_file(
    key: str, changed_us: int, attempt: int
) -> None:
    name = keys.conflict_key(key, changed_us, attempt)
    assert keys.refusal(name) is None
    assert name != key
    assert key.startswith(name.rpartition("/")[0])


@unhurried
@given(any_keys, times_us, st.integers(0, 99))
def test_a_pass_that_died_finds_its_own_name_again(key: str, time_us: int, attempt: int) -> None:
    assert keys.conflict_key(key, time_us, attempt) == keys.conflict_key(key, time_us, attempt)


@unhurried
@given(any_keys, times_us)
def test_no_two_attempts_share_a_name(key: str, changed_us: int) -> None:
    tried = [keys.conflict_key(key, changed_us, attempt) for attempt in range(100)]
    assert len(set(tried)) == 100


@unhurried
@given(any_keys, times_us)
def test_a_loser_of_a_loser_has_a_name_too(key: str, changed_us: int) -> None:
    name = key
    for _ in range(12):
        name = keys.conflict_key(name, changed_us)
        assert keys.refusal(name) is None


@unhurried
@given(any_keys, times_us, st.integers(0, 99))
def test_the_name_is_known_for_what_it_is(key: str, changed_us: int, attempt: int) -> None:
    name = keys.conflict_key(key, changed_us, attempt)
    assert keys.is_conflict_key(name)
    db = sqlite3.connect(":memory:")
    assert db.execute("SELECT ? GLOB ?", (name, keys.CONFLICT_GLOB)).fetchone() == (1,)
    db.close()


@pytest.mark.parametrize(
    "key",
    [
        "a.csv",
        "a.conflict-2026.csv",
        "a.conflict-20260301T090507Z/b.csv",
        "a.conflict-20260301T090507Z.tar.gz",
        "conflict-20260301T090507Z.csv",
    ],
)
def test_other_names_are_not_taken_for_one(key: str) -> None:
    assert not keys.is_conflict_key(key)
