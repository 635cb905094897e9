"""What only the baseline has to learn, which a first pass has by the million."""

from __future__ import annotations

import logging

import pytest

from engine.world import World
from ubiops_file_sync.model import Verb

COUNT = 30


def with_twins(world: World) -> World:
    """Files that are on both sides, of which the record was lost."""
    for number in range(COUNT):
        world.put(f"{number:03}", b"x" * number, age_s=1000)
    world.run()
    for path in world.state_dir.glob("*.sqlite"):
        path.unlink()
    return world


def test_each_is_told_to_whoever_follows_the_pass(world: World) -> None:
    with with_twins(world).reconciler.begin() as under_way:
        outcomes = {outcome.action.key: outcome for outcome in under_way}
        report = under_way.report()
    assert {outcome.did for outcome in outcomes.values()} == {Verb.ADOPT}
    assert all(outcome.baseline is not None for outcome in outcomes.values())
    assert len(outcomes) == COUNT == report.done[Verb.ADOPT] == report.in_step


def test_what_is_gone_from_both_sides_is_forgotten(world: World) -> None:
    mine = with_twins(world)
    mine.run()
    for number in range(3):
        (mine.root / f"{number:03}").unlink()
        world.server.delete_object(f"data/{number:03}")
    report = mine.run()
    assert report.done == {Verb.FORGET: 3}
    assert report.in_step == COUNT - 3
    assert mine.plan() == []


def test_each_is_logged_for_those_who_want_that_much(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    mine = with_twins(world)
    caplog.clear()
    with caplog.at_level(logging.DEBUG, logger="ubiops_file_sync"):
        mine.run()
    lines = [line for line in caplog.messages if "found equal" in line or "adopt" in line]
    assert len(lines) >= COUNT


def test_every_action_of_a_plan_is_handed_out_once(world: World) -> None:
    mine = with_twins(world)
    mine.write("new", b"1", age_s=100)
    mine.write("big", b"1" * (5 << 20), age_s=100)
    mine.put("other", b"22", age_s=100)
    with mine.with_settings(multipart_threshold=5 << 20).reconciler.plan() as (plan, _):
        spool = plan.spool
        settled = [one.action.key for some in spool.settled() for one in some.outcomes()]
        small = [action.key for action in spool.small()]
        big = [action.key for action in spool.big()]
        assert sorted([*settled, *small, *big]) == [action.key for action in spool.actions()]
    assert (small, big) == (["new", "other"], ["big"])
