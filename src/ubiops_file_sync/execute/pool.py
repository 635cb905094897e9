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
) -> None:
    """Run every action and give each outcome to `take`, in this thread, as they end.

    The first exception of `run` is raised after the actions under way have ended and their
    outcomes were taken; no further one is begun. The same goes for `RemoteUnreachable`, raised
    when so many keys in a row got no answer that the service must be gone.
    """
    done: queue.SimpleQueue[Future[Outcome]] = queue.SimpleQueue()
    under_way, streak = 0, _Streak(limit=max(10, 2 * workers))

    def collect() -> BaseException | None:
        nonlocal under_way
        future = done.get()
        under_way -= 1
        error = future.exception()
        if error is not None:
            return error
        outcome = future.result()
        take(outcome)
        return streak.after(outcome)

    failure: BaseException | None = None
    with ThreadPoolExecutor(workers, thread_name_prefix="transfer") as pool:
        for action in actions:
            while failure is None and under_way >= _AHEAD * workers:
                failure = collect()
            if failure is not None:
                break
            pool.submit(run, action).add_done_callback(done.put)
            under_way += 1
        while under_way:
            later = collect()
            failure = failure or later
    if failure is not None:
        raise failure


class _Streak:
    """Counts keys in a row that got no answer."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._length = 0

    def after(self, outcome: Outcome) -> RemoteUnreachable | None:
        if not isinstance(outcome.error, KeyUnreachable):
            self._length = 0
            return None
        self._length += 1
        if self._length < self._limit:
            return None
        return RemoteUnreachable(
            f"{self._limit} files in a row got no answer: {outcome.error}. What was done until "
            "then is recorded; run it again once that is mended"
        )
