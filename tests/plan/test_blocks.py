"""Streams in blocks: what is in step is passed over, and nothing else changes by that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys.strategies import unhurried
from plan.sides import EDITED_US, NOW_US, STORED_US, base, local, remote
from plan.streams import Planned, plan, plan_blocks
from plan.test_merge_reference import World, reference, worlds
from ubiops_file_sync.model import (
    BaselineEntry,
    BaselineRow,
    LocalEntry,
    LocalItem,
    RemoteEntry,
    Verb,
)
from ubiops_file_sync.plan import Filters, Policy

Item = TypeVar("Item")


@st.composite
def mostly_in_step(draw: st.DrawFn) -> World:
    """A world as disks have them, no file of which stands where another has its folder."""
    world = draw(worlds())
    parts = st.sampled_from(["a", "a-", "a.txt", "a0", "b"])
    names = st.lists(parts, min_size=1, max_size=3).map("/".join)
    kept = draw(st.sets(names, max_size=20))
    kept = {key for key in kept if not any(one.covers(key) for one in world.unknown.values())}
    here = {**world.local, **{key: local(EDITED_US, 10, key) for key in kept}}
    files = sorted(here)
    here = {
        key: here[key]
        for key in files
        if not any(other.startswith(key + "/") for other in (*files, *world.unknown))
    }
    kept &= here.keys()
    there = {**world.remote, **{key: remote(STORED_US, 10, key) for key in kept}}
    rows = {**world.rows, **{key: world_row(key) for key in kept}}
    return World(here, world.unknown, there, rows, world.policy)


def world_row(key: str) -> BaselineRow:
    return BaselineRow(key, base(key), None)


def chopped(size: int, items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """The same items in blocks, an empty one among them."""
    yield items[:size]
    yield ()
    for at in range(size, len(items), size):
        yield items[at : at + size]


def planned_in_blocks(world: World, sizes: Sizes, filters: Filters | None = None) -> Planned:
    here: list[LocalItem] = [*world.local.values(), *world.unknown.values()]
    rows = [tuple(row.base) for _, row in sorted(world.rows.items()) if row.base is not None]
    return plan_blocks(
        chopped(sizes[0], sorted(here, key=lambda item: item.key)),
        chopped(sizes[1], sorted(world.remote.values())),
        chopped(sizes[2], rows),  # type: ignore[arg-type]  # bare, as SQLite makes them
        world.policy,
        filters,
    )


Sizes = tuple[int, int, int]
sizes_ = st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5))
excludes = st.sampled_from([None, ["a"], ["a.txt", "!b/a.txt"], ["b/"]])


@settings(unhurried, max_examples=600)
@given(mostly_in_step(), sizes_)
def test_blocks_of_bare_rows_are_planned_as_dictionaries_would_be(
    world: World, sizes: Sizes
) -> None:
    walked, expected = planned_in_blocks(world, sizes), reference(world)
    assert walked.actions == expected.actions
    assert sorted(walked.clashes) == expected.clashes
    assert Counter(walked.problems) == Counter(expected.problems)


@settings(unhurried, max_examples=300)
@given(mostly_in_step(), sizes_, excludes)
def test_blocks_count_and_filter_what_single_rows_do(
    world: World, sizes: Sizes, exclude: list[str] | None
) -> None:
    filters = Filters() if exclude is None else Filters.of(exclude=exclude)
    walked = planned_in_blocks(world, sizes, filters)
    expected = plan(
        [*world.local.values(), *world.unknown.values()],
        sorted(world.remote.values()),
        world.rows.values(),
        world.policy,
        filters,
    )
    assert walked == expected


def test_a_file_in_step_is_in_the_way_of_objects_below_it_however_far_behind() -> None:
    """Between `a` and `a/b` a thousand other names may sort."""
    keys = ["a", *(f"a-{n:04}" for n in range(1500))]
    planned = plan_blocks(
        [[LocalEntry(*base(key)[:3]) for key in keys]],
        [[remote(STORED_US, 10, key) for key in keys], [remote(NOW_US, 12, "a/b")]],
        [[base(key) for key in keys]],
        Policy(),
    )
    assert planned.clashes == ["a"]
    assert planned.actions == {}
    assert planned.summary.in_step == len(keys)


def test_an_object_of_a_folders_name_is_in_the_way_of_what_is_in_step_below() -> None:
    keys = ["a/b", "a/c"]
    planned = plan_blocks(
        [[LocalEntry(*base(key)[:3]) for key in keys]],
        [[remote(NOW_US, 12, "a"), *(remote(STORED_US, 10, key) for key in keys)]],
        [[base(key) for key in keys]],
        Policy(),
    )
    assert planned.clashes == ["a"]
    assert planned.actions == {}


def test_a_new_deletion_between_stretches_in_step_is_seen() -> None:
    keys = [f"{n:03}" for n in range(100)]
    lost = {"000", "050", "099"}
    rows: list[BaselineEntry] = [base(key) for key in keys]
    here = [LocalEntry(*base(key)[:3]) for key in keys if key not in lost]
    there: list[RemoteEntry] = [remote(STORED_US, 10, key) for key in keys]
    planned = plan_blocks([here], [there[:30], there[30:]], [rows], Policy())
    assert {key: action.verb for key, action in planned.actions.items()} == dict.fromkeys(
        sorted(lost), Verb.DOWNLOAD
    )
    assert planned.summary.in_step == len(keys)
    assert planned.summary.local_files == len(here)


CHANGES = {
    "the size here": (local(EDITED_US, 11, "050"), remote(STORED_US, 10, "050"), Verb.UPLOAD),
    "the time here": (local(EDITED_US + 1, 10, "050"), remote(STORED_US, 10, "050"), Verb.UPLOAD),
    "the size there": (local(EDITED_US, 10, "050"), remote(STORED_US, 11, "050"), Verb.DOWNLOAD),
    "the time there": (local(EDITED_US, 10, "050"), remote(NOW_US, 10, "050"), Verb.DOWNLOAD),
}


@pytest.mark.parametrize("changed", CHANGES)
def test_a_change_within_a_stretch_in_step_is_seen(changed: str) -> None:
    mine, theirs, verb = CHANGES[changed]
    keys = [f"{n:03}" for n in range(100)]
    planned = plan_blocks(
        [[mine if key == "050" else local(EDITED_US, 10, key) for key in keys]],
        [[theirs if key == "050" else remote(STORED_US, 10, key) for key in keys]],
        [[base(key) for key in keys]],
        Policy(),
    )
    assert {key: action.verb for key, action in planned.actions.items()} == {"050": verb}
