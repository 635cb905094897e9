"""Uploads of a pass that was killed: recognised if they are surely ours, and kept if not."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys.strategies import unhurried
from plan.sides import (
    DAY_US,
    EDITED_US,
    LOCAL_AS_IT_WAS,
    NOW_US,
    SECOND_US,
    STORED_US,
    base,
    local,
    remote,
)
from plan.streams import plan
from ubiops_file_sync.model import (
    BaselineEntry,
    BaselineRow,
    ConflictPolicy,
    Direction,
    Intent,
    LocalEntry,
    Loser,
    RemoteEntry,
    Verb,
)
from ubiops_file_sync.plan import Policy, recognise
from ubiops_file_sync.plan.intents import CLOCK_TOLERANCE_US, DATE_STEP_US

BEGAN_US = NOW_US - 60 * SECOND_US
ENDED_US = BEGAN_US + 10 * SECOND_US
LATEST_US = ENDED_US + DATE_STEP_US + CLOCK_TOLERANCE_US
"""A `Date` of `ENDED_US` was written within the second that begins there."""
SENT = local(BEGAN_US - 30 * SECOND_US, 20)
"""What was sent."""
EDITED_SINCE = local(ENDED_US + 20 * SECOND_US, 21)
STORED_AGAIN = remote(ENDED_US - SECOND_US)
RESENT = Intent("k", LOCAL_AS_IT_WAS.size, LOCAL_AS_IT_WAS.mtime_ns, BEGAN_US, None)
OURS = remote(ENDED_US - SECOND_US, 20)
ANOTHERS = remote(ENDED_US + 30 * SECOND_US, 20)


def finished(key: str = "k") -> Intent:
    return Intent(key, SENT.size, SENT.mtime_ns, BEGAN_US, ENDED_US)


def just_finished() -> Intent:
    return finished()._replace(finished_us=NOW_US - 20 * SECOND_US)


def unfinished(key: str = "k") -> Intent:
    return Intent(key, SENT.size, SENT.mtime_ns, BEGAN_US, None)


MOMENTS = [
    pytest.param(BEGAN_US - CLOCK_TOLERANCE_US - 1, False, id="stored before we began"),
    pytest.param(BEGAN_US - CLOCK_TOLERANCE_US, True, id="as early as clocks may differ"),
    pytest.param(BEGAN_US, True, id="as we began"),
    pytest.param(ENDED_US, True, id="as we ended"),
    pytest.param(LATEST_US, True, id="as late as clocks may differ"),
    pytest.param(LATEST_US + 1, False, id="stored after we ended"),
]


@pytest.mark.parametrize(("stored_us", "ours"), MOMENTS)
def test_an_object_is_ours_if_it_was_stored_while_we_sent_it(stored_us: int, ours: bool) -> None:
    found = recognise(finished(), remote(stored_us, SENT.size))
    expected = BaselineEntry("k", SENT.size, SENT.mtime_ns, stored_us)
    assert found == (expected if ours else None)


def test_an_object_of_another_size_is_not_ours() -> None:
    assert recognise(finished(), remote(ENDED_US, SENT.size + 1)) is None


def test_an_upload_whose_end_is_not_known_proves_nothing() -> None:
    assert recognise(unfinished(), OURS) is None


@dataclass(frozen=True)
class After:
    """What a pass finds after another was killed, and what it does."""

    local: LocalEntry | None
    remote: RemoteEntry | None
    intent: Intent | None
    base: BaselineEntry | None
    expected: str | None


CASES = {
    "stored and not recorded: adopted without a look at its content": After(
        SENT, OURS, finished(), None, "adopt"
    ),
    "a new version stored and not recorded: adopted": After(
        SENT, OURS, finished(), base(), "adopt"
    ),
    "stored, then edited here: sent again": After(EDITED_SINCE, OURS, finished(), None, "upload"),
    "stored, then an old version put back here: sent": After(
        local(1, 19), OURS, finished(), base(), "upload"
    ),
    "stored, then deleted here: fetched again": After(None, OURS, finished(), None, "download"),
    "stored, then replaced by somebody: theirs is newer": After(
        SENT, ANOTHERS, finished(), None, "download trash compare"
    ),
    "stored, then replaced by somebody and edited here: a conflict": After(
        local(NOW_US, 20), ANOTHERS, finished(), base(), "upload trash compare"
    ),
    "perhaps stored: compared": After(SENT, OURS, unfinished(), None, "download trash compare"),
    "perhaps a new version stored: compared": After(
        SENT, OURS, unfinished(), base(), "download trash compare"
    ),
    "perhaps sent a second time, unchanged: compared": After(
        LOCAL_AS_IT_WAS, STORED_AGAIN, RESENT, base(), "download compare"
    ),
    "fetched a second time and not recorded: compared": After(
        local(STORED_US), remote(STORED_US), None, base(), "upload compare"
    ),
    "perhaps stored, then edited here: sent, and what is there is kept": After(
        EDITED_SINCE, OURS, unfinished(), None, "upload trash"
    ),
    "perhaps stored, then an old version put back here: sent, and what is there is kept": After(
        local(1, 19), OURS, unfinished(), base(), "upload trash"
    ),
    "not stored, another object there: a conflict": After(
        SENT, remote(NOW_US, 33), unfinished(), None, "download trash"
    ),
    "not stored, the object there is as it was: sent": After(
        SENT, remote(STORED_US), unfinished(), base(), "upload"
    ),
    "not stored: sent": After(SENT, None, unfinished(), None, "upload"),
    "said to be stored, and gone: sent": After(SENT, None, finished(), None, "upload"),
    "sent a moment ago, and not shown yet: waited for": After(
        SENT, None, just_finished(), None, None
    ),
    "edited a moment ago, and the old version still shown: waited for": After(
        SENT, remote(STORED_US), just_finished(), base(), None
    ),
    "edited a moment ago, deleted here, and the old version still shown: waited for": After(
        None, remote(STORED_US), just_finished(), base(), None
    ),
    "sent a moment ago, not shown yet, and edited since: sent": After(
        EDITED_SINCE, None, just_finished(), None, "upload"
    ),
    "sent a moment ago, under a time and size that were there before: compared": After(
        SENT, remote(STORED_US, 20), just_finished(), base(size=20), "adopt compare"
    ),
    "refreshed a moment ago, and the old version still shown: waited for": After(
        LOCAL_AS_IT_WAS,
        remote(STORED_US),
        just_finished()._replace(size=10, mtime_ns=LOCAL_AS_IT_WAS.mtime_ns),
        base(),
        None,
    ),
    "sent long ago, under a time and size that were there before: compared": After(
        SENT, remote(STORED_US, 20), finished(), base(size=20), "upload trash compare"
    ),
    "sent long ago, and the object there is as it was before: sent": After(
        SENT, remote(STORED_US), finished(), base(), "upload"
    ),
    "not stored, and deleted here: nothing": After(None, None, unfinished(), None, None),
    "stored, and deleted on both sides: nothing": After(None, None, finished(), None, None),
    "in step once, begun anew, and deleted on both sides: forgotten": After(
        None, None, unfinished(), base(), "forget"
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_after_a_kill(case: After) -> None:
    row = BaselineRow("k", case.base, case.intent)
    planned = plan([case.local] if case.local else [], [case.remote] if case.remote else [], [row])
    said = [
        " ".join(
            [
                action.verb.value,
                *([action.loser.value] if action.loser is not Loser.NONE else []),
                *(["compare"] if action.compare else []),
            ]
        )
        for action in planned.actions.values()
    ]
    assert said == ([case.expected] if case.expected else [])
    assert planned.problems == []


@pytest.mark.parametrize("conflict", ConflictPolicy)
def test_our_own_older_upload_never_beats_a_newer_edit(conflict: ConflictPolicy) -> None:
    """Not even where the bucket always wins: it is no conflict with anybody."""
    for intent in (finished(), unfinished()):
        row = BaselineRow("k", None, intent)
        planned = plan([EDITED_SINCE], [OURS], [row], Policy(conflict=conflict))
        assert planned.verbs() == {"k": "upload"}


@pytest.mark.parametrize("conflict", [ConflictPolicy.NEWER_WINS, ConflictPolicy.REMOTE_WINS])
def test_a_profile_that_only_uploads_does_not_take_its_own_upload_for_anothers(
    conflict: ConflictPolicy,
) -> None:
    policy = Policy(Direction.UPLOAD, conflict)
    for seen in (None, base()):
        planned = plan([SENT], [OURS], [BaselineRow("k", seen, unfinished())], policy)
        assert planned.verbs() == {"k": "adopt"}
        assert planned.actions["k"].compare


def test_a_profile_that_only_downloads_by_now_sends_nothing_again() -> None:
    row = BaselineRow("k", None, unfinished())
    planned = plan([EDITED_SINCE], [OURS], [row], Policy(Direction.DOWNLOAD))
    assert planned.verbs() == {}


_times = st.sampled_from(
    [EDITED_US, STORED_US, SENT.mtime_ns // 1000, BEGAN_US, ENDED_US, NOW_US, NOW_US + 2 * DAY_US]
)
_sizes = st.sampled_from([0, 10, 20, 21])


@settings(unhurried, max_examples=500)
@given(
    mine=st.none() | st.builds(local, _times, _sizes),
    theirs=st.none() | st.builds(remote, _times, _sizes),
    seen=st.none() | st.just(base()),
    intent=st.sampled_from([finished(), unfinished()]),
    policy=st.builds(Policy, st.sampled_from(Direction), st.sampled_from(ConflictPolicy)),
)
def test_a_crash_costs_no_version_and_turns_no_direction(
    mine: LocalEntry | None,
    theirs: RemoteEntry | None,
    seen: BaselineEntry | None,
    intent: Intent,
    policy: Policy,
) -> None:
    planned = plan(
        [mine] if mine else [], [theirs] if theirs else [], [BaselineRow("k", seen, intent)], policy
    )
    assert planned.problems == []
    for action in planned.actions.values():
        if policy.direction is Direction.DOWNLOAD:
            assert action.verb is not Verb.UPLOAD
        if policy.direction is Direction.UPLOAD:
            assert action.verb is not Verb.DOWNLOAD
        if action.verb is Verb.UPLOAD and theirs is not None and action.loser is Loser.NONE:
            known = seen is not None and (theirs.size, theirs.created_us) == (10, STORED_US)
            assert known or recognise(intent, theirs) is not None
