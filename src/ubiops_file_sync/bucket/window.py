"""When the next API call may be made: one window of the quota, as its answers tell of it. Pure.

UbiOps counts the calls of a source address in windows of a minute, and tells in the headers of
every answer how many are left until when (design section 2). Others may call from behind the same
address, answers come out of order, and nobody tells when a window begins.

Half of what may be spent goes out at once, for most passes are short; the rest evenly, so that a
long pass leaves room for others at any moment.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

_USUAL_LENGTH_S = 60.0
_LONGEST_RESET_S = 300
"""A window is a minute; a server that says more is not believed to the end."""
_UNTOLD_RESET_S = 59
"""What the SDK waits for when a 429 does not say how long."""
_HANDFUL = 4
"""Calls in flight while nobody has told how many are left: few enough to do no harm, and enough
that a pass does not begin one by one."""
_DIGITS = 9
"""A number with more is none that makes sense."""


class Told(NamedTuple):
    """What the headers of an answer say of the quota."""

    limit: int
    """Calls in a window; at least one."""
    remaining: int
    reset_s: int
    """Seconds until the window ends, at least one: servers round up, or down to nothing."""


def told_by(headers: Mapping[str, str]) -> Told | None:
    """The quota's headers; None if they are not all there, or make no sense."""
    limit = _number(headers, "x-ratelimit-limit")
    remaining = _number(headers, "x-ratelimit-remaining")
    reset_s = reset_told_by(headers)
    if not limit or remaining is None or reset_s is None:
        return None
    return Told(limit, min(remaining, limit), max(1, reset_s))


def reset_told_by(headers: Mapping[str, str]) -> int | None:
    """Seconds until the window ends; None if that is not told."""
    reset_s = _number(headers, "x-ratelimit-reset")
    return None if reset_s is None else min(reset_s, _LONGEST_RESET_S)


def _number(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name, "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else None


class Window:
    """The current window. Times are seconds of any clock that only goes forward.

    Each call is `sent` once, when `opens_at` allows it, and then either `heard` or `lost`.
    """

    def __init__(self, share: float) -> None:
        """`share` of the limit, above 0 and at most 1, may be spent; the rest is for others."""
        self.share = share
        self.limit: int | None = None
        """None: not told yet."""
        self.length_s = _USUAL_LENGTH_S
        self._in_flight = 0
        self._is_free = False
        """An answer came without headers: nothing limits the calls until one tells of a limit."""
        self._remaining = 0
        self._is_told = False
        """An answer told of this window; else it is only supposed to have begun."""
        self._began = 0.0
        """When it was supposed to begin."""
        # Between these two the window ends: each answer was made after its call was sent and
        # before it was heard, and tells whole seconds.
        self._ends_after = 0.0
        self._ends_by = 0.0
        self._closed_until = -math.inf

    @property
    def budget(self) -> int | None:
        """Calls that may be made in a window, at least one; None: not known."""
        if self.limit is None:
            return None
        # Floats fall short: 0.7 of 10 is 7, not 6.
        return max(1, math.floor(self.share * self.limit + 1e-9))

    def left(self, now: float) -> int | None:
        """Calls of the limit that nobody has made yet, as far as is known; None: not told."""
        self._roll(now)
        return None if self.limit is None else max(0, self._remaining - self._in_flight)

    def opens_at(self, now: float) -> float:
        """When the next call may be sent: `now` or earlier for at once.

        Infinite: not before an answer to one in flight. Any answer may bring it forward.
        """
        self._roll(now)
        return max(self._allows_at(), self._closed_until)

    def _allows_at(self) -> float:
        budget = self.budget
        if budget is None or self.limit is None:
            return -math.inf if self._is_free or self._in_flight < _HANDFUL else math.inf
        if not self._is_told and self._in_flight >= min(_HANDFUL, budget):
            return math.inf
        # Those in flight may be counted in `remaining` already. That errs on the safe side, and
        # is put right when they are heard.
        spare = self._remaining - self._in_flight - (self.limit - budget)
        if spare <= 0:
            return self._ends_by
        burst = budget / 2
        return self._ends_by - self.length_s * spare / (budget - burst)

    def sent(self) -> None:
        """A call goes out."""
        self._in_flight += 1

    def lost(self, now: float) -> None:
        """No answer came to a call. The service may have counted it."""
        self._in_flight -= 1
        self._roll(now)
        self._remaining -= 1

    def heard(self, told: Told | None, sent_at: float, now: float) -> None:
        """An answer came `now`, to the call of `sent_at`, with these headers."""
        if told is None:
            self._is_free = self._is_free or self.limit is None
            self.lost(now)
            return
        self._in_flight -= 1
        self._roll(now)
        ends_after, ends_by = sent_at + told.reset_s - 1, now + told.reset_s
        if self._is_new(sent_at, ends_after):
            self._is_told = True
            self._remaining = told.remaining
            self.length_s = max(_USUAL_LENGTH_S, told.reset_s)
            self._ends_after, self._ends_by = ends_after, ends_by
        elif not self._is_told or ends_by < self._ends_after:
            return  # It tells of a window that has ended.
        else:
            self._remaining = min(self._remaining, told.remaining)
            self._ends_after = max(self._ends_after, ends_after)
            self._ends_by = min(self._ends_by, ends_by)
        self.limit = told.limit

    def refused(self, reset_s: int | None, now: float) -> None:
        """A 429 came: nobody calls until the window ends, and a second more for the rounding."""
        wait_s = (_UNTOLD_RESET_S if reset_s is None else reset_s) + 1
        self._closed_until = max(self._closed_until, now + wait_s)

    def _is_new(self, sent_at: float, ends_after: float) -> bool:
        """Whether an answer is the first to tell of a window.

        An answer may be late, so it is its call that must have been sent late enough.
        """
        if self.limit is None:
            return True
        if self._is_told:
            return ends_after > self._ends_by
        return sent_at >= self._began or ends_after > self._began

    def _roll(self, now: float) -> None:
        """Begin a new window if this one's time has passed.

        The whole limit is supposed to be there again, and a handful finds out. It has an end of
        its own, so that calls which are never answered do not hold up those that wait for ever.
        """
        if self.limit is not None and now >= self._ends_by:
            self._is_told = False
            self._remaining = self.limit
            self._began = now
            self._ends_by = now + self.length_s
