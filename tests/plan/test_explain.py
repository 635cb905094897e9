"""An explanation is the decision itself, listened to."""

from __future__ import annotations

import inspect

import pytest

from plan.sides import DAY_US, HOUR_US, LOCAL_AS_IT_WAS, NOW_US, STORED_US, base, local, remote
from plan.test_every_case import all_cases
from ubiops_file_sync.model import (
    BaselineEntry,
    ConflictPolicy,
    Decision,
    Deletions,
    Direction,
    Expired,
    Intent,
    LocalEntry,
    Reason,
    RemoteEntry,
    Verb,
)
from ubiops_file_sync.plan import Asked, Case, Policy, explain_decision, judge
from ubiops_file_sync.plan import explain as explaining


def explained(
    mine: LocalEntry | None,
    theirs: RemoteEntry | None,
    seen: BaselineEntry | None,
    policy: Policy | None = None,
    intent: Intent | None = None,
) -> tuple[Decision, dict[str, Asked]]:
    case = Case(mine, theirs, seen, intent, policy or Policy(), NOW_US)
    decision, asked = explain_decision(case)
    assert decision == judge(case)
    return decision, {question.question: question for question in asked}


def test_every_explanation_comes_to_the_decision_that_it_explains() -> None:
    for case in all_cases()[::7]:
        decision, asked = explain_decision(
            Case(case.local, case.remote, case.base, None, case.policy, NOW_US)
        )
        assert decision == case.decision, case
        assert len(asked) >= 2, case
        assert all(one.question.endswith("?") and one.answer and one.because for one in asked)


def test_there_are_words_for_every_question_that_a_decision_may_ask() -> None:
    questions = {
        name for name, _ in inspect.getmembers(Case, inspect.isfunction) if not name.startswith("_")
    }
    heard = set(vars(explaining._Listening))
    assert questions <= heard


def test_a_change_is_told_with_what_it_was_and_is() -> None:
    decision, asked = explained(local(NOW_US, 12), remote(STORED_US), base())
    assert decision.verb is Verb.UPLOAD
    here = asked["did it change here since the two sides were last in step?"]
    assert here.answer == "yes"
    assert "the size was 10 bytes, is 12 bytes and the time was 2026-" in here.because
    there = asked["did it change in the bucket since the two sides were last in step?"]
    assert (there.answer, there.because) == ("no", "size and time are as recorded")
    may = asked["may this profile write to the bucket?"]
    assert (may.answer, may.because) == ("yes", "`direction` is two-way")


def test_a_nanosecond_is_a_difference_that_shows() -> None:
    one = LOCAL_AS_IT_WAS._replace(mtime_ns=LOCAL_AS_IT_WAS.mtime_ns + 1)
    _, asked = explained(one, remote(STORED_US), base())
    assert ".000000001 UTC" in str(asked)


@pytest.mark.parametrize(
    ("skew_us", "words"),
    [
        (0, "UTC"),
        (HOUR_US, "this machine's clock is 1 h ahead of the bucket's"),
        (-HOUR_US, "this machine's clock is 1 h behind the bucket's"),
    ],
)
def test_which_is_newer_is_told_with_both_times_and_the_skew(skew_us: int, words: str) -> None:
    policy = Policy(skew_us=skew_us, max_skew_us=DAY_US)
    decision, asked = explained(local(NOW_US, 12), remote(NOW_US - 2 * HOUR_US), base(), policy)
    assert decision.reason is Reason.CONFLICT_LOCAL
    newer = asked["which version is the newer one?"]
    assert newer.answer == "the local file"
    assert newer.because.startswith("it was changed later; changed here at 2026-")
    assert words in newer.because


@pytest.mark.parametrize(
    ("mine_us", "theirs_us", "answer", "words"),
    [
        (NOW_US, NOW_US, "the bucket's version", "a tie goes to the bucket"),
        (0, NOW_US, "the bucket's version", "the local time is impossible"),
        (NOW_US, NOW_US + 3 * DAY_US, "the local file", "the bucket's time is impossible"),
        (-(2**61) // 1000, 1, "the bucket's version", "the local time is impossible"),
    ],
)
def test_times_that_tell_nothing_are_named(
    mine_us: int, theirs_us: int, answer: str, words: str
) -> None:
    _, asked = explained(local(mine_us, 12), remote(theirs_us, 13), base())
    newer = asked["which version is the newer one?"]
    assert newer.answer == answer
    assert words in newer.because


def test_clocks_too_far_apart_change_what_settles_a_conflict() -> None:
    _, asked = explained(local(NOW_US, 12), remote(NOW_US, 13), base(), Policy(skew_us=HOUR_US))
    settled = asked["what settles which version wins?"]
    assert settled.answer == ConflictPolicy.KEEP_BOTH
    assert "the clocks are 1 h apart, more than `max_skew` (10 min)" in settled.because


def test_a_rule_that_decides_nothing_is_not_asked() -> None:
    _, asked = explained(local(NOW_US), None, None)
    assert list(asked) == [
        "is it new here?",
        "is it in the bucket?",
        "may this profile write to the bucket?",
    ]


def test_an_expiry_is_told_with_its_times() -> None:
    policy = Policy(deletions=Deletions.BOTH, ttl_us=lambda: 7 * DAY_US)
    decision, asked = explained(LOCAL_AS_IT_WAS, None, base(), policy)
    assert decision.reason is Reason.EXPIRED
    because = asked["did the bucket's ttl take the object, rather than a person?"].because
    assert "with a ttl of 7 d, it expires at" in because
    left = Policy(expired=Expired.LEAVE)
    decision, asked = explained(LOCAL_AS_IT_WAS, None, base(), left)
    assert "the bucket has no ttl" in str(asked)


def test_an_upload_of_an_earlier_pass_is_told() -> None:
    sent = local(NOW_US - HOUR_US, 20)
    began = NOW_US - HOUR_US
    finished = Intent("k", 20, sent.mtime_ns, began, began + 1_000_000)
    decision, asked = explained(sent, remote(began, 20), base(), None, finished)
    assert decision == Decision(Verb.ADOPT, Reason.RECORDED_LATE)
    question = "is the object surely what an earlier pass of this profile sent?"
    assert asked[question].answer == "yes"
    broken_off = finished._replace(finished_us=None)
    edited = local(NOW_US, 21)
    decision, asked = explained(edited, remote(began, 20), base(), None, broken_off)
    assert decision.verb is Verb.UPLOAD
    assert asked[question].answer == "no"
    assert asked["was the file edited after that upload began?"].answer == "yes"


def test_a_one_way_profile_says_that_its_direction_decides() -> None:
    policy = Policy(direction=Direction.DOWNLOAD)
    decision, asked = explained(local(NOW_US), None, None, policy)
    assert decision.reason is Reason.OTHER_DIRECTION
    may = asked["may this profile write to the bucket?"]
    assert (may.answer, may.because) == ("no", "`direction` is download")
