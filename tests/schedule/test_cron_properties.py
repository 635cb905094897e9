"""Cron schedules against a second reading of the same rules: a walk over all minutes of a zone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ubiops_file_sync.schedule import Cron

MINUTE = timedelta(minutes=1)
WALKED = timedelta(days=2)
MOST_TICKS = 300

BY_AN_HOUR = ("Europe/Amsterdam", "America/New_York", "America/Santiago", "UTC")
ZONES = (*BY_AN_HOUR, "Australia/Lord_Howe")
NIGHTS = tuple(
    (zone, datetime.fromisoformat(f"2026-{change}+00:00") - timedelta(hours=2, minutes=30))
    for zone, change in (
        ("Europe/Amsterdam", "03-29T01:00"),
        ("Europe/Amsterdam", "10-25T01:00"),
        ("America/New_York", "03-08T07:00"),
        ("America/New_York", "11-01T06:00"),
        ("Australia/Lord_Howe", "04-04T15:00"),
        ("Australia/Lord_Howe", "10-03T15:30"),
        ("America/Santiago", "04-05T03:00"),
        ("America/Santiago", "09-06T04:00"),
        ("UTC", "02-28T23:00"),
    )
)
"""Zones, and an hour or two before their clocks change."""


@dataclass(frozen=True)
class Simple:
    """A cron expression of few forms, and what each of its fields allows."""

    texts: tuple[str, ...]
    allowed: tuple[frozenset[int], ...]

    def has(self, shown: datetime) -> bool:
        minute, hour, day, month, weekday = self.allowed
        of_month, of_week = shown.day in day, shown.isoweekday() % 7 in weekday
        either = self.texts[2] != "*" and self.texts[4] != "*"
        is_day = of_month or of_week if either else of_month and of_week
        return shown.minute in minute and shown.hour in hour and shown.month in month and is_day

    @property
    def keeps_rhythm(self) -> bool:
        return self.texts[0].startswith("*") or self.texts[1].startswith("*")


@st.composite
def fields(draw: st.DrawFn, low: int, high: int, open_in: int = 3) -> tuple[str, frozenset[int]]:
    """A field, of which one in `open_in` is a `*`."""
    every = range(low, high + 1)
    if draw(st.integers(1, open_in)) == 1:
        return "*", frozenset(every)
    match draw(st.sampled_from(["n", "list", "range", "step"])):
        case "n":
            one = draw(st.sampled_from(every))
            return str(one), frozenset({one})
        case "list":
            some = draw(st.lists(st.sampled_from(every), min_size=2, max_size=4, unique=True))
            return ",".join(map(str, some)), frozenset(some)
        case "range":
            first = draw(st.integers(low, high - 1))
            last = draw(st.integers(first + 1, high))
            return f"{first}-{last}", frozenset(range(first, last + 1))
    step = draw(st.integers(2, max(2, (high - low) // 2)))
    return f"*/{step}", frozenset(every[::step])


@st.composite
def expressions(draw: st.DrawFn) -> Simple:
    drawn = [draw(fields(0, 59)), draw(fields(0, 23))]
    # Days mostly open, so that something comes within the days that are walked.
    drawn += [draw(fields(1, 31, 2)), draw(fields(1, 12, 1)), draw(fields(0, 6, 2))]
    return Simple(tuple(text for text, _ in drawn), tuple(allowed for _, allowed in drawn))


def walked(simple: Simple, zone: ZoneInfo, begin: datetime) -> Iterator[datetime]:
    """All ticks after `begin`, by looking at each minute's reading and the one before it."""
    early = begin - timedelta(hours=2)
    seen_to = early.astimezone(zone).replace(tzinfo=None)
    last = seen_to
    for nth in range(1, int((begin + WALKED - early) / MINUTE)):
        instant = early + nth * MINUTE
        shown = instant.astimezone(zone).replace(tzinfo=None)
        skipped = [last + n * MINUTE for n in range(1, int((shown - last) / MINUTE))]
        is_again = shown <= seen_to
        has = simple.has(shown) and (not is_again or simple.keeps_rhythm)
        if len(simple.allowed[1]) < 24:
            has = has or any(simple.has(one) for one in skipped)
        if has and instant > begin:
            yield instant
        last, seen_to = shown, max(shown, seen_to)


@settings(deadline=None, max_examples=80)
@given(expressions(), st.sampled_from(NIGHTS))
@example(
    Simple(
        ("*/10", "2", "*", "*", "*"),
        (
            frozenset(range(0, 60, 10)),
            frozenset({2}),
            frozenset(range(1, 32)),
            frozenset(range(1, 13)),
            frozenset(range(7)),
        ),
    ),
    NIGHTS[0],
)
def test_the_ticks_are_those_that_a_walk_over_the_minutes_finds(
    simple: Simple, night: tuple[str, datetime]
) -> None:
    zone, begin = ZoneInfo(night[0]), night[1]
    cron = Cron(" ".join(simple.texts), zone)
    tick = begin
    expected = list(islice(walked(simple, zone, begin), MOST_TICKS))
    for one in expected:
        tick = cron.next_tick(tick)
        assert tick == one
    if len(expected) < MOST_TICKS:
        assert cron.next_tick(tick) >= begin + WALKED - MINUTE


@settings(deadline=None)
@given(
    expressions(),
    st.sampled_from(NIGHTS),
    st.lists(st.integers(0, 6 * 3_600_000_000), min_size=2, max_size=6),
)
def test_the_next_tick_is_later_and_never_goes_back(
    simple: Simple, night: tuple[str, datetime], offsets_us: list[int]
) -> None:
    cron = Cron(" ".join(simple.texts), ZoneInfo(night[0]))
    moments = [night[1] + timedelta(microseconds=offset) for offset in sorted(offsets_us)]
    found = [cron.next_tick(moment) for moment in moments]
    assert all(tick > moment for tick, moment in zip(found, moments, strict=True))
    assert found == sorted(found)
    # None lies between a moment and the tick that was found for it.
    for tick, moment in zip(found, moments, strict=True):
        halfway = moment + (tick - moment) / 2
        assert cron.next_tick(halfway) == tick


@settings(deadline=None)
@given(st.integers(1, 30), st.sampled_from(BY_AN_HOUR), st.integers(0, 366 * 86_400))
def test_a_rhythm_is_never_interrupted(step: int, zone_name: str, offset_s: int) -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=offset_s)
    wait = Cron(f"*/{step} * * * *", ZoneInfo(zone_name)).next_tick(begin) - begin
    assert timedelta() < wait <= timedelta(minutes=step)


@settings(deadline=None)
@given(st.integers(0, 23), st.integers(0, 59), st.sampled_from(ZONES), st.integers(0, 366 * 86_400))
def test_a_daily_time_is_never_more_than_a_day_and_a_clock_change_away(
    hour: int, minute: int, zone_name: str, offset_s: int
) -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=offset_s)
    wait = Cron(f"{minute} {hour} * * *", ZoneInfo(zone_name)).next_tick(begin) - begin
    assert timedelta() < wait <= timedelta(hours=25)
