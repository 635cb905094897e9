"""`Due`: when a pass is due, by which clock, and how long one may sleep until then.

The caller keeps one `Due` for each profile, and turns like this:

1. It reads `Clocks` once: the wall clock, and a steady one that no one sets. `CLOCK_BOOTTIME` is
   the best steady one, since it also counts the time for which the machine slept;
   `CLOCK_MONOTONIC` (`time.monotonic()`) does too, but `every: 1h` then counts waking hours.
2. It replaces each waiting `Due` by `Timing.revised`, which sees that the wall clock was set.
3. It begins the passes whose `wait_s` is 0, and after each of them asks `Timing.after_pass`.
4. It sleeps for `sleep_s` of all that wait, or until something happens, and begins again.

Sleeping is counted by a clock that stands still while the machine sleeps, and nobody tells a
sleeper that the wall clock was set; hence a sleep is never longer than `LONGEST_SLEEP_S`. That is
a wake-up a minute and no more, where a watchdog wants to be fed at that pace anyway. A caller that
has a timerfd with TFD_TIMER_CANCEL_ON_SET may sleep for `wait_s` instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

LONGEST_SLEEP_S = 60.0
"""By how much a pass may be late when the machine slept or its clock was set."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """One reading of both clocks at the same moment."""

    wall: datetime
    """Aware, in UTC. People set it, and so do NTP and virtual machines."""
    steady_s: float
    """Seconds since some moment; nobody sets it and it never goes back."""

    def later(self, seconds: float) -> Clocks:
        """What they show so much later, if nobody sets the wall clock."""
        return Clocks(self.wall + timedelta(seconds=seconds), self.steady_s + seconds)


@dataclass(frozen=True, slots=True)
class Due:
    """When a pass is due, as it was planned."""

    tick: Clocks
    """The moment that the schedule has. The clock that the pass does not go by is a forecast."""
    by_wall: bool
    """Whether the pass goes by the wall clock; otherwise by the steady one."""
    planned: Clocks
    """When it was planned; how far the wall clock was set since then follows from it."""
    jitter_s: float = 0.0
    """By how much the pass begins later than its tick."""
    failures: int = 0
    """How many passes in a row had failed."""
    not_before_s: float = 0.0
    """The steady clock before which no tick is taken, for the sake of the failures."""
    is_backing_off: bool = False
    """Whether ticks are passed over because of the failures."""

    @property
    def at(self) -> datetime:
        """When the pass begins, aware, in UTC; a forecast if it goes by the steady clock."""
        return self.tick.wall + timedelta(seconds=self.jitter_s)

    def wait_s(self, now: Clocks) -> float:
        """Seconds until the pass is due; 0 if it is due now, however long it has been."""
        if self.by_wall:
            return max(0.0, (self.at - now.wall).total_seconds())
        return max(0.0, self.tick.steady_s + self.jitter_s - now.steady_s)

    def in_words(self, zone: tzinfo | None) -> str:
        """When and why, in the given zone (None: the system's), for a status line."""
        when = f"{self.at.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"
        if not self.failures:
            return f"next pass at {when}"
        failures = f"{self.failures} failure{'s' if self.failures > 1 else ''}"
        if self.is_backing_off:
            return f"backing off after {failures} until {when}"
        return f"next try after {failures} at {when}"


def sleep_s(waiting: Iterable[Due], now: Clocks) -> float:
    """For how long the caller may sleep, from 0 to `LONGEST_SLEEP_S`."""
    return min((LONGEST_SLEEP_S, *(due.wait_s(now) for due in waiting)))
