"""The wish that a pass ends before its end, from another thread or a signal.

Two degrees: asked, a pass begins nothing more, and what is under way may end; *now*, that is broken
off too. Either way what was done is recorded, and the next pass goes on from there (I5).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ubiops_file_sync.errors import Stopped

_Break = Callable[[], None]


class Stop:
    """One wish, for one pass or many. Thread-safe; every method may be called again."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self.urgent = threading.Event()
        """Set by `now`."""
        self._when_asked: list[_Break] = []
        self._when_urgent: list[_Break] = []

    @property
    def is_asked(self) -> bool:
        """Whether nothing more is to be begun."""
        return self._asked.is_set()

    def ask(self) -> None:
        """Begin nothing more."""
        self._asked.set()
        _call_all(self._when_asked)

    def now(self) -> None:
        """Begin nothing more, and break off what is under way."""
        self.urgent.set()
        self.ask()
        _call_all(self._when_urgent)

    def require_going_on(self, profile: str) -> None:
        """Raise `Stopped` if nothing more is to be begun."""
        if self.is_asked:
            raise Stopped(f"profile {profile!r}: stopped before anything was changed")

    def sleep(self, seconds: float) -> None:
        """Sleep, but no longer than until it is asked."""
        self._asked.wait(seconds)

    @contextmanager
    def breaks_when_asked(self, work: _Break) -> Iterator[None]:
        """`work` breaks off what the block does, as soon as a stop is asked for."""
        with _listed(self._when_asked, work):
            if self.is_asked:
                work()
            yield

    @contextmanager
    def breaks_now(self, work: _Break) -> Iterator[None]:
        """`work` breaks off what the block does, if it is to end now."""
        with _listed(self._when_urgent, work):
            if self.urgent.is_set():
                work()
            yield


@contextmanager
def _listed(works: list[_Break], work: _Break) -> Iterator[None]:
    works.append(work)
    try:
        yield
    finally:
        works.remove(work)


def _call_all(works: list[_Break]) -> None:
    for work in list(works):
        work()
