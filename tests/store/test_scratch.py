"""The plan of a pass and the sorting of a listing, in files that nobody can find."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from keys.strategies import unhurried, valid_keys
from store.states import child
from ubiops_file_sync.model import (
    Action,
    LocalEntry,
    Loser,
    PlanSummary,
    Reason,
    RemoteEntry,
    Verb,
)
from ubiops_file_sync.store import FolderSet, ListingSort, Spool

INT64 = st.integers(-(2**63), 2**63 - 1)
SIZES = st.integers(0, 2**40)
_keys = st.one_of(valid_keys, st.sampled_from(["a", "a-b", "a.txt", "a/b", "a0"]))


@st.composite
def actions(draw: st.DrawFn) -> Action:
    """Any that a plan may hold, and some that none does."""
    key = draw(_keys)
    verb = draw(st.sampled_from(Verb))
    local = LocalEntry(key, draw(SIZES), draw(INT64))
    remote = RemoteEntry(key, draw(SIZES), draw(INT64))
    return Action(
        verb,
        key,
        draw(st.sampled_from(Reason)),
        local if verb in {Verb.UPLOAD, Verb.ADOPT} or draw(st.booleans()) else None,
        remote if verb in {Verb.DOWNLOAD, Verb.ADOPT} or draw(st.booleans()) else None,
        draw(st.sampled_from(Loser)),
        draw(st.booleans()),
    )


plans = st.lists(actions(), max_size=12, unique_by=lambda action: action.key)


def spooled(some: Iterable[Action]) -> Spool:
    spool = Spool()
    for action in some:
        spool.add(action)
    return spool


@settings(unhurried, max_examples=150)
@given(plans)
def test_a_plan_comes_back_as_it_was_in_the_order_of_keys(some: list[Action]) -> None:
    with spooled(some) as spool:
        found = list(spool.actions())
        assert found == sorted(some, key=lambda action: action.key.encode())
        assert list(spool.actions()) == found, "and again"


@settings(unhurried, max_examples=60)
@given(plans, st.data())
def test_an_action_that_is_taken_back_is_gone_and_no_other(
    some: list[Action], data: st.DataObject
) -> None:
    gone = data.draw(st.sets(st.sampled_from([*(action.key for action in some), "never there"])))
    with spooled(some) as spool:
        for key in gone:
            spool.take_back(key)
        assert {action.key for action in spool.actions()} == {action.key for action in some} - gone


def calls_of(action: Action) -> int:
    """API calls that the action takes at most, counted as the executor makes them."""
    calls = 0
    if action.verb is Verb.UPLOAD:
        calls += 1  # send it
        if action.remote is not None and (action.compare or action.loser is not Loser.NONE):
            calls += 2  # fetch what is overwritten, and look whether it still is the same
        if action.loser is Loser.RENAME:
            calls += 2  # look whether its new name is free, and send it there
    if action.verb is Verb.DOWNLOAD:
        calls += 1  # fetch it
        if action.loser is Loser.RENAME:
            calls += 2  # look whether its new name is free, and send the local version there
    if action.verb is Verb.DELETE_REMOTE:
        calls += 3  # fetch it into the trash, look whether it still is the same, delete it
    if action.verb is Verb.DELETE_LOCAL:
        calls += 1  # look whether it is still gone
    if action.verb is Verb.ADOPT and action.compare:
        calls += 1  # fetch it, for the comparison
    return calls


plausible = plans.map(
    lambda some: [
        action
        for action in some
        if action.verb in {Verb.UPLOAD, Verb.DOWNLOAD} or action.loser is Loser.NONE
    ]
)


@settings(unhurried, max_examples=150)
@given(plausible)
def test_the_totals_of_a_plan_are_those_of_its_actions(some: list[Action]) -> None:
    summary = PlanSummary()
    with spooled(some) as spool:
        spool.sum_up(summary)
    assert summary.actions == {
        verb: count for verb in Verb if (count := sum(action.verb is verb for action in some))
    }
    assert summary.action_count == len(some)
    assert summary.conflicts == sum(action.loser is not Loser.NONE for action in some)
    assert summary.comparisons == sum(action.compare for action in some)
    sizes = {
        verb: sum(action.size_bytes for action in some if action.verb is verb) for verb in Verb
    }
    down = sizes[Verb.DOWNLOAD] + sizes[Verb.DELETE_REMOTE]
    assert (summary.bytes_up, summary.bytes_down) == (sizes[Verb.UPLOAD], down)
    assert summary.transfer_calls == sum(map(calls_of, some))


def test_a_plan_of_nothing_costs_nothing() -> None:
    summary = PlanSummary()
    with Spool() as spool:
        spool.sum_up(summary)
        assert list(spool.actions()) == []
    assert summary == PlanSummary()


def test_plans_at_the_same_time_do_not_mix() -> None:
    one = Action(Verb.FORGET, "a", Reason.GONE, None, None)
    two = Action(Verb.FORGET, "b", Reason.GONE, None, None)
    with spooled([one]) as first, spooled([two]) as second:
        assert list(first.actions()) == [one]
        assert list(second.actions()) == [two]


listings = st.lists(st.builds(RemoteEntry, _keys, INT64, INT64), max_size=20)


@settings(unhurried, max_examples=150)
@given(listings)
def test_a_listing_is_sorted_and_the_last_word_on_a_key_counts(listing: list[RemoteEntry]) -> None:
    last = {entry.key: entry for entry in listing}
    with ListingSort() as sort:
        pages = [listing[:7], listing[7:]]
        found = list(chain.from_iterable(sort.sorted(iter(pages))))
    assert found == [last[key] for key in sorted(last, key=str.encode)]


def test_a_long_listing_is_sorted_too() -> None:
    count = 25_000
    with ListingSort() as sort:
        found = sort.sorted([RemoteEntry(f"{n * 7919 % count:05}", n, n)] for n in range(count))
        assert [entry.key for page in found for entry in page] == [f"{n:05}" for n in range(count)]


LARGE = """
from ubiops_file_sync.model import *
spool, sort = Spool(), ListingSort()
for number in range(60_000):
    spool.add(Action(Verb.FORGET, f"{number:06}" * 20, Reason.GONE, None, None))
