"""Who does units of work: threads, and for what is brief the lanes of one more thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ubiops_file_sync.lanes import Lanes, NoLanes
from ubiops_file_sync.units import Ended, Slots, Tell, ended_by

Result = TypeVar("Result")


class Crew:
    """Does at most `workers` units of work at once. For one thread."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._slots = Slots(workers)
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="transfer")
        self._lanes: Lanes | None = None
        self._has_lanes = True

    def submit(self, work: Callable[[], Result], tell: Tell[Result]) -> None:
        """Have a thread do `work`, and `tell` how it ended; of what is cancelled nobody is told."""
        self._threads.submit(self._in_thread, work, tell)

    def submit_brief(self, work: Callable[[], Result], tell: Tell[Result]) -> None:
        """Have a lane do `work`, which waits for answers and for hardly anything else.

        A thread does it where that turned out to be otherwise: files may be far away.
        """
        if self._lanes is None and self._has_lanes:
            try:
                self._lanes = Lanes(self._workers, self._slots)
            except NoLanes:
                self._has_lanes = False
        if self._lanes is None or self._lanes.are_held_up:
            self.submit(work, tell)
        else:
            self._lanes.submit(work, tell)

    def _in_thread(self, work: Callable[[], Result], tell: Tell[Result]) -> None:
        self._slots.take()
        self._wake_lanes()  # One of them may have stood back.
        ended: Ended[Result] = ended_by(work)
        self._slots.give_back()
        self._wake_lanes()
        tell(ended)

    def _wake_lanes(self) -> None:
        if self._lanes is not None:
            self._lanes.wake()

    def shutdown(self, *, cancel: bool = False) -> None:
        """Wait until all is done; `cancel`: but what has not begun."""
        if self._lanes is not None:
            self._lanes.end(cancel=cancel)
        self._threads.shutdown(cancel_futures=cancel)
        if self._lanes is not None:
            self._lanes.close()
