"""The three-way merge: two sides and the baseline, all sorted by key, walked once. Pure.

Nothing is held in memory but the three current entries and the few file keys that are string
prefixes of the current key, so memory does not grow with the number of files (invariant I11).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ubiops_file_sync import keys
from ubiops_file_sync.model import (
    Action,
    BaselineEntry,
    BaselineRow,
    FolderRules,
    LocalEntry,
    LocalItem,
    PlanSummary,
    Problem,
    Reason,
    RemoteEntry,
    Unknown,
    Verb,
)
from ubiops_file_sync.plan.case import Case, Policy
from ubiops_file_sync.plan.decide import judge
from ubiops_file_sync.plan.filters import Filters, Scope
from ubiops_file_sync.plan.intents import is_later_edit

_NO_FILTERS = Filters()


@dataclass(frozen=True, slots=True)
class Clash:
    """A key that is a file on one side and a directory on the other.

    Whatever was planned for `key` itself is to be taken back; keys below it get no action.
    """

    key: str

    @property
    def problem(self) -> Problem:
        """What the report says of it."""
        return Problem(
            self.key,
            "it is a file, and there are also files below a folder of that name; nothing at or "
            "below it was touched. Rename or remove one of the two",
        )


class KeyOutOfOrder(Exception):
    """A stream that must be sorted is not. UbiOps documents no order of listings."""

    def __init__(self, key: str) -> None:
        super().__init__(f"{key!r} came after a key that sorts behind it")
        self.key = key


def plan_actions(
    local: Iterable[LocalItem],
    remote: Iterable[RemoteEntry],
    baseline: Iterable[BaselineRow],
    policy: Policy,
    now_us: int,
    summary: PlanSummary,
    filters: Filters = _NO_FILTERS,
) -> Iterator[Action | Problem | Clash]:
    """Every action that brings the two sides in step, in key order.

    The three streams must be sorted by key without repeats. `summary` counts as the streams pass
    by. Raises `KeyOutOfOrder` if `remote` is not sorted; what was yielded is then worthless.
    """
    scope = Scope(filters, local_now_us=now_us, remote_now_us=now_us - policy.skew_us)
    open_files: list[_OpenFile] = []
    for key, here, there, row in merged(local, remote, baseline, summary):
        if isinstance(here, FolderRules):
            scope.enter(here)
            continue
        if scope.active and not isinstance(here, Unknown) and scope.hides_entry(key, here, there):
            yield from _forgotten(key, here, there, row)
            continue
        if here is not None or there is not None:
            clash = _file_above(key, open_files)
            if clash is not None and here is None and keys.refusal(key) is not None:
                clash = None  # It will never be written, so it is in nobody's way.
            if clash is not None and not clash.reported:
                clash.reported = True
                yield Clash(clash.key)
            if isinstance(here, Unknown):
                yield from _unknown(here, there, row)
                continue
            if clash is not None:
                continue
            if not key.endswith("/"):
                open_files.append(_OpenFile(key))
        verdict = _verdict(key, here, there, row, policy, now_us, summary)
        yield from _gated(verdict, row, scope, summary) if filters.ready_file else verdict


def _forgotten(
    key: str, here: LocalEntry | None, there: RemoteEntry | None, row: BaselineRow | None
) -> Iterator[Action]:
    """What becomes of a hidden key: at most its baseline goes, and neither side is touched."""
    if row is not None and row.base is not None:
        yield Action(Verb.FORGET, key, Reason.HIDDEN, here, there)


def _unknown(
    here: Unknown, there: RemoteEntry | None, row: BaselineRow | None
) -> Iterator[Problem]:
    if here.is_problem or there is not None or row is not None:
        yield Problem(_shown(here.key), here.reason)


def _gated(
    verdict: Iterable[Action | Problem],
    row: BaselineRow | None,
    scope: Scope,
    summary: PlanSummary,
) -> Iterator[Action | Problem]:
    """The verdict on a key, unless the ready file has a say in it."""
    base = row.base if row is not None else None
    for item in verdict:
        reason = held_back(item, base, scope) if isinstance(item, Action) else None
        if reason is None:
            yield item
        else:
            summary.left[reason] = summary.left.get(reason, 0) + 1


def held_back(action: Action, base: BaselineEntry | None, scope: Scope) -> Reason | None:
    """Why the ready file forbids an action; None: it does not.

    Nothing new goes up from a folder that is not ready, and none gets ready by our doing.
    """
    if action.verb is Verb.UPLOAD and action.local is not None:
        if not _was_in_step(action.local, base) and not scope.is_ready(action.key):
            return Reason.NOT_READY
    elif action.reason is Reason.LOST_LOCAL and scope.is_ready_file(action.key):
        # Whoever removed it is about to change the folder.
        return Reason.NOT_READY_AGAIN
    return None


@dataclass(slots=True)
class _OpenFile:
    """A file key that is a string prefix of the current key."""

    key: str
    reported: bool = False


def _file_above(key: str, open_files: list[_OpenFile]) -> _OpenFile | None:
    """The file key that would have to be a directory for `key` to exist, if any.

    Between ``a`` and ``a/b`` other keys may sort (``a.txt``), so a look at the previous key
    alone is not enough.
    """
    while open_files and not key.startswith(open_files[-1].key):
        open_files.pop()
    for candidate in open_files:
        if key[len(candidate.key) : len(candidate.key) + 1] == "/":
            return candidate
    return None


def _verdict(
    key: str,
    here: LocalEntry | None,
    there: RemoteEntry | None,
    row: BaselineRow | None,
    policy: Policy,
    now_us: int,
    summary: PlanSummary,
) -> Iterator[Action | Problem]:
    base = row.base if row is not None else None
    if base is not None:
        _count_changes(here, base, row, summary)
    if here is None and there is None and base is None:
        return  # An upload that was begun, came to nothing, and whose file is gone by now.
    intent = row.intent if row is not None else None
    decision = judge(Case(here, there, base, intent, policy, now_us))
    if decision.verb is None:
        if decision.reason is not Reason.IN_STEP:
            summary.left[decision.reason] = summary.left.get(decision.reason, 0) + 1
        return
    if decision.verb is not Verb.FORGET:
        refusal = keys.refusal(key)
        if refusal is not None:
            yield Problem(key, refusal)
            return
    yield Action(decision.verb, key, decision.reason, here, there, decision.loser, decision.compare)


def _was_in_step(local: LocalEntry, base: BaselineEntry | None) -> bool:
    return base is not None and local[:3] == base[:3]


def _count_changes(
    here: LocalEntry | None, base: BaselineEntry, row: BaselineRow | None, summary: PlanSummary
) -> None:
    """A change that an earlier pass has sent already is none: whoever allowed that did so once."""
    summary.in_step += 1
    if here is None or (here.size, here.mtime_ns) == (base.size, base.mtime_ns):
        return
    intent = row.intent if row is not None else None
    sent = intent is not None and intent.finished_us is not None
    if intent is None or not sent or is_later_edit(here, intent):
        summary.changed_local += 1


def _shown(key: str) -> str:
    """A key that a report can print, even if it is not valid UTF-8."""
    return key.rstrip("/").encode(errors="surrogateescape").decode(errors="replace")


Row = tuple[str, LocalItem | None, RemoteEntry | None, BaselineRow | None]


def merged(
    local: Iterable[LocalItem],
    remote: Iterable[RemoteEntry],
    baseline: Iterable[BaselineRow],
    summary: PlanSummary,
) -> Iterator[Row]:
    """The three streams side by side, a row a key.

    All that is unknown comes as one row, and what a folder says of itself as one of its own.
    Raises `KeyOutOfOrder` as `plan_actions` does.
    """
    locals_, remotes, rows = iter(local), _checked(remote, summary), iter(baseline)
    here, there, row = next(locals_, None), next(remotes, None), next(rows, None)
    while here is not None or there is not None or row is not None:
        key = min(entry.key for entry in (here, there, row) if entry is not None)
        mine: LocalItem | None = None
        theirs = known = None
        if here is not None and here.key == key:
            mine, here = here, next(locals_, None)
        if isinstance(mine, Unknown):
            while there is not None and mine.covers(there.key):
                theirs, there = there, next(remotes, None)
            while row is not None and mine.covers(row.key):
                known, row = row, next(rows, None)
        elif not isinstance(mine, FolderRules):
            summary.local_files += mine is not None
            if there is not None and there.key == key:
                theirs, there = there, next(remotes, None)
            if row is not None and row.key == key:
                known, row = row, next(rows, None)
        yield key, mine, theirs, known


def _checked(remote: Iterable[RemoteEntry], summary: PlanSummary) -> Iterator[RemoteEntry]:
    """The listing without folder markers, as long as it is sorted and free of repeats.

    The markers are counted too: they take up room in the pages.
    """
    last: str | None = None
    for entry in remote:
        if last is not None and entry.key <= last:
            raise KeyOutOfOrder(entry.key)
        last = entry.key
        summary.remote_files += 1
        if not keys.is_folder_marker(entry.key, entry.size):
            yield entry
