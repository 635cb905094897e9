"""Deletions, expiry and refresh: every combination, against the rules as a person would put them.

The other half of `test_every_case`: there nothing is deleted and no bucket has a ttl.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

from plan.sides import DAY_US, EDITED_US, HOUR_US, NOW_US, STORED_US, base, local, remote
from ubiops_file_sync.model import (
    BaselineEntry,
    ConflictPolicy,
    Decision,
    Deletions,
    Direction,
    Expired,
    LocalEntry,
    Reason,
    RemoteEntry,
    Verb,
)
from ubiops_file_sync.plan import Policy, decide

LOCALS = (None, local(EDITED_US, 10), local(EDITED_US - 1, 10), local(NOW_US, 11), local(NOW_US, 0))
REMOTES = (None, remote(STORED_US, 10), remote(STORED_US - 1, 10), remote(NOW_US, 11))
"""Missing; as it was; changed to something older of the same size; changed to something newer."""

AGE_US = NOW_US - STORED_US
WEEK_US = 7 * DAY_US
TTLS_US = (
    None,
    AGE_US + 100 * WEEK_US,
    AGE_US + HOUR_US,
    AGE_US,
    max(AGE_US // 2, 1),
)
"""No ttl; far off; within the stretch in which providers sweep; just now; long past."""

REFRESHES_US = (None, 2 * HOUR_US)
DELETES = {Verb.DELETE_LOCAL, Verb.DELETE_REMOTE}


@dataclass(frozen=True)
class Case:
    local: LocalEntry | None
    remote: RemoteEntry | None
    base: BaselineEntry | None
    policy: Policy
    ttl_us: int | None
    decision: Decision
    ttl_was_asked: bool

    @property
    def local_as_it_was(self) -> bool:
        return self.base is not None and self.local == local(EDITED_US, 10)

    @property
    def remote_as_it_was(self) -> bool:
        return self.base is not None and self.remote == remote(STORED_US, 10)

    @property
    def left_us(self) -> float:
        """How long the object that was in step has before its ttl takes it."""
        return float("inf") if self.ttl_us is None else self.ttl_us - AGE_US

    @property
    def may_have_expired(self) -> bool:
        return self.ttl_us is not None and self.left_us <= min(DAY_US, self.ttl_us / 7)


def cases() -> Iterator[Case]:
    wants = itertools.product(Direction, ConflictPolicy, Deletions, Expired, TTLS_US, REFRESHES_US)
    for direction, conflict, deletions, expired, ttl_us, refresh_us in wants:
        asked: list[int] = []

        def ttl(told: int | None = ttl_us, heard: list[int] = asked) -> int | None:
            heard.append(1)
            return told

        policy = Policy(direction, conflict, deletions, expired, ttl, refresh_us)
        for mine, theirs, seen in itertools.product(LOCALS, REMOTES, (None, base())):
            if mine is None and theirs is None and seen is None:
                continue
            asked.clear()
            decision = decide(mine, theirs, seen, policy, NOW_US)
            yield Case(mine, theirs, seen, policy, ttl_us, decision, bool(asked))


def carries(case: Case, side: Deletions, *not_in: Direction) -> bool:
    return case.policy.deletions in {side, Deletions.BOTH} and case.policy.direction not in not_in


def expected(case: Case) -> tuple[Verb | None, Reason] | None:
    """What must come of a case that deletions, expiry or refresh speak of; None: of the others."""
    policy = case.policy
    if case.local is None and case.remote_as_it_was:
        if carries(case, Deletions.TO_BUCKET, Direction.DOWNLOAD):
            return Verb.DELETE_REMOTE, Reason.DELETED_LOCAL
    elif case.remote is None and case.local_as_it_was:
        would_delete = carries(case, Deletions.TO_LOCAL, Direction.UPLOAD)
        if case.may_have_expired and policy.expired is Expired.LEAVE:
            return None, Reason.EXPIRED_LEFT
        if would_delete and not case.may_have_expired:
            return Verb.DELETE_LOCAL, Reason.DELETED_REMOTE
        if would_delete:
            sends = policy.direction is not Direction.DOWNLOAD
            return (Verb.UPLOAD, Reason.EXPIRED) if sends else (None, Reason.OTHER_DIRECTION)
    elif case.local_as_it_was and case.remote_as_it_was:
        refresh_us = policy.refresh_before_us
        if refresh_us is not None and case.left_us <= refresh_us:
            sends = policy.direction is not Direction.DOWNLOAD
            return (Verb.UPLOAD, Reason.REFRESH) if sends else (None, Reason.OTHER_DIRECTION)
    return None


def test_every_combination_is_decided_as_the_rules_say() -> None:
    count = 0
    for case in cases():
        count += 1
        decision = case.decision
        rule = expected(case)
        if rule is not None:
            assert (decision.verb, decision.reason) == rule, case
        else:
            # Of everything else the settings for deletions say nothing.
            plain = replace(
                case.policy,
                deletions=Deletions.NONE,
                expired=Expired.REUPLOAD,
                refresh_before_us=None,
            )
            assert decision == decide(case.local, case.remote, case.base, plain, NOW_US), case
        if decision.verb in DELETES:
            # I2 and I3, and an edit beats a delete.
            assert case.base is not None, case
            assert case.local_as_it_was or case.remote_as_it_was, case
            assert case.local is None or case.remote is None, case
        if decision.verb is Verb.DELETE_LOCAL:
            assert not case.may_have_expired, case
        if case.ttl_was_asked:
            # It costs a call, so only where the answer makes a difference (I10).
            speaks_of_ttl = (case.remote is None and case.local_as_it_was) or (
                case.policy.refresh_before_us is not None and case.local_as_it_was
            )
            assert speaks_of_ttl, case
    assert count == 3 * 4 * 4 * 2 * 5 * 2 * (5 * 4 * 2 - 1)
