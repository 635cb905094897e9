"""The alarm of the wall clock, by the real one."""

from __future__ import annotations

import select
import time
from datetime import UTC, datetime, timedelta

from ubiops_file_sync.service.clock import WallAlarm, read_clocks


def rings_within(alarm: WallAlarm, seconds: float) -> bool:
    return bool(select.select([alarm], [], [], seconds)[0])


def test_it_rings_at_its_time_and_not_before() -> None:
    alarm = WallAlarm()
    at = datetime.now(UTC) + timedelta(seconds=0.3)
    alarm.ring_at(at)
    assert not rings_within(alarm, 0.05)
    assert rings_within(alarm, 10)
    assert datetime.now(UTC) >= at
    alarm.close()


def test_a_time_that_has_passed_rings_at_once() -> None:
    alarm = WallAlarm()
    alarm.ring_at(datetime.now(UTC) - timedelta(days=1))
    assert rings_within(alarm, 10)
    alarm.close()


def test_to_set_it_anew_silences_it() -> None:
    alarm = WallAlarm()
    alarm.ring_at(datetime.now(UTC) - timedelta(seconds=1))
    assert rings_within(alarm, 10)
    alarm.ring_at(datetime.now(UTC) + timedelta(hours=1))
    assert not rings_within(alarm, 0.05)
    alarm.close()


def test_both_clocks_go_on() -> None:
    before = read_clocks()
    time.sleep(0.01)
    after = read_clocks()
    assert after.wall.tzinfo is UTC
    assert after.steady_s > before.steady_s
