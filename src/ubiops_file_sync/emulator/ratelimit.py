"""The API's request quota: a fixed window for each source address."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import NamedTuple


class Quota(NamedTuple):
    """What one request is told of its quota."""

    allowed: bool
    limit: int
    remaining: int
    reset_s: int
    """Whole seconds until the window ends, rounded up."""


class RateLimiter:
    """Counts requests by source address. `limit` and `window_s` may be changed at any time."""

    def __init__(
        self,
        limit: int | None,
        window_s: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limit = limit
        """Requests in a window; None: no limit, and no headers about one."""
        self.window_s = window_s
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._windows: dict[str, tuple[float, int]] = {}

    def take(self, source: str) -> Quota | None:
        """Count one request; None when there is no limit. A refused request is not counted."""
        limit = self.limit
        if limit is None:
            return None
        with self._lock:
            now = self._monotonic()
            ends, used = self._windows.get(source, (now + self.window_s, 0))
            if now >= ends:
                ends, used = now + self.window_s, 0
            allowed = used < limit
            used += allowed
            self._windows[source] = ends, used
        reset_s = max(1, math.ceil(ends - now))
        return Quota(allowed, limit, max(0, limit - used), reset_s)

    def reset(self) -> None:
        """Begin new windows."""
        with self._lock:
            self._windows.clear()
