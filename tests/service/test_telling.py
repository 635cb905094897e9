"""What the service says of itself, and reads again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from service.test_lanes import NOW, lanes_of, passed, timed
from ubiops_file_sync.config import Settings
from ubiops_file_sync.service.telling import (
    live_from,
    live_of,
    paused_from,
    paused_of,
    status_words,
)


def words(lanes: object, error: str | None = None) -> str:
    profiles = {name: lane.profile for name, lane in lanes.by_name.items()}  # type: ignore[attr-defined]
    settings = Settings(profiles=profiles, timezone="Europe/Amsterdam")
    return status_words(lanes.by_name.values(), settings, error)  # type: ignore[attr-defined]


def test_the_status_line_names_what_matters() -> None:
    lanes = lanes_of(timed("a"), timed("b"), timed("c"))
    passed(lanes, "a", NOW.later(1))
    passed(lanes, "b", NOW.later(1), "unreachable", 3)
    lanes.by_name["c"].pause(None)
    assert words(lanes) == "3 profiles; FAILING: b; paused: c; next pass: a at 13:01:00 CET"
    lanes.by_name["a"].begin()
    assert words(lanes, "bad") == (
        "3 profiles; passes under way: a; FAILING: b; paused: c; "
        "the changed configuration is not usable, and the old one goes on"
    )


def test_what_is_told_of_a_profile_is_read_again_as_it_was() -> None:
    lanes = lanes_of(timed("a"))
    for _ in range(3):
        passed(lanes, "a", NOW.later(1), "unreachable", 3)
    live = live_from(live_of(lanes.by_name["a"], None, 17))
    assert live.next_due == lanes.by_name["a"].due.at
    assert (live.quota_left, live.is_paused, live.transfers) == (17, False, ())
    assert live.backing_off == "3 failures in a row"


def test_pauses_are_read_again_as_they_were() -> None:
    lanes = lanes_of(timed("a"), timed("b"), timed("c"))
    until = NOW.wall + timedelta(hours=1)
    lanes.by_name["a"].pause(None)
    lanes.by_name["b"].pause(until)
    assert paused_from(paused_of(lanes.by_name.values())) == {"a": None, "b": until}


@pytest.mark.parametrize("until", ["soon", 5, [], "2026-01-01"])
def test_a_time_that_cannot_be_read_is_a_pause_without_end(until: object) -> None:
    assert paused_from({"a": until}) == {"a": None}


def test_a_time_of_another_zone_is_the_same_moment() -> None:
    zone = timezone(timedelta(hours=2))
    at = datetime(2026, 1, 1, 2, tzinfo=zone)
    assert paused_from({"a": at.isoformat()}) == {"a": datetime(2026, 1, 1, tzinfo=UTC)}
