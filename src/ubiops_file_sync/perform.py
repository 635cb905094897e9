"""Performing: the actions of a complete plan, and learning what the bucket stored."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ubiops_file_sync.bucket import Bucket
from ubiops_file_sync.compare import Plan
from ubiops_file_sync.errors import KeyFailure, RemoteError
from ubiops_file_sync.execute import Executor, Ledger, run_all
from ubiops_file_sync.model import (
    Action,
    BaselineEntry,
    Intent,
    Outcome,
    PlanSummary,
    Reason,
    RemoteEntry,
    Verb,
)
from ubiops_file_sync.plan import recognise
from ubiops_file_sync.plan.intents import VISIBLE_AFTER_US
from ubiops_file_sync.progress import Progress
from ubiops_file_sync.record import Recorder
from ubiops_file_sync.stop import Stop
from ubiops_file_sync.store import BaselineStore, Spool

_BRIEF_BYTES = 64 * 1024
"""Files up to this size are read and hashed in less time than a request takes."""

_INTENT_BLOCK = 200
"""Uploads whose intents are written in one transaction, before the first of them begins."""


@dataclass(frozen=True, slots=True)
class Performance:
    """The second half of a pass, in the thread that owns the store."""

    plan: Plan
    executor: Executor
    store: BaselineStore
    recorder: Recorder
    progress: Progress
    workers: int
    ready_file: str | None = None
    is_throttled: bool = False
    """Bodies wait for leave to travel."""
    stop: Stop = field(default_factory=Stop)

    def act(self) -> None:
        """Run every action. Whatever happens, what was done is recorded."""
        self.recorder.take_over(self.plan.problems, self.plan.problem_count)
        self.progress.planned(self.plan.summary)
        began_us = self.executor.now_ns() // 1000
        # Twice as long as the plan may have waited for them: it was made a while ago.
        unseen_since_us = self._server_now_us() - 2 * VISIBLE_AFTER_US
        try:
            self._settle()
            with Spool() as last:
                spool = self.plan.spool
                self._run(
                    self._without_ready_files(spool.small(), last),
                    self._without_ready_files(spool.big(), last),
                )
                self._run_ready_files(last)
        finally:
            self.recorder.flush()
        if self.plan.is_whole and not self.stop.is_asked:
            # Only now: a pass that is killed meanwhile leaves them to the next one.
            self.store.drop_intents(began_us, unseen_since_us)

    def _settle(self) -> None:
        """Write what only the baseline has to learn, which neither waits nor can fail by itself."""
        for some in self.plan.spool.settled():
            if self.stop.is_asked:
                return
            self.recorder.settle(some)
            self.progress.settled(some)

    def _run(self, actions: Iterator[Action], big: Iterator[Action]) -> None:
        with Spool(self.plan.spool.big_bytes) as fresh:
            self._run_all(actions, big, fresh)
            self._run_fresh(fresh)

    def _without_ready_files(self, actions: Iterator[Action], last: Spool) -> Iterator[Action]:
        """The actions; ready files that go up are put aside in `last`.

        Whoever waits for one in the bucket takes it that everything else in its folder is there.
        """
        for action in actions:
            name = action.key.rpartition("/")[2]
            if action.verb is Verb.UPLOAD and name == self.ready_file:
                last.add(action)
            else:
                yield action

    def _run_ready_files(self, last: Spool) -> None:
        """Those of the deepest folders first, since the others speak of them too."""
        depths = {_depth(action) for action in last.actions()}
        for depth in sorted(depths, reverse=True):
            self._run(
                self._complete(action for action in last.actions() if _depth(action) == depth),
                iter(()),
            )

    def _complete(self, ready_files: Iterable[Action]) -> Iterator[Action]:
        """Those in whose folders nothing was left behind."""
        left = self.plan.summary.left
        for action in ready_files:
            if self.plan.unsent.holds(action.key.rpartition("/")[0]):
                left[Reason.READY_LATER] = left.get(Reason.READY_LATER, 0) + 1
            else:
                yield action

    def _run_all(self, actions: Iterator[Action], big: Iterator[Action], fresh: Spool) -> None:
        def take(outcome: Outcome) -> None:
            if outcome.deferred:
                fresh.add(outcome.action)
            else:
                self._take(outcome)

        run_all(
            self._with_intents(actions),
            self.executor.run,
            self.workers,
            Ledger(take, self.recorder.note),
            self.executor.bucket.stop,
            self._with_intents(big),
            self.stop,
            self._is_brief,
        )

    def _run_fresh(self, fresh: Spool) -> None:
        """Files that were too young: wait until the youngest has come to rest, and look again."""
        summary = PlanSummary()
        fresh.sum_up(summary)
        if not summary.action_count:
            return
        self.recorder.flush()
        settle_s = self.executor.settle_ns / 1e9
        self.progress.settling(summary.action_count, settle_s)
        self.stop.sleep(settle_s)
        run_all(
            fresh.small(),
            self.executor.run_settled,
            self.workers,
            Ledger(self._take, self.recorder.note),
            self.executor.bucket.stop,
            fresh.big(),
            self.stop,
            self._is_brief,
        )

    def _is_brief(self, action: Action) -> bool:
        sizes = [side.size for side in (action.local, action.remote) if side is not None]
        return not self.is_throttled and max(sizes, default=0) <= _BRIEF_BYTES

    def _take(self, outcome: Outcome) -> None:
        self.recorder.take(outcome)
        if outcome.problem is not None and outcome.action.verb is Verb.UPLOAD:
            self.plan.unsent.note(outcome.action.key)
        self.progress.did(outcome)

    def _with_intents(self, actions: Iterator[Action]) -> Iterator[Action]:
        """The actions, each upload's intent on disk before it is handed out (I5)."""
        while block := list(itertools.islice(actions, _INTENT_BLOCK)):
            now_us = self.executor.now_ns() // 1000
            begun = [
                Intent(action.key, action.local.size, action.local.mtime_ns, now_us, None)
                for action in block
                if action.verb is Verb.UPLOAD and action.local is not None
            ]
            if begun:
                self.store.record(begun=begun)
            yield from block

    def _server_now_us(self) -> int:
        return self.executor.now_ns() // 1000 - self.executor.bucket.skew_us

    def confirm(self, bucket: Bucket) -> None:
        """Learn the `time_created` of what was uploaded, by the cheaper way (I10).

        An upload that is not seen, or not surely ours, keeps its intent for the next pass.
        """
        mine = self._pending()
        uploads = self.store.count_pending() if mine is None else len(mine)
        if not uploads or self.stop.is_asked:
            return
        self.progress.confirming(uploads)
        try:
            if self.plan.summary.confirm_calls(uploads) >= uploads:
                pending = (intent.key for intent in self.store.pending()) if mine is None else mine
                found = (bucket.get(key) for key in pending)
                self._record_ours([entry for entry in found if entry])
                return
            for page in bucket.pages():
                self._record_ours(page)
        except (RemoteError, KeyFailure) as error:
            # All is stored; only when it was is not known. The next pass recognises it.
            self.recorder.notes.append(f"what the bucket stored was not asked to the end: {error}")

    def _pending(self) -> list[str] | None:
        """The keys that are to be learnt of; None: all. A pass over some keys learns of those."""
        if self.plan.only is None:
            return None
        mine = sorted(self.plan.only.union(self.recorder.extra_keys))
        return [key for key in mine if self.store.pending_for(key) is not None]

    def _record_ours(self, entries: list[RemoteEntry]) -> None:
        """Record those of the entries that are surely uploads of this pass."""
        ours: list[BaselineEntry] = []
        for entry in entries:
            intent = self.store.pending_for(entry.key)
            if intent is None:
                continue
            baseline = recognise(intent, entry, self.store.base(entry.key))
            if baseline is not None:
                ours.append(baseline)
        self.store.record(in_step=ours)


def _depth(action: Action) -> int:
    return action.key.count("/")
