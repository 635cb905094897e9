"""A decision on one key, written down with all that it rests on, and made again from that.

What was judged is plain data (`sight`, `plan.case`), so the very code of a pass comes to its
verdict a second time: on another machine, and in another version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import TypeVar

from ubiops_file_sync.config import Profile
from ubiops_file_sync.explain import Explanation, judged
from ubiops_file_sync.model import (
    BaselineEntry,
    Decision,
    Intent,
    LocalEntry,
    Loser,
    RemoteEntry,
    Unknown,
)
from ubiops_file_sync.plan import Case, Filters, Policy
from ubiops_file_sync.sight import Sight
from ubiops_file_sync.support.shapes import (
    AskedShape,
    BaseShape,
    FilterShape,
    IntentShape,
    LocalShape,
    PolicyShape,
    Record,
    RemoteShape,
    RulesShape,
    UnknownShape,
    VerdictShape,
)

Entry = TypeVar("Entry", LocalEntry, RemoteEntry, BaselineEntry, Intent)
Hide = Callable[[str], str]
"""Turns a key into another, always into the same one."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """A decision that was made again."""

    record: Record
    now: VerdictShape
    """What comes of it now."""

    @property
    def differences(self) -> Iterator[str]:
        """Where the two are not the same, in words; none: they are."""
        for name in VerdictShape.__struct_fields__:
            then, now = getattr(self.record.verdict, name), getattr(self.now, name)
            if then != now:
                yield f"{name}: was {then!r}, is {now!r}"


def record_of(told: Explanation, profile: Profile, hide: Hide | None = None) -> Record | None:
    """An explanation as a record; None: it cannot be made again.

    That is where nothing was judged, since the name itself is refused. And with `hide` where a
    filter decided, for what filters say tells of names, and is then left out.
    """
    if told.evidence is None:
        return None
    sight, case = told.evidence
    filters = _filters(profile)
    if hide is not None:
        sight, case, filters = _hidden(sight, hide), _renamed(case, hide), FilterShape()
    verdict = _judged(profile.name, sight, case)
    if verdict.reason != _reason(told.decision):
        return None
    return Record(
        profile=profile.name,
        key=sight.key,
        now_us=case.now_us,
        local=_local(sight.local),
        remote=None if case.remote is None else RemoteShape(**case.remote._asdict()),
        base=None if case.base is None else BaseShape(**case.base._asdict()),
        intent=None if case.intent is None else IntentShape(**case.intent._asdict()),
        policy=_policy(case.policy),
        filters=filters,
        rules=[
            RulesShape(key=one.key, lines=list(one.lines), ready=one.ready) for one in sight.rules
        ],
        verdict=verdict,
    )


def replay(record: Record) -> Replayed:
    """The decision, made again by this version. Raises ValueError if its filters make no sense."""
    asked = record.filters
    filters = Filters.of(
        asked.include,
        asked.exclude,
        min_size=asked.min_size,
        max_size=asked.max_size,
        max_age_s=asked.max_age_s,
        ready_file=asked.ready_file,
    )
    local = None if record.local is None else record.local.entry()
    case = Case(
        local if isinstance(local, LocalEntry) else None,
        None if record.remote is None else record.remote.entry(),
        None if record.base is None else record.base.entry(),
        None if record.intent is None else record.intent.entry(),
        _policy_of(record.policy),
        record.now_us,
    )
    sight = Sight(record.key, local, tuple(one.entry() for one in record.rules), filters)
    return Replayed(record, _judged(record.profile, sight, case))


def _judged(profile: str, sight: Sight, case: Case) -> VerdictShape:
    decision, asked, verdict = judged(profile, sight, case)
    return VerdictShape(
        verb=decision.verb if decision else None,
        reason=_reason(decision),
        loser=decision.loser if decision else Loser.NONE,
        compare_first=decision.compare if decision else False,
        text=verdict.text,
        because=verdict.because,
        besides=list(verdict.besides),
        asked=[AskedShape(**asdict(one)) for one in asked],
    )


def _reason(decision: Decision | None) -> str | None:
    return None if decision is None else decision.reason.name.lower()


def _filters(profile: Profile) -> FilterShape:
    return FilterShape(
        include=list(profile.include),
        exclude=list(profile.exclude),
        min_size=profile.min_size,
        max_size=profile.max_size,
        max_age_s=profile.max_age,
        ready_file=profile.ready_file,
    )


def _local(local: LocalEntry | Unknown | None) -> LocalShape | UnknownShape | None:
    if isinstance(local, Unknown):
        return UnknownShape(**local._asdict())
    return None if local is None else LocalShape(**local._asdict())


def _policy(policy: Policy) -> PolicyShape:
    return PolicyShape(
        direction=policy.direction,
        conflict=policy.conflict,
        deletions=policy.deletions,
        expired=policy.expired,
        ttl_us=policy.ttl_us(),
        refresh_before_us=policy.refresh_before_us,
        skew_us=policy.skew_us,
        max_skew_us=policy.max_skew_us,
    )


def _policy_of(shape: PolicyShape) -> Policy:
    return Policy(
        direction=shape.direction,
        conflict=shape.conflict,
        deletions=shape.deletions,
        expired=shape.expired,
        ttl_us=lambda: shape.ttl_us,
        refresh_before_us=shape.refresh_before_us,
        skew_us=shape.skew_us,
        max_skew_us=shape.max_skew_us,
    )


def _hidden(sight: Sight, hide: Hide) -> Sight:
    local = sight.local
    if isinstance(local, Unknown):
        # Its words may tell another name.
        local = Unknown(hide(local.key), "it cannot be read", local.is_problem)
    else:
        local = _with_key(local, hide)
    return Sight(hide(sight.key), local, (), Filters())


def _with_key(entry: Entry | None, hide: Hide) -> Entry | None:
    return None if entry is None else entry._replace(key=hide(entry.key))


def _renamed(case: Case, hide: Hide) -> Case:
    return replace(
        case,
        local=_with_key(case.local, hide),
        remote=_with_key(case.remote, hide),
        base=_with_key(case.base, hide),
        intent=_with_key(case.intent, hide),
    )
