"""Verifying: whether both sides and the baseline agree, by size and time, or by content too.

Nothing is changed, anywhere (I8), and no lock is taken: what a pass moves meanwhile may be found
to differ.
"""

from __future__ import annotations

import io
import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ubiops_file_sync import places
from ubiops_file_sync.bucket import Bucket
from ubiops_file_sync.bucket.ahead import read_ahead
from ubiops_file_sync.bucket.digest import digest_of
from ubiops_file_sync.bucket.retry import RetryPolicy
from ubiops_file_sync.config import Profile
from ubiops_file_sync.errors import KeyFailure
from ubiops_file_sync.execute import Ledger, at_once, run_all
from ubiops_file_sync.local import LocalTree, Wanted
from ubiops_file_sync.model import (
    Action,
    BaselineRow,
    Deletions,
    Direction,
    FolderRules,
    LocalBlock,
    LocalEntry,
    Outcome,
    Pace,
    PlanSummary,
    Problem,
    Reason,
    RemoteBlock,
    RemoteEntry,
    Unknown,
    Verb,
)
from ubiops_file_sync.plan import Finding, KeyOutOfOrder, Scope, agreement, merged
from ubiops_file_sync.progress import Progress
from ubiops_file_sync.record import KEPT_PROBLEMS
from ubiops_file_sync.store import BaselineStore, ListingSort, Spool

