"""How a big file is cut into parts: within every provider's limits, and with few API calls.

S3 and GCS take 10,000 parts of 5 MiB to 5 GiB, the last one any size; Azure 50,000 blocks of up to
4000 MiB. A part costs an API call (its signed URL), and what is under way is lost with a killed
process.
"""

from __future__ import annotations

from typing import NamedTuple

MIB = 1 << 20
SMALLEST_PART_BYTES = 5 * MIB
_USUAL_PART_BYTES = 32 * MIB
_LARGEST_PART_BYTES = 2048 * MIB
MOST_PARTS = 50_000
"""Of a file, with any provider."""
NEVER_BIG = 1 << 62
"""A threshold that no file has."""
_FEW_PARTS = 512
"""Parts are doubled beyond that: two minutes of the whole quota are enough for a file."""


class Span(NamedTuple):
    """Where a part lies in its file, in bytes."""

    start: int
    length: int


def part_bytes(size: int, threshold: int) -> int:
    """Bytes of every part but the last, of a file of `size` bytes where `threshold` is set."""
    part = min(max(threshold // 8, SMALLEST_PART_BYTES), _USUAL_PART_BYTES)
    while size > part * _FEW_PARTS and part < _LARGEST_PART_BYTES:
        part = min(part * 2, _LARGEST_PART_BYTES)
    return part


def count_parts(size: int, part: int) -> int:
    """How many parts of `part` bytes a file of `size` bytes has."""
    return -(-size // part)


def span(size: int, part: int, number: int) -> Span:
    """Where part `number`, counted from 1, lies in a file of `size` bytes."""
    start = (number - 1) * part
    return Span(start, min(part, size - start))


def upload_calls(size: int, threshold: int) -> int:
    """API calls that an upload takes: a signed URL a part, and two to begin and to complete."""
    if size < threshold:
        return 1
    return count_parts(size, part_bytes(size, threshold)) + 2
