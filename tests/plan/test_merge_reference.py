"""The walk in step against a naive one that holds everything in dictionaries."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from keys.strategies import unhurried
from plan.sides import EDITED_US, NOW_US, STORED_US, base, local, remote
from plan.streams import Planned, plan
from ubiops_file_sync import keys
from ubiops_file_sync.model import (
    Action,
    BaselineRow,
    ConflictPolicy,
    Direction,
    LocalEntry,
    Problem,
    Reason,
    RemoteEntry,
    Unknown,
    Verb,
)
from ubiops_file_sync.plan import Policy, decide

# Few parts that sort all around the slash, so that clashes and look-alikes abound.
_parts = st.sampled_from(["a", "a-", "a.txt", "a0", "b", "é", "a\U0001f600"])
_keys = st.lists(_parts, min_size=1, max_size=3).map("/".join)
_odd_keys = st.sampled_from(["..", "../a", "a//b", "a/", "b/", "a/b/", "/a", "", ".ubiops-sync/a"])
_sizes = st.sampled_from([0, 10, 11])


@dataclass(frozen=True)
class World:
    """What the three streams say; no local file is there that the walk could not see."""

    local: dict[str, LocalEntry]
    unknown: dict[str, Unknown]
    remote: dict[str, RemoteEntry]
    rows: dict[str, BaselineRow]
    policy: Policy


@st.composite
def worlds(draw: st.DrawFn) -> World:
    unknown: dict[str, Unknown] = {}
    for key in sorted(draw(st.sets(_keys, max_size=3))):
        if any(key.startswith(other.rstrip("/") + "/") for other in unknown):
            continue
        shape = draw(st.sampled_from([("",), ("/",), ("", "/")]))
        for suffix in shape:
            unknown[key + suffix] = Unknown(key + suffix, "why", draw(st.booleans()))
    locals_ = [
        local(draw(st.sampled_from([EDITED_US, STORED_US, NOW_US])), draw(_sizes), key)
        for key in draw(st.sets(_keys, max_size=8))
        if not any(one.covers(key) for one in unknown.values())
    ]
    remotes = [
        remote(draw(st.sampled_from([STORED_US, NOW_US])), draw(_sizes), key)
        for key in draw(st.sets(st.one_of(_keys, _keys, _odd_keys), max_size=8))
    ]
    return World(
        {entry.key: entry for entry in locals_},
        unknown,
        {entry.key: entry for entry in remotes},
        {key: BaselineRow(key, base(key), None) for key in draw(st.sets(_keys, max_size=8))},
        Policy(draw(st.sampled_from(Direction)), draw(st.sampled_from(ConflictPolicy))),
    )


def reference(world: World) -> Planned:
    """The same plan by brute force."""
    planned = Planned()
    objects = {
        key: entry
        for key, entry in world.remote.items()
        if not keys.is_folder_marker(key, entry.size)
    }
    for one in world.unknown.values():
        something = any(one.covers(key) for key in (*objects, *world.rows))
        if one.is_problem or something:
            planned.problems.append(Problem(one.key.rstrip("/"), one.reason))
    seen = {
        key
        for key in (*world.local, *objects, *world.rows)
        if not any(one.covers(key) for one in world.unknown.values())
    }
    present = {key for key in seen if key in world.local or key in objects}
    in_the_way = {key for key in present if key in world.local or keys.refusal(key) is None}
    clashing = {
        key
        for key in present
        if any(other.startswith(key + "/") for other in (*in_the_way, *world.unknown))
    }
    planned.clashes = sorted(
        key for key in clashing if not any(key.startswith(above + "/") for above in clashing)
    )
    for key in sorted(seen):
        if key in clashing or any(
            key in in_the_way and key.startswith(above + "/") for above in clashing
        ):
            continue
        mine, theirs = world.local.get(key), objects.get(key)
        row = world.rows.get(key)
        decision = decide(mine, theirs, row and row.base, world.policy, NOW_US)
        if decision.verb is None:
            continue
        refusal = keys.refusal(key)
        if refusal is not None and decision.verb is not Verb.FORGET:
            planned.problems.append(Problem(key, refusal))
            continue
        planned.actions[key] = Action(
            decision.verb, key, decision.reason, mine, theirs, decision.loser, decision.compare
        )
    return planned


def planned_by_the_walk(world: World) -> Planned:
    return plan(
        [*world.local.values(), *world.unknown.values()],
        sorted(world.remote.values()),
        world.rows.values(),
        world.policy,
    )


@settings(unhurried, max_examples=600)
@given(worlds())
def test_the_walk_plans_what_dictionaries_would(world: World) -> None:
    walked, expected = planned_by_the_walk(world), reference(world)
    assert walked.actions == expected.actions
    assert sorted(walked.clashes) == expected.clashes
    assert Counter(walked.problems) == Counter(expected.problems)


@settings(unhurried, max_examples=150)
@given(worlds())
def test_no_action_touches_what_nobody_could_read(world: World) -> None:
    for key in planned_by_the_walk(world).actions:
        assert not any(one.covers(key) for one in world.unknown.values())


@settings(unhurried, max_examples=150)
@given(worlds())
def test_a_file_is_never_written_where_a_folder_must_stand(world: World) -> None:
    travel = {
        key
        for key, action in planned_by_the_walk(world).actions.items()
        if action.verb is not Verb.FORGET
    }
    everything = {*world.local, *travel}
    for key in travel:
        assert not any(other.startswith(key + "/") for other in everything)
        assert keys.refusal(key) is None


@settings(unhurried, max_examples=150)
@given(worlds())
def test_the_summary_counts_every_file_once(world: World) -> None:
    summary = planned_by_the_walk(world).summary
    assert summary.local_files == len(world.local)
    assert summary.remote_files == len(world.remote)
    assert Reason.IN_STEP not in summary.left
