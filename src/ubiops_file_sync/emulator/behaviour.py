"""How the embedded server behaves where the real service leaves room, or surprises.

A client has to cope with every one of these: UbiOps documents no listing order, no page size and
no precision of its times, and the four storage providers differ in all three.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Switches that may be changed while the server runs. The defaults are the common case."""

    unsorted: bool = False
    """List in an order that is stable and complete, but is not the order of the keys.

    A listing with a delimiter stays sorted: its prefixes are found by skipping ahead.
    """
    short_pages: bool = False
    """Give pages that are shorter than the limit, every third one empty, until the end."""
    repeat_item_between_pages: bool = False
    """Begin each page with the last item of the page before it."""
    max_limit: int = 1000
    """Largest `limit` that a listing accepts."""
    time_precision: Literal["us", "ms", "s"] = "us"
    time_suffix: Literal["Z", "+00:00"] = "Z"
    keep_time_on_overwrite: bool = False
    """Leave `time_created` as it was when an object is overwritten."""
    slow_visibility_s: float = 0.0
    """How long a new version of an object stays unseen after it was stored."""
    tells_crc64: bool = True
    """Tell the CRC-64/NVME of an upload on S3 and Azure, as those two do; others that speak S3 may
    not."""
