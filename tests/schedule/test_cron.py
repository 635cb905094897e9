"""Which moments a cron expression has, in the night of a clock change above all."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ubiops_file_sync.schedule import Cron

AMSTERDAM = "Europe/Amsterdam"
"""2026: 29 March 02:00 becomes 03:00; 25 October 03:00 becomes 02:00."""
NEW_YORK = "America/New_York"
"""2026: 8 March 02:00 becomes 03:00; 1 November 02:00 becomes 01:00."""


def ticks(cron: Cron, after: datetime, count: int) -> list[datetime]:
    found = []
    for _ in range(count):
        after = cron.next_tick(after)
        found.append(after)
    return found


def shown(expression: str, zone: str, after: str, count: int) -> list[str]:
    """The next moments after a time of the zone's clock, as that clock shows them."""
    place = ZoneInfo(zone)
    begin = datetime.fromisoformat(after).replace(tzinfo=place)
    found = ticks(Cron(expression, place), begin, count)
    assert all(tick.tzinfo is UTC for tick in found)
    return [f"{tick.astimezone(place):%d %H:%M:%S %Z}".replace(":00 ", " ") for tick in found]


@pytest.mark.parametrize(
    ("zone", "change", "winter", "summer"),
    [(AMSTERDAM, "2026-03-29", "CET", "CEST"), (NEW_YORK, "2026-03-08", "EST", "EDT")],
)
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("30 2 * * *", "03:00 S, +1 02:30 S"),
        ("30 2 * * * 15", "03:00 S, +1 02:30:15 S"),
        ("0,30 2 * * *", "03:00 S, +1 02:00 S, +1 02:30 S"),
        ("*/20 2 * * *", "03:00 S, +1 02:00 S, +1 02:20 S"),
        ("0 1-4 * * *", "01:00 W, 03:00 S, 04:00 S, +1 01:00 S"),
        ("30 1-4 * * *", "01:30 W, 03:00 S, 03:30 S, 04:30 S, +1 01:30 S"),
        ("0 3 * * *", "03:00 S, +1 03:00 S"),
        ("0 */2 * * *", "03:00 S, 04:00 S, 06:00 S"),
        ("*/30 * * * *", "01:00 W, 01:30 W, 03:00 S, 03:30 S, 04:00 S"),
        ("7-59/20 * * * *", "00:47 W, 01:07 W, 01:27 W, 01:47 W, 03:07 S, 03:27 S"),
        ("@hourly", "01:00 W, 03:00 S, 04:00 S"),
        ("30 * * * *", "01:30 W, 03:30 S"),
        ("@daily", "+1 00:00 S"),
    ],
)
def test_when_the_clock_is_set_forward(
    zone: str, change: str, winter: str, summer: str, expression: str, expected: str
) -> None:
    day = int(change[-2:])
    wanted = _spell(expected, day, {"W": winter, "S": summer})
    assert shown(expression, zone, f"{change} 00:30", len(wanted)) == wanted


def _spell(expected: str, day: int, names: dict[str, str]) -> list[str]:
    """`+1 02:30 S` as `30 02:30 CEST`."""
    spelled = []
    for item in expected.split(", "):
        *plus, clock, name = item.split()
        spelled.append(f"{day + (1 if plus else 0):02} {clock} {names[name]}")
    return spelled


def test_six_fields_when_the_clock_is_set_forward() -> None:
    assert shown("* * * * * */20", AMSTERDAM, "2026-03-29 01:59:25", 3) == [
        "29 01:59:40 CET",
        "29 03:00 CEST",
        "29 03:00:20 CEST",
    ]


