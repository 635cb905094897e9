"""The bounded pool: many actions at once, and hardly any waiting in memory for a worker.

Big files travel in parts, and the parts are units of work beside the small files: they neither
hold those up nor are left to the end. What is brief travels in lanes (`lanes.py`).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial

from ubiops_file_sync.courtesy import a_turn
from ubiops_file_sync.errors import TRIED_AGAIN, KeyUnreachable, RemoteUnreachable
from ubiops_file_sync.execute.crew import Crew
from ubiops_file_sync.execute.steps import Batch, Steps, Unit
from ubiops_file_sync.lanes import is_in_lane
from ubiops_file_sync.model import Action, Outcome, Part, Unfinished
from ubiops_file_sync.stop import Stop
from ubiops_file_sync.units import Ended

_AHEAD = 8
"""Units of work a worker that may be submitted: one under way, the others ready."""
_TOGETHER = 3
"""Units a worker that are heeded together: each time costs a switch of threads."""

_LONGEST_WAIT_S = 0.05
"""How long one that has ended waits at most for others, to be heeded together with them."""

PARTS_A_FILE = 4
"""Parts of one file that travel at once: more are lost when the program is killed."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """Who is told, in the thread that runs the pool, of what has come to pass."""

    take: Callable[[Outcome], None]
    note: Callable[[Unfinished | Part], None] = lambda _: None
    """Told of each transfer in parts that was begun, and of each part."""


def run_all(
    actions: Iterable[Action],
    run: Callable[[Action], Steps],
    workers: int,
    ledger: Ledger,
    abort: Callable[[], None],
    big: Iterable[Action] = (),
    stop: Stop | None = None,
    is_brief: Callable[[Action], bool] = lambda _: False,
) -> None:
    """Run every action, and tell `ledger` of each outcome as they end.

    `big` are those on files that travel in parts: they begin first, a few at a time, and use half
    of the workers as long as there are other actions. The first exception, of a step or in this
    thread (an interrupt), ends it: `abort` is called to break off what is under way, nothing
    further is begun, and what had ended by then is still told. So does `RemoteUnreachable`, raised
    when so many keys in a row got no answer that the service must be gone. Once `stop` is asked
    for, nothing further is begun; of big files the parts under way are waited for. `is_brief` tells
    what hardly waits but for answers, and so may share a thread.
    """
    crew = Crew(workers)
    small = (_Task(run(one), is_brief=is_brief(one)) for one in actions)
    parted = (_Task(run(one), is_big=True) for one in big)
    crowd = _Crowd(crew, workers, ledger, small, parted, stop or Stop())
    try:
        while crowd.fill():
            crowd.collect()
    except BaseException:
        abort()
        crew.shutdown(cancel=True)
        crowd.collect_what_ended()
        crowd.let_go()
        raise
    crew.shutdown()
    crowd.let_go()


@dataclass(slots=True, eq=False)
class _Task:
    """An action that was begun and has no outcome yet."""

    steps: Steps
    is_big: bool = False
    is_brief: bool = False
    units: deque[Unit] = field(default_factory=deque)
    under_way: int = 0
    """Units that were submitted and have not ended."""
    error: Exception | None = None
    """The first that a unit raised."""
    has_begun: bool = False

    def advance(self, stop: Stop) -> Outcome | Batch | None:
        """Take the next step; None: it is not begun any more, since `stop` was asked for."""
        if not self.has_begun and stop.is_asked:
            return None
        self.has_begun = True
        error, self.error = self.error, None
        try:
            with nullcontext() if is_in_lane() else a_turn():
                return next(self.steps) if error is None else self.steps.throw(error)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome


_How = Ended[Outcome | Batch | None] | Ended[Part | None]


class _Inbox:
    """Units of work that have ended. Workers put them in, and the thread that runs the pool takes
    them out.

    It is woken for several at once: to wake it for each would cost as much as a small file does.
    """

    def __init__(self) -> None:
        self._units: deque[tuple[_Task, _How]] = deque()
        self._enough = 1
        self._are_enough = threading.Event()

    def put(self, task: _Task, how: _How) -> None:
        """One more."""
        self._units.append((task, how))
        if len(self._units) >= self._enough:
            self._are_enough.set()

    def take(self, enough: int) -> Iterator[tuple[_Task, _How]]:
        """Wait until `enough` have ended, or for a while if one has; then all that have."""
        self._enough = enough
        longest_s: float | None = _LONGEST_WAIT_S
        while len(self._units) < self._enough:
            self._are_enough.clear()
            if len(self._units) < self._enough and not self._are_enough.wait(longest_s):
                self._enough, longest_s = 1, None
        return self.left()

    def left(self) -> Iterator[tuple[_Task, _How]]:
        """All that have ended and were not taken."""
        while self._units:
            yield self._units.popleft()


class _Crowd:
    """The tasks that were begun and have no outcome yet."""

    def __init__(
        self,
        crew: Crew,
        workers: int,
        ledger: Ledger,
        small: Iterator[_Task],
        big: Iterator[_Task],
        stop: Stop,
    ) -> None:
        self._crew = crew
        self._workers = workers
        self._ledger = ledger
        self._small: Iterator[_Task] | None = small
        self._big: Iterator[_Task] | None = big
        self._stop = stop
        self._streak = _Streak(limit=max(10, 2 * workers))
        self._done = _Inbox()
        self._under_way = 0
        self._parts_under_way = 0
        self._open: deque[_Task] = deque()
        """Tasks with units to be done, the one that waited longest first."""
        self._split: set[_Task] = set()
        """Tasks that took a step and are to take another."""
        self._big_under_way = 0

    def fill(self) -> bool:
        """Submit as much as is to be ready; False: there is nothing more, and all has ended."""
        room = _AHEAD * self._workers
        while self._under_way < room and not self._stop.is_asked and self._submit_next():
            pass
        return self._under_way > 0

    def _submit_next(self) -> bool:
        return self._begin_big() or self._submit_part() or self._begin_small()

    def _begin_big(self) -> bool:
        if self._big is None or self._big_under_way >= max(1, self._workers // PARTS_A_FILE):
            return False
        task = next(self._big, None)
        if task is None:
            self._big = None
            return False
        self._big_under_way += 1
        self._advance(task)
        return True

    def _begin_small(self) -> bool:
        if self._small is None:
            return False
        task = next(self._small, None)
        if task is None:
            self._small = None
            return self._submit_part()  # Half of the workers was kept for small ones until now.
        self._advance(task)
        return True

    def _submit_part(self) -> bool:
        if self._parts_under_way >= self._share_of_parts():
            return False
        for _ in range(len(self._open)):
            task = self._open.popleft()
            self._open.append(task)
            if task.under_way < PARTS_A_FILE:
                self._submit_unit(task)
                return True
        return False

    def _share_of_parts(self) -> int:
        """How many parts may be under way: no more than leave the small ones their half."""
        half = max(1, self._workers // 2)
        if self._small is not None:
            return half
        others = self._under_way - self._parts_under_way
        return max(half, self._workers - others) if others else 2 * self._workers

    def _submit_unit(self, task: _Task) -> None:
        unit = task.units.popleft()
        if not task.units:
            self._open.remove(task)
        task.under_way += 1
        self._parts_under_way += 1
        self._under_way += 1
        self._crew.submit(unit, partial(self._done.put, task))

    def _advance(self, task: _Task) -> None:
        submit = self._crew.submit_brief if task.is_brief else self._crew.submit
        self._under_way += 1
        submit(partial(task.advance, self._stop), partial(self._done.put, task))

    def collect(self) -> None:
        """Wait for units of work to end, and heed them; raises what a step raised."""
        enough = max(1, min(_TOGETHER * self._workers, self._under_way))
        for task, how in self._done.take(enough):
            self._heed(task, how)

    def _heed(self, task: _Task, how: _How) -> None:
        self._under_way -= 1
        if task.under_way:
            self._heed_unit(task, how)
            return
        result = how.result()
        if isinstance(result, Batch):
            self._heed_batch(task, result)
        elif isinstance(result, Outcome):
            self._heed_outcome(task, result)

    def _heed_outcome(self, task: _Task, outcome: Outcome) -> None:
        self._split.discard(task)
        self._big_under_way -= task.is_big
        self._ledger.take(outcome)
        self._streak.heed(outcome)

    def _heed_batch(self, task: _Task, batch: Batch) -> None:
        self._split.add(task)
        if batch.begun is not None:
            self._ledger.note(batch.begun)
        task.units.extend(batch.units)
        if task.units:
            self._open.append(task)
        else:
            self._advance(task)

    def _heed_unit(self, task: _Task, how: _How) -> None:
        task.under_way -= 1
        self._parts_under_way -= 1
        error = how.error
        if error is None:
            self._note_part(how)
        elif isinstance(error, Exception):
            self._give_up_units(task, error)
        else:
            raise error
        if not task.units and not task.under_way:
            self._advance(task)

    def _give_up_units(self, task: _Task, error: Exception) -> None:
        if task.units:
            task.units.clear()
            self._open.remove(task)
        task.error = task.error or error

    def _note_part(self, how: _How) -> None:
        part = how.result()
        if isinstance(part, Part):
            self._ledger.note(part)

    def collect_what_ended(self) -> None:
        """Tell of what ended well, without waiting, of a pool that was shut down."""
        for task, how in self._done.left():
            if how.error is not None:
                continue
            result = how.result()
            if isinstance(result, Outcome):
                self._split.discard(task)
                self._ledger.take(result)
            elif isinstance(result, Batch):
                self._split.add(task)
            else:
                self._note_part(how)

    def let_go(self) -> None:
        """Close what was begun and will not be gone on with, of a pool that was shut down."""
        for task in self._split:
            task.steps.close()


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
                f"{self._limit} files in a row failed alike: {_reason(outcome.error)}. What was "
                "done until then is recorded; run it again once that is mended"
            )


def _reason(error: Exception | None) -> str:
    """What happened; what the next pass does is said of the whole."""
    return str(error).removesuffix(TRIED_AGAIN)
