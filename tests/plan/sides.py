"""One key as the two sides and the baseline may tell of it."""

from __future__ import annotations

from ubiops_file_sync.model import BaselineEntry, LocalEntry, RemoteEntry

SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
DAY_US = 24 * HOUR_US

NOW_US = 1_780_000_000 * SECOND_US
"""The local clock."""
EDITED_US = NOW_US - 10 * DAY_US
"""When the local file was written that was last in step."""
STORED_US = NOW_US - 9 * DAY_US
"""When the object was stored that was last in step."""


def local(time_us: int, size: int = 10, key: str = "k") -> LocalEntry:
    return LocalEntry(key, size, time_us * 1000)


def remote(time_us: int, size: int = 10, key: str = "k") -> RemoteEntry:
    return RemoteEntry(key, size, time_us)


def base(key: str = "k", size: int = 10) -> BaselineEntry:
    return BaselineEntry(key, size, EDITED_US * 1000, STORED_US)


LOCAL_AS_IT_WAS = local(EDITED_US)
REMOTE_AS_IT_WAS = remote(STORED_US)
