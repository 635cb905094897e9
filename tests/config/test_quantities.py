"""Lengths of time, sizes and limits as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ubiops_file_sync.config import parse_duration
from ubiops_file_sync.config.quantities import parse_limit, parse_size

A_CENTURY_S = 100 * 365 * 86_400


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
    assert 0 <= seconds <= A_CENTURY_S


@pytest.mark.parametrize("written", ["36501d", "5300w", A_CENTURY_S + 1, 1e300, "9" * 15])
def test_more_than_a_century_is_taken_for_a_slip(written: object) -> None:
    with pytest.raises(ValueError, match=r"^is longer than a hundred years; write less$"):
        parse_duration(written)


@pytest.mark.parametrize("written", ["36500d", A_CENTURY_S])
def test_a_century_is_a_length_of_time(written: object) -> None:
    assert parse_duration(written) == A_CENTURY_S


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("10GiB", 10 * 1024**3),
        ("10 gib", 10 * 1024**3),
        ("20MiB", 20 * 1024**2),
        ("500kB", 500_000),
        ("10GB", 10**10),
        ("1.5KiB", 1536),
        ("1.5 GB", 1_500_000_000),
        ("3TiB", 3 * 1024**4),
        ("1pb", 10**15),
        ("12B", 12),
        (f"{2**63 - 1}", 2**63 - 1),
        (4.0, 4),
        ("7", 7),
        (0, 0),
        (2**63 - 1, 2**63 - 1),
    ],
)
def test_sizes_become_bytes(written: object, size: int) -> None:
    assert parse_size(written) == size


@pytest.mark.parametrize(
    "written",
    ["", "big", "10 potatoes", "-1", "-1kB", "1,5kB", "10%", "1GiB or so", "10G", "8bit",
     "1.5", "1.5B", "1_000", "\u0663kB", "9000000PB", b"10", "nan", "inf", "9" * 400, "9" * 5000,
     "9" * 308 + "GiB", True, False, None, [], {}, -1, 1.5, float("nan"), float("inf"), 2**63,
     10**400],
)  # fmt: skip
def test_what_is_no_size_is_refused_unrepeated(written: object) -> None:
    with pytest.raises(ValueError, match=r"^is not a size; write 500kB, 20MiB, 10GiB or a number"):
        parse_size(written)


@given(st.text() | st.integers() | st.floats() | st.binary() | st.booleans())
def test_a_size_fits_a_file_system_or_is_refused(written: object) -> None:
    try:
        size = parse_size(written)
    except ValueError:
        return
    assert 0 <= size < 2**63


@pytest.mark.parametrize(
    ("written", "limit"),
    [
        (100, "100"),
        (0, "0"),
        ("100", "100"),
        (" 007 ", "7"),
        ("50%", "50%"),
        ("50 %", "50%"),
        ("50.0%", "50%"),
        ("0%", "0%"),
        ("100%", "100%"),
    ],
)
def test_limits_are_numbers_or_shares(written: object, limit: str) -> None:
    assert parse_limit(written) == limit


@pytest.mark.parametrize(
    "written",
    ["", "%", "half", "101%", "-5%", "1.5%", "5%%", "-1", "1e3", "\u0663", "9" * 5000, True, None,
     [], -1, 0.5, 50.0, float("nan"), 2**63, 10**400],
)  # fmt: skip
def test_what_is_no_limit_is_refused_unrepeated(written: object) -> None:
    with pytest.raises(ValueError, match=r"^is not a limit; write a number of files such as 100,"):
        parse_limit(written)
