"""The moments of a cron schedule, right through clock changes.

croniter reads the expression and finds the next time *of a wall clock*; which instants those
times are is settled here, since croniter's own answer runs `30 2 * * *` twice in the night in
which clocks are set back (and has had other bugs at clock changes before: kiorky/croniter and
taichino/croniter #25, #90, #91). The rules are those of Debian's cron(8), with one addition:

- A time that the clock shows twice has one tick, the first, where minute and hour are fixed, as
  in `30 2 * * *`. Schedules with a `*` in one of these fields (`*/5 * * * *`, `@hourly`,
  `*/10 2 * * *`) keep their rhythm and have both.
- Times that the clock is set forward over have one tick together, right after the change. Those
  of a schedule that has all hours have none, for its rhythm simply goes on. (cron(8) runs
  `*/10 2 * * *` not at all in that night; here it comes once.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo

from ubiops_file_sync.schedule.wall import change_within, instants, reading

_SECOND = timedelta(seconds=1)
_HASHED = re.compile(r"[hr](?:[(/].*)?", re.ASCII)
_LEAP_YEAR = datetime(2024, 1, 1)  # noqa: DTZ001  a wall clock's
"""Where the search for a first tick begins, so that 29 February is found and no clock is read."""

_MALFORMED = (
    "is not a schedule; write five cron fields such as '*/5 * * * *' (a sixth counts seconds) or "
    "@hourly, @daily, @weekly, or set 'every' instead"
)
_HAS_YEAR = "has seven fields; leave out the last, which would be a year"
_IS_RANDOM = "has an H or R in it, which not every cron knows; use 'jitter' to spread passes"
_NEVER = "never comes; name a day that the calendar has"
_EVERY_SECOND = (
    "would run every second of its minute, for the sixth field counts seconds; if they come first "
    "in it, move them to the end"
)


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression and the wall clock that it speaks of.

    Five fields, or six of which the last counts seconds, or `@hourly`, `@daily` and so on, as
    croniter reads them. Raises ValueError, which says what is wrong and what to do and does not
    repeat the expression, for one that cannot be read or never comes.
    """

    expression: str
    zone: tzinfo | None = None
    """None: the system's."""
    keeps_rhythm: bool = field(init=False)
    """Whether a `*` stands in its minutes or hours, so that it has ticks at every showing of a
    time that the clock shows twice."""
    has_every_hour: bool = field(init=False)

    def __post_init__(self) -> None:
        fields, hours = _checked(self.expression)
        object.__setattr__(self, "keeps_rhythm", any(one.startswith("*") for one in fields[:2]))
        object.__setattr__(self, "has_every_hour", hours == ["*"])

    def next_tick(self, after: datetime) -> datetime:
        """The first moment of the schedule after an aware instant, in UTC."""
        tick = self._next_of_showing(0, after)
        return min(tick, self._next_of_showing(1, after)) if self.keeps_rhythm else tick

    def _next_of_showing(self, fold: int, after: datetime) -> datetime:
        """The first tick after `after`, if times shown twice count at that showing only.

        With one showing each, the instants of the wall clock's times are in the order of the
        times, and the first time that comes is the first tick.
        """
        shown = self._start(fold, after)
        while True:
            shown = _next_reading(self.expression, shown)
            found = instants(shown, self.zone)
            if found[0] <= found[1]:
                return found[fold]
            change = change_within(found[1], found[0], self.zone)
            if not self.has_every_hour:
                return change
            shown = reading(change, self.zone) - _SECOND

    def _start(self, fold: int, after: datetime) -> datetime:
        """The reading after which to search: all times up to it came, in that showing."""
        shown = reading(after, self.zone)
        first, second = instants(shown, self.zone)
        if first >= second or shown.fold == fold:
            return shown
        # At the other showing: the first is over as a whole, or the second still comes as a whole.
        change = change_within(first, second, self.zone)
        is_over = fold == 0
        begin = shown + (change - first) if is_over else reading(change, self.zone)
        return begin.replace(fold=0) - _SECOND


def _next_reading(expression: str, shown: datetime) -> datetime:
    from croniter import croniter

    found: datetime = croniter(expression, shown).get_next(datetime)
    return found


def _checked(expression: str) -> tuple[list[str], list[int | str]]:
    """The expression's fields as text, and what its hours mean."""
    from croniter import CroniterBadDateError, CroniterError, croniter

    written = expression.lower().split()
    if len(written) == 7:
        raise ValueError(_HAS_YEAR)
    if any(_HASHED.fullmatch(one) for one in written):
        raise ValueError(_IS_RANDOM)
    try:
        cron = croniter(expression, _LEAP_YEAR)
        fields: list[str] = cron.expressions
        if len(fields) == 6 and fields[5] == "*" and not fields[0].startswith("*"):
            raise ValueError(_EVERY_SECOND)
        cron.get_next()
    except CroniterBadDateError:
        raise ValueError(_NEVER) from None
    except CroniterError:
        raise ValueError(_MALFORMED) from None
    return fields, cron.expanded[1]
