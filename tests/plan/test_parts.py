"""Every cut of a file is one that S3, GCS and Azure take."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ubiops_file_sync.parts import MIB, count_parts, part_bytes, span, upload_calls

SIZES = st.integers(1, 5 << 40)
THRESHOLDS = st.integers(5 * MIB, 1 << 40)


@given(size=SIZES, threshold=THRESHOLDS)
def test_parts_are_within_every_provider_s_limits(size: int, threshold: int) -> None:
    part = part_bytes(size, threshold)
    assert 5 * MIB <= part <= 4000 * MIB
    assert 1 <= count_parts(size, part) <= 10_000


@given(size=st.integers(1, 1000), part=st.integers(1, 100))
def test_parts_cover_the_file_once(size: int, part: int) -> None:
    spans = [span(size, part, number) for number in range(1, count_parts(size, part) + 1)]
    assert [byte for start, length in spans for byte in range(start, start + length)] == list(
        range(size)
    )


def test_a_file_costs_few_api_calls() -> None:
    """Of 300 a minute."""
    threshold = 256 * MIB
    assert upload_calls(threshold - 1, threshold) == 1
    assert upload_calls(threshold, threshold) == 8 + 2
    assert upload_calls(2048 * MIB, threshold) == 64 + 2
    assert upload_calls(1 << 40, threshold) == 512 + 2
