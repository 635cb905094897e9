"""One worker at a time between two waits: a courtesy that costs nothing and saves much.

Python runs one thread at a time. A small file takes some twenty short system calls, each of which
gives the interpreter away and wants it back at once; with many workers and several cores that was
seen to go wrong for minutes, at 49 switches of threads a file instead of 3 and three times the CPU.
So a worker takes its turn for all the way from one wait to the next, and steps aside while it waits
for the network or the disk.

It is a courtesy and no lock: nothing depends on it, and who has waited for a turn for a while goes
on without one. So it cannot hold up anything for long, whatever is waited for during a turn.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

_PATIENCE_S = 0.02

_turn = threading.Lock()
_mine = threading.local()


def _begin() -> None:
    _mine.has_turn = _turn.acquire(timeout=_PATIENCE_S)


def _end() -> None:
    if _mine.has_turn:
        _mine.has_turn = False
        _turn.release()


@contextmanager
def a_turn() -> Iterator[None]:
    """Do the block when no other thread is in such a block, as far as that comes soon."""
    _begin()
    try:
        yield
    finally:
        _end()


def stepping_aside() -> AbstractContextManager[None]:
    """Let others have their turns during the block; of no effect outside of a turn."""
    return _aside() if getattr(_mine, "has_turn", False) else _NOTHING


_NOTHING = nullcontext()


@contextmanager
def _aside() -> Iterator[None]:
    _end()
    try:
        yield
    finally:
        _begin()
