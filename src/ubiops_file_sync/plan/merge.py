"""The three-way merge: two sides and the baseline, all sorted by key, walked once. Pure.

Nothing is held in memory but the three current blocks and the few file keys that are string
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
    LocalBlock,
    LocalEntry,
    LocalItem,
    PlanSummary,
    Problem,
    Reason,
    RemoteBlock,
    RemoteEntry,
    RowBlock,
    Unknown,
    Verb,
)
from ubiops_file_sync.plan.blocks import Hides, Streams
from ubiops_file_sync.plan.case import Case, Policy, is_copy_of
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


def plan_actions(
    local: Iterable[LocalBlock],
    remote: Iterable[RemoteBlock],
    baseline: Iterable[RowBlock],
    policy: Policy,
    now_us: int,
    summary: PlanSummary,
    filters: Filters = _NO_FILTERS,
) -> Iterator[Action | Problem | Clash]:
    """Every action that brings the two sides in step, in key order.

    The three streams must be sorted by key without repeats; they come in blocks of any sizes.
    `summary` counts as the streams pass by. Raises `KeyOutOfOrder` if `remote` is not sorted; what
    was yielded is then worthless.
    """
    scope = Scope(filters, local_now_us=now_us, remote_now_us=now_us - policy.skew_us)
    open_files: list[_OpenFile] = []
    streams = Streams(local, remote, baseline, summary)
    for key, here, there, row in _questions(streams, open_files, summary, policy, scope):
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


def _questions(
    streams: Streams,
    open_files: list[_OpenFile],
    summary: PlanSummary,
    policy: Policy,
    scope: Scope,
) -> Iterator[Row]:
    """The rows of the streams.

    Those in step are left out, unless each has to be asked whether it is to be sent again.
    """
    while True:
        if policy.refresh_before_us is None:
            _skip_in_step(streams, open_files, scope.hides_entry if scope.active else None)
        row = next_row(streams, summary)
        if row is None:
            return
        yield row


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
    in_step: bool = False
    """It is on both sides, so that nothing on both sides can be below it."""


def _skip_in_step(streams: Streams, open_files: list[_OpenFile], hides: Hides | None) -> None:
    """Go on to the first key that is not in step, or that may be below another file."""
    first = streams.meeting
    if first is None:
        return
    while open_files and not first.startswith(open_files[-1].key):
        open_files.pop()
    if not all(one.in_step for one in open_files):
        return
    passed = streams.skip_in_step(hides)
    if not passed:
        return
    last = passed[-1]
    open_files[:] = [one for one in open_files if last.startswith(one.key)]
    open_files += [_OpenFile(key, in_step=True) for key in passed if last.startswith(key)]


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
        _count_changes(here, there, base, row, summary)
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
    here: LocalEntry | None,
    there: RemoteEntry | None,
    base: BaselineEntry,
    row: BaselineRow | None,
    summary: PlanSummary,
) -> None:
    """A change that an earlier pass has sent already is none: whoever allowed that did so once.

    Nor is what an earlier pass fetched and did not live to record: a kill must not end in a halt.
    """
    summary.in_step += 1
    if here is None or (here.size, here.mtime_ns) == (base.size, base.mtime_ns):
        return
    if there is not None and is_copy_of(here, there):
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
    local: Iterable[LocalBlock],
    remote: Iterable[RemoteBlock],
    baseline: Iterable[RowBlock],
    summary: PlanSummary,
) -> Iterator[Row]:
    """The three streams side by side, a row a key; see `next_row`.

    Raises `KeyOutOfOrder` as `plan_actions` does.
    """
    streams = Streams(local, remote, baseline, summary)
    while (row := next_row(streams, summary)) is not None:
        yield row


def _first_key(here: LocalItem | None, there: RemoteEntry | None, row: BaselineRow | None) -> str:
    """The smallest of the keys that there are, of one at least."""
    key: str | None = None if here is None else here[0]
    if there is not None and (key is None or there[0] < key):
        key = there[0]
    if row is not None and (key is None or row[0] < key):
        key = row[0]
    return key or ""


def next_row(streams: Streams, summary: PlanSummary) -> Row | None:
    """What the three streams have of the next key; None: they have ended.

    All that is unknown comes as one row, and what a folder says of itself as one of its own.
    """
    locals_, remotes, rows = streams.local, streams.remote, streams.baseline
    here, there, row = locals_.head, remotes.head, rows.head
    if here is None and there is None and row is None:
        return None
    theirs = known = None
    key = _first_key(here, there, row)
    mine = locals_.take() if here is not None and here.key == key else None
    if isinstance(mine, Unknown):
        while (there := remotes.head) is not None and mine.covers(there.key):
            theirs = remotes.take()
        while (row := rows.head) is not None and mine.covers(row.key):
            known = rows.take()
    elif not isinstance(mine, FolderRules):
        summary.local_files += mine is not None
        if there is not None and there.key == key:
            theirs = remotes.take()
        if row is not None and row.key == key:
            known = rows.take()
    return key, mine, theirs, known
