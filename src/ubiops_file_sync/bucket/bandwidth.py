"""A limit on the bytes a second of all transfers of the process, both ways taken together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import lru_cache

_CREDIT_S = 0.1
"""What was not used for so long may be made up for; more would be a burst after each idle time."""


class Bandwidth:
    """Hands out the time at which bytes may travel, first come, first served. Thread-safe."""

    def __init__(self, bytes_per_s: int, now_s: Callable[[], float] = time.monotonic) -> None:
        self._rate = bytes_per_s
        self._now_s = now_s
        self._free_at = now_s()
        self._lock = threading.Lock()

    @property
    def block_bytes(self) -> int:
        """Most bytes to ask for at once, so that no transfer waits long for the others."""
        return max(16 * 1024, min(256 * 1024, self._rate // 16))

    def reserve(self, count: int) -> float:
        """Take `count` bytes; the seconds to wait before they travel."""
        with self._lock:
            now = self._now_s()
            begin = max(self._free_at, now - _CREDIT_S)
            self._free_at = begin + count / self._rate
            return max(0.0, begin - now)

    def spend(self, count: int, stopping: threading.Event) -> None:
        """Take `count` bytes, and return once they may travel, or once `stopping` is set."""
        delay_s = self.reserve(count)
        if delay_s > 0:
            stopping.wait(delay_s)


@lru_cache(maxsize=8)
def bandwidth_for(bytes_per_s: int) -> Bandwidth:
    """The one of this process that keeps to a limit."""
    return Bandwidth(bytes_per_s)
