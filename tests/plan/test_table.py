"""The decision table, row by row: what a person may look up, and what happens then."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from plan.sides import (
    DAY_US,
    HOUR_US,
    LOCAL_AS_IT_WAS,
    NOW_US,
    REMOTE_AS_IT_WAS,
    STORED_US,
    base,
    local,
    remote,
)
from ubiops_file_sync.model import (
    BaselineEntry,
    ConflictPolicy,
    Decision,
    Direction,
    LocalEntry,
    Loser,
    Reason,
    RemoteEntry,
)
from ubiops_file_sync.plan import Policy, decide


def words(decision: Decision) -> str:
    """`upload trash compare` and the like; `-` for nothing."""
    said = [decision.verb.value if decision.verb else "-"]
    if decision.loser is not Loser.NONE:
        said.append(decision.loser.value)
    if decision.compare:
        said.append("compare")
    return " ".join(said)


@dataclass(frozen=True)
class Row:
    """A row whose outcome hangs on the direction alone: no policy of conflicts has a say."""

    local: LocalEntry | None
    remote: RemoteEntry | None
    base: BaselineEntry | None
    two_way: str
    download: str
    upload: str
    reason: Reason


ROWS = {
    "a new local file goes up": Row(
        local(NOW_US), None, None, "upload", "-", "upload", Reason.NEW_LOCAL
    ),
    "a new local file goes up, though its time is impossible": Row(
        local(-1), None, None, "upload", "-", "upload", Reason.NEW_LOCAL
    ),
    "a new object comes down": Row(
        None, remote(NOW_US), None, "download", "download", "-", Reason.NEW_REMOTE
    ),
    "what did not change stays": Row(
        LOCAL_AS_IT_WAS, REMOTE_AS_IT_WAS, base(), "-", "-", "-", Reason.IN_STEP
    ),
    "an edit here goes up": Row(
        local(NOW_US, 11),
        REMOTE_AS_IT_WAS,
        base(),
        "upload",
        "download trash",
        "upload",
        Reason.CHANGED_LOCAL,
    ),
    "an edit of one size here goes up": Row(
        local(NOW_US),
        REMOTE_AS_IT_WAS,
        base(),
        "upload",
        "download trash compare",
        "upload",
        Reason.CHANGED_LOCAL,
    ),
    "an edit of one size a nanosecond later goes up": Row(
        LOCAL_AS_IT_WAS._replace(mtime_ns=LOCAL_AS_IT_WAS.mtime_ns + 1),
        REMOTE_AS_IT_WAS,
        base(),
        "upload",
        "download trash compare",
        "upload",
        Reason.CHANGED_LOCAL,
    ),
    "an earlier version put back here goes up, though it is older": Row(
        local(1, 11),
        REMOTE_AS_IT_WAS,
        base(),
        "upload",
        "download trash",
        "upload",
        Reason.CHANGED_LOCAL,
    ),
    "an edit in the bucket comes down": Row(
        LOCAL_AS_IT_WAS,
        remote(NOW_US, 11),
        base(),
        "download",
        "download",
        "upload trash",
        Reason.CHANGED_REMOTE,
    ),
    "an edit in the bucket comes down, though it is older": Row(
        LOCAL_AS_IT_WAS,
        remote(1, 11),
        base(),
        "download",
        "download",
        "upload trash",
        Reason.CHANGED_REMOTE,
    ),
    "an edit of one size a microsecond later in the bucket comes down": Row(
        LOCAL_AS_IT_WAS,
        remote(STORED_US + 1),
        base(),
        "download",
        "download",
        "upload trash compare",
        Reason.CHANGED_REMOTE,
    ),
    "what is missing here comes down again": Row(
        None, REMOTE_AS_IT_WAS, base(), "download", "download", "-", Reason.LOST_LOCAL
    ),
    "what is missing in the bucket goes up again": Row(
        LOCAL_AS_IT_WAS, None, base(), "upload", "-", "upload", Reason.LOST_REMOTE
    ),
    "an edit in the bucket beats a deletion here": Row(
        None,
        remote(NOW_US, 11),
        base(),
        "download",
        "download",
        "-",
        Reason.EDIT_BEATS_DELETE_REMOTE,
    ),
    "an edit here beats a deletion in the bucket": Row(
        local(NOW_US, 11), None, base(), "upload", "-", "upload", Reason.EDIT_BEATS_DELETE_LOCAL
    ),
    "what both sides lost is forgotten": Row(
        None, None, base(), "forget", "forget", "forget", Reason.GONE
    ),
}


@pytest.mark.parametrize("policy", ConflictPolicy)
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_without_a_conflict(row: Row, policy: ConflictPolicy) -> None:
    decision = decide(row.local, row.remote, row.base, Policy(conflict=policy), NOW_US)
    assert (words(decision), decision.reason) == (row.two_way, row.reason)


UNCONTESTED = {name: row for name, row in ROWS.items() if "trash" not in row.download + row.upload}


@pytest.mark.parametrize("policy", ConflictPolicy)
@pytest.mark.parametrize("row", UNCONTESTED.values(), ids=UNCONTESTED)
def test_one_way_without_a_conflict(row: Row, policy: ConflictPolicy) -> None:
    for direction, expected in (
        (Direction.DOWNLOAD, row.download),
        (Direction.UPLOAD, row.upload),
    ):
        decision = decide(row.local, row.remote, row.base, Policy(direction, policy), NOW_US)
        assert words(decision) == expected
        if expected == "-" != row.two_way:
            assert decision.reason is Reason.OTHER_DIRECTION


NEWER, LOCAL, REMOTE, BOTH = (
    ConflictPolicy.NEWER_WINS,
    ConflictPolicy.LOCAL_WINS,
    ConflictPolicy.REMOTE_WINS,
    ConflictPolicy.KEEP_BOTH,
)


@dataclass(frozen=True)
class Contest:
    """Two versions that never met: the outcome by policy, for the three directions in turn."""

    local: LocalEntry
    remote: RemoteEntry
    outcomes: dict[ConflictPolicy, tuple[str, str, str]]


BY_RULE = {
    LOCAL: ("upload trash", "-", "upload trash"),
    REMOTE: ("download trash", "download trash", "-"),
}
BY_RULE_COMPARED = {
    LOCAL: ("upload trash compare", "-", "upload trash compare"),
    REMOTE: ("download trash compare", "download trash compare", "-"),
}
LOCAL_NEWER = {
    NEWER: ("upload trash", "-", "upload trash"),
    BOTH: ("upload rename", "download rename", "upload rename"),
    **BY_RULE,
}
REMOTE_NEWER = {
    NEWER: ("download trash", "download trash", "-"),
    BOTH: ("download rename", "download rename", "upload rename"),
    **BY_RULE,
}
ADOPTED = dict.fromkeys(ConflictPolicy, ("adopt", "adopt", "adopt"))

CONTESTS = {
    "the local one is newer": Contest(local(NOW_US, 11), remote(NOW_US - 1, 12), LOCAL_NEWER),
    "the bucket's is newer": Contest(local(NOW_US - 1, 11), remote(NOW_US, 12), REMOTE_NEWER),
    "a tie goes to the bucket": Contest(local(NOW_US, 11), remote(NOW_US, 12), REMOTE_NEWER),
    "a tie within a microsecond goes to the bucket": Contest(
        local(NOW_US, 11)._replace(mtime_ns=NOW_US * 1000 + 999), remote(NOW_US, 12), REMOTE_NEWER
    ),
    "one size, the local one newer": Contest(
        local(NOW_US),
        remote(NOW_US - 1),
        {
            NEWER: ("upload trash compare", "-", "upload trash compare"),
            BOTH: ("upload rename compare", "download rename compare", "upload rename compare"),
            **BY_RULE_COMPARED,
        },
    ),
    "one size, the bucket's newer": Contest(
        local(NOW_US - 1),
        remote(NOW_US),
        {
            NEWER: ("download trash compare", "download trash compare", "-"),
            BOTH: ("download rename compare", "download rename compare", "upload rename compare"),
            **BY_RULE_COMPARED,
        },
    ),
    "a local time at the epoch tells nothing": Contest(
        local(0, 11), remote(NOW_US - DAY_US, 12), REMOTE_NEWER
    ),
    "a local time before the epoch tells nothing": Contest(
        local(-1, 11), remote(-2, 12), REMOTE_NEWER
    ),
    "a local time a day ahead is believed": Contest(
        local(NOW_US + DAY_US, 11), remote(NOW_US, 12), LOCAL_NEWER
    ),
    "a local time more than a day ahead tells nothing": Contest(
        local(NOW_US + DAY_US + 1, 11), remote(NOW_US - DAY_US, 12), REMOTE_NEWER
    ),
    "a bucket's time more than a day ahead tells nothing": Contest(
        local(NOW_US - 9 * DAY_US, 11), remote(NOW_US + DAY_US + 1, 12), LOCAL_NEWER
    ),
    "two impossible times are a tie": Contest(
        local(NOW_US + 3 * DAY_US, 11), remote(NOW_US + 2 * DAY_US, 12), REMOTE_NEWER
    ),
    "a download that was not recorded is adopted": Contest(local(NOW_US), remote(NOW_US), ADOPTED),
    "two empty files are the same": Contest(local(NOW_US, 0), remote(1, 0), ADOPTED),
    "an empty file and a full one are not": Contest(
        local(NOW_US, 0), remote(NOW_US, 12), REMOTE_NEWER
    ),
}


@pytest.mark.parametrize("policy", ConflictPolicy)
@pytest.mark.parametrize("contest", CONTESTS.values(), ids=CONTESTS)
@pytest.mark.parametrize("met", [False, True], ids=["first meeting", "both changed"])
def test_two_versions_that_never_met(contest: Contest, policy: ConflictPolicy, met: bool) -> None:
    seen = base() if met else None
    directions = (Direction.TWO_WAY, Direction.DOWNLOAD, Direction.UPLOAD)
    said = tuple(
        words(decide(contest.local, contest.remote, seen, Policy(direction, policy), NOW_US))
        for direction in directions
    )
    assert said == contest.outcomes[policy]


def test_the_reason_says_who_met_and_who_won() -> None:
    older, newer = NOW_US - HOUR_US, NOW_US
    two_way = Policy()
    seen = [
        decide(local(mine, 11), remote(theirs, 12), base_entry, two_way, NOW_US).reason
        for base_entry in (None, base())
        for mine, theirs in ((newer, older), (older, newer))
    ]
    assert seen == [
        Reason.FIRST_MEETING_LOCAL,
        Reason.FIRST_MEETING_REMOTE,
        Reason.CONFLICT_LOCAL,
        Reason.CONFLICT_REMOTE,
    ]


DESTINATIONS = [
    pytest.param(NEWER, "-", Reason.DESTINATION_NEWER, id="newer-wins keeps the newer one"),
    pytest.param(LOCAL, "-", Reason.DESTINATION_NEWER, id="local-wins keeps the local one"),
    pytest.param(REMOTE, "download trash", Reason.DESTINATION_CHANGED, id="remote-wins"),
    pytest.param(BOTH, "download rename", Reason.DESTINATION_CHANGED, id="keep-both"),
]


@pytest.mark.parametrize(("policy", "expected", "reason"), DESTINATIONS)
def test_an_edit_on_the_side_that_a_download_writes_to(
    policy: ConflictPolicy, expected: str, reason: Reason
) -> None:
    decision = decide(
        local(NOW_US, 11), REMOTE_AS_IT_WAS, base(), Policy(Direction.DOWNLOAD, policy), NOW_US
    )
    assert (words(decision), decision.reason) == (expected, reason)


SOURCES = [
    pytest.param(NEWER, "-", Reason.DESTINATION_NEWER, id="newer-wins keeps the newer one"),
    pytest.param(LOCAL, "upload trash", Reason.DESTINATION_CHANGED, id="local-wins"),
    pytest.param(REMOTE, "-", Reason.DESTINATION_NEWER, id="remote-wins keeps the bucket's"),
    pytest.param(BOTH, "upload rename", Reason.DESTINATION_CHANGED, id="keep-both"),
]


@pytest.mark.parametrize(("policy", "expected", "reason"), SOURCES)
def test_an_edit_on_the_side_that_an_upload_writes_to(
    policy: ConflictPolicy, expected: str, reason: Reason
) -> None:
    decision = decide(
        LOCAL_AS_IT_WAS, remote(NOW_US, 11), base(), Policy(Direction.UPLOAD, policy), NOW_US
    )
    assert (words(decision), decision.reason) == (expected, reason)


SKEWS = [
    pytest.param(0, "upload trash", id="one clock"),
    pytest.param(HOUR_US - 1, "upload trash", id="the local clock is ahead by less"),
    pytest.param(HOUR_US, "download trash", id="the local clock is ahead by just that"),
    pytest.param(-HOUR_US, "upload trash", id="the local clock is behind"),
]


@pytest.mark.parametrize(("skew_us", "expected"), SKEWS)
def test_newer_is_told_after_the_clocks_are_put_right(skew_us: int, expected: str) -> None:
    mine, theirs = local(NOW_US, 11), remote(NOW_US - HOUR_US, 12)
    policy = Policy(skew_us=skew_us, max_skew_us=HOUR_US)
    assert words(decide(mine, theirs, None, policy, NOW_US)) == expected


@pytest.mark.parametrize("skew_us", [HOUR_US + 1, -HOUR_US - 1])
def test_clocks_too_far_apart_to_tell_the_newer_version_keep_both(skew_us: int) -> None:
    mine, theirs = local(NOW_US, 11), remote(NOW_US - HOUR_US, 12)
    for conflict, loser in (
        (NEWER, Loser.RENAME),
        (BOTH, Loser.RENAME),
        (LOCAL, Loser.TRASH),
        (REMOTE, Loser.TRASH),
    ):
        policy = Policy(conflict=conflict, skew_us=skew_us, max_skew_us=HOUR_US)
        assert decide(mine, theirs, None, policy, NOW_US).loser is loser


def test_a_download_is_recognised_whatever_the_clocks_say() -> None:
    """Its mtime was copied from `time_created`; no clock of this machine had a part in it."""
    policy = Policy(skew_us=HOUR_US)
    assert words(decide(local(NOW_US), remote(NOW_US), None, policy, NOW_US)) == "adopt"
