"""How far a pass has come, and how long it still takes."""

from __future__ import annotations

import pytest

from ubiops_file_sync.meter import Meter
from ubiops_file_sync.model import Action, LocalEntry, Pace, PlanSummary, Reason, Verb

MIB = 1 << 20


def upload(size: int) -> Action:
    return Action(Verb.UPLOAD, "a", Reason.NEW_LOCAL, LocalEntry("a", size, 0), None)


def meter(files: int, size: int, pace: Pace | None = None) -> Meter:
    summary = PlanSummary(
        actions={Verb.UPLOAD: files}, bytes_up=files * size, transfer_calls=files, pace=pace
    )
    return Meter(summary, 100.0)


def test_a_pass_at_one_speed_ends_when_it_was_told_to() -> None:
    going = meter(60, 10 * MIB)
    for second in range(1, 31):
        going.did(upload(10 * MIB))
        now = going.standing(100.0 + second, 0)
    assert (now.files_done, now.files) == (30, 60)
    assert (now.bytes_done, now.bytes_all) == (300 * MIB, 600 * MIB)
    assert now.share == pytest.approx(0.5)
    assert now.bytes_per_s == pytest.approx(10 * MIB)
    assert now.left_s == pytest.approx(30)


def test_nobody_can_tell_at_once() -> None:
    going = meter(2, MIB)
    assert going.standing(100.0, 0).left_s is None
    assert going.standing(102.0, 900_000).left_s is None
    assert going.standing(110.0, 0).left_s is not None


def test_speed_is_that_of_late() -> None:
    going = meter(1, 1000 * MIB)
    for second in range(60):
        going.standing(100.0 + second, second * MIB)
    for second in range(60, 90):
        now = going.standing(100.0 + second, 60 * MIB + (second - 60) * 10 * MIB)
    assert now.bytes_per_s == pytest.approx(10 * MIB, rel=0.1)


def test_many_tiny_files_are_work_too() -> None:
    going = meter(1000, 1)
    for _ in range(500):
        going.did(upload(1))
    now = going.standing(110.0, 0)
    assert now.share == pytest.approx(0.5)
    assert now.left_s == pytest.approx(10)


def test_a_quota_that_is_soon_used_up_is_reckoned_with() -> None:
    """A thousand calls at a hundred a minute take minutes, however quick the first hundred are."""
    going = meter(1100, 1, Pace(100, 1.0, 100))
    for _ in range(100):
        going.did(upload(1))
    left_s = going.standing(104.0, 0).left_s
    assert left_s == pytest.approx(9 * 60)


def test_it_never_goes_back() -> None:
    """A file that has ended is for a moment neither under way nor counted."""
    going = meter(2, 10 * MIB)
    before = going.standing(101.0, 10 * MIB)
    between = going.standing(101.1, 0)
    assert between.bytes_done == before.bytes_done
    going.did(upload(10 * MIB))
    assert going.standing(101.2, 0).bytes_done == before.bytes_done


def test_a_file_that_grew_meanwhile_is_not_more_than_all() -> None:
    going = meter(1, MIB)
    now = going.standing(101.0, 3 * MIB)
    assert (now.bytes_done, now.share <= 1.0) == (MIB, True)


def test_a_plan_without_actions_is_done() -> None:
    now = Meter(PlanSummary(), 0.0).standing(5.0, 0)
    assert (now.share, now.files) == (1.0, 0)