Foretell = Callable[[int, Pace | None], None]
"""Told of API calls that are about to be made, and how quickly they may be, if that is known."""


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A key that is not verified."""

    key: str
    finding: Finding
    why: str


@dataclass(slots=True)
class Verification:
    """What was found of a whole profile."""

    profile: str
    by_content: bool
    counts: Counter[Finding] = field(default_factory=Counter)
    found: list[Discrepancy] = field(default_factory=list)
    """The first that are not verified, sorted by key; the rest are only counted (I11)."""
    compared: int = 0
    """Keys whose content was compared."""
    times_only: int = 0
    """Keys that differ in size or time from the record alone: their content is the same."""
    hidden: int = 0
    """Keys that a filter hides; nothing is told of them."""
    bytes_down: int = 0
    api_calls: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    def take(self, key: str, finding: Finding, why: str) -> None:
        """Heed the finding on one key."""
        self.counts[finding] += 1
        if finding is not Finding.IN_STEP and len(self.found) < KEPT_PROBLEMS:
            self.found.append(Discrepancy(key, finding, why))

    def take_equal(self, key: str, by_record: Finding) -> None:
        """Heed a key whose content is the same, whatever sizes and times said of it."""
        self.times_only += by_record is not Finding.IN_STEP
        self.take(key, Finding.IN_STEP, "")

    def forget(self) -> None:
        """Begin anew."""
        self.counts.clear()
        self.found.clear()
        self.hidden = self.times_only = 0

    @property
    def exit_code(self) -> int:
        """0: all verified; 1: something is not."""
        return 1 if self.counts.total() > self.counts[Finding.IN_STEP] else 0


@dataclass(frozen=True, slots=True)
class Verifier:
    """Verifies one profile."""

    profile: Profile
    state_dir: Path
    env: Mapping[str, str]
    progress: Progress
    retries: RetryPolicy | None = None
    now_ns: Callable[[], int] = time.time_ns

    def verify(
        self, *, content: bool = False, foretell: Foretell = lambda *_: None
    ) -> Verification:
        """Compare both sides and the baseline; with `content` the content of one size, too.

        `foretell` is told the API calls that comparing contents takes, before the first of them.
        Raises `SyncError`.
        """
        began = time.monotonic()
        told = Verification(self.profile.name, content)
        with ExitStack() as stack:
            stack.callback(self.progress.ended)
            store = stack.enter_context(
                BaselineStore.open_read_only(
                    places.state_path(self.state_dir, self.profile), places.identity(self.profile)
                )
            )
            bucket = stack.enter_context(
                places.open_bucket(
                    self.profile, self.env, self.retries, self.now_ns, state_dir=self.state_dir
                )
            )
            tree = places.open_root(stack, self.profile, "verify", store)
            self.progress.comparing(self.profile.name)
            spool = stack.enter_context(Spool())
            self._by_record(tree, store, bucket, told, spool)
            if content and tree is not None:
                comparing = _Contents(self.profile, tree, store, bucket, told)
                comparing.run(spool, self.progress, foretell)
            told.api_calls = bucket.calls.by_endpoint()
        told.found.sort(key=lambda discrepancy: discrepancy.key)
        told.seconds = time.monotonic() - began
        return told

    def _by_record(
        self,
        tree: LocalTree | None,
        store: BaselineStore,
        bucket: Bucket,
        told: Verification,
        spool: Spool,
    ) -> None:
        """Tell every key by size and time, but for those whose content is to be compared."""
        sort = store.noted("listing_order") == "unsorted"
        try:
            self._tell(tree, store, bucket, told, spool, sort=sort)
        except KeyOutOfOrder:
            # UbiOps documents no order; what was found until now is worthless.
            told.forget()
            spool.clear()
            self._tell(tree, store, bucket, told, spool, sort=True)

    def _tell(
        self,
        tree: LocalTree | None,
        store: BaselineStore,
        bucket: Bucket,
        told: Verification,
        spool: Spool,
        *,
        sort: bool,
    ) -> None:
        summary, filters = PlanSummary(), places.filters(self.profile)
        with ExitStack() as sorting:
            reading = read_ahead(bucket.pages(), bucket.stop, unless=KeyOutOfOrder)
            ahead = sorting.enter_context(reading)
            remote = self._listing(ahead, summary)
            # One page ahead, so that the clocks have been compared before ages are told.
            remote = itertools.chain(list(itertools.islice(remote, 1)), remote)
            if sort:
                remote = sorting.enter_context(ListingSort()).sorted(remote)
            now_us = self.now_ns() // 1000
            scope = Scope(filters, local_now_us=now_us, remote_now_us=now_us - bucket.skew_us)
            walk: Iterator[LocalBlock] = iter(())
            if tree is not None:
                walk = tree.walk_blocks(Wanted(Scope(filters), filters.ready_file))
            for key, here, there, row in merged(walk, remote, store.row_blocks(), summary):
                if isinstance(here, FolderRules):
                    scope.enter(here)
                elif not isinstance(here, Unknown) and (
                    scope.active and scope.hides_entry(key, here, there)
                ):
                    told.hidden += 1
                else:
                    _tell_one(told, spool, (key, here, there, row))

    def _listing(self, pages: Iterator[RemoteBlock], summary: PlanSummary) -> Iterator[RemoteBlock]:
        for page in pages:
            self.progress.compared(summary)
            yield page


_Known = tuple[str, LocalEntry | Unknown | None, RemoteEntry | None, BaselineRow | None]


def _tell_one(told: Verification, spool: Spool, known: _Known) -> None:
    """Tell a key by size and time, or put it aside for its content to be compared."""
    key, here, there, row = known
    finding = agreement(here, there, row)
    if finding is None:
        return
    one_size = isinstance(here, LocalEntry) and there is not None and here.size == there.size
    if not told.by_content or not one_size or not isinstance(here, LocalEntry):
        told.take(key, *finding)
    elif here.size:
        spool.add(Action(Verb.ADOPT, key, Reason.IN_STEP, here, there, compare=True))
    else:
        # Two empty files have the same content, and nothing need be asked.
        told.take_equal(key, finding[0])


@dataclass(frozen=True, slots=True)
class _Contents:
    """Compares the content of keys whose sizes agree."""

    profile: Profile
    tree: LocalTree
    store: BaselineStore
    bucket: Bucket
    told: Verification

    def run(self, spool: Spool, progress: Progress, foretell: Foretell) -> None:
        """Compare the content of every key in the spool, many at once."""
        summary = PlanSummary()
        spool.sum_up(summary)
        foretell(summary.action_count, self.bucket.pace)
        progress.planned(summary)

        def take(outcome: Outcome) -> None:
            self._take(outcome)
            progress.did(outcome)

        run_all(
            spool.actions(),
            at_once(self._compare),
            self.profile.workers,
            Ledger(take),
            self.bucket.stop,
        )

    def _compare(self, action: Action) -> Outcome:
        """Compare one key; `did` is `ADOPT` where the content is the same."""
        local, remote = action.local, action.remote
        if local is None or remote is None:  # pragma: no cover - the spool holds no such key
            raise AssertionError("comparing needs two versions")

        def digest(algorithm: str) -> bytes:
            with self.tree.reading(local) as reading:
                return digest_of(reading.file, algorithm)

        try:
            # The content goes nowhere: only its digest is wanted.
            fetched = self.bucket.fetch(remote, _Nowhere(), digest)
            if not fetched.equal:
                self._require_unchanged(remote)
        except (KeyFailure, OSError) as error:
            words = error.strerror if isinstance(error, OSError) and error.strerror else error
            return Outcome(action, None, problem=Problem(action.key, str(words)), error=error)
        did = Verb.ADOPT if fetched.equal else None
        return Outcome(action, did, bytes_down=fetched.bytes_down)

    def _require_unchanged(self, remote: RemoteEntry) -> None:
        """Look again before an object is called damaged. One API call."""
        if self.bucket.get(remote.key) != remote:
            raise KeyFailure("the object changed in the bucket meanwhile; verify it again")

    def _take(self, outcome: Outcome) -> None:
        action, told = outcome.action, self.told
        told.bytes_down += outcome.bytes_down
        if outcome.problem is not None:
            told.take(action.key, Finding.UNKNOWN, outcome.problem.message)
            return
        told.compared += 1
        found = agreement(action.local, action.remote, self.store.row(action.key))
        was, why = found or (Finding.DIFFERS, "")
        if outcome.did is Verb.ADOPT:
            told.take_equal(action.key, was)
        elif was is Finding.IN_STEP:
            told.take(action.key, Finding.DAMAGED, _damage(self.profile))
        else:
            told.take(action.key, Finding.DIFFERS, f"{why}; the content differs")


def _damage(profile: Profile) -> str:
    carried = profile.deletions in {Deletions.TO_BUCKET, Deletions.BOTH}
    start = (
        "damaged here or in the bucket: the content differs, though sizes and times are as they "
        "were when last in step. Keep a copy of both, and find out which one is good. "
    )
    upload = "If it is the one here, 'touch' it: the next pass uploads it. "
    if profile.direction is Direction.DOWNLOAD:
        upload = ""
    if carried or profile.direction is Direction.UPLOAD:
        return f"{start}{upload}If it is the bucket's, download it and put it in the file's place"
    return (
        f"{start}{upload}If it is the bucket's, move the file out of the folder: the next pass "
        "fetches it again"
    )


class _Nowhere(io.BytesIO):
    """A file that keeps nothing of what is written to it."""

    def write(self, data: Any, /) -> int:
        return len(data)
