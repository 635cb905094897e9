"""What people and programs read of a profile's status."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ubiops_file_sync.model import Direction, Pace, Problem, Unfinished, Verb
from ubiops_file_sync.past import Account, PastPass, Stage, Trigger
from ubiops_file_sync.status import (
    Expiry,
    Live,
    ProfileStatus,
    TransferLine,
    status_json,
    status_lines,
)

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
NOW_US = int(NOW.timestamp()) * 1_000_000
MINUTE_US = 60 * 1_000_000
DAY_US = 1440 * MINUTE_US

FRESH = ProfileStatus("models", "/data/models", "proj", "default", "m/", NOW_US)
GOOD = PastPass(
    "20261123T115700Z-ab12cd",
    NOW_US - 3 * MINUTE_US,
    Trigger.SERVICE,
    7,
    Stage.ENDED,
    NOW_US - 3 * MINUTE_US + 400_000,
    0,
    Account(seconds=0.4, done={Verb.UPLOAD: 2}, bytes_up=3000, in_step=12),
)
IN_STEP = replace(FRESH, last=GOOD, last_success=GOOD, in_step_count=12, is_ttl_known=True)


def lines(status: ProfileStatus, live: Live | None = None) -> list[str]:
    return list(status_lines(status, live, ZoneInfo("Europe/Amsterdam")))


def after(one: PastPass, exit_code: int | None, **account: object) -> ProfileStatus:
    """The status after a pass that ended so, and not well."""
    ended = replace(one, exit_code=exit_code, account=Account(**account))  # type: ignore[arg-type]
    return replace(IN_STEP, last=ended)


def test_a_profile_that_is_in_step_says_so_first() -> None:
    assert lines(IN_STEP) == [
        "models: in step",
        "  /data/models and proj/default/m/",
        (
            "  last pass 2 min 59 s ago, at 2026-11-23 12:57:00 CET, by the service, in 0.4 s: "
            "2 uploaded (2.9 KiB up, 0 bytes down)"
        ),
        "  12 files in step",
        "  expiry: none, the bucket keeps its files",
    ]


CUT_OFF = replace(IN_STEP, last=replace(GOOD, stage=Stage.CUT_OFF, ended_us=None, exit_code=None))
HEADLINES = {
    "no pass yet": FRESH,
    "in step": IN_STEP,
    "in step, but for 3 left as they are": after(GOOD, 0, left={"hidden": 2, "not_ready": 1}),
    "NOT in step: 1 file failed": after(GOOD, 1, problem_count=1),
    "NOT in step: the last pass halted": after(GOOD, 4, error="empty", problem_count=2),
    "NOT in step: the last pass was broken off": after(GOOD, 3, error="gone"),
    "NOT in step: the last pass did not come to its end": CUT_OFF,
    "its state belongs to other places, so a pass would halt": replace(
        IN_STEP, is_of_other_places=True
    ),
}


@pytest.mark.parametrize(("headline", "status"), HEADLINES.items(), ids=HEADLINES)
def test_the_first_line_is_the_verdict(headline: str, status: ProfileStatus) -> None:
    assert lines(status)[0] == f"models: {headline}"
    assert (status.is_in_step is True) == (headline == "in step")


def test_what_broke_a_pass_off_is_told_whole_and_once() -> None:
    error = "profile 'models': the root is empty. Is its disk mounted?"
    told = lines(after(GOOD, 4, error=error))
    assert f"  error: {error}" in told
    assert len([line for line in told if "the root is empty" in line]) == 1
    assert any("last pass that went well: 2 min 59 s ago" in line for line in told)


def test_problems_are_told_by_key_and_play_no_tricks() -> None:
    failed = after(GOOD, 1, problem_count=3)
    assert failed.last is not None
    problem = Problem("a\x1b[2J\nb", "denied")
    told = lines(replace(failed, last=replace(failed.last, problems=(problem,))))
    assert "  problem: a\\x1b[2J\\nb: denied" in told
    assert "  and 2 more problems" in told


def test_what_is_left_on_purpose_is_told_with_its_reason() -> None:
    told = lines(after(GOOD, 0, left={"other_direction": 2, "a_reason_of_tomorrow": 1}))
    assert "  2 left as they are: the profile's direction does not bring it over" in told
    assert "  1 left as it is: a reason of tomorrow" in told


def test_a_pass_under_way_is_told_beside_the_last_one() -> None:
    one = replace(GOOD, stage=Stage.UNDER_WAY, began_us=NOW_US - 5_000_000, process=42)
    told = lines(replace(IN_STEP, under_way=one, held_by="process 42 since then"))
    assert told[0] == "models: in step"
    assert (
        "  a pass is under way since 2026-11-23 12:59:55 CET, 5 s ago: by the service, process 42"
        in told
    )
    assert not any("held by" in line for line in told)


def test_what_else_holds_the_profile_is_told() -> None:
    told = lines(replace(IN_STEP, held_by="process 42 since then"))
    assert "  held by process 42 since then: a pass that begins, or a restore" in told


@pytest.mark.parametrize(
    ("expiry", "words"),
    [
        (
            Expiry(14 * DAY_US, NOW_US + DAY_US, 2),
            "expiry: 2 files within 7 days; the first at 2026-11-24 13:00:00 CET",
        ),
        (
            Expiry(90 * DAY_US, NOW_US + 9 * DAY_US, 0),
            "expiry: none within 7 days; the first at 2026-12-02 13:00:00 CET",
        ),
        (Expiry(14 * DAY_US, None, 0), "expiry: 14 d after a file is stored"),
    ],
)
def test_expiry_is_foretold(expiry: Expiry, words: str) -> None:
    assert lines(replace(IN_STEP, expiry=expiry))[-1] == f"  {words}"


def test_expiry_that_nobody_asked_for_is_not_known() -> None:
    assert "expiry: not known" in lines(replace(IN_STEP, is_ttl_known=False))[-1]


def test_the_rest_a_state_remembers() -> None:
    big = Unfinished("big", Direction.UPLOAD, 25_000_000, 1, "h", "s", 10_000_000, 2, {1: "t"})
    told = lines(
        replace(
            IN_STEP,
            unfinished=(big,),
            pace=Pace(300, 0.9, 270),
            conflicts=("a.conflict-20261123T115700Z.txt",),
            conflict_count=4,
        )
    )
    assert "  to go on with: big, 23.8 MiB up, 1 of 3 parts" in told
    assert "  at most 270 API calls a minute (quota 300, share 0.9)" in told
    assert "  kept the losing version of a conflict as a.conflict-20261123T115700Z.txt" in told
    assert "  and 3 more of them" in told


LIVE = Live(
    next_due=NOW + timedelta(minutes=2),
    transfers=(
        TransferLine("big", Direction.UPLOAD, 1_000_000, 5_000_000, 250_000.0),
        TransferLine("a\nb", Direction.DOWNLOAD, 0, 7, last_error="no answer"),
    ),
)


def test_what_the_service_knows_comes_on_top() -> None:
    told = lines(IN_STEP, LIVE)
    assert "  next pass at 2026-11-23 13:02:00 CET, in 2 min" in told
    assert "  up: big, 977 KiB of 4.8 MiB, 244 KiB/s" in told
    assert "  down: a\\nb, 0 bytes of 7 bytes; the last try failed: no answer" in told


@pytest.mark.parametrize(
    ("live", "line"),
    [
        (
            Live(next_due=NOW - timedelta(seconds=3)),
            "next pass at 2026-11-23 12:59:57 CET, due now",
        ),
        (Live(is_paused=True), "paused until it is resumed"),
        (
            Live(is_paused=True, paused_until=NOW + timedelta(hours=2)),
            "paused until 2026-11-23 15:00:00 CET",
        ),
        (Live(backing_off="3 passes failed in a row"), "backing off: 3 passes failed in a row"),
    ],
)
def test_the_state_of_the_service(live: Live, line: str) -> None:
    assert f"  {line}" in lines(IN_STEP, live)


def test_programs_read_the_same() -> None:
    told = json.loads(json.dumps(status_json(IN_STEP, LIVE)))
    assert told["is_in_step"] is True
    assert told["last_success"] == "2026-11-23T11:57:00.4Z"
    assert told["last"]["done"] == {"upload": 2}
    assert told["live"]["next_due"] == "2026-11-23T12:02:00Z"
    assert told["live"]["transfers"][0] == {
        "key": "big",
        "way": "upload",
        "done_bytes": 1_000_000,
        "size_bytes": 5_000_000,
        "bytes_per_s": 250_000.0,
        "last_error": None,
    }
    assert datetime.fromisoformat(told["asked"]) == NOW
    assert status_json(FRESH)["live"] is None
    assert json.dumps(status_json(CUT_OFF))
