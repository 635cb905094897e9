"""The engine: one whole pass over one profile, from two listings to a report.

The plan is complete before the first act: both sides and the baseline stream through the merge
into a spool, and only when all three have ended well are actions run. So a listing that breaks off
costs nothing (I12), the scan never sees its own downloads, and a dry run is just the spool.
"""

from __future__ import annotations

import itertools
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from ubiops_file_sync.bucket import Bucket
from ubiops_file_sync.bucket.problems import Place
from ubiops_file_sync.bucket.retry import RetryPolicy
from ubiops_file_sync.config import Profile
from ubiops_file_sync.errors import RemoteError, RemoteUnreachable, SafetyHalt
from ubiops_file_sync.execute import Executor, run_all
from ubiops_file_sync.local import LocalTree
from ubiops_file_sync.model import (
    Action,
    BaselineEntry,
    Direction,
    Intent,
    Outcome,
    PlanSummary,
    Problem,
    RemoteEntry,
    Report,
    Verb,
)
from ubiops_file_sync.plan import Clash, KeyOutOfOrder, Policy, plan_actions, recognise
from ubiops_file_sync.progress import Progress
from ubiops_file_sync.record import KEPT_PROBLEMS, Recorder
from ubiops_file_sync.store import BaselineStore, Identity, ListingSort, Spool, profile_lock

_INTENT_BLOCK = 200
"""Uploads whose intents are written in one transaction, before the first of them begins."""


@dataclass(slots=True)
class Plan:
    """A whole plan. Its actions stand in the spool; close it to give the disk space back."""

    spool: Spool
    summary: PlanSummary = field(default_factory=PlanSummary)
    problems: list[Problem] = field(default_factory=list)
    problem_count: int = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.spool.__exit__(kind, error, trace)

    def report(self, problem: Problem) -> None:
        """Add a problem that the comparison found."""
        self.problem_count += 1
        if len(self.problems) < KEPT_PROBLEMS:
            self.problems.append(problem)


