"""What is recorded comes back, in order, and all of it or nothing."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys.strategies import long_keys, unhurried, valid_keys
from store.states import IDENTITY, entries, entry, intent, made, recorded
from ubiops_file_sync.errors import ConfigError
from ubiops_file_sync.model import BaselineEntry, BaselineRow, Intent
from ubiops_file_sync.store import BaselineStore, baseline

INT64 = st.integers(-(2**63), 2**63 - 1)
_keys = st.one_of(valid_keys, long_keys, st.sampled_from(["a", "a-b", "a.txt", "a/b", "a0"]))


@st.composite
def records(draw: st.DrawFn) -> tuple[list[BaselineEntry], list[Intent], list[str]]:
    """What one batch may hold: a key is in one of the three."""
    some = draw(st.lists(_keys, unique=True, max_size=8))
    into = draw(st.lists(st.integers(0, 2), min_size=len(some), max_size=len(some)))
    in_step = [key for key, where in zip(some, into, strict=True) if where == 0]
    begun = [key for key, where in zip(some, into, strict=True) if where == 1]
    return (
        [BaselineEntry(key, draw(INT64), draw(INT64), draw(INT64)) for key in in_step],
        [
            Intent(key, draw(INT64), draw(INT64), draw(INT64), draw(st.none() | INT64))
            for key in begun
        ],
        [key for key, where in zip(some, into, strict=True) if where == 2],
    )


@settings(unhurried, max_examples=120)
@given(batches=st.lists(records(), max_size=5), page_rows=st.integers(1, 5), reopen=st.booleans())
def test_what_is_recorded_comes_back_in_the_order_of_keys(
    batches: list[tuple[list[BaselineEntry], list[Intent], list[str]]],
    page_rows: int,
    reopen: bool,
) -> None:
    in_step: dict[str, BaselineEntry] = {}
    begun: dict[str, Intent] = {}
    with pytest.MonkeyPatch.context() as patched, tempfile.TemporaryDirectory() as folder:
        patched.setattr(baseline, "_PAGE_ROWS", page_rows)
        path = Path(folder) / "x.sqlite"
        store = BaselineStore.open(path, IDENTITY)
        for now_in_step, now_begun, forgotten in batches:
            store.record(in_step=now_in_step, begun=now_begun, forgotten=forgotten)
            in_step |= {one.key: one for one in now_in_step}
            begun |= {one.key: one for one in now_begun}
            for key in forgotten:
                in_step.pop(key, None)
                begun.pop(key, None)
            for one in now_in_step:
                begun.pop(one.key, None)
        if reopen:
            store.__exit__()
            store = BaselineStore.open_read_only(path, IDENTITY)
        with store:
            rows = list(store.rows())
            pending = list(store.pending())
            assert store.count_pending() == len(pending)
    some = sorted({*in_step, *begun}, key=str.encode)
    assert rows == [BaselineRow(key, in_step.get(key), begun.get(key)) for key in some]
    assert pending == [
        begun[key] for key in some if key in begun and begun[key].finished_us is not None
    ]


@pytest.mark.parametrize("count", [0, 1, 4, 5, 6, 10, 11])
def test_no_row_is_lost_or_doubled_where_one_block_of_reading_ends(
    path: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baseline, "_PAGE_ROWS", 5)
    with BaselineStore.open(path, IDENTITY) as store:
        store.record(
            in_step=[entry(f"{number:03}") for number in range(0, 2 * count, 2)],
            begun=[intent(f"{number:03}") for number in range(0, 2 * count, 3)],
        )
        found = [row.key for row in store.rows()]
    expected = {f"{number:03}" for step in (2, 3) for number in range(0, 2 * count, step)}
    assert found == sorted(expected)


def test_a_new_state_of_a_key_replaces_the_old_one(path: Path) -> None:
    with BaselineStore.open(path, IDENTITY) as store:
        store.record(in_step=[entry("a", 1)], begun=[intent("b", 1)])
        store.record(in_step=[entry("a", 2)], begun=[intent("b", 2, 9)])
        assert list(store.rows()) == [
            BaselineRow("a", entry("a", 2), None),
            BaselineRow("b", None, intent("b", 2, 9)),
        ]


def test_a_key_in_step_has_no_upload_under_way_any_more(path: Path) -> None:
    with BaselineStore.open(path, IDENTITY) as store:
        store.record(begun=[intent("a", 1, 9), intent("b", 1, 9)])
        store.record(in_step=[entry("a")])
        assert list(store.pending()) == [intent("b", 1, 9)]


def test_a_key_that_is_forgotten_leaves_nothing(path: Path) -> None:
    with BaselineStore.open(path, IDENTITY) as store:
        store.record(in_step=[entry("a")])
        store.record(begun=[intent("a")])
        store.record(forgotten=["a", "never there"])
        assert list(store.rows()) == []


def test_an_upload_that_begins_does_not_touch_what_was_in_step(path: Path) -> None:
    with BaselineStore.open(path, IDENTITY) as store:
        store.record(in_step=[entry("a")])
        store.record(begun=[intent("a")])
        assert list(store.rows()) == [BaselineRow("a", entry("a"), intent("a"))]


def test_intents_of_earlier_passes_are_dropped_and_the_baseline_stays(path: Path) -> None:
    with BaselineStore.open(path, IDENTITY) as store:
        store.record(in_step=[entry("a")], begun=[intent("a", 1, 5), intent("b")])
        store.drop_intents(begun_before_us=10**18, ended_before_us=10**18)
        assert list(store.rows()) == [BaselineRow("a", entry("a"), None)]


def test_intents_of_this_pass_and_uploads_that_may_still_show_stay(path: Path) -> None:
    ours, unseen = intent("a")._replace(started_us=100), intent("b", 1, 60)._replace(started_us=50)
    with BaselineStore.open(path, IDENTITY) as store:
        store.record(begun=[ours, unseen])
        store.drop_intents(begun_before_us=100, ended_before_us=60)
        assert [row.intent for row in store.rows()] == [ours, unseen]
        store.drop_intents(begun_before_us=101, ended_before_us=61)
        assert list(store.rows()) == []


def test_only_an_upload_that_ended_well_waits_to_be_confirmed(path: Path) -> None:
    with BaselineStore.open(path, IDENTITY) as store:
        store.record(begun=[intent("a"), intent("b", 1, 5)])
        assert store.pending_for("a") is None
        assert store.pending_for("b") == intent("b", 1, 5)
        assert store.pending_for("c") is None
        assert store.count_pending() == 1


def test_a_batch_is_recorded_whole_or_not_at_all(path: Path) -> None:
    broken = BaselineEntry("b", None, 1, 1)  # type: ignore[arg-type]
    with BaselineStore.open(path, IDENTITY) as store:
        store.record(in_step=[entry("x")], begun=[intent("a")])
        with pytest.raises(ConfigError):
            store.record(in_step=[entry("a"), broken], forgotten=["x"])
        assert list(store.rows()) == [
            BaselineRow("a", None, intent("a")),
            BaselineRow("x", entry("x"), None),
        ]
        store.record(in_step=[entry("a")])
    with BaselineStore.open(path, IDENTITY) as store:
        assert recorded(store) == [entry("a"), entry("x")]


def test_it_may_be_written_to_while_it_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baseline, "_PAGE_ROWS", 2)
    with BaselineStore.open(path, IDENTITY) as store:
        store.record(in_step=[entry(key) for key in "abcdef"])
        seen = []
        for row in store.rows():
            seen.append(row.key)
            store.record(in_step=[entry(row.key, 7)])
        assert seen == list("abcdef")
        assert recorded(store) == [entry(key, 7) for key in "abcdef"]


def test_a_fact_is_remembered_until_it_changes(path: Path) -> None:
    with BaselineStore.open(path, IDENTITY) as store:
        assert store.noted("listing_order") is None
        store.note("listing_order", "unsorted")
    with BaselineStore.open(path, IDENTITY) as store:
        assert store.noted("listing_order") == "unsorted"
        store.note("listing_order", "sorted")
        assert store.noted("listing_order") == "sorted"


def test_many_keys_survive_a_new_start(path: Path) -> None:
    made(path, *entries(12_000))
    with BaselineStore.open(path, IDENTITY) as store:
        assert recorded(store) == entries(12_000)


@pytest.mark.parametrize("value", ["", "soon", "9" * 19, "٣", "CAST(x'ff' AS TEXT)"])
def test_a_fact_that_is_to_be_a_number_and_is_none_is_a_damaged_state(
    path: Path, value: str
) -> None:
    with BaselineStore.open(path, IDENTITY) as store:
        store.note("skew", "-12")
        assert store.noted_number("skew") == -12
        assert store.noted_number("another") is None
        place = value if value.startswith("CAST") else f"'{value}'"
        store._db.execute(f"UPDATE meta SET value = {place} WHERE name = 'skew'")
        with pytest.raises(ConfigError, match="is damaged"):
            store.noted_number("skew")
