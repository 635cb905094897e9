"""Comparing: both sides and the baseline stream through the merge into a complete plan."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from ubiops_file_sync import keys
from ubiops_file_sync.bucket import Bucket, BucketFacts
from ubiops_file_sync.bucket.ahead import read_ahead
from ubiops_file_sync.chosen import Chosen
from ubiops_file_sync.config import Profile
from ubiops_file_sync.errors import ConfigError, KeyFailure, RemoteUnreachable
from ubiops_file_sync.local import LocalTree, Wanted
from ubiops_file_sync.model import (
    Action,
    Deletions,
    Direction,
    LocalBlock,
    PlanSummary,
    Problem,
    RemoteBlock,
    RowBlock,
    Verb,
)
from ubiops_file_sync.phrases import span_us
from ubiops_file_sync.plan import Clash, Filters, KeyOutOfOrder, Policy, Scope, plan_actions
from ubiops_file_sync.plan.guards import EMPTY_ROOT, GUARDS, Halt, Totals, find_halt
from ubiops_file_sync.progress import Progress
from ubiops_file_sync.record import KEPT_PROBLEMS
from ubiops_file_sync.stop import Stop
from ubiops_file_sync.store import BUCKET_TTL, NO_TTL, BaselineStore, FolderSet, ListingSort, Spool

_BUCKET_ID = "bucket_id"
_SKEW = "clock_skew_us"
_SKEW_NOISE_US = 2_000_000
_READY_FILE = (
    "it is the ready file of its folder, which goes up last; a pass over the whole profile sends it"
)


@dataclass(slots=True)
class Plan:
    """A whole plan. Its actions stand in the spool; close it to give the disk space back."""

    spool: Spool
    summary: PlanSummary = field(default_factory=PlanSummary)
    problems: list[Problem] = field(default_factory=list)
    """The first of what the comparison found."""
    problem_count: int = 0
    notes: list[str] = field(default_factory=list)
    """What a person may want to know of the comparison as a whole."""
    is_whole: bool = True
    """It heeds every key, and every upload that an earlier pass began; else only some."""
    only: frozenset[str] | None = None
    """The keys that it is about; None: all."""
    unsent: FolderSet = field(default_factory=FolderSet)
    """Folders with local files that did not go up, though they should have."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.spool.__exit__(kind, error, trace)
        self.unsent.__exit__(kind, error, trace)

    def close(self) -> None:
        """Give the disk space back."""
        self.__exit__(None, None, None)

    def actions(self) -> Iterator[Action]:
        """What is to be done, in key order."""
        return self.spool.actions()

    def take(self, item: Action | Problem | Clash) -> None:
        """Heed one finding of the merge."""
        if isinstance(item, Action):
            self.spool.add(item)
            return
        if isinstance(item, Clash):
            self.spool.take_back(item.key)
            item = item.problem
        if _is_local(item.key):
            self.unsent.note(item.key)
        self.problem_count += 1
        if len(self.problems) < KEPT_PROBLEMS:
            self.problems.append(item)


def _is_local(key: str) -> bool:
    """Whether a problem of the comparison is one of the local side.

    What the merge refuses is an object's name, unless it is longer than that of any object.
    """
    return keys.refusal(key) is None or len(key.encode(errors="surrogatepass")) > keys.MAX_KEY_BYTES


