"""The server's clock, as its answers tell it, and how far ours is from it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from functools import lru_cache

_SMALLEST_SKEW_US = 3_000_000


def measured_skew_us(headers: Mapping[str, str], now_us: int, took_us: int = 0) -> int:
    """How far `now_us` is ahead of the server's `Date`; 0 if by less than that can tell.

    `Date` has whole seconds, cut and not rounded, and was written at any moment of the `took_us`
    that the answer took: one that is seconds late must not pass for a clock that is wrong.
    """
    if "date" not in headers:
        return 0
    skew_us = now_us - took_us // 2 - (server_us(headers) + 500_000)
    return skew_us if abs(skew_us) > _SMALLEST_SKEW_US + took_us // 2 else 0


def server_us(headers: Mapping[str, str]) -> int:
    """The server's clock, from `Date`; the local one if it sends none."""
    try:
        return _date_us(headers["date"])
    except (KeyError, TypeError, ValueError, IndexError, OverflowError):
        return time.time_ns() // 1000


@lru_cache(maxsize=64)
def _date_us(text: str) -> int:
    """Remembered, since many answers come within a second."""
    return int(parsedate_to_datetime(text).timestamp() * 1_000_000)
