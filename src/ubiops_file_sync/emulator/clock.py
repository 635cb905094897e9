"""The server's clock, and how it writes times down."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache

from .behaviour import Behaviour

US = 1_000_000
"""Microseconds in a second."""


class Clock:
    """Wall clock, set off by `offset_s`, so that tests can make a client's clock look wrong.

    May be used by several threads; `offset_s` may be changed at any time.
    """

    def __init__(self, offset_s: float = 0.0) -> None:
        self.offset_s = offset_s
        self._lock = threading.Lock()
        self._last_us = 0

    def now_us(self) -> int:
        """Microseconds since the epoch."""
        return time.time_ns() // 1000 + int(self.offset_s * US)

    def stamp_us(self) -> int:
        """The time of an event: `now_us`, but never equal to an earlier stamp, nor before it.

        Only setting the clock back by `offset_s` lets stamps go back.
        """
        with self._lock:
            now_us = self.now_us()
            # A clock that was set back on purpose must show; a microsecond's tie must not.
            if self._last_us - US < now_us <= self._last_us:
                now_us = self._last_us + 1
            self._last_us = now_us
            return now_us


def iso_time(time_us: int, behaviour: Behaviour | None = None) -> str:
    """The time as the API writes it; in microseconds and with `Z` when no behaviour is given."""
    second, fraction_us = divmod(time_us, US)
    text = _second_text(second)
    if behaviour is None:
        return f"{text}.{fraction_us:06d}Z"
    if behaviour.time_precision == "us":
        return f"{text}.{fraction_us:06d}{behaviour.time_suffix}"
    if behaviour.time_precision == "ms":
        return f"{text}.{fraction_us // 1000:03d}{behaviour.time_suffix}"
    return f"{text}{behaviour.time_suffix}"


# Objects of one page mostly share a few seconds; formatting each anew doubles the cost of a page.
@lru_cache(maxsize=4096)
def _second_text(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def http_date(time_us: int) -> str:
    """The time as HTTP headers write it, in whole seconds."""
    return _http_second(time_us // US)


@lru_cache(maxsize=256)
def _http_second(second: int) -> str:
    return formatdate(second, usegmt=True)


@lru_cache(maxsize=256)
def compact_time(second: int) -> str:
    """The time as `20240131T235959Z`, the way signed URLs of S3 and GCS carry it."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y%m%dT%H%M%SZ")
