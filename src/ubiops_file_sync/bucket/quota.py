"""Keeps all calls of this process to an API host within its quota (design section 6)."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from ubiops_file_sync.bucket.retry import RATE_LIMITED
from ubiops_file_sync.bucket.window import Window, reset_told_by, told_by
from ubiops_file_sync.config.fields import DEFAULT_QUOTA_SHARE
from ubiops_file_sync.courtesy import stepping_aside
from ubiops_file_sync.lanes import Turn, turn_of
from ubiops_file_sync.model import Pace

_KEPT = 8
"""Quotas that stay known while nobody uses them: between the passes of a process."""


class Quota:
    """The one limiter of an API host: first come, first served. Thread-safe."""

    def __init__(self, share: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._window = Window(share)
        self._monotonic = monotonic
        # Reentrant: a signal may ask for a stop while its own thread holds it.
        self._lock = threading.RLock()
        self._waiting: deque[threading.Condition | Turn] = deque()

    @property
    def pace(self) -> Pace | None:
        """How quickly calls may be made; None while no answer has told."""
        with self._lock:
            window = self._window
            if window.limit is None or window.budget is None:
                return None
            a_minute = max(1, math.floor(window.budget * 60 / window.length_s))
            return Pace(window.limit, window.share, a_minute)

    @property
    def left(self) -> int | None:
        """Calls that the service still allows in this window; None while no answer has told."""
        with self._lock:
            return self._window.left(self._monotonic())

    @property
    def wait_s(self) -> float:
        """How long those who wait still do; 0: nobody does, or for another answer only."""
        with self._lock:
            now = self._monotonic()
            opens_at = self._window.opens_at(now)
            return max(0.0, opens_at - now) if self._waiting and opens_at < math.inf else 0.0

    def share_at_most(self, share: float) -> None:
        """Spend no more than this share of the limit."""
        with self._lock:
            self._window.share = min(self._window.share, share)

    def take(self, stopping: threading.Event) -> float | None:
        """Wait for leave to make one call; when that was, which `heard` or `lost` wants to know.

        None: `stopping` was set, and no call may be made. Whoever sets it calls `wake` as well.
        """
        with self._lock:
            if not self._waiting and not stopping.is_set():
                now = self._monotonic()
                if self._window.opens_at(now) <= now:
                    self._window.sent()
                    return now
            turn = turn_of(self._lock)
            self._waiting.append(turn)
            try:
                while not stopping.is_set():
                    now = self._monotonic()
                    is_first = self._waiting[0] is turn
                    opens_at = self._window.opens_at(now) if is_first else math.inf
                    if opens_at <= now:
                        self._window.sent()
                        return now
                    with stepping_aside():
                        turn.wait(None if opens_at == math.inf else opens_at - now)
                return None
            finally:
                self._waiting.remove(turn)
                self._wake_first()

    def heard(self, status: int, headers: Mapping[str, str], sent_at: float) -> None:
        """Learn from an answer."""
        with self._lock:
            now = self._monotonic()
            self._window.heard(told_by(headers), sent_at, now)
            if status == RATE_LIMITED:
                self._window.refused(reset_told_by(headers), now)
            self._wake_first()

    def lost(self) -> None:
        """No answer came to a call."""
        with self._lock:
            self._window.lost(self._monotonic())
            self._wake_first()

    def wake(self) -> None:
        """Have everybody who waits look again whether to stop."""
        with self._lock:
            for turn in self._waiting:
                turn.notify()

    def _wake_first(self) -> None:
        if self._waiting:
            self._waiting[0].notify()


class Unpaced(Quota):
    """For a handful of calls by somebody who waits for them: each is made at once.

    What their answers tell is kept all the same, and a 429 is for the caller to cope with.
    """

    def __init__(self) -> None:
        super().__init__(share=1.0)

    def take(self, stopping: threading.Event) -> float | None:
        """Leave to make one call; None: `stopping` was set."""
        with self._lock:
            if stopping.is_set():
                return None
            self._window.sent()
            return self._monotonic()


_quotas: WeakValueDictionary[str, Quota] = WeakValueDictionary()
_kept: deque[Quota] = deque(maxlen=_KEPT)
_lock = threading.Lock()


def quota_for(api_host: str, share: float = DEFAULT_QUOTA_SHARE) -> Quota:
    """The process's quota of the host that an API address names, whatever its path.

    It is by source address that UbiOps counts, so that tokens and projects make no difference.
    The smallest share that anybody asked for is the one that counts.
    """
    name = urlsplit(api_host).netloc.lower()
    with _lock:
        quota = _quotas.get(name)
        if quota is None:
            quota = _quotas[name] = Quota(share)
        if quota not in _kept:
            _kept.append(quota)
    quota.share_at_most(share)
    return quota


def quota_left(api_host: str) -> int | None:
    """Calls that the host still allows in this window; None while no answer has told."""
    with _lock:
        quota = _quotas.get(urlsplit(api_host).netloc.lower())
    return None if quota is None else quota.left
