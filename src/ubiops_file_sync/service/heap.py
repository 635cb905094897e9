"""The memory of a process that runs for months."""

from __future__ import annotations

import ctypes
from contextlib import suppress

_M_ARENA_MAX = -8
"""From glibc's malloc.h."""


def share_one_heap() -> None:
    """From now on all threads of the process take memory from one heap.

    Each pass has threads of its own, and glibc gives threads heaps of their own, up to eight a
    core, of which each keeps what its busiest moment took: a service under load grew by 15 MiB in
    seven minutes, and with one heap by one. Other C libraries have one, and no such function.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