listing = sort.sorted([RemoteEntry(f"{number:06}" * 20, 1, 1)] for number in range(60_000))
next(listing)
links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
files = [os.readlink(link) for link in links if os.path.islink(link)]
print(sum(str(folder) in name for name in files))
print(os.listdir(folder))
sys.stdout.flush()
if sys.stdin.readline() == "die\\n":
    os.kill(os.getpid(), signal.SIGKILL)
spool.__exit__()
sort.__exit__()
print(os.listdir(folder))
"""


def test_a_large_plan_goes_to_disk_and_leaves_nothing_there(tmp_path: Path) -> None:
    for word in ("end\n", "die\n"):
        process = child(tmp_path, LARGE, {"TMPDIR": str(tmp_path), "SQLITE_TMPDIR": str(tmp_path)})
        told, _ = process.communicate(word, timeout=60)
        on_disk, names, *after = told.splitlines()
        assert int(on_disk) >= 2, "it would stay in memory otherwise"
        assert names == "[]"
        assert after == (["[]"] if word == "end\n" else [])
        assert process.returncode == (0 if word == "end\n" else -signal.SIGKILL)
        assert list(tmp_path.iterdir()) == []


def test_a_folder_holds_what_was_noted_at_whatever_depth() -> None:
    with FolderSet() as folders:
        folders.note("a/b/c")
        folders.note("a/b/d")
        assert [folders.holds(name) for name in ("", "a", "a/b")] == [True] * 3
        assert [folders.holds(name) for name in ("a/b/c", "b", "a/")] == [False] * 3


def test_names_that_are_no_unicode_are_sorted_with_the_others() -> None:
    listing = [RemoteEntry(key, 1, 1) for key in ("b", "\ud800", "a\0", "\uffff", "\udfffx")]
    with ListingSort() as sorting:
        [block] = sorting.sorted([listing])
        assert [one.key for one in block] == sorted(one.key for one in listing)


def test_sparse_files_larger_than_any_disk_overflow_nothing() -> None:
    def upload(key: str) -> Action:
        return Action(Verb.UPLOAD, key, Reason.NEW_LOCAL, LocalEntry(key, 2**62, 1), None)

    with spooled(map(upload, "abc")) as spool:
        summary = PlanSummary()
        spool.sum_up(summary)
        assert summary.bytes_up == 2**63 - 1
        assert spool.outline(5).folders[0].files == 3