@dataclass(slots=True)
class Comparison:
    """One look at both sides and the baseline of a profile, and the plan that comes of it."""

    tree: LocalTree | None
    """None: the root is not there yet, and counts as empty."""
    store: BaselineStore
    bucket: Bucket
    profile: Profile
    now_us: int
    progress: Progress
    filters: Filters = field(default_factory=Filters)
    stop: Stop = field(default_factory=Stop)
    only: frozenset[str] | None = None
    """The keys that are looked at, and no others; None: all."""
    _facts: BucketFacts | None = None
    _marker_seen: bool = True

    def plan(self) -> Plan:
        """The whole plan, or an exception: a listing or a scan that fails leaves none (I12)."""
        self._see_marker()
        try:
            return self._plan_in_any_order()
        except RemoteUnreachable as error:
            raise RemoteUnreachable(
                f"{error}. Nothing was changed; run it again once that is mended"
            ) from error

    def _plan_in_any_order(self) -> Plan:
        try:
            return self._plan(sort=self.store.noted("listing_order") == "unsorted")
        except KeyOutOfOrder:
            # UbiOps documents no order. What was merged until now is worthless; begin again, and
            # remember it, so that it costs a second listing only once.
            self.store.note("listing_order", "unsorted")
            return self._plan(sort=True)

    def _plan(self, *, sort: bool) -> Plan:
        with ExitStack() as until_complete:
            plan = until_complete.enter_context(Plan(Spool(self.profile.multipart_threshold)))
            if self.only is None:
                self._compare_all(plan, sort=sort)
            else:
                self._compare_only(plan, self.only)
            until_complete.pop_all()
        self._see_marker()
        plan.spool.sum_up(plan.summary)
        plan.summary.pace = self.bucket.pace
        return plan

    def _compare_all(self, plan: Plan, *, sort: bool) -> None:
        with ExitStack() as sorting:
            reading = read_ahead(self.bucket.pages(), self.bucket.stop, unless=KeyOutOfOrder)
            ahead = sorting.enter_context(reading)
            remote = self._listing(ahead, plan.summary)
            # One page ahead, so that the clocks have been compared before anything else is.
            remote = itertools.chain(list(itertools.islice(remote, 1)), remote)
            policy = self._policy(steady_skew_us(self.store, self.bucket.skew_us))
            if sort:
                remote = sorting.enter_context(ListingSort()).sorted(remote)
            self._merge(plan, policy, self._walk(), remote, self.store.row_blocks())

    def _compare_only(self, plan: Plan, only: frozenset[str]) -> None:
        """Some keys, as all three sides have them, go through the same merge as everything does."""
        plan.only, plan.is_whole = only, False
        chosen = Chosen(self.bucket, self.store, self.profile.workers)
        chosen.see_remote(only, plan.summary)
        policy = self._policy(steady_skew_us(self.store, self.bucket.skew_us))
        chosen.see_local(self.tree, self._scope(policy), self.filters.ready_file)
        for problem in chosen.problems:
            plan.take(problem)
        self._merge(plan, policy, [chosen.local], [chosen.remote], [list(chosen.rows())])

    def _scope(self, policy: Policy) -> Scope:
        remote_now_us = self.now_us - policy.skew_us
        return Scope(self.filters, local_now_us=self.now_us, remote_now_us=remote_now_us)

    def _merge(
        self,
        plan: Plan,
        policy: Policy,
        local: Iterable[LocalBlock],
        remote: Iterable[RemoteBlock],
        rows: Iterable[RowBlock],
    ) -> None:
        plan.notes.extend(_of_the_clocks(policy))
        merging = plan_actions(local, remote, rows, policy, self.now_us, plan.summary, self.filters)
        for item in merging:
            is_early = plan.only is not None and self._sends_ready_file(item)
            plan.take(Problem(item.key, _READY_FILE) if is_early else item)

    def _sends_ready_file(self, item: Action | Problem | Clash) -> bool:
        """Whether it tells the bucket that all of a folder is there: only a whole pass knows."""
        if not isinstance(item, Action) or item.verb is not Verb.UPLOAD:
            return False
        return item.key.rpartition("/")[2] == self.filters.ready_file

    def _walk(self) -> Iterator[LocalBlock]:
        if self.tree is None:
            return iter(())
        # With a scope of its own, since the walk runs ahead of the merge.
        return self.tree.walk_blocks(Wanted(Scope(self.filters), self.filters.ready_file))

    def _listing(self, pages: Iterator[RemoteBlock], summary: PlanSummary) -> Iterator[RemoteBlock]:
        for page in pages:
            self.stop.require_going_on(self.profile.name)
            summary.pages += 1
            self.progress.compared(summary)
            yield page

    def _policy(self, skew_us: int) -> Policy:
        return policy_of(self.profile, skew_us, lambda: self._bucket_facts().ttl_us)

    def _bucket_facts(self) -> BucketFacts:
        """Asked once a pass at most, and only if something depends on it (I10)."""
        if self._facts is None:
            self._facts = self.bucket.facts()
            self._note_ttl(self._facts.ttl_us)
        return self._facts

    def _note_ttl(self, ttl_us: int | None) -> None:
        """For whoever wants to foretell expiry without a call."""
        with suppress(ConfigError):  # The pass can do without.
            self.store.note(BUCKET_TTL, NO_TTL if ttl_us is None else str(ttl_us))

    def _see_marker(self) -> None:
        """Looked for before and after the scan: a disk may come or go in between."""
        marker = self.profile.marker
        if marker is None or not self._marker_seen:
            return
        self._marker_seen = False
        with suppress(KeyFailure, OSError):
            self._marker_seen = self.tree is not None and self.tree.look(marker) is not None

    def bucket_is_new(self) -> bool:
        """Whether the bucket is another than the one that the baseline speaks of.

        Asked of UbiOps only where the profile carries deletions: nothing else can mistake a new,
        empty bucket for deletions. The first look is remembered.
        """
        known = self.store.noted(_BUCKET_ID)
        if self.profile.deletions is Deletions.NONE:
            return False
        if known is not None and self._facts is None:
            return False  # Nothing has vanished from the bucket, so nothing depends on it.
        if known is None:
            self.remember_bucket()
        return known not in {None, self._bucket_facts().id}

    def remember_bucket(self) -> None:
        """From now on the baseline speaks of this bucket, and of none that takes its name."""
        facts = self._bucket_facts()
        self.store.note(_BUCKET_ID, facts.id)
        self._note_ttl(facts.ttl_us)

    def find_halt(self, plan: Plan, profile: Profile, allowed: Collection[str]) -> Halt | None:
        """The guard that objects to the plan, if one does."""
        halt = find_halt(self._totals(plan, profile), allowed)
        plan.summary.bucket_calls = int(self._facts is not None)
        return halt

    def finds_root_emptied(self, plan: Plan) -> bool:
        """Whether no file is here any more, though some were in step."""
        return GUARDS[EMPTY_ROOT](self._totals(plan, self.profile)) is not None

    def _totals(self, plan: Plan, profile: Profile) -> Totals:
        summary = plan.summary
        in_step, local_files = summary.in_step, summary.local_files
        if plan.only is not None:
            in_step, local_files = self._totals_of_all(summary)
        return Totals(
            profile=profile.name,
            local_dir=str(profile.local_dir),
            in_step=in_step,
            local_files=local_files,
            remote_files=summary.remote_files,
            deletes_local=summary.actions.get(Verb.DELETE_LOCAL, 0),
            deletes_remote=summary.actions.get(Verb.DELETE_REMOTE, 0),
            changed_local=summary.changed_local,
            writes_to_bucket=profile.direction is not Direction.DOWNLOAD,
            bytes_down=max(0, summary.bytes_down - self.store.fetched_bytes()),
            free_bytes=None if self.tree is None else self.tree.free_bytes(),
            min_free_bytes=profile.min_free,
            max_delete=profile.max_delete,
            marker=profile.marker,
            marker_seen=self._marker_seen,
            bucket_replaced=self.bucket_is_new(),
        )

    def _totals_of_all(self, summary: PlanSummary) -> tuple[int, int]:
        """How many files are in step and here, of all, as far as a guard has to know.

        A look at a few keys tells nothing of the others: the root may be empty, or just not have
        these. To count what is in step takes a look at all of the baseline.
        """
        deletes = summary.actions.keys() & {Verb.DELETE_LOCAL, Verb.DELETE_REMOTE}
        here = summary.local_files
        if not here and self.tree is not None:
            here = int(self.tree.holds_files())
        return self.store.count_in_step() if deletes or not here else 0, here


