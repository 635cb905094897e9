"""Rules that hold for every combination of two sides, a baseline and a policy.

Nothing here repeats the branches of the code: each test states one thing that people rely on, and
asks it of all cases, some fifty thousand.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from plan.sides import DAY_US, EDITED_US, HOUR_US, NOW_US, STORED_US, base, local, remote
from ubiops_file_sync.model import (
    BaselineEntry,
    ConflictPolicy,
    Decision,
    Direction,
    LocalEntry,
    Loser,
    Reason,
    RemoteEntry,
    Verb,
)
from ubiops_file_sync.plan import Policy, decide

SIZES = (10, 11, 0)
TIMES_US = (
    EDITED_US,
    STORED_US,
    STORED_US - 1,
    NOW_US,
    NOW_US + DAY_US,
    NOW_US + DAY_US + 1,
    NOW_US + 400 * DAY_US,
    0,
    -1,
    -(2**62) // 1000,
)
"""As it was, a tie, just older, now, the last that is believed, and five that are not."""

SKEWS_US = (0, HOUR_US, -HOUR_US)


@dataclass(frozen=True)
class Case:
    """One key, and what is decided for it."""

    local: LocalEntry | None
    remote: RemoteEntry | None
    base: BaselineEntry | None
    policy: Policy
    decision: Decision

    @property
    def verb(self) -> Verb | None:
        return self.decision.verb

    @property
    def local_is_as_it_was(self) -> bool:
        return (
            self.local is not None
            and self.base is not None
            and (self.local.size, self.local.mtime_ns) == (self.base.size, self.base.mtime_ns)
        )

    @property
    def remote_is_as_it_was(self) -> bool:
        return (
            self.remote is not None
            and self.base is not None
            and (self.remote.size, self.remote.created_us) == (self.base.size, self.base.created_us)
        )

    @property
    def local_has_news(self) -> bool:
        """It is there, and nobody recorded this version."""
        return self.local is not None and not self.local_is_as_it_was

    @property
    def remote_has_news(self) -> bool:
        return self.remote is not None and not self.remote_is_as_it_was

    @property
    def in_step(self) -> bool:
        return self.local_is_as_it_was and self.remote_is_as_it_was

    @property
    def both_have_news(self) -> bool:
        return self.local_has_news and self.remote_has_news

    @property
    def surely_the_same(self) -> bool:
        """Both are empty, or a download that was not recorded."""
        if self.local is None or self.remote is None or self.local.size != self.remote.size:
            return False
        return self.local.size == 0 or self.local.mtime_ns == self.remote.created_us * 1000


@cache
def all_cases() -> tuple[Case, ...]:
    return tuple(_cases())


def _cases() -> Iterator[Case]:
    locals_ = [None, *(local(time, size) for time in TIMES_US for size in SIZES)]
    remotes = [None, *(remote(time, size) for time in TIMES_US for size in SIZES)]
    policies = [
        Policy(direction, conflict, skew_us=skew, max_skew_us=HOUR_US)
        for direction in Direction
        for conflict in ConflictPolicy
        for skew in SKEWS_US
    ]
    for mine, theirs, seen in itertools.product(locals_, remotes, (None, base())):
        if mine is None and theirs is None and seen is None:
            continue
        for policy in policies:
            yield Case(mine, theirs, seen, policy, decide(mine, theirs, seen, policy, NOW_US))


def believable(time_us: int) -> bool:
    return 0 < time_us <= NOW_US + DAY_US


def test_a_one_way_profile_never_writes_to_its_source() -> None:
    for case in all_cases():
        if case.policy.direction is Direction.DOWNLOAD:
            assert case.verb is not Verb.UPLOAD, case
        if case.policy.direction is Direction.UPLOAD:
            assert case.verb is not Verb.DOWNLOAD, case


def test_only_what_is_there_travels() -> None:
    for case in all_cases():
        if case.verb in {Verb.UPLOAD, Verb.ADOPT}:
            assert case.local is not None, case
        if case.verb in {Verb.DOWNLOAD, Verb.ADOPT}:
            assert case.remote is not None, case


def test_a_key_is_forgotten_if_and_only_if_both_sides_lost_it() -> None:
    for case in all_cases():
        gone = case.local is None and case.remote is None
        assert (case.verb is Verb.FORGET) == gone, case


def test_a_key_in_step_is_left_alone_by_every_policy() -> None:
    for case in all_cases():
        assert (case.decision.reason is Reason.IN_STEP) == case.in_step, case
        if case.in_step:
            assert case.verb is None, case


def test_a_two_way_profile_leaves_no_difference() -> None:
    for case in all_cases():
        if case.policy.direction is Direction.TWO_WAY:
            assert (case.verb is None) == case.in_step, case


def test_the_only_side_with_news_travels_whatever_the_clocks_and_the_policy_say() -> None:
    for case in all_cases():
        if case.local_has_news and not case.remote_has_news:
            if case.policy.direction is not Direction.DOWNLOAD:
                assert case.decision.verb is Verb.UPLOAD, case
                assert case.decision.loser is Loser.NONE, case
                # What bears the object's own time may be a download that was not recorded.
                assert case.decision.compare == case.surely_the_same, case
        elif (
            case.remote_has_news
            and not case.local_has_news
            and case.policy.direction is not Direction.UPLOAD
        ):
            assert case.decision.verb is Verb.DOWNLOAD, case
            assert case.decision.loser is Loser.NONE, case
            assert not case.decision.compare, case


def test_a_deletion_does_not_travel() -> None:
    for case in all_cases():
        if case.local is None and case.remote_is_as_it_was:
            writes_here = case.policy.direction is not Direction.UPLOAD
            assert case.verb is (Verb.DOWNLOAD if writes_here else None), case
        if case.remote is None and case.local_is_as_it_was:
            writes_there = case.policy.direction is not Direction.DOWNLOAD
            assert case.verb is (Verb.UPLOAD if writes_there else None), case


def test_no_version_is_overwritten_that_nobody_recorded_unless_it_is_kept() -> None:
    """Invariant I1: what the other side does not hold goes to the trash, or gets a name."""
    for case in all_cases():
        overwrites_news = (case.verb is Verb.UPLOAD and case.remote_has_news) or (
            case.verb is Verb.DOWNLOAD and case.local_has_news
        )
        assert (case.decision.loser is not Loser.NONE) == overwrites_news, case


def test_a_loser_is_renamed_if_and_only_if_both_are_to_be_kept() -> None:
    for case in all_cases():
        if case.decision.loser is not Loser.NONE:
            keep_both = case.policy.conflict is ConflictPolicy.KEEP_BOTH
            assert (case.decision.loser is Loser.RENAME) == keep_both, case


def test_versions_of_one_size_are_compared_before_one_is_overwritten_and_only_they() -> None:
    for case in all_cases():
        one_size = (
            case.local is not None
            and case.remote is not None
            and case.local.size == case.remote.size
        )
        loses = case.decision.loser is not Loser.NONE
        unrecorded = case.verb is Verb.UPLOAD and case.surely_the_same
        assert case.decision.compare == ((loses and one_size) or unrecorded), case


def test_sides_are_adopted_only_where_they_are_surely_the_same() -> None:
    for case in all_cases():
        if case.verb is Verb.ADOPT:
            assert case.surely_the_same, case
            assert not case.in_step, case


def test_what_is_surely_the_same_never_travels_in_a_conflict() -> None:
    for case in all_cases():
        if case.both_have_news and case.surely_the_same:
            assert case.verb is Verb.ADOPT, case


def test_a_conflict_policy_is_asked_only_where_two_versions_meet() -> None:
    by_rest: dict[object, set[Decision]] = {}
    for case in all_cases():
        one_way_edit = (case.policy.direction is Direction.DOWNLOAD and case.local_has_news) or (
            case.policy.direction is Direction.UPLOAD and case.remote_has_news
        )
        if case.both_have_news or one_way_edit:
            continue
        rest = (case.local, case.remote, case.base, case.policy.direction)
        by_rest.setdefault(rest, set()).add(case.decision)
    assert by_rest
    assert all(len(decisions) == 1 for decisions in by_rest.values())


def contests(conflict: ConflictPolicy) -> Iterator[tuple[Case, LocalEntry, RemoteEntry]]:
    """Two versions that differ, for a two-way profile."""
    for case in all_cases():
        if (
            case.both_have_news
            and not case.surely_the_same
            and case.policy.direction is Direction.TWO_WAY
            and case.policy.conflict is conflict
            and case.local is not None
            and case.remote is not None
        ):
            yield case, case.local, case.remote


def test_the_newer_version_wins_and_a_tie_goes_to_the_bucket() -> None:
    for policy in (ConflictPolicy.NEWER_WINS, ConflictPolicy.KEEP_BOTH):
        for case, mine, theirs in contests(policy):
            mine_us = mine.mtime_ns // 1000
            theirs_us = theirs.created_us + case.policy.skew_us
            if believable(mine_us) and believable(theirs_us):
                expected = Verb.UPLOAD if mine_us > theirs_us else Verb.DOWNLOAD
                assert case.verb is expected, case


def test_an_impossible_time_loses_to_any_other_and_two_of_them_are_a_tie() -> None:
    for policy in (ConflictPolicy.NEWER_WINS, ConflictPolicy.KEEP_BOTH):
        for case, mine, theirs in contests(policy):
            if not believable(mine.mtime_ns // 1000):
                assert case.verb is Verb.DOWNLOAD, case
            elif not believable(theirs.created_us + case.policy.skew_us):
                assert case.verb is Verb.UPLOAD, case


def test_a_side_that_always_wins_does_so_whatever_the_clocks_say() -> None:
    for case, _, _ in contests(ConflictPolicy.LOCAL_WINS):
        assert case.verb is Verb.UPLOAD, case
    for case, _, _ in contests(ConflictPolicy.REMOTE_WINS):
        assert case.verb is Verb.DOWNLOAD, case


def test_a_one_way_profile_that_keeps_both_always_brings_its_source_over() -> None:
    source = {Direction.DOWNLOAD: Verb.DOWNLOAD, Direction.UPLOAD: Verb.UPLOAD}
    for case in all_cases():
        verb = source.get(case.policy.direction)
        if (
            verb is not None
            and case.policy.conflict is ConflictPolicy.KEEP_BOTH
            and case.both_have_news
            and not case.surely_the_same
        ):
            assert case.verb is verb, case


def test_a_one_way_profile_does_what_a_two_way_one_does_or_nothing_where_both_changed() -> None:
    for case in all_cases():
        if not case.both_have_news or case.policy.conflict is ConflictPolicy.KEEP_BOTH:
            continue
        two_way = replace(case.policy, direction=Direction.TWO_WAY)
        both = decide(case.local, case.remote, case.base, two_way, NOW_US)
        assert case.verb in {both.verb, None}, case
        if case.verb is not None:
            assert case.decision == both, case


def test_what_is_left_alone_says_why() -> None:
    why = {Reason.IN_STEP, Reason.OTHER_DIRECTION, Reason.DESTINATION_NEWER}
    for case in all_cases():
        assert (case.verb is None) == (case.decision.reason in why), case


MIRRORED_DIRECTION = {
    Direction.TWO_WAY: Direction.TWO_WAY,
    Direction.DOWNLOAD: Direction.UPLOAD,
    Direction.UPLOAD: Direction.DOWNLOAD,
}
MIRRORED_POLICY = {
    ConflictPolicy.NEWER_WINS: ConflictPolicy.NEWER_WINS,
    ConflictPolicy.KEEP_BOTH: ConflictPolicy.KEEP_BOTH,
    ConflictPolicy.LOCAL_WINS: ConflictPolicy.REMOTE_WINS,
    ConflictPolicy.REMOTE_WINS: ConflictPolicy.LOCAL_WINS,
}
MIRRORED_VERB = {
    Verb.UPLOAD: Verb.DOWNLOAD,
    Verb.DOWNLOAD: Verb.UPLOAD,
    Verb.ADOPT: Verb.ADOPT,
    Verb.FORGET: Verb.FORGET,
    None: None,
}


def _is_tie(mine: LocalEntry | None, theirs: RemoteEntry | None) -> bool:
    if mine is None or theirs is None:
        return False
    mine_us, theirs_us = mine.mtime_ns // 1000, theirs.created_us
    return mine_us == theirs_us or not (believable(mine_us) or believable(theirs_us))


def test_neither_side_is_favoured_but_in_a_tie() -> None:
    """Had each side the other's files, each would get the other's treatment."""
    for case in all_cases():
        if case.policy.skew_us or _is_tie(case.local, case.remote):
            continue
        mirrored = decide(
            case.remote and local(case.remote.created_us, case.remote.size),
            case.local and remote(case.local.mtime_ns // 1000, case.local.size),
            case.base
            and BaselineEntry(
                "k", case.base.size, case.base.created_us * 1000, case.base.mtime_ns // 1000
            ),
            Policy(
                MIRRORED_DIRECTION[case.policy.direction], MIRRORED_POLICY[case.policy.conflict]
            ),
            NOW_US,
        )
        assert MIRRORED_VERB[mirrored.verb] is case.verb, case
        assert (mirrored.loser, mirrored.compare) == (case.decision.loser, case.decision.compare)


def test_an_action_that_is_done_and_recorded_leaves_nothing_to_do() -> None:
    """Invariant I4, as far as one key goes."""
    for case in all_cases():
        mine, theirs = case.local, case.remote
        if case.verb is Verb.UPLOAD and mine is not None:
            theirs = remote(NOW_US + HOUR_US, mine.size)
        elif case.verb is Verb.DOWNLOAD and theirs is not None:
            mine = local(theirs.created_us, theirs.size)
        elif case.verb is not Verb.ADOPT:
            continue
        assert mine is not None
        assert theirs is not None
        recorded = BaselineEntry("k", mine.size, mine.mtime_ns, theirs.created_us)
        assert decide(mine, theirs, recorded, case.policy, NOW_US).verb is None, case