class Reconciler:
    """Runs passes over one profile."""

    def __init__(
        self,
        profile: Profile,
        state_dir: Path,
        *,
        env: Mapping[str, str] | None = None,
        progress: Progress | None = None,
        retries: RetryPolicy | None = None,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """Nothing is read or asked yet. `env`: where a token variable is looked up."""
        self._profile = profile
        self._state_dir = state_dir
        self._env = os.environ if env is None else env
        self._progress = progress or Progress()
        self._retries = retries
        self._now_ns = now_ns

    @contextmanager
    def plan(self) -> Iterator[tuple[Plan, Report]]:
        """What a pass would do. Changes nothing, anywhere (I8), and takes no lock.

        The plan is open for the length of the block. Raises `SyncError`.
        """
        began = time.monotonic()
        pass_id = _new_pass_id()
        with ExitStack() as stack:
            store = stack.enter_context(
                BaselineStore.open_read_only(self._state_path, self._identity)
            )
            bucket = stack.enter_context(self._bucket())
            tree = self._open_tree(stack, pass_id, store)
            plan = stack.enter_context(self._plan(tree, store, bucket))
            self._progress.ended()
            yield plan, self._report(pass_id, began, bucket, plan, recorder=None)

    def run(self) -> Report:
        """One pass. Raises `SyncError`; what was done until then is recorded."""
        began = time.monotonic()
        pass_id = _new_pass_id()
        with ExitStack() as stack:
            stack.callback(self._progress.ended)
            stack.enter_context(profile_lock(self._state_dir, self._profile.name))
            bucket = stack.enter_context(self._bucket())
            store = stack.enter_context(BaselineStore.open(self._state_path, self._identity))
            tree = self._open_tree(stack, pass_id, store)
            plan = stack.enter_context(self._plan(tree, store, bucket))
            if tree is None:
                # Only now that UbiOps has answered: a wrong token leaves no folder behind.
                self._profile.local_dir.mkdir()
                tree = self._opened_tree(stack, pass_id)
            tree.sweep()
            recorder = Recorder(store, tree)
            try:
                self._act(plan, tree, store, bucket, recorder)
            finally:
                recorder.flush()
            try:
                self._confirm(plan, store, bucket)
            except RemoteError as error:
                # All is stored; only when it was is not known. The next pass recognises it.
                recorder.notes.append(f"what the bucket stored was not asked to the end: {error}")
            return self._report(pass_id, began, bucket, plan, recorder)

    # -- planning ---------------------------------------------------------------------------

    def _plan(self, tree: LocalTree | None, store: BaselineStore, bucket: Bucket) -> Plan:
        try:
            sort = store.noted("listing_order") == "unsorted"
            return self._planned(tree, store, bucket, sort=sort)
        except KeyOutOfOrder:
            # UbiOps documents no order. What was merged until now is worthless; begin again, and
            # remember it, so that it costs a second listing only once.
            store.note("listing_order", "unsorted")
            return self._planned(tree, store, bucket, sort=True)
        except RemoteUnreachable as error:
            raise RemoteUnreachable(
                f"{error}. Nothing was changed; run it again once that is mended"
            ) from error

    def _planned(
        self, tree: LocalTree | None, store: BaselineStore, bucket: Bucket, *, sort: bool
    ) -> Plan:
        plan = Plan(Spool())
        self._progress.comparing(self._profile.name)
        try:
            with ExitStack() as stack:
                remote = self._listing(bucket, plan.summary)
                if sort:
                    remote = stack.enter_context(ListingSort()).sorted(remote)
                local = iter(()) if tree is None else tree.scan()
                for item in plan_actions(
                    local, remote, store.rows(), self._policy, self._now_ns() // 1000, plan.summary
                ):
                    _spool(plan, item)
        except BaseException:
            plan.spool.__exit__(None, None, None)
            raise
        plan.spool.sum_up(plan.summary)
        return plan

    def _listing(self, bucket: Bucket, summary: PlanSummary) -> Iterator[RemoteEntry]:
        for page in bucket.pages():
            summary.pages += 1
            self._progress.compared(summary)
            yield from page

    # -- acting -----------------------------------------------------------------------------

    def _act(
        self,
        plan: Plan,
        tree: LocalTree,
        store: BaselineStore,
        bucket: Bucket,
        recorder: Recorder,
    ) -> None:
        for problem in plan.problems:
            recorder.report(problem)
        recorder.problem_count = plan.problem_count
        self._progress.planned(plan.summary)
        store.drop_intents()
        executor = Executor(
            bucket=bucket,
            tree=tree,
            direction=self._profile.direction,
            settle_ns=int(self._profile.settle * 1e9),
            now_ns=self._now_ns,
        )
        with Spool() as fresh:

            def take(outcome: Outcome) -> None:
                if outcome.deferred:
                    fresh.add(outcome.action)
                    return
                recorder.take(outcome)
                self._progress.did(outcome)

            actions = self._with_intents(plan.spool.actions(), store)
            run_all(actions, executor.run, self._profile.workers, take)
            recorder.flush()
            self._act_on_fresh(fresh, executor, take)

    def _with_intents(self, actions: Iterator[Action], store: BaselineStore) -> Iterator[Action]:
        """The actions, each upload's intent on disk before it is handed out (I5)."""
        while block := list(itertools.islice(actions, _INTENT_BLOCK)):
            now_us = self._now_ns() // 1000
            begun = [
                Intent(action.key, action.local.size, action.local.mtime_ns, now_us, None)
                for action in block
                if action.verb is Verb.UPLOAD and action.local is not None
            ]
            if begun:
                store.record(begun=begun)
            yield from block

    def _act_on_fresh(
        self, fresh: Spool, executor: Executor, take: Callable[[Outcome], None]
    ) -> None:
        """Files that were too young: wait until the youngest has come to rest, and look again."""
        summary = PlanSummary()
        fresh.sum_up(summary)
        if not summary.action_count:
            return
        self._progress.settling(summary.action_count, self._profile.settle)
        time.sleep(self._profile.settle)
        run_all(fresh.actions(), executor.run_settled, self._profile.workers, take)

    # -- learning what was stored -----------------------------------------------------------

    def _confirm(self, plan: Plan, store: BaselineStore, bucket: Bucket) -> None:
        """Learn the `time_created` of what was uploaded, by the cheaper way (I10).

        An upload that is not seen, or not surely ours, keeps its intent for the next pass.
        """
        uploads = store.count_pending()
        if not uploads:
            return
        self._progress.confirming(uploads)
        if plan.summary.confirm_calls(uploads) >= uploads:
            found = (bucket.get(intent.key) for intent in store.pending())
            store.record(in_step=_recognised(store, [entry for entry in found if entry]))
            return
        for page in bucket.pages():
            store.record(in_step=_recognised(store, page))

    # -- the two places ---------------------------------------------------------------------

    @contextmanager
    def _bucket(self) -> Iterator[Bucket]:
        # Late, so that a command that asks nothing of UbiOps need not load its SDK.
        from ubiops_file_sync.bucket.ubiops import UbiOpsBucket

        profile = self._profile
        token = profile.read_token(self._env).get_secret_value()
        place = Place(
            profile=profile.name,
            api_host=profile.api_host,
            project=profile.project,
            bucket=profile.bucket,
            prefix=profile.prefix,
            token_source=profile.token_source,
        )
        bucket = UbiOpsBucket(place, token, profile.workers, self._retries)
        try:
            yield bucket
        finally:
            bucket.close()

    def _open_tree(self, stack: ExitStack, pass_id: str, store: BaselineStore) -> LocalTree | None:
        """The local root; None: it is not there yet, and a first pass may make it."""
        if self._profile.local_dir.exists():
            return self._opened_tree(stack, pass_id)
        self._require_first_pass(store)
        return None

    def _opened_tree(self, stack: ExitStack, pass_id: str) -> LocalTree:
        profile = self._profile
        start = f"profile {profile.name!r}: `local_dir` {profile.local_dir} cannot be "
        try:
            tree = stack.enter_context(LocalTree(profile.local_dir, profile.name, pass_id))
        except OSError as error:
            raise SafetyHalt(
                f"{start}read ({(error.strerror or '').lower()}). Nothing was changed; make it a "
                "folder that this user may read, and run it again"
            ) from error
        if profile.direction is not Direction.UPLOAD and not tree.is_writable():
            raise SafetyHalt(
                f"{start}written to, which `direction: {profile.direction}` needs. Nothing was "
                "changed; give this user the right to write, or set `direction: upload`"
            )
        return tree

    def _require_first_pass(self, store: BaselineStore) -> None:
        """A root that is missing is made only if it never was there, and its parent is.

        An unmounted disk, or a folder that was moved, must not look like deleted files.
        """
        profile = self._profile
        root = profile.local_dir
        if profile.direction is Direction.UPLOAD or not root.parent.is_dir():
            raise SafetyHalt(
                f"profile {profile.name!r}: `local_dir` {root} does not exist. Nothing was "
                f"changed. Create it (mkdir -p {root}) or correct `local_dir`, and run it again"
            )
        if next(store.rows(), None) is not None:
            raise SafetyHalt(
                f"profile {profile.name!r}: `local_dir` {root} is missing, but files were in step "
                "there. Is its disk mounted? Nothing was changed. If the folder is gone for good, "
                f"create an empty one (mkdir {root}) and run it again: all is fetched anew"
            )

    @property
    def _policy(self) -> Policy:
        return Policy(self._profile.direction, self._profile.conflict)

    @property
    def _state_path(self) -> Path:
        return self._state_dir / f"{self._profile.name}.sqlite"

    @property
    def _identity(self) -> Identity:
        profile = self._profile
        return Identity(
            local_dir=str(profile.local_dir),
            api_host=profile.api_host,
            project=profile.project,
            bucket=profile.bucket,
            bucket_dir=profile.bucket_dir,
        )

    def _report(
        self, pass_id: str, began: float, bucket: Bucket, plan: Plan, recorder: Recorder | None
    ) -> Report:
        return Report(
            profile=self._profile.name,
            pass_id=pass_id,
            dry_run=recorder is None,
            seconds=time.monotonic() - began,
            planned=plan.summary,
            done=dict(recorder.done) if recorder else {},
            bytes_up=recorder.bytes_up if recorder else 0,
            bytes_down=recorder.bytes_down if recorder else 0,
            api_calls=bucket.calls.by_endpoint(),
            problems=tuple(recorder.problems if recorder else plan.problems),
            problem_count=recorder.problem_count if recorder else plan.problem_count,
            extra_keys=tuple(recorder.extra_keys) if recorder else (),
            notes=tuple(recorder.notes) if recorder else (),
        )


def _spool(plan: Plan, item: Action | Problem | Clash) -> None:
    if isinstance(item, Action):
        plan.spool.add(item)
    elif isinstance(item, Problem):
        plan.report(item)
    else:
        plan.spool.take_back(item.key)
        plan.report(item.problem)


def _recognised(store: BaselineStore, entries: list[RemoteEntry]) -> list[BaselineEntry]:
    """Those of the entries that are surely uploads of this pass."""
    pairs = ((store.pending_for(entry.key), entry) for entry in entries)
    found = (recognise(intent, entry) for intent, entry in pairs if intent is not None)
    return [baseline for baseline in found if baseline is not None]


def _new_pass_id() -> str:
    """Sorts by time, and is unique among the passes of one second."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
