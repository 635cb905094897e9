"""Whose turn it is, with clocks that are passed in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ubiops_file_sync.config import Profile, Settings
from ubiops_file_sync.schedule import Clocks, Timing
from ubiops_file_sync.service.lanes import Lane, Lanes

NOW = Clocks(datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC), 1000.0)


def timed(name: str, **settings: Any) -> tuple[Profile, Timing]:
    given: dict[str, Any] = {"name": name, "local_dir": Path("/srv") / name, "project": "demo"}
    profile = Profile(**{**given, "every": "1m", **settings})
    return profile, Settings(profiles={name: profile}).timing(profile)


def lanes_of(*wanted: tuple[Profile, Timing], at_once: int = 4) -> Lanes:
    lanes = Lanes(at_once, lambda: 0.0)
    lanes.set_up(wanted, NOW, {})
    return lanes


def names(ready: list[Lane]) -> list[str]:
    return [lane.profile.name for lane in ready]


def passed(lanes: Lanes, name: str, now: Clocks, error: str | None = None, code: int = 0) -> None:
    lane = lanes.by_name[name]
    lane.begin()
    lane.end(now, 0.0, code, error)


def test_at_the_start_all_are_ready_as_far_as_there_is_room() -> None:
    lanes = lanes_of(timed("a"), timed("b"), timed("c"), at_once=2)
    assert names(lanes.ready(NOW)) == ["a", "b"]
    lanes.by_name["a"].begin()
    assert names(lanes.ready(NOW)) == ["b"]
    lanes.by_name["b"].begin()
    assert names(lanes.ready(NOW)) == []
    assert lanes.wait_s(NOW) is None


def test_who_waited_longest_comes_first_and_who_was_asked_for_before_that() -> None:
    lanes = lanes_of(timed("a"), timed("b"), timed("c"), at_once=1)
    passed(lanes, "a", NOW.later(5))
    passed(lanes, "b", NOW.later(10))
    later = NOW.later(200)
    assert names(lanes.ready(later)) == ["c"]
    lanes.by_name["b"].is_wanted = True
    assert names(lanes.ready(later)) == ["b"]


def test_a_pass_never_overlaps_its_own_profile() -> None:
    lanes = lanes_of(timed("a"))
    lane = lanes.by_name["a"]
    lane.begin()
    lane.is_wanted = True
    assert lanes.ready(NOW.later(500)) == []
    lane.end(NOW.later(500), 0.0, 0, None)
    assert names(lanes.ready(NOW.later(500))) == ["a"]


def test_missed_ticks_are_one_pass() -> None:
    lanes = lanes_of(timed("a"))
    lanes.by_name["a"].begin()
    after = NOW.later(1000)
    lanes.by_name["a"].end(after, 0.0, 0, None)
    assert lanes.ready(after) == []
    assert lanes.wait_s(after) == 20


def test_only_a_pass_that_was_broken_off_makes_a_profile_back_off() -> None:
    """A name that is refused for ever must not hold up all other files."""
    lanes = lanes_of(timed("a"), timed("b"))
    now = NOW
    for _ in range(5):
        now = now.later(60)
        passed(lanes, "a", now, code=1)
        passed(lanes, "b", now, "unreachable", code=3)
    assert (lanes.by_name["a"].failures, lanes.by_name["b"].failures) == (0, 5)
    assert lanes.by_name["a"].due.at - now.wall <= timedelta(seconds=60)
    assert lanes.by_name["b"].due.at - now.wall > timedelta(seconds=60)
    passed(lanes, "b", now)
    assert lanes.by_name["b"].failures == 0


def test_a_pass_that_somebody_else_made_is_no_failure() -> None:
    lanes = lanes_of(timed("a"))
    lane = lanes.by_name["a"]
    lane.begin()
    lane.pass_over(NOW.later(1), 0.0)
    assert lane.failures == 0
    assert lane.due.at == NOW.wall + timedelta(seconds=60)


def test_a_pause_outlives_ticks_and_ends_in_its_time() -> None:
    lanes = lanes_of(timed("a"))
    lane = lanes.by_name["a"]
    lane.pause(NOW.wall + timedelta(hours=2))
    assert lanes.ready(NOW.later(3600)) == []
    assert lanes.wait_s(NOW) == 7200
    over = NOW.later(7200)
    assert lanes.ready(over) == []
    assert not lane.is_paused
    assert over.wall < lane.due.at <= over.wall + timedelta(seconds=60)


def test_one_that_is_asked_for_runs_though_it_is_paused() -> None:
    lanes = lanes_of(timed("a"))
    lanes.by_name["a"].pause(None)
    lanes.by_name["a"].is_wanted = True
    assert names(lanes.ready(NOW)) == ["a"]


def test_a_pass_out_of_turn_leaves_the_next_one_its_time() -> None:
    lanes = lanes_of(timed("a", every="1h"))
    passed(lanes, "a", NOW.later(1))
    lane = lanes.by_name["a"]
    planned = lane.due.at
    lane.is_wanted = True
    lane.begin()
    lane.end(NOW.later(60), 0.0, 0, None)
    assert lane.due.at == planned


def test_a_new_configuration_touches_only_what_changed() -> None:
    same, changed, gone = timed("same"), timed("changed"), timed("gone")
    lanes = lanes_of(same, changed, gone)
    for name in lanes.by_name:
        passed(lanes, name, NOW.later(1))
    before = lanes.by_name["same"]
    due = before.due
    now = NOW.later(30)
    said = lanes.set_up([timed("same"), timed("changed", every="2m"), timed("new")], now, {})
    assert sorted(said) == [
        "changed has changed",
        "gone is no longer run",
        "new is run from now on",
    ]
    assert lanes.by_name["same"] is before
    assert before.due == due
    assert lanes.by_name["changed"].due.at == now.wall + timedelta(seconds=120)
    assert names(lanes.ready(now)) == ["new"]
    assert "gone" not in lanes.by_name


def test_a_setting_that_is_no_schedule_keeps_the_next_pass_its_time() -> None:
    lanes = lanes_of(timed("a"))
    passed(lanes, "a", NOW.later(1))
    due = lanes.by_name["a"].due
    lanes.set_up([timed("a", workers=2)], NOW.later(30), {})
    assert lanes.by_name["a"].profile.workers == 2
    assert lanes.by_name["a"].due == due


def test_one_that_is_gone_ends_its_pass_first_and_may_come_back_meanwhile() -> None:
    lanes = lanes_of(timed("a"))
    lane = lanes.by_name["a"]
    lane.begin()
    lanes.set_up([], NOW, {})
    assert lanes.by_name["a"] is lane
    lanes.set_up([timed("a")], NOW, {})
    lane.end(NOW.later(1), 0.0, 0, None)
    lanes.ended(lane)
    assert lanes.by_name["a"] is lane
    assert not lane.is_paused
    lane.begin()
    lanes.set_up([], NOW, {})
    lane.end(NOW.later(2), 0.0, 0, None)
    lanes.ended(lane)
    assert lanes.by_name == {}


def test_who_was_paused_before_a_restart_is_paused_after_it() -> None:
    lanes = Lanes(4, lambda: 0.0)
    until = NOW.wall + timedelta(minutes=5)
    lanes.set_up([timed("a"), timed("b")], NOW, {"a": None, "b": until, "old": None})
    assert lanes.by_name["a"].is_paused
    assert lanes.by_name["b"].paused_until == until
    assert lanes.ready(NOW) == []
