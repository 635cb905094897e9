"""The bounded pool: many actions at once, and hardly any waiting in memory for a worker."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from ubiops_file_sync.errors import KeyUnreachable, RemoteUnreachable
from ubiops_file_sync.model import Action, Outcome

_AHEAD = 2
"""Actions a worker that may be submitted: one under way, one ready."""


def run_all(
    actions: Iterable[Action],
    run: Callable[[Action], Outcome],
    workers: int,
    take: Callable[[Outcome], None],
    abort: Callable[[], None],
) -> None:
    """Run every action and give each outcome to `take`, in this thread, as they end.

    The first exception, of `run` or in this thread (an interrupt), ends it: `abort` is called to
    break off what is under way, nothing further is begun, and the outcomes of what had ended by
    then are still taken. So does `RemoteUnreachable`, raised when so many keys in a row got no
    answer that the service must be gone.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="transfer")
    crowd = _Crowd(pool, take, _Streak(limit=max(10, 2 * workers)))
    try:
        for action in actions:
            while crowd.under_way >= _AHEAD * workers:
                crowd.collect()
            crowd.begin(run, action)
        while crowd.under_way:
            crowd.collect()
    except BaseException:
        abort()
        pool.shutdown(cancel_futures=True)
        crowd.collect_what_ended()
        raise
    pool.shutdown()


class _Crowd:
    """The actions that were begun and whose outcomes were not taken yet."""

    def __init__(
        self, pool: ThreadPoolExecutor, take: Callable[[Outcome], None], streak: _Streak
    ) -> None:
        self._pool = pool
        self._take = take
        self._streak = streak
        self._done: queue.SimpleQueue[Future[Outcome]] = queue.SimpleQueue()
        self.under_way = 0

    def begin(self, run: Callable[[Action], Outcome], action: Action) -> None:
        """Hand an action to the pool."""
        self._pool.submit(run, action).add_done_callback(self._done.put)
        self.under_way += 1

    def collect(self) -> None:
        """Wait for an action to end, and take its outcome; raises what it raised."""
        future = self._done.get()
        self.under_way -= 1
        outcome = future.result()
        self._take(outcome)
        self._streak.heed(outcome)

    def collect_what_ended(self) -> None:
        """Take what ended well, without waiting, of a pool that was shut down."""
        while not self._done.empty():
            future = self._done.get()
            if not future.cancelled() and future.exception() is None:
                self._take(future.result())


class _Streak:
    """Counts keys in a row that got no answer."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._length = 0

    def heed(self, outcome: Outcome) -> None:
        """Raise `RemoteUnreachable` if that was one too many."""
        self._length = self._length + 1 if isinstance(outcome.error, KeyUnreachable) else 0
        if self._length >= self._limit:
            raise RemoteUnreachable(
                f"{self._limit} files in a row got no answer: {outcome.error}. What was done until "
                "then is recorded; run it again once that is mended"
            )
