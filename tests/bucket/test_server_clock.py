"""How far the clocks are apart, as answers tell it."""

from __future__ import annotations

import pytest

from ubiops_file_sync.bucket.server_clock import measured_skew_us

SECOND_US = 1_000_000
NOON_US = 1_767_268_800 * SECOND_US
NOON = {"date": "Thu, 01 Jan 2026 12:00:00 GMT"}


@pytest.mark.parametrize("apart_s", [-3600, -60, -5, 5, 60, 3600])
def test_a_clock_that_is_wrong_is_told_to_the_second(apart_s: int) -> None:
    skew_us = measured_skew_us(NOON, NOON_US + apart_s * SECOND_US)
    assert abs(skew_us - apart_s * SECOND_US) <= SECOND_US


@pytest.mark.parametrize("apart_s", [-2, -1, 0, 1, 2, 3])
def test_what_a_date_cannot_tell_is_no_skew(apart_s: int) -> None:
    assert measured_skew_us(NOON, NOON_US + apart_s * SECOND_US) == 0


@pytest.mark.parametrize("took_s", [1, 4, 10, 60])
def test_an_answer_that_is_late_is_no_wrong_clock(took_s: int) -> None:
    """The date is written when the answer begins, or when it ends: nobody knows."""
    for written_s in (0, took_s / 2, took_s):
        now_us = NOON_US + int((took_s - written_s) * SECOND_US)
        assert measured_skew_us(NOON, now_us, took_s * SECOND_US) == 0


def test_a_wrong_clock_shows_in_a_late_answer_too() -> None:
    skew_us = measured_skew_us(NOON, NOON_US + 600 * SECOND_US, 10 * SECOND_US)
    assert abs(skew_us - 600 * SECOND_US) <= 6 * SECOND_US


def test_who_tells_no_date_tells_of_no_skew() -> None:
    assert measured_skew_us({}, NOON_US) == 0
