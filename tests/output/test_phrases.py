"""Sizes and durations as people write them: one way throughout."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ubiops_file_sync.config.quantities import parse_size
from ubiops_file_sync.phrases import bytes_words, duration_words, minutes_words, rate_words


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1,023 bytes"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (99 << 10, "99.0 KiB"),
        (120 << 20, "120 MiB"),
        (1023 << 20, "1,023 MiB"),
        ((1 << 30) - 1, "1.0 GiB"),
        (10 << 30, "10.0 GiB"),
        (2**63 - 1, "8.0 EiB"),
    ],
)
def test_a_size_has_the_units_that_settings_are_written_in(size: int, words: str) -> None:
    assert bytes_words(size) == words


@given(st.integers(0, 1 << 59))
def test_what_is_read_is_what_it_is(size: int) -> None:
    words = bytes_words(size)
    assert len(words) <= len("1,023 bytes")
    if "byte" not in words:
        assert parse_size(words.replace(",", "")) == pytest.approx(size, rel=0.05)


def test_a_speed_is_a_size_a_second() -> None:
    assert rate_words(12.9 * (1 << 20)) == "12.9 MiB/s"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "1 ms"),
        (0.0342, "34 ms"),
        (0.0994, "99 ms"),
        (0.0996, "0.1 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min"),
        (61, "1 min 1 s"),
        (4440, "1 h 14 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_how_long_something_took(seconds: float, words: str) -> None:
    assert duration_words(seconds) == words


def test_a_forecast_of_many_minutes_is_one_of_hours() -> None:
    assert [minutes_words(minutes) for minutes in (2, 74, 60 * 25)] == [
        "2 min",
        "1 h 14 min",
        "1 d 1 h",
    ]
