"""Units of work, whoever does them: how many at once, and how each of them ended."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar, cast

Result = TypeVar("Result")


@dataclass(slots=True)
class Ended(Generic[Result]):
    """How a unit of work ended. A `Future` can do more, and costs a small file 3 % of its time."""

    _value: Result | None = None
    error: BaseException | None = None
    """What it raised."""

    def result(self) -> Result:
        """What it returned. Raises what it raised."""
        if self.error is not None:
            raise self.error
        return cast("Result", self._value)


Tell = Callable[[Ended[Result]], None]


def ended_by(work: Callable[[], Result]) -> Ended[Result]:
    """Do `work`; how it ended."""
    try:
        return Ended(work())
    except BaseException as error:  # noqa: BLE001  raised where the result is asked for
        return Ended(error=error)


class Slots:
    """As many units as may be under way at once. Thread-safe.

    Threads wait for one. Who does not wait, but asks again and again, would be quicker than they
    each time, and take them all: so it gets only those that no thread waits for.
    """

    def __init__(self, count: int) -> None:
        self._free: SimpleQueue[None] = SimpleQueue()
        for _ in range(count):
            self._free.put(None)
        self._waiting = 0
        self._lock = threading.Lock()

    def take(self) -> None:
        """Wait for one, and take it."""
        if self._take_free():
            return
        with self._lock:
            self._waiting += 1
        self._free.get()
        with self._lock:
            self._waiting -= 1

    def take_spare(self) -> bool:
        """Take one that nobody waits for; False: there is none."""
        return not self._waiting and self._take_free()

    def give_back(self) -> None:
        """Let another unit begin."""
        self._free.put(None)

    def _take_free(self) -> bool:
        try:
            self._free.get_nowait()
        except Empty:
            return False
        return True
