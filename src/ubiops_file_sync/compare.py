"""Comparing: both sides and the baseline stream through the merge into a complete plan."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from ubiops_file_sync.bucket import Bucket
from ubiops_file_sync.errors import RemoteUnreachable
from ubiops_file_sync.local import LocalTree, Wanted
from ubiops_file_sync.model import Action, LocalItem, PlanSummary, Problem, RemoteEntry
from ubiops_file_sync.plan import Clash, Filters, KeyOutOfOrder, Policy, Scope, plan_actions
from ubiops_file_sync.progress import Progress
from ubiops_file_sync.record import KEPT_PROBLEMS
from ubiops_file_sync.store import BaselineStore, ListingSort, Spool


@dataclass(slots=True)
class Plan:
    """A whole plan. Its actions stand in the spool; close it to give the disk space back."""

    spool: Spool
    summary: PlanSummary = field(default_factory=PlanSummary)
    problems: list[Problem] = field(default_factory=list)
    """The first of what the comparison found."""
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

    def take(self, item: Action | Problem | Clash) -> None:
        """Heed one finding of the merge."""
        if isinstance(item, Action):
            self.spool.add(item)
            return
        if isinstance(item, Clash):
            self.spool.take_back(item.key)
            item = item.problem
        self.problem_count += 1
        if len(self.problems) < KEPT_PROBLEMS:
            self.problems.append(item)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is compared, and under which policy."""

    tree: LocalTree | None
    """None: the root is not there yet, and counts as empty."""
    store: BaselineStore
    bucket: Bucket
    policy: Policy
    now_us: int
    progress: Progress
    filters: Filters = field(default_factory=Filters)

    def plan(self) -> Plan:
        """The whole plan, or an exception: a listing or a scan that fails leaves none (I12)."""
        try:
            return self._plan(sort=self.store.noted("listing_order") == "unsorted")
        except KeyOutOfOrder:
            # UbiOps documents no order. What was merged until now is worthless; begin again, and
            # remember it, so that it costs a second listing only once.
            self.store.note("listing_order", "unsorted")
            return self._plan(sort=True)
        except RemoteUnreachable as error:
            raise RemoteUnreachable(
                f"{error}. Nothing was changed; run it again once that is mended"
            ) from error

    def _plan(self, *, sort: bool) -> Plan:
        with ExitStack() as until_complete:
            plan = until_complete.enter_context(Plan(Spool()))
            with ExitStack() as sorting:
                remote = self._listing(plan.summary)
                if sort:
                    remote = sorting.enter_context(ListingSort()).sorted(remote)
                for item in plan_actions(
                    self._walk(),
                    remote,
                    self.store.rows(),
                    self.policy,
                    self.now_us,
                    plan.summary,
                    self.filters,
                ):
                    plan.take(item)
            until_complete.pop_all()
        plan.spool.sum_up(plan.summary)
        return plan

    def _walk(self) -> Iterator[LocalItem]:
        if self.tree is None:
            return iter(())
        # With a scope of its own, since the walk runs ahead of the merge.
        return self.tree.scan(Wanted(Scope(self.filters), self.filters.ready_file))

    def _listing(self, summary: PlanSummary) -> Iterator[RemoteEntry]:
        for page in self.bucket.pages():
            summary.pages += 1
            self.progress.compared(summary)
            yield from page
