"""Lengths of time as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ubiops_file_sync.config import parse_duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("500ms", 0.5),
        ("2s", 2.0),
        ("5m", 300.0),
        ("1h", 3600.0),
        ("1d", 86_400.0),
        ("1w", 604_800.0),
        ("1.5h", 5400.0),
        ("2 s", 2.0),
        (" 7 ", 7.0),
        (3, 3.0),
        (0, 0.0),
        (0.25, 0.25),
    ],
)
def test_durations_become_seconds(written: object, seconds: float) -> None:
    assert parse_duration(written) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "written",
    ["", "s", "1y", "1M", "-1s", "1,5s", "1h30m", "nan", "inf", "1e3", "٣s", True, None, [], -1,
     float("nan"), float("inf"), 10**400],
)  # fmt: skip
def test_other_values_are_refused_unrepeated(written: object) -> None:
    with pytest.raises(ValueError, match=r"^is not a length of time; write 500ms, 2s"):
        parse_duration(written)


@given(st.text() | st.integers() | st.floats() | st.binary())
def test_a_duration_is_a_finite_number_or_refused(written: object) -> None:
    try:
        seconds = parse_duration(written)
    except ValueError:
        return
    assert 0 <= seconds < 1e24
