"""Passes are remembered for some time, the last one always, at little cost."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys.strategies import unhurried
from store.states import IDENTITY, entries, entry, made, recorded, snapshot
from ubiops_file_sync.errors import ConfigError
from ubiops_file_sync.model import Pace, Problem, Verb
from ubiops_file_sync.past import Account, PastPass, Stage, Trigger
from ubiops_file_sync.store import BaselineStore, history

NO_LIMIT = -(2**60)


def begun(number: int, began_us: int | None = None) -> PastPass:
    at_us = 1000 * number if began_us is None else began_us
    return PastPass(f"pass-{number}", at_us, Trigger.SERVICE, 7, Stage.UNDER_WAY)


def ended(one: PastPass, *, exit_code: int = 0, problems: tuple[Problem, ...] = ()) -> PastPass:
    return replace(
        one,
        stage=Stage.ENDED,
        ended_us=one.began_us + 10,
        exit_code=exit_code,
        account=Account(problem_count=len(problems)),
        problems=problems,
    )


def went(store: BaselineStore, one: PastPass, keep_since_us: int = NO_LIMIT) -> None:
    """A whole pass."""
    store.history.begin(replace(one, stage=Stage.UNDER_WAY, ended_us=None))
    store.history.end(one, keep_since_us)


def remembered(store: BaselineStore) -> list[PastPass]:
    return list(store.history.newest_first())


def numbers(store: BaselineStore) -> list[int]:
    return [int(one.pass_id.removeprefix("pass-")) for one in remembered(store)]


def troubles(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("SELECT count(*) FROM trouble").fetchone()[0])


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
counts = st.integers(0, 2**60)
accounts = st.builds(
    Account,
    seconds=st.floats(0, 1e6),
    in_step=st.none() | counts,
    done=st.dictionaries(st.sampled_from(Verb), counts),
    left=st.dictionaries(st.sampled_from(["hidden", "not_ready"]), counts),
    bytes_up=counts,
    api_calls=st.dictionaries(st.sampled_from(["list", "get"]), counts),
    pace=st.none() | st.just(Pace(300, 0.9, 270)),
    kept=st.lists(texts, max_size=3).map(tuple),
    notes=st.lists(texts, max_size=3).map(tuple),
    error=st.none() | texts,
)


@settings(unhurried, max_examples=60)
@given(told=accounts, problems=st.lists(st.builds(Problem, texts, texts), max_size=3).map(tuple))
def test_what_a_pass_came_to_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, told: Account, problems: tuple[Problem, ...]
) -> None:
    path = tmp_path_factory.mktemp("state") / "models.sqlite"
    whole = replace(ended(begun(1)), account=told, problems=problems)
    with BaselineStore.open(path, IDENTITY) as store:
        went(store, whole)
        assert remembered(store) == [whole]


def test_a_pass_is_there_as_soon_as_it_begins_and_its_end_is_not(path: Path) -> None:
    with BaselineStore.open(path, IDENTITY) as store:
        store.history.begin(begun(1))
        assert remembered(store) == [replace(begun(1), stage=Stage.CUT_OFF)]
        store.history.end(ended(begun(1)), NO_LIMIT)
        assert remembered(store) == [ended(begun(1))]


def test_a_pass_that_was_killed_stays_one_whatever_comes_after_it(path: Path) -> None:
    with BaselineStore.open(path, IDENTITY) as store:
        store.history.begin(begun(1))
        went(store, ended(begun(2)))
        assert [one.stage for one in remembered(store)] == [Stage.ENDED, Stage.CUT_OFF]


def test_an_end_whose_beginning_could_not_be_written_is_a_whole_pass(path: Path) -> None:
    with BaselineStore.open(path, IDENTITY) as store:
        went(store, ended(begun(1)))
        store.history.end(ended(begun(2)), NO_LIMIT)
        assert remembered(store) == [ended(begun(2)), ended(begun(1))]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 6, 7])
def test_no_pass_is_lost_or_doubled_where_a_block_of_reading_ends(
    path: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_BLOCK", 3)
    with BaselineStore.open(path, IDENTITY) as store:
        for number in range(count):
            went(store, ended(begun(number)))
        assert numbers(store) == list(reversed(range(count)))


def test_a_clock_that_was_set_back_does_not_change_the_order(path: Path) -> None:
    with BaselineStore.open(path, IDENTITY) as store:
        for number, began_us in enumerate([5000, 1, 3000]):
            went(store, ended(begun(number, began_us)))
        assert numbers(store) == [2, 1, 0]


# -- for how long ----------------------------------------------------------------------------------


def test_old_passes_go_when_a_pass_ends(path: Path) -> None:
    with BaselineStore.open(path, IDENTITY) as store:
        for number in range(1, 6):
            went(store, ended(begun(number)))
        went(store, ended(begun(6)), keep_since_us=4000)
        assert numbers(store) == [6, 5, 4]


def test_the_last_pass_stays_however_old(path: Path) -> None:
    with BaselineStore.open(path, IDENTITY) as store:
        for number in (1, 2):
            went(store, ended(begun(number), exit_code=1), keep_since_us=2**60)
        assert numbers(store) == [2]


def test_the_last_pass_that_went_well_stays_however_old(path: Path) -> None:
    with BaselineStore.open(path, IDENTITY) as store:
        for number, exit_code in [(1, 0), (2, 0), (3, 1), (4, 3)]:
            went(store, ended(begun(number), exit_code=exit_code), keep_since_us=2**60)
        assert numbers(store) == [4, 2]


def test_a_clock_that_was_ahead_for_a_while_does_not_keep_what_came_after(path: Path) -> None:
    with BaselineStore.open(path, IDENTITY) as store:
        for number, began_us in enumerate([2**50, 1, 2, 3000]):
            went(store, ended(begun(number, began_us)), keep_since_us=1000)
        assert numbers(store) == [3, 0]


# -- what it costs ---------------------------------------------------------------------------------


def test_files_that_fail_in_every_pass_are_written_down_once(path: Path) -> None:
    same = (Problem("a", "denied"), Problem("b", "denied"))
    with BaselineStore.open(path, IDENTITY) as store:
        for number in range(10):
            went(store, ended(begun(number), exit_code=1, problems=same))
        went(store, ended(begun(10)))
        went(store, ended(begun(11), exit_code=1, problems=same))
        assert {one.problems for one in remembered(store)} == {same, ()}
    assert troubles(path) == 1


def test_what_failed_goes_with_the_last_pass_that_had_it(path: Path) -> None:
    first, second = (Problem("a", "denied"),), (Problem("b", "denied"),)
    with BaselineStore.open(path, IDENTITY) as store:
        for number, problems in enumerate([first, first, second, second]):
            went(store, ended(begun(number), exit_code=1, problems=problems))
        assert troubles(path) == 2
        went(store, ended(begun(4), exit_code=1, problems=second), keep_since_us=1000)
        assert [one.problems for one in remembered(store)] == [second] * 3 + [first]
        went(store, ended(begun(5)), keep_since_us=2000)
        assert (numbers(store), troubles(path)) == ([5, 4, 3, 2], 1)
        went(store, ended(begun(6)), keep_since_us=5000)
        assert (numbers(store), troubles(path)) == ([6, 5], 0)


def test_a_pass_that_did_nothing_takes_little_room(path: Path) -> None:
    with BaselineStore.open(path, IDENTITY) as store:
        idle = Account(
            seconds=0.123, local_files=5000, remote_files=5000, in_step=5000, api_calls={"list": 5}
        )
        before = path.stat().st_size
        for number in range(500):
            went(store, replace(ended(begun(number)), account=idle))
    assert (path.stat().st_size - before) / 500 < 250


def test_a_fact_that_is_known_already_is_not_written_again(path: Path) -> None:
    with BaselineStore.open(path, IDENTITY) as store:
        store.note("bucket_ttl_us", "none")
        before = snapshot(path.parent)
        store.note("bucket_ttl_us", "none")
        assert snapshot(path.parent) == before
        store.note("bucket_ttl_us", "7")
        assert store.noted("bucket_ttl_us") == "7"


# -- beside the baseline ---------------------------------------------------------------------------


@pytest.mark.parametrize("version", [1, 2])
def test_a_state_of_an_older_version_is_brought_up_to_date(path: Path, version: int) -> None:
    made(path, *entries(3))
    older = "DROP TABLE transfer; DROP TABLE part;" if version == 1 else ""
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            f"DROP TABLE pass; DROP TABLE trouble; {older} PRAGMA user_version = {version}"
        )
    before = snapshot(path.parent)
    with BaselineStore.open_read_only(path, IDENTITY) as store:
        assert remembered(store) == []
    looking = BaselineStore.look(path)
    assert looking is not None
    with looking:
        assert (remembered(looking), looking.unfinished_transfers()) == ([], [])
        assert looking.count_in_step() == 3
    assert snapshot(path.parent) == before
    with BaselineStore.open(path, IDENTITY) as store:
        went(store, ended(begun(1)))
        assert (numbers(store), recorded(store)) == ([1], entries(3))


def test_to_begin_anew_forgets_no_pass(path: Path) -> None:
    with BaselineStore.open(path, IDENTITY) as store:
        store.record(in_step=[entry("a")])
        went(store, ended(begun(1)))
        store.begin_anew(IDENTITY)
        assert (numbers(store), recorded(store)) == ([1], [])


def test_whoever_looks_sees_the_last_good_state_beside_a_pass_that_writes(path: Path) -> None:
    with BaselineStore.open(path, IDENTITY) as busy:
        went(busy, ended(begun(1)))
        busy._db.execute("BEGIN IMMEDIATE")
        busy._db.execute("DELETE FROM pass")
        before = {one.name for one in path.parent.iterdir()}
        store = BaselineStore.look(path)
        assert store is not None
        with store:
            assert numbers(store) == [1]
        assert {one.name for one in path.parent.iterdir()} == before
        busy._db.execute("ROLLBACK")


def test_whoever_looks_is_not_told_off_for_other_places(path: Path) -> None:
    made(path, entry("a"))
    store = BaselineStore.look(path)
    assert store is not None
    with store:
        assert store.is_of_other_places(replace(IDENTITY, bucket="other"))
        assert not store.is_of_other_places(IDENTITY)


def test_places_are_no_others_before_anything_was_in_step(path: Path) -> None:
    made(path)
    store = BaselineStore.look(path)
    assert store is not None
    with store:
        assert not store.is_of_other_places(replace(IDENTITY, bucket="other"))


def test_there_is_nothing_to_look_at_before_the_first_pass(path: Path) -> None:
    assert BaselineStore.look(path) is None
    assert list(path.parent.iterdir()) == []


def test_a_newer_version_s_state_is_not_looked_at(path: Path) -> None:
    made(path, entry("a"))
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    before = snapshot(path.parent)
    with pytest.raises(ConfigError, match="newer version"):
        BaselineStore.look(path)
    assert snapshot(path.parent) == before


def test_a_row_that_makes_no_sense_is_a_damaged_state(path: Path) -> None:
    with BaselineStore.open(path, IDENTITY) as store:
        went(store, ended(begun(1)))
        store._db.execute("UPDATE pass SET account = '{'")
        with pytest.raises(ConfigError, match=r"is damaged \(pass pass-1 cannot be read"):
            remembered(store)
        store._db.execute("UPDATE pass SET account = ?", ("[" * 100_000,))
        with pytest.raises(ConfigError, match="is damaged"):
            remembered(store)


def test_what_is_asked_of_the_baseline_as_a_whole(path: Path) -> None:
    with BaselineStore.open(path, IDENTITY) as store:
        assert (store.count_in_step(), store.oldest_objects(100)) == (0, (None, 0))
        made(path, *(entry(key, number) for number, key in enumerate(["a", "b*", "c"], 10)))
        assert (store.count_in_step(), store.oldest_objects(14)) == (3, (12, 2))
        assert list(store.keys_like("*[*]")) == ["b*"]
