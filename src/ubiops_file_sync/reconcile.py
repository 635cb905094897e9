"""The engine: one whole pass over one profile, from two listings to a report.

The plan is complete before the first act: `compare` streams both sides and the baseline through
the merge into a spool, and only when all three have ended well does `perform` run the actions. So
a listing that breaks off costs nothing (I12), the scan never sees its own downloads, and a dry run
is just the spool.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from copy import copy
from datetime import UTC, datetime
from pathlib import Path

from ubiops_file_sync import places
from ubiops_file_sync.bucket import Bucket
from ubiops_file_sync.bucket.retry import RetryPolicy
from ubiops_file_sync.bucket.traffic import Traffic
from ubiops_file_sync.compare import Comparison, Plan
from ubiops_file_sync.config import Profile
from ubiops_file_sync.diary import HISTORY_DAYS, Diary, SoFar
from ubiops_file_sync.errors import Interrupted, SafetyHalt, UsageError
from ubiops_file_sync.execute import Executor, Parted
from ubiops_file_sync.local import Counted, LocalTree, Retention
from ubiops_file_sync.model import Direction, Report, Unfinished
from ubiops_file_sync.narrow import narrow
from ubiops_file_sync.pass_id import new_pass_id
from ubiops_file_sync.past import PastPass, Stage, Trigger
from ubiops_file_sync.perform import Performance
from ubiops_file_sync.plan.guards import BUCKET_REPLACED, EMPTY_ROOT, GUARDS
from ubiops_file_sync.progress import AllOf, Progress
from ubiops_file_sync.record import Recorder
from ubiops_file_sync.saved_plan import SavedPlan
from ubiops_file_sync.stop import Stop
from ubiops_file_sync.store import OTHER_PLACES, BaselineStore, profile_lock, scratch_space
from ubiops_file_sync.under_way import Feed, UnderWay
from ubiops_file_sync.unfinished import half_fetched, still_wanted

ALLOWABLE = (*GUARDS, OTHER_PLACES)
"""The guards that a person may allow by name, for one pass."""

_TRASH = "trash_counted"
"""The store's note of what is in the trash."""


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
        allow: Collection[str] = (),
        stop: Stop | None = None,
        traffic: Traffic | None = None,
        trigger: Trigger = Trigger.LIBRARY,
        history_days: int = HISTORY_DAYS,
    ) -> None:
        """Nothing is read or asked yet. `env`: where a token variable is looked up.

        `allow` names the guards (`ALLOWABLE`) that may not halt the next pass. `stop` ends a pass
        before its end: while both sides are compared that raises `Stopped`, later the report tells.
        `traffic` is told of the transfers under way. `trigger` is who asks for passes, and
        `history_days` for how many days they are remembered.
        """
        self._profile = profile
        self._state_dir = state_dir
        self._env = os.environ if env is None else env
        self._progress = progress or Progress()
        self._retries = retries
        self._now_ns = now_ns
        self._trigger = trigger
        self._history_days = history_days
        self._allow = frozenset(allow)
        self._stop = stop or Stop()
        self._traffic = traffic or Traffic()
        unknown = self._allow.difference(ALLOWABLE)
        if unknown:
            raise UsageError(
                f"there is no guard {min(unknown)!r} to allow; there are {', '.join(ALLOWABLE)}"
            )

    @contextmanager
    def plan(self, only: Collection[str] | None = None) -> Iterator[tuple[Plan, Report]]:
        """What a pass would do. Changes nothing, anywhere (I8), and takes no lock.

        The plan is open for the length of the block. `only`: as of `run`. Raises `SyncError`.
        """
        chosen = None if only is None else frozenset(only)
        began = time.monotonic()
        pass_id = new_pass_id(self._now_ns())
        with scratch_space(), ExitStack() as stack:
            stack.callback(self._progress.ended)
            store = stack.enter_context(
                BaselineStore.open_read_only(self._state_path, places.identity(self._profile))
            )
            stack.enter_context(store.suspected())
            bucket = stack.enter_context(self._bucket(keep=False))
            tree = places.open_root(stack, self._profile, pass_id, store)
            comparison = self._comparison(tree, store, bucket, chosen)
            plan = stack.enter_context(comparison.plan())
            halt = comparison.find_halt(plan, self._profile, self._allow)
            self._progress.ended()
            so_far = SoFar(self._profile.name, pass_id, bucket, began, plan)
            yield plan, so_far.report(dry_run=True, halt=halt)

    def run(self, only: Collection[str] | None = None) -> Report:
        """One pass. Raises `SyncError`; what was done until then is recorded.

        `only`: the keys that it is about, decided on as ever. Nothing else is looked at: neither
        is the tree walked nor, for a few keys, the bucket listed. One that a filter hides, or that
        cannot be looked at, is a problem of the report.
        """
        return self._pass(only=None if only is None else frozenset(only))

    def begin(self, only: Collection[str] | None = None) -> UnderWay:
        """One pass in a thread of its own, to be followed outcome by outcome; see `UnderWay`.

        It ends with its block, with a stop of this reconciler, or with one of its own.
        """
        stop = Stop()

        def work(feed: Feed) -> Report:
            mine = copy(self)
            mine._stop, mine._progress = stop, AllOf(feed, self._progress)
            with self._stop.breaks_when_asked(stop.ask), self._stop.breaks_now(stop.now):
                return mine.run(only)

        return UnderWay(work, stop)

    def apply(self, saved: SavedPlan) -> Report:
        """The part of a pass that was saved as a plan, as far as it still holds.

        Raises `SyncError`: among others `UsageError` if the plan is for other places or rules.
        """
        saved.require_same(self._profile, places.identity(self._profile))
        return self._pass(saved)

    def _pass(self, saved: SavedPlan | None = None, only: frozenset[str] | None = None) -> Report:
        began, now_ns = time.monotonic(), self._now_ns()
        pass_id = new_pass_id(now_ns)
        profile = self._profile
        trigger = self._trigger if saved is None else Trigger.APPLY
        begun = PastPass(pass_id, now_ns // 1000, trigger, os.getpid(), Stage.UNDER_WAY)
        with ExitStack() as stack:
            stack.callback(self._progress.ended)
            stack.enter_context(profile_lock(self._state_dir, places.state_name(profile)))
            self._progress.began(profile.name, pass_id)
            bucket = stack.enter_context(self._bucket(keep=True))
            stack.enter_context(self._stop.breaks_now(bucket.stop))
            store = stack.enter_context(
                BaselineStore.open(
                    self._state_path,
                    places.identity(profile),
                    other_places=OTHER_PLACES in self._allow,
                )
            )
            so_far = SoFar(profile.name, pass_id, bucket, began, only=only)
            diary = Diary(
                store, begun, self._now_ns, self._history_days, only_some=only is not None
            )
            diary.begin()
            try:
                self._go_through(so_far, store, saved)
            except BaseException as error:
                diary.break_off(so_far, error)
                raise
            return diary.end(so_far)

    def _go_through(self, so_far: SoFar, store: BaselineStore, saved: SavedPlan | None) -> None:
        """A pass from its look at both sides to its last act, with the profile held."""
        profile, bucket, pass_id = self._profile, so_far.bucket, so_far.pass_id
        with store.suspected(), scratch_space(), ExitStack() as stack:
            tree = places.open_root(stack, profile, pass_id, store)
            plan = stack.enter_context(self._stoppable_plan(so_far, tree, store, saved))
            if tree is None:
                # Only now that UbiOps has answered: a wrong token leaves no folder behind.
                tree = places.make_root(stack, profile, pass_id)
            unfinished = still_wanted(store, plan, profile.direction)
            tree.sweep(half_fetched(unfinished))
            recorder = so_far.recorder = Recorder(store, tree)
            recorder.notes.extend(plan.notes)
            performance = Performance(
                plan,
                self._executor(tree, bucket, unfinished),
                store,
                recorder,
                self._progress,
                profile.workers,
                profile.ready_file,
                is_throttled=profile.bandwidth_limit is not None,
                stop=self._stop,
            )
            performance.act()
            performance.confirm(bucket)
            if not self._stop.is_asked and so_far.only is None:
                self._tidy_trash(tree, store, pass_id, recorder)
            so_far.is_stopped = self._stop.is_asked

    def _stoppable_plan(
        self,
        so_far: SoFar,
        tree: LocalTree | None,
        store: BaselineStore,
        saved: SavedPlan | None,
    ) -> Plan:
        """As `_safe_plan`. Raises `Stopped` as soon as that is asked for: nothing is lost yet."""
        try:
            with self._stop.breaks_when_asked(so_far.bucket.stop):
                plan = self._safe_plan(so_far, tree, store, saved)
        except Interrupted:
            self._stop.require_going_on(self._profile.name)
            raise
        if self._stop.is_asked:
            plan.close()
        self._stop.require_going_on(self._profile.name)
        return plan

    def _safe_plan(
        self,
        so_far: SoFar,
        tree: LocalTree | None,
        store: BaselineStore,
        saved: SavedPlan | None,
    ) -> Plan:
        """A complete plan, or what of it was saved, that no guard objects to.

        Raises `SafetyHalt`.
        """

        def planned(comparison: Comparison) -> Plan:
            with ExitStack() as until_complete:
                plan = until_complete.enter_context(comparison.plan())
                if saved is not None:
                    narrow(plan, saved, tree)
                until_complete.pop_all()
            return plan

        comparison = self._comparison(tree, store, so_far.bucket, so_far.only)
        with ExitStack() as until_safe:
            so_far.plan = plan = until_safe.enter_context(planned(comparison))
            if BUCKET_REPLACED in self._allow and comparison.bucket_is_new():
                # What was in step with the old bucket says nothing of this one, and no guard is
                # to judge by it.
                plan.close()
                store.begin_anew(places.identity(self._profile))
                comparison.remember_bucket()
                comparison = self._comparison(tree, store, so_far.bucket, so_far.only)
                so_far.plan = plan = until_safe.enter_context(planned(comparison))
            halt = comparison.find_halt(plan, self._profile, self._allow)
            if halt is not None:
                raise SafetyHalt(halt.message)
            if self._fills_anew(comparison, plan):
                store.begin_anew(places.identity(self._profile))
            until_safe.pop_all()
        return plan

    def _fills_anew(self, comparison: Comparison, plan: Plan) -> bool:
        """Whether a pass that only downloads is let into a root that lost all of its files.

        Then what was in step is forgotten. A few of the files that come now would hide from the
        guard of a two-way pass that all others are missing, and each would pass for deleted.
        """
        if self._profile.direction is not Direction.DOWNLOAD or EMPTY_ROOT not in self._allow:
            return False
        return comparison.finds_root_emptied(plan)

    def _comparison(
        self,
        tree: LocalTree | None,
        store: BaselineStore,
        bucket: Bucket,
        only: frozenset[str] | None,
    ) -> Comparison:
        self._progress.comparing(self._profile.name)
        return Comparison(
            tree=tree,
            store=store,
            bucket=bucket,
            profile=self._profile,
            now_us=self._now_ns() // 1000,
            progress=self._progress,
            filters=places.filters(self._profile),
            stop=self._stop,
            only=only,
        )

    def _tidy_trash(
        self, tree: LocalTree, store: BaselineStore, pass_id: str, recorder: Recorder
    ) -> None:
        """Only at the end of a pass that got there: one that breaks off takes nothing away."""
        trash = self._profile.trash
        now = datetime.fromtimestamp(self._now_ns() // 1_000_000_000, UTC)
        retention = Retention(now, trash.keep_days, trash.max_size, pass_id)
        pruned = tree.trash.prune(retention, Counted.told_by(store.noted(_TRASH)))
        store.note(_TRASH, pruned.counted.text)
        if pruned.passes:
            recorder.notes.append(
                f"the trash let go of {len(pruned.passes):,} old passes, up to "
                f"{pruned.passes[-1]}, as `trash` says"
            )
        if pruned.first is not None:
            recorder.notes.append(
                f"{pruned.left:,} old files in the trash could not be removed, such as "
                f"{pruned.first.key} ({pruned.first.message}); check their permissions"
            )

    def _executor(self, tree: LocalTree, bucket: Bucket, unfinished: list[Unfinished]) -> Executor:
        return Executor(
            bucket=bucket,
            tree=tree,
            parted=Parted(
                bucket,
                self._profile.multipart_threshold,
                self._now_ns,
                {(one.key, one.direction): one for one in unfinished},
                self._traffic,
            ),
            direction=self._profile.direction,
            settle_ns=int(self._profile.settle * 1e9),
            now_ns=self._now_ns,
        )

    def _bucket(self, *, keep: bool) -> AbstractContextManager[Bucket]:
        return places.open_bucket(
            self._profile,
            self._env,
            self._retries,
            self._now_ns,
            self._traffic,
            state_dir=self._state_dir,
            keep=keep,
        )

    @property
    def _state_path(self) -> Path:
        return places.state_path(self._state_dir, self._profile)
