"""Passes of the past in lines, as in a log."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ubiops_file_sync.chronicle import history_lines, outcome_words
from ubiops_file_sync.model import Verb
from ubiops_file_sync.past import Account, PastPass, Stage, Trigger

START_US = int(datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()) * 1_000_000
MINUTE_US = 60 * 1_000_000


def went(minute: int, account: Account | None = None, exit_code: int = 0) -> PastPass:
    """A pass so many minutes after the start."""
    began_us = START_US + minute * MINUTE_US
    return PastPass(
        f"pass-{minute}",
        began_us,
        Trigger.SERVICE,
        7,
        Stage.ENDED,
        began_us + 200_000,
        exit_code,
        Account(seconds=0.2) if account is None else account,
    )


def lines(*oldest_first: PastPass, most: int = 20) -> list[str]:
    return history_lines(reversed(oldest_first), most, UTC)


DID = Account(seconds=61, done={Verb.UPLOAD: 3, Verb.FORGET: 1}, bytes_up=5000)
GONE = Account(error="profile 'p': UbiOps gave no answer. Run it again")


def test_the_newest_is_the_last() -> None:
    assert lines(went(0), went(5, DID), went(10)) == [
        "2026-11-23 12:00:00 UTC         0.2 s  service  nothing to do",
        (
            "2026-11-23 12:05:00 UTC     1 min 1 s  service  3 uploaded, 1 forgotten"
            " (4.9 KiB up, 0 bytes down)"
        ),
        "2026-11-23 12:10:00 UTC         0.2 s  service  nothing to do",
    ]


def test_passes_of_which_the_same_is_to_be_said_share_a_line() -> None:
    told = lines(*map(went, range(0, 1500, 5)), went(1500, GONE, 3), went(1505, GONE, 3))
    assert told == [
        (
            "2026-11-23 12:00:00 UTC    300 passes  service  nothing to do; the last at "
            "2026-11-24 12:55:00 UTC"
        ),
        (
            "2026-11-24 13:00:00 UTC      2 passes  service  broken off: UbiOps gave no answer; "
            "the last at 2026-11-24 13:05:00 UTC"
        ),
    ]


def test_passes_that_did_something_each_have_their_line() -> None:
    assert len(lines(went(0, DID), went(5, DID))) == 2


def test_passes_that_somebody_else_asked_for_do_not_share_a_line() -> None:
    assert len(lines(went(0), replace(went(5), trigger=Trigger.COMMAND))) == 2


def test_the_limit_is_one_of_lines() -> None:
    some = [went(0, DID), *map(went, range(1, 9)), went(9, DID)]
    assert len(lines(*some, most=2)) == 2
    assert lines(*some, most=2)[0].startswith("2026-11-23 12:01:00 UTC      8 passes")


OUTCOMES = {
    "nothing to do": Account(),
    "nothing was done; 2 files failed": Account(problem_count=2),
    "3 uploaded, 1 forgotten; 1 file failed": Account(done=DID.done, problem_count=1),
    "nothing to do; 1,200 left as they are": Account(left={"hidden": 1200}),
    "broken off: UbiOps gave no answer": GONE,
    "3 uploaded, 1 forgotten, then broken off: UbiOps gave no answer": Account(
        done=DID.done, error=GONE.error
    ),
}


@pytest.mark.parametrize(("words", "account"), OUTCOMES.items(), ids=OUTCOMES)
def test_what_came_of_a_pass(words: str, account: Account) -> None:
    assert outcome_words(went(0, account, 3)) == words


def test_a_pass_without_an_end() -> None:
    open_end = replace(went(0), ended_us=None, exit_code=None)
    assert outcome_words(replace(open_end, stage=Stage.UNDER_WAY)) == "under way"
    assert "killed, or the machine stopped" in outcome_words(replace(open_end, stage=Stage.CUT_OFF))
    assert len(lines(replace(open_end, stage=Stage.CUT_OFF), went(1))) == 2


def test_a_message_cannot_play_tricks_on_the_terminal() -> None:
    assert outcome_words(went(0, Account(error="a\x1b[2J\nb"), 1)) == "broken off: a\\x1b[2J\\nb"