@pytest.mark.parametrize(
    ("zone", "change", "hour", "summer", "winter"),
    [(AMSTERDAM, "2026-10-25", 2, "CEST", "CET"), (NEW_YORK, "2026-11-01", 1, "EDT", "EST")],
)
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("30 H * * *", "H:30 S, +1 H:30 W"),
        ("30 H * * * 15", "H:30:15 S, +1 H:30:15 W"),
        ("0,30 H * * *", "H:00 S, H:30 S, +1 H:00 W"),
        ("*/30 H * * *", "H:00 S, H:30 S, H:00 W, H:30 W, +1 H:00 W"),
        ("0 0-3 * * *", "H:00 S, N:00 W"),
        ("*/30 * * * *", "H:00 S, H:30 S, H:00 W, H:30 W, N:00 W"),
        ("@hourly", "H:00 S, H:00 W, N:00 W"),
        ("30 * * * *", "H:30 S, H:30 W, N:30 W"),
        ("0 N * * *", "N:00 W, +1 N:00 W"),
        ("@daily", "+1 00:00 W"),
    ],
)
def test_when_the_clock_is_set_back(
    zone: str, change: str, hour: int, summer: str, winter: str, expression: str, expected: str
) -> None:
    hours = {"H": f"{hour:02}", "N": f"{hour + 1:02}"}
    for letter, digits in hours.items():
        expression = expression.replace(f" {letter} ", f" {int(digits)} ")
        expected = expected.replace(letter, digits)
    day = int(change[-2:])
    wanted = _spell(expected, day, {"W": winter, "S": summer})
    assert shown(expression, zone, f"{change} {hour - 1:02}:45", len(wanted)) == wanted


def test_six_fields_when_the_clock_is_set_back() -> None:
    assert shown("* * * * * */30", AMSTERDAM, "2026-10-25 02:59:20", 4) == [
        "25 02:59:30 CEST",
        "25 02:00 CET",
        "25 02:00:30 CET",
        "25 02:01 CET",
    ]


@pytest.mark.parametrize("minutes", range(0, 130, 10))
def test_within_the_hour_that_comes_twice_a_fixed_time_is_over(minutes: int) -> None:
    place = ZoneInfo(AMSTERDAM)
    begin = datetime(2026, 10, 25, 0, 30, tzinfo=UTC) + timedelta(minutes=minutes)
    tick = Cron("30 2 * * *", place).next_tick(begin)
    assert f"{tick.astimezone(place):%d %H:%M}" == "26 02:30"


def test_a_long_term_sees_each_fixed_time_once_a_day() -> None:
    place = ZoneInfo(NEW_YORK)
    found = ticks(Cron("30 2 * * *", place), datetime(2026, 1, 1, 12, tzinfo=place), 365)
    days = [tick.astimezone(place).date() for tick in found]
    assert days == [days[0] + timedelta(days=n) for n in range(365)]


@pytest.mark.parametrize(
    ("zone", "expression", "after", "expected"),
    [
        # Half an hour; 4 October 2026, 02:00 becomes 02:30.
        ("Australia/Lord_Howe", "10 2 * * *", "2026-10-04 00:00", ["04 02:30", "05 02:10"]),
        ("Australia/Lord_Howe", "45 2 * * *", "2026-10-04 00:00", ["04 02:45", "05 02:45"]),
        # At midnight; 6 September 2026, 00:00 becomes 01:00.
        ("America/Santiago", "@daily", "2026-09-05 12:00", ["06 01:00", "07 00:00"]),
        ("America/Santiago", "0 */12 * * *", "2026-09-05 11:00", ["05 12:00", "06 01:00"]),
        # A whole day; 30 December 2011 never came.
        ("Pacific/Apia", "0 12 * * *", "2011-12-29 13:00", ["31 00:00", "31 12:00"]),
        # No changes at all.
        ("Asia/Kolkata", "30 2 * * *", "2026-03-28 12:00", ["29 02:30", "30 02:30"]),
    ],
)
def test_other_clock_changes(zone: str, expression: str, after: str, expected: list[str]) -> None:
    found = shown(expression, zone, after, len(expected))
    assert [tick.rsplit(" ", 1)[0] for tick in found] == expected


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("0 0 29 2 *", "2026-03-01", ["2028-02-29", "2032-02-29"]),
        ("0 0 29 2 *", "2096-03-01", ["2104-02-29"]),
        ("0 0 31 * *", "2026-01-31", ["2026-03-31", "2026-05-31", "2026-07-31", "2026-08-31"]),
        ("0 0 30 * *", "2026-01-31", ["2026-03-30", "2026-04-30"]),
        ("0 0 L * *", "2028-01-31", ["2028-02-29", "2028-03-31", "2028-04-30"]),
        ("0 0 L * *", "2026-01-31", ["2026-02-28", "2026-03-31"]),
        ("0 0 1 1 *", "2026-01-01", ["2027-01-01"]),
        ("0 0 * * mon", "2026-05-01", ["2026-05-04", "2026-05-11"]),
        ("0 0 * * 7", "2026-05-01", ["2026-05-03", "2026-05-10"]),
        # Of a day of the month and one of the week either will do, as in every cron.
        ("0 0 13 * 5", "2026-05-09", ["2026-05-13", "2026-05-15"]),
        ("0 0 * * 1#1", "2026-05-01", ["2026-05-04", "2026-06-01"]),
        ("@daily", "2026-05-01", ["2026-05-02"]),
        ("@midnight", "2026-05-01", ["2026-05-02"]),
        ("@weekly", "2026-05-01", ["2026-05-03"]),
        ("@monthly", "2026-05-01", ["2026-06-01"]),
        ("@yearly", "2026-05-01", ["2027-01-01"]),
        ("@Annually", "2026-05-01", ["2027-01-01"]),
    ],
)
def test_days_of_the_calendar(expression: str, after: str, expected: list[str]) -> None:
    begin = datetime.fromisoformat(after).replace(tzinfo=UTC)
    found = ticks(Cron(expression, ZoneInfo("UTC")), begin, len(expected))
    assert [f"{tick:%Y-%m-%d %H:%M}" for tick in found] == [f"{day} 00:00" for day in expected]


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("10:00:00", "10:05:00"),
        ("10:04:59.999999", "10:05:00"),
        ("10:05:00", "10:10:00"),
        ("10:05:00.000001", "10:10:00"),
    ],
)
def test_a_tick_is_strictly_later(after: str, expected: str) -> None:
    begin = datetime.fromisoformat(f"2026-05-01 {after}+00:00")
    tick = Cron("*/5 * * * *", ZoneInfo("UTC")).next_tick(begin)
    assert tick == datetime.fromisoformat(f"2026-05-01 {expected}+00:00")


