"""A pass that a program follows outcome by outcome, and may leave at any time."""

from __future__ import annotations

import threading

import pytest

from engine.world import QUICK, World, assert_in_step
from ubiops_file_sync.emulator import Fault
from ubiops_file_sync.errors import EXIT_INTERRUPTED, AccessRefused
from ubiops_file_sync.model import Outcome, PlanSummary, Verb
from ubiops_file_sync.progress import Progress
from ubiops_file_sync.reconcile import Reconciler
from ubiops_file_sync.stop import Stop

MANY = 400
"""More than wait to be taken, so that the pass must wait for its follower."""


def many(world: World) -> World:
    for n in range(MANY):
        world.write(f"{n:03}", b"%d" % n, age_s=100)
    return world.with_settings(workers=2)


def test_every_outcome_comes_and_then_the_report(world: World) -> None:
    with many(world).reconciler.begin() as under_way:
        came = {outcome.action.key: outcome.did for outcome in under_way}
        report = under_way.report()
        assert list(under_way) == [], "it is over"
    assert came == dict.fromkeys(world.local(), Verb.UPLOAD)
    assert report.done == {Verb.UPLOAD: MANY}
    assert_in_step(world)


def test_a_report_may_be_all_that_is_asked_for(world: World) -> None:
    with many(world).reconciler.begin() as under_way:
        assert under_way.report().done == {Verb.UPLOAD: MANY}


def test_it_may_be_about_some_keys(world: World) -> None:
    with many(world).reconciler.begin(only=["007"]) as under_way:
        assert [outcome.action.key for outcome in under_way] == ["007"]


def test_who_leaves_early_stops_it_and_what_was_done_is_recorded(world: World) -> None:
    with many(world).reconciler.begin() as under_way:
        for _, outcome in zip(range(3), under_way, strict=False):
            assert outcome.did is Verb.UPLOAD
    ours = ("lanes", "listing", "pass", "transfer")
    assert [one.name for one in threading.enumerate() if one.name.startswith(ours)] == []
    sent = len(world.remote())
    assert 3 <= sent < MANY
    report = world.run()
    assert report.done.get(Verb.UPLOAD, 0) == MANY - sent
    assert_in_step(world)


def test_it_may_be_stopped_from_anywhere(world: World) -> None:
    with many(world).reconciler.begin() as under_way:
        next(under_way)
        under_way.stop()
        assert under_way.report().exit_code == EXIT_INTERRUPTED
    assert 0 < len(world.remote()) < MANY


def test_a_stop_of_the_reconciler_ends_it_and_its_own_ends_nothing_else(world: World) -> None:
    world = many(world)
    stop = Stop()
    reconciler = Reconciler(world.profile, world.state_dir, retries=QUICK, stop=stop)
    with reconciler.begin() as under_way:
        next(under_way)
    assert not stop.is_asked
    with reconciler.begin() as under_way:
        next(under_way)
        stop.ask()
        assert under_way.report().is_stopped


def test_what_breaks_it_off_is_raised_where_it_is_followed(world: World) -> None:
    world.write("a", b"1", age_s=100)
    with (
        world.with_settings(token="a-wrong-token").reconciler.begin() as under_way,
        pytest.raises(AccessRefused),
    ):
        next(under_way)
    with (
        world.with_settings(token="a-wrong-token").reconciler.begin() as under_way,
        pytest.raises(AccessRefused),
    ):
        under_way.report()


def test_an_interrupt_does_not_wait_for_what_hangs(world: World) -> None:
    world.write("a", b"1", age_s=100)
    world.write("b", b"1", age_s=100)
    world.server.faults.add(Fault("put", "hang", after=1, times=None, seconds=100))
    with pytest.raises(KeyboardInterrupt):
        _follow_until_interrupted(world)
    world.server.faults.clear()
    world.run()
    assert_in_step(world)


def _follow_until_interrupted(world: World) -> None:
    with world.reconciler.begin() as under_way:
        next(under_way)
        raise KeyboardInterrupt


def test_the_reconciler_s_own_progress_is_told_too(world: World) -> None:
    class Listener(Progress):
        def __init__(self) -> None:
            self.told: list[object] = []

        def planned(self, summary: PlanSummary) -> None:
            self.told.append(summary.action_count)

        def did(self, outcome: Outcome) -> None:
            self.told.append(outcome.action.key)

    listener = Listener()
    world.write("a", b"1", age_s=100)
    reconciler = Reconciler(world.profile, world.state_dir, retries=QUICK, progress=listener)
    with reconciler.begin() as under_way:
        under_way.report()
    assert listener.told == [1, "a"]