def steady_skew_us(store: BaselineStore, measured_us: int) -> int:
    """How far the clocks are apart: as noted before, unless what was measured now differs clearly.

    A measurement is good to a second at best. If each pass went by its own, two versions that are
    less than that apart would be the newer one by turns, and passes would never converge (I4).
    """
    noted_us = store.noted_number(_SKEW) or 0
    if measured_us and abs(measured_us - noted_us) <= _SKEW_NOISE_US:
        return noted_us
    if measured_us != noted_us:
        store.note(_SKEW, str(measured_us))
    return measured_us


def policy_of(profile: Profile, skew_us: int, ttl_us: Callable[[], int | None]) -> Policy:
    """What the profile wants of each decision, under clocks that are `skew_us` apart."""
    refresh_s = profile.refresh_before
    return Policy(
        direction=profile.direction,
        conflict=profile.conflict,
        deletions=profile.deletions,
        expired=profile.expired,
        ttl_us=ttl_us,
        refresh_before_us=None if refresh_s is None else int(refresh_s * 1e6),
        skew_us=skew_us,
        max_skew_us=int(profile.max_skew * 1e6),
    )


def _of_the_clocks(policy: Policy) -> list[str]:
    if abs(policy.skew_us) <= policy.max_skew_us:
        return []
    ahead = "ahead of" if policy.skew_us > 0 else "behind"
    note = (
        f"this machine's clock is {span_us(policy.skew_us)} {ahead} the bucket's, more than "
        "`max_skew`; set it right (timedatectl set-ntp true)"
    )
    if policy.settles_conflicts_by is not policy.conflict:
        note += ". Until then, conflicts keep both versions, for which is newer cannot be told"
    return [note]