@pytest.fixture
def amsterdam_is_the_systems(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", AMSTERDAM)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("amsterdam_is_the_systems")
@pytest.mark.parametrize("expression", ["30 2 * * *", "*/20 * * * *", "*/20 2 * * *", "@hourly"])
@pytest.mark.parametrize("begin", ["2026-03-28 20:00", "2026-10-24 20:00", "2026-10-25 01:30"])
def test_the_systems_zone_is_one_like_others(expression: str, begin: str) -> None:
    after = datetime.fromisoformat(begin).replace(tzinfo=UTC)
    named = Cron(expression, ZoneInfo(AMSTERDAM))
    assert ticks(Cron(expression), after, 30) == ticks(named, after, 30)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("0 0 31 2 *", "never comes; name a day that the calendar has"),
        ("0 0 30 2 *", "never comes"),
        ("0 0 31 4,6,9,11 *", "never comes"),
        ("0 0 29 2 2#1", "never comes"),
        ("0 0 1 1 * 0 2030", "has seven fields; leave out the last, which would be a year"),
        ("0 */5 * * * *", "would run every second of its minute"),
        ("R * * * *", "has an H or R in it"),
        ("0 H(0-7) * * *", "has an H or R in it"),
        ("0 R/2 * * *", "has an H or R in it"),
        ("@reboot", "is not a schedule; write five cron fields"),
        ("@every 5m", "is not a schedule"),
        ("every 5 minutes", "is not a schedule"),
        ("* * * *", "is not a schedule"),
        ("60 * * * *", "is not a schedule"),
        ("* 24 * * *", "is not a schedule"),
        ("* * 0 * *", "is not a schedule"),
        ("* * * 13 *", "is not a schedule"),
        ("* * * * 8", "is not a schedule"),
        ("*/0 * * * *", "is not a schedule"),
        ("-5 * * * *", "is not a schedule"),
        ("5- * * * *", "is not a schedule"),
        ("* * * * * 60", "is not a schedule"),
        ("", "is not a schedule"),
    ],
)
def test_what_is_no_schedule_is_refused_in_words(expression: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)) as caught:
        Cron(expression)
    assert str(caught.value).startswith(reason)


def test_schedules_are_the_same_if_they_say_the_same() -> None:
    one = Cron("@hourly", ZoneInfo(AMSTERDAM))
    assert one == Cron("@hourly", ZoneInfo(AMSTERDAM))
    assert one != Cron("@hourly", ZoneInfo(NEW_YORK))
