"""`Timing`: which tick of its schedule the next pass of a profile takes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ubiops_file_sync.schedule.cron import Cron
from ubiops_file_sync.schedule.due import Clocks, Due

_SET_BACK_UNNOTICED_S = 60.0
"""A clock set back by no more makes schedules that keep their rhythm wait, and no tick come twice:
clocks are corrected by a second now and then, just after a tick too."""
_SET_BACK_FOR_FIXED_S = 3 * 3600.0
"""A clock set back by no more makes fixed times wait, so that none comes twice. What is more was a
wrong clock and not a changed one, and counts at once. Both as in cron(8)."""
_SHOWN_WRONG_S = 1.0
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Every:
    """A pass each so many seconds, by the steady clock: nothing that is set disturbs it."""

    seconds: float
    """From the start of one pass to that of the next."""

    def next_tick_s(self, tick_s: float, after_s: float) -> float:
        """The first moment after `after_s` that is a whole number of intervals from `tick_s`."""
        nth = math.floor((after_s - tick_s) / self.seconds) + 1
        tick = tick_s + nth * self.seconds
        # Rounding may put it at `after_s` itself.
        return tick if tick > after_s else tick + self.seconds


@dataclass(frozen=True, slots=True)
class Timing:
    """How a profile wants to be run. Every answer is for one profile, and depends on nothing else.

    `chance`, wherever it is asked for, is a random number from 0 up to 1: the share of the jitter.
    """

    schedule: Cron | Every
    jitter_s: float = 0.0
    """A pass begins by up to so many seconds later than its tick, so that not all do at once."""
    run_on_start: bool = True
    """Whether the first pass comes at once and does not wait for a tick."""
    max_backoff_s: float = 3600.0
    """After failures, ticks are passed over for at most so many seconds."""

    def at_start(self, now: Clocks, chance: float) -> Due:
        """The first pass of a service that starts now."""
        if not self.run_on_start:
            return self.from_now(now, chance)
        return Due(tick=now, by_wall=False, planned=now, jitter_s=self.jitter_s * chance)

    def from_now(self, now: Clocks, chance: float, failures: int = 0) -> Due:
        """The next pass where none went before: the profile is new, or was paused."""
        return self._plan(now, now, failures, self.jitter_s * chance)

    def after_pass(
        self, due: Due, now: Clocks, chance: float, failures: int = 0, *, triggered: bool = False
    ) -> Due:
        """The pass after one that has just ended, however many ticks came meanwhile.

        `due`: what the pass was begun for; with `triggered`, what it was begun in spite of, which
        holds on if it has not come yet. `failures`: how many passes in a row have failed, this
        one among them.

        After failures, ticks are passed over. The time from one pass to the next doubles with
        each failure from the second on, up to `max_backoff_s`; but it is always a tick that is
        taken, and never one later than the next where the next is further away than that.
        """
        has_come = not triggered or due.wait_s(now) == 0
        if not has_come and not failures and not due.is_backing_off:
            return due
        return self._plan(due.tick, now, failures, self.jitter_s * chance, has_come=has_come)

    def revised(self, due: Due, now: Clocks) -> Due:
        """The pass as it is due after the wall clock was set; unchanged if that makes no odds.

        Set forward, or after a sleep of the machine, what is past is due, once. Set back, fixed
        times wait until the clock is there again, so that none comes twice, while schedules that
        keep their rhythm do not wait for the second hour. Set back by more than three hours, all
        start anew. What goes by the steady clock only shows another time.
        """
        set_forward_s = (now.wall - due.planned.wall).total_seconds() - (
            now.steady_s - due.planned.steady_s
        )
        if isinstance(self.schedule, Every) or not due.by_wall:
            if abs(set_forward_s) < _SHOWN_WRONG_S:
                return due
            return replace(due, planned=now, tick=now.later(due.tick.steady_s - now.steady_s))
        if -set_forward_s <= _tolerance_s(self.schedule):
            return due
        wait_s = max(0.0, due.not_before_s - now.steady_s)
        tick = self.schedule.next_tick(now.later(wait_s).wall)
        return replace(due, planned=now, tick=_foreseen(tick, now))

    def _plan(
        self, last: Clocks, now: Clocks, failures: int, jitter_s: float, *, has_come: bool = True
    ) -> Due:
        """The tick after now, or later after failures. `last`: a tick, which `has_come` or not."""
        schedule = self.schedule
        if isinstance(schedule, Every):
            extra_s = self._extra_s(schedule.seconds, failures)
            plain_s = schedule.next_tick_s(last.steady_s, now.steady_s)
            tick_s = schedule.next_tick_s(last.steady_s, now.steady_s + extra_s)
            tick, is_backing_off = now.later(tick_s - now.steady_s), tick_s > plain_s
        else:
            begin = _after(schedule, last.wall, now.wall) if has_come else now.wall
            plain = schedule.next_tick(begin)
            taken, extra_s = self._later_tick(schedule, plain, now.wall, failures)
            tick, is_backing_off = _foreseen(taken, now), taken > plain
        return Due(
            tick=tick,
            by_wall=isinstance(schedule, Cron),
            planned=now,
            jitter_s=jitter_s,
            failures=failures,
            not_before_s=now.steady_s + extra_s,
            is_backing_off=is_backing_off,
        )

    def _extra_s(self, interval_s: float, failures: int) -> float:
        """For how long, beyond the usual interval, ticks are passed over."""
        doublings = min(max(failures - 1, 0), 60)
        return max(0.0, min(self.max_backoff_s, interval_s * 2.0**doublings) - interval_s)

    def _later_tick(
        self, schedule: Cron, plain: datetime, now: datetime, failures: int
    ) -> tuple[datetime, float]:
        """The tick after the extra time, and that time: less of it where no tick is near its end.

        `*/5 9-17 * * *` at its end must not take a backoff of half an hour for one until morning.
        """
        if not failures:
            return plain, 0.0
        interval_s = (schedule.next_tick(plain) - plain).total_seconds()
        extra_s = self._extra_s(interval_s, failures)
        latest = now + timedelta(seconds=extra_s + interval_s)
        while extra_s >= 1:
            tick = schedule.next_tick(max(now + timedelta(seconds=extra_s), plain - _SECOND))
            if tick <= latest:
                return tick, extra_s
            extra_s /= 2
        return plain, 0.0


def _tolerance_s(schedule: Cron) -> float:
    return _SET_BACK_UNNOTICED_S if schedule.keeps_rhythm else _SET_BACK_FOR_FIXED_S


def _after(schedule: Cron, last: datetime, now: datetime) -> datetime:
    """From when on to look for a tick: after the last one, if the clock was set back since then."""
    is_ahead = timedelta() < last - now <= timedelta(seconds=_tolerance_s(schedule))
    return last if is_ahead else now


def _foreseen(tick: datetime, now: Clocks) -> Clocks:
    return Clocks(tick, now.steady_s + (tick - now.wall).total_seconds())
