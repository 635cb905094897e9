"""A pass in a thread of its own, which a program follows outcome by outcome."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from ubiops_file_sync.model import Outcome, Report, Settled
from ubiops_file_sync.progress import Progress
from ubiops_file_sync.stop import Stop

_AHEAD = 100
"""Outcomes that may wait for the program to take them; then the pass waits for the program."""


class Feed(Progress):
    """Hands outcomes from the thread of a pass to whoever follows it."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Outcome | None] = queue.Queue(_AHEAD)
        self._is_followed = True

    def did(self, outcome: Outcome) -> None:
        """Hand one over, as soon as there is room."""
        while self._is_followed:
            try:
                self._queue.put(outcome, timeout=0.1)
            except queue.Full:
                continue  # Whoever follows may have left meanwhile.
            return

    def settled(self, some: Settled) -> None:
        """Hand each of them over."""
        if self._is_followed:
            for outcome in some.outcomes():
                self.did(outcome)

    def close(self) -> None:
        """There will be no more."""
        while self._is_followed:
            try:
                self._queue.put(None, timeout=0.1)
            except queue.Full:
                continue
            return

    def leave(self) -> None:
        """Nobody follows any more, and nothing waits for that."""
        self._is_followed = False

    def take(self) -> Outcome | None:
        """The next one, once it is there; None: there will be no more."""
        return self._queue.get()


class UnderWay:
    """A pass under way: iterate over it for its outcomes, as they come, then ask for its report.

    Used as a context manager: a pass that has not come to its end when the block ends is asked to
    stop, and waited for. What it has done is recorded. One thread follows it; any may `stop` it.
    """

    def __init__(self, work: Callable[[Feed], Report], stop: Stop) -> None:
        """Begins at once. `stop` ends it."""
        self._feed = Feed()
        self._stop = stop
        self._work = work
        self._report: Report | None = None
        self._error: BaseException | None = None
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name="pass", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._report = self._work(self._feed)
        except BaseException as error:  # noqa: BLE001  raised again where the pass is followed
            self._error = error
        finally:
            self._feed.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None and not issubclass(kind, Exception):
            self._stop.now()  # Ctrl-C: what is under way is not waited for.
        elif not self._is_over:
            self._stop.ask()
        self._feed.leave()
        self._thread.join()

    def __iter__(self) -> Iterator[Outcome]:
        return self

    def __next__(self) -> Outcome:
        """The next outcome. At the end, raises what broke the pass off (`SyncError`), if anything
        did."""
        outcome = None if self._is_over else self._feed.take()
        if outcome is not None:
            return outcome
        self._is_over = True
        self._thread.join()
        if self._error is not None:
            raise self._error
        raise StopIteration

    def stop(self) -> None:
        """Begin nothing more; what is under way may end. The report says that it was stopped."""
        self._stop.ask()

    def report(self) -> Report:
        """The report of the whole pass, once it is over. Raises what broke it off."""
        for _ in self:
            pass
        if self._error is not None:
            raise self._error
        if self._report is None:  # pragma: no cover - a pass ends in one of the two
            raise AssertionError("the pass left neither a report nor an error")
        return self._report
