"""Whether a thread works or waits while it is awake."""

from __future__ import annotations

import time

_SAMPLE_S = 0.2
"""For how long it is awake until that is told."""
_HELD_UP = 3
"""It was held up if it was awake for so many times the CPU that it took: it waited for something
that others could have waited for meanwhile."""


class Busy:
    """For how long a thread was busy between its sleeps, and how much CPU that took."""

    def __init__(self) -> None:
        self._wall_s = self._cpu_s = 0.0
        self.begins()

    def begins(self) -> None:
        """It is awake."""
        self._awake_s, self._awake_cpu_s = time.monotonic(), time.thread_time()

    def ends(self) -> None:
        """It is about to sleep."""
        self._wall_s += time.monotonic() - self._awake_s
        self._cpu_s += time.thread_time() - self._awake_cpu_s

    def was_held_up(self) -> bool:
        """Whether it waited more than it worked while it was awake, once that can be told."""
        if self._wall_s < _SAMPLE_S:
            return False
        held_up = self._wall_s > _HELD_UP * self._cpu_s
        self._wall_s = self._cpu_s = 0.0
        return held_up
