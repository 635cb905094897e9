"""Which tick the next pass takes: one for many, later after failures, whatever the clocks do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ubiops_file_sync.schedule import LONGEST_SLEEP_S, Clocks, Cron, Due, Every, Timing, sleep_s

UTC_ZONE = ZoneInfo("UTC")
FIVE_MINUTES = Timing(Cron("*/5 * * * *", UTC_ZONE))
NOON = Timing(Cron("0 12 * * *", UTC_ZONE))
HALF_MINUTE = Timing(Every(30.0))
HOUR_S = 3600.0


def at(text: str, steady_s: float = 1000.0) -> Clocks:
    return Clocks(datetime.fromisoformat(f"2026-05-01 {text}+00:00"), steady_s)


def set_by(clocks: Clocks, seconds: float) -> Clocks:
    """The same moment, after somebody set the wall clock."""
    return replace(clocks, wall=clocks.wall + timedelta(seconds=seconds))


def shown(due: Due) -> str:
    return f"{due.at:%d %H:%M:%S}"


def next_of(timing: Timing, now: Clocks, failures: int = 0) -> Due:
    return timing.from_now(now, 0.0, failures)


def test_a_service_that_starts_passes_at_once_unless_told_otherwise() -> None:
    now = at("10:01:00")
    for timing in (FIVE_MINUTES, NOON, HALF_MINUTE):
        assert timing.at_start(now, 0.0).wait_s(now) == 0.0
    patient = replace(FIVE_MINUTES, run_on_start=False)
    assert shown(patient.at_start(now, 0.0)) == "01 10:05:00"
    patient = replace(HALF_MINUTE, run_on_start=False)
    assert patient.at_start(now, 0.0).wait_s(now) == 30.0


def test_ticks_that_were_missed_are_one_pass() -> None:
    due = next_of(FIVE_MINUTES, at("10:01:00"))
    assert due.wait_s(at("10:17:00")) == 0.0
    assert shown(FIVE_MINUTES.after_pass(due, at("10:17:00", 1960.0), 0.0)) == "01 10:20:00"


def test_an_interval_counts_from_start_to_start_and_keeps_its_place() -> None:
    due = HALF_MINUTE.at_start(at("10:00:00"), 0.0)
    begun = at("10:00:00")
    for took_s, wait_s in ((4.0, 26.0), (29.5, 0.5), (30.0, 30.0), (95.0, 25.0)):
        ended = begun.later(took_s)
        due = HALF_MINUTE.after_pass(due, ended, 0.0)
        assert due.wait_s(ended) == pytest.approx(wait_s)
        begun = ended.later(wait_s)


@pytest.mark.parametrize("timing", [FIVE_MINUTES, NOON, HALF_MINUTE])
def test_a_day_asleep_is_one_pass(timing: Timing) -> None:
    now = at("10:01:00")
    due = next_of(timing, now)
    awake = now.later(86_400.0)
    assert timing.revised(due, awake).wait_s(awake) == 0.0
    after = timing.after_pass(due, awake, 0.0)
    assert after.wait_s(awake) > 0.0
    assert after.at > awake.wall


def test_a_day_asleep_is_one_pass_too_by_a_clock_that_slept() -> None:
    now = at("10:01:00")
    awake = set_by(now.later(20.0), 86_400.0)
    for timing in (FIVE_MINUTES, NOON):
        due = next_of(timing, now)
        assert timing.revised(due, awake).wait_s(awake) == 0.0
        assert timing.after_pass(due, awake, 0.0).at > awake.wall
    # An interval goes on from where it was.
    assert HALF_MINUTE.revised(next_of(HALF_MINUTE, now), awake).wait_s(awake) == 10.0


def test_a_clock_set_forward_makes_one_pass() -> None:
    now = at("11:58:00")
    for timing in (FIVE_MINUTES, NOON):
        due = next_of(timing, now)
        later = set_by(now.later(10.0), HOUR_S)
        assert timing.revised(due, later) == due
        assert due.wait_s(later) == 0.0
        after = timing.after_pass(due, later.later(5.0), 0.0)
        assert after.at > later.wall
    assert shown(after) == "02 12:00:00"


def test_a_clock_set_forward_a_little_changes_nothing_before_the_tick() -> None:
    due = next_of(FIVE_MINUTES, at("10:01:00"))
    later = set_by(at("10:01:00").later(10.0), 120.0)
    assert FIVE_MINUTES.revised(due, later).wait_s(later) == 110.0


def test_an_interval_does_not_notice_that_the_clock_was_set() -> None:
    now = at("10:00:00")
    due = next_of(HALF_MINUTE, now)
    for step_s in (-HOUR_S, HOUR_S, -86_400.0 * 365):
        later = set_by(now.later(10.0), step_s)
        revised = HALF_MINUTE.revised(due, later)
        assert revised.wait_s(later) == 20.0
        # But shows the time at which it comes by the clock as it is now.
        assert revised.at == later.wall + timedelta(seconds=20)


def test_a_rhythm_goes_on_when_the_clock_is_set_back_an_hour() -> None:
    now = at("10:01:00")
    due = next_of(FIVE_MINUTES, now)
    later = set_by(now.later(60.0), -HOUR_S)
    revised = FIVE_MINUTES.revised(due, later)
    assert shown(revised) == "01 09:05:00"
    assert revised.wait_s(later) == 180.0
    assert FIVE_MINUTES.revised(revised, later.later(30.0)) == revised


def test_a_fixed_time_comes_once_when_the_clock_is_set_back_an_hour() -> None:
    # Before it: waits until the clock is there.
    now = at("11:30:00")
    due = next_of(NOON, now)
    later = set_by(now.later(60.0), -HOUR_S)
    assert NOON.revised(due, later) == due
    # After its pass.
    due = NOON.after_pass(due, at("12:01:00"), 0.0)
    later = set_by(at("12:10:00", 1540.0), -HOUR_S)
    assert shown(NOON.revised(due, later)) == "02 12:00:00"


def test_a_fixed_time_comes_once_when_the_clock_is_set_back_during_its_pass() -> None:
    due = next_of(NOON, at("11:59:00"))
    ended = set_by(at("12:01:00", 1120.0), -HOUR_S)
    assert shown(NOON.after_pass(due, ended, 0.0)) == "02 12:00:00"


def test_a_clock_that_was_wrong_by_far_counts_at_once() -> None:
    now = at("10:01:00")
    wrong = set_by(now, 86_400.0 * 400)
    for timing in (FIVE_MINUTES, NOON):
        due = next_of(timing, wrong)
        right = now.later(30.0)
        revised = timing.revised(due, right)
        assert right.wall < revised.at < right.wall + timedelta(days=1)


def test_a_clock_corrected_by_a_second_brings_no_tick_twice() -> None:
    due = next_of(FIVE_MINUTES, at("10:04:00"))
    ended = set_by(at("10:05:00.3", 1060.3), -1.0)
    after = FIVE_MINUTES.after_pass(due, ended, 0.0)
    assert shown(after) == "01 10:10:00"
    assert FIVE_MINUTES.revised(after, set_by(ended.later(1.0), -1.0)) == after


@pytest.mark.parametrize(
    ("schedule", "failures", "waits_s"),
    [
        (Every(30.0), (1, 2, 3, 4, 5, 8, 9, 10_000), (30, 60, 120, 240, 480, 3600, 3600, 3600)),
        (Every(600.0), (1, 2, 3, 4, 5), (600, 1200, 2400, 3600, 3600)),
        (Every(7200.0), (1, 2, 9), (7200, 7200, 7200)),
    ],
)
def test_after_failures_the_wait_doubles(
    schedule: Every, failures: tuple[int, ...], waits_s: tuple[int, ...]
) -> None:
    timing = Timing(schedule)
    now = at("10:00:00")
    due = timing.at_start(now, 0.0)
    found = [timing.after_pass(due, now, 0.0, count).wait_s(now) for count in failures]
    assert found == pytest.approx(waits_s)


@pytest.mark.parametrize(
    ("expression", "failures", "expected"),
    [
        ("*/5 * * * *", 1, "01 10:05:00"),
        ("*/5 * * * *", 2, "01 10:10:00"),
        ("*/5 * * * *", 3, "01 10:20:00"),
        ("*/5 * * * *", 4, "01 10:40:00"),
        ("*/5 * * * *", 5, "01 11:00:00"),
        ("*/5 * * * *", 50, "01 11:00:00"),
        ("@hourly", 9, "01 11:00:00"),
        ("0 12 * * *", 9, "01 12:00:00"),
        ("0 3 * * *", 1, "02 03:00:00"),
        ("0 3 * * *", 9, "02 03:00:00"),
        # Where the day's ticks end before that: one of them, and not one of the next day.
        ("*/5 0-10 * * *", 5, "01 10:30:00"),
        ("0-20/5 10 * * *", 3, "01 10:20:00"),
        ("0-20/5 10 * * *", 9, "01 10:15:00"),
        ("* * * * * */10", 2, "01 10:00:30"),
        ("* * * * * */10", 4, "01 10:01:30"),
    ],
)
def test_after_failures_it_is_a_tick_of_the_schedule_that_is_taken(
    expression: str, failures: int, expected: str
) -> None:
    timing = Timing(Cron(expression, UTC_ZONE))
    assert shown(next_of(timing, at("10:00:10"), failures)) == expected


def test_the_longest_backoff_is_what_the_profile_says() -> None:
    timing = Timing(Every(30.0), max_backoff_s=90.0)
    now = at("10:00:00")
    assert next_of(timing, now, 20).wait_s(now) == 90.0
    none = Timing(Every(30.0), max_backoff_s=0.0)
    assert next_of(none, now, 20).wait_s(now) == 30.0


def test_a_pass_that_is_well_again_goes_back_to_its_ticks() -> None:
    now = at("10:00:10")
    due = next_of(FIVE_MINUTES, now, 4)
    assert shown(due) == "01 10:40:00"
    assert shown(FIVE_MINUTES.after_pass(due, at("10:40:20"), 0.0)) == "01 10:45:00"
    # Also if somebody ran it by hand meanwhile.
    well = FIVE_MINUTES.after_pass(due, at("10:12:00", 1710.0), 0.0, triggered=True)
    assert shown(well) == "01 10:15:00"


def test_a_backoff_outlasts_a_clock_that_is_set_back() -> None:
    now = at("10:00:10")
    due = next_of(FIVE_MINUTES, now, 4)
    later = set_by(now.later(300.0), -HOUR_S)
    revised = FIVE_MINUTES.revised(due, later)
    assert shown(revised) == "01 09:40:00"
    assert revised.is_backing_off
    assert revised.failures == 4


@pytest.mark.parametrize("timing", [FIVE_MINUTES, NOON, HALF_MINUTE])
def test_a_pass_by_hand_does_not_move_what_is_due(timing: Timing) -> None:
    now = at("10:00:10")
    due = next_of(timing, now)
    ended = now.later(20.0)
    assert timing.after_pass(due, ended, 0.0, triggered=True) == due
    # Unless that came while it ran: then it was that pass.
    ended = now.later(86_500.0)
    assert timing.after_pass(due, ended, 0.0, triggered=True).at > ended.wall


def test_a_pass_by_hand_that_fails_does_not_cost_the_next_tick() -> None:
    due = next_of(NOON, at("11:00:00"))
    assert shown(NOON.after_pass(due, at("11:30:00", 2800.0), 0.0, 1, triggered=True)) == shown(due)


def test_what_is_due_is_told_in_words() -> None:
    amsterdam = ZoneInfo("Europe/Amsterdam")
    now = at("10:00:10")
    assert next_of(FIVE_MINUTES, now).in_words(amsterdam) == "next pass at 2026-05-01 12:05:00 CEST"
    assert (
        next_of(FIVE_MINUTES, now, 3).in_words(amsterdam)
        == "backing off after 3 failures until 2026-05-01 12:20:00 CEST"
    )
    assert (
        next_of(FIVE_MINUTES, now, 1).in_words(UTC)
        == "next try after 1 failure at 2026-05-01 10:05:00 UTC"
    )


def test_a_sleep_ends_with_the_first_pass_and_within_a_minute() -> None:
    now = at("10:04:30")
    waiting = [next_of(FIVE_MINUTES, now), next_of(NOON, now)]
    assert sleep_s(waiting, now) == 30.0
    assert sleep_s(waiting[1:], now) == LONGEST_SLEEP_S == 60.0
    assert sleep_s([], now) == LONGEST_SLEEP_S
    assert sleep_s(waiting, now.later(40.0)) == 0.0


schedules = st.one_of(
    st.floats(1.0, 1e6).map(Every),
    st.sampled_from(["*/5 * * * *", "0 12 * * *", "@hourly", "* * * * * */7", "30 2 * * 1-5"]).map(
        lambda expression: Cron(expression, ZoneInfo("Europe/Amsterdam"))
    ),
)
moments = st.builds(
    Clocks,
    st.integers(0, 10**14).map(lambda us: at("00:00:00").wall + timedelta(microseconds=us)),
    st.floats(0.0, 1e8),
)
chances = st.floats(0.0, 1.0, exclude_max=True)


@given(schedules, moments, chances, st.floats(0.0, 1e5), st.integers(0, 100))
def test_jitter_makes_a_pass_later_and_by_no_more_than_it_may(
    schedule: Every | Cron, now: Clocks, chance: float, jitter_s: float, failures: int
) -> None:
    plain = Timing(schedule).from_now(now, chance, failures)
    spread = Timing(schedule, jitter_s).from_now(now, chance, failures)
    assert spread.tick == plain.tick
    assert -1e-3 <= spread.wait_s(now) - plain.wait_s(now) <= jitter_s + 1e-3
    assert Timing(schedule, jitter_s).at_start(now, chance).wait_s(now) <= jitter_s + 1e-3


@given(schedules, moments, st.integers(1, 100), st.floats(0.0, 1e5))
def test_no_backoff_is_longer_than_allowed_or_than_the_schedule(
    schedule: Every | Cron, now: Clocks, failures: int, max_backoff_s: float
) -> None:
    timing = Timing(schedule, max_backoff_s=max_backoff_s)
    plain_s = timing.from_now(now, 0.0).wait_s(now)
    wait_s = timing.from_now(now, 0.0, failures).wait_s(now)
    assert plain_s - 1e-3 <= wait_s <= max(plain_s, max_backoff_s) + 1e-3


@given(schedules, moments, st.lists(st.tuples(st.floats(0, 1e5), st.floats(-1e5, 1e5))))
def test_whatever_the_clocks_do_passes_do_not_run_wild(
    schedule: Every | Cron, now: Clocks, events: list[tuple[float, float]]
) -> None:
    """Each pass is followed by a wait, and one for a tick of three hours from now at the most."""
    timing = Timing(schedule)
    due = timing.at_start(now, 0.0)
    for slept_s, set_s in events:
        now = set_by(now.later(slept_s), set_s)
        due = timing.revised(due, now)
        if due.wait_s(now) == 0:
            due = timing.after_pass(due, now, 0.0)
            assert due.wait_s(now) > 0
        if isinstance(schedule, Every):
            assert due.wait_s(now) <= schedule.seconds + 1e-3
        else:
            assert due.at <= schedule.next_tick(now.later(3 * HOUR_S + 1).wall)
