"""Amounts as people write them: `2s`, `5m`, `1w`; `10GiB`; `50%`; `0.9`.

What a `..._text` writes, the `parse_...` of that name reads as the very same amount.
"""

from __future__ import annotations

import re
import sys

_SECONDS_PER_UNIT = {
    "ms": 0.001,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86_400.0,
    "w": 604_800.0,
    "": 1.0,
}
_DURATION = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?(ms|s|m|h|d|w|)", re.ASCII)
_MALFORMED = "is not a length of time; write 500ms, 2s, 5m, 1h, 1d, 1w or a number of seconds"
_LONGEST_S = 100 * 365 * 86_400
"""A hundred years: what is longer is a slip, and clocks overflow."""


def _bounded(seconds: float) -> float:
    if seconds > _LONGEST_S:
        raise ValueError("is longer than a hundred years; write less")
    return seconds


def parse_duration(value: object) -> float:
    """Seconds, from a number of seconds or from text such as `500ms`, `2s`, `5m`, `1h`, `1d`, `1w`.

    Raises ValueError, which does not repeat the value, for anything else: a negative or endless
    number too, and more than a hundred years.
    """
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if match is None:
            raise ValueError(_MALFORMED)
        return _bounded(float(match[1]) * _SECONDS_PER_UNIT[match[2]])
    # A bool is an int to Python, and `yes` is a bool to YAML. What is not a number (NaN) compares
    # false as well, and an int may be too large for a float.
    is_bool = isinstance(value, bool)
    if isinstance(value, int | float) and not is_bool and 0 <= value <= sys.float_info.max:
        return _bounded(float(value))
    raise ValueError(_MALFORMED)


def duration_text(seconds: float) -> str:
    """A length of time in the largest unit of which it is a whole number."""
    for unit in ("w", "d", "h", "m", "s", "ms"):
        text = f"{seconds / _SECONDS_PER_UNIT[unit]:.0f}{unit}"
        if seconds and not text.startswith("0") and parse_duration(text) == seconds:
            return text
    return f"{seconds:.9f}".rstrip("0").removesuffix(".") + "s"


_MALFORMED_SIZE = "is not a size; write 500kB, 20MiB, 10GiB or a number of bytes"
_BYTES_PER_UNIT: dict[str, int] = {"": 1, "b": 1} | {
    f"{letter}{infix}b": base**power
    for power, letter in enumerate("kmgtp", start=1)
    for infix, base in (("", 1000), ("i", 1024))
}
# Matched to its end, which pydantic's ByteSize does not do: `10%` is 10 bytes to it, and `1,5GiB`
# is one.
_SIZE = re.compile(r"([0-9]{1,19})(\.[0-9]{1,9})? ?(b|[kmgtp]i?b|)", re.ASCII | re.IGNORECASE)


def parse_size(value: object) -> int:
    """Bytes, from a number of them or from text such as `500kB`, `20MiB`, `10GiB`.

    Raises ValueError, which does not repeat the value, for anything else: a part of a byte, and
    more of them than a file system counts, too.
    """
    size = _size_of_text(value) if isinstance(value, str) else value
    # A bool is an int to Python. What is not a number (NaN) compares false.
    is_bool = isinstance(size, bool)
    if isinstance(size, int | float) and not is_bool and 0 <= size < 2**63 and size == int(size):
        return int(size)
    raise ValueError(_MALFORMED_SIZE)


def size_text(size: int) -> str:
    """A size in the largest unit of which it is a whole number, those of 1024 first."""
    for base, units in ((1024, ("KiB", "MiB", "GiB", "TiB")), (1000, ("kB", "MB", "GB", "TB"))):
        for power in range(len(units), 0, -1):
            if size and size % base**power == 0:
                return f"{size // base**power}{units[power - 1]}"
    return f"{size}B"


def _size_of_text(text: str) -> int | None:
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        return None
    whole, fraction, unit = match[1], match[2], match[3].lower()
    factor = _BYTES_PER_UNIT[unit]
    if fraction is None:
        return int(whole) * factor
    return None if factor == 1 else int(whole) * factor + int(float(fraction) * factor)


_MALFORMED_RATE = "is not a rate; write 500kB/s, 20MiB/s or a number of bytes a second"
_SLOWEST_BYTES_PER_S = 64 * 1024


def parse_rate(value: object) -> int:
    """Bytes a second, from a number of them or from text such as `20MiB/s`.

    Raises ValueError, which does not repeat the value, for anything else, and for so few that
    connections would be taken for dead.
    """
    text = value.strip() if isinstance(value, str) else None
    try:
        rate = parse_size(value if text is None else text.removesuffix("/s"))
    except ValueError:
        raise ValueError(_MALFORMED_RATE) from None
    if text is not None and not text.endswith("/s") and not text.isdigit():
        raise ValueError(_MALFORMED_RATE)
    if rate < _SLOWEST_BYTES_PER_S:
        raise ValueError("is too slow for connections to stay alive; write at least 64KiB/s")
    return rate


def rate_text(bytes_per_s: int) -> str:
    """As `size_text`, a second."""
    return f"{size_text(bytes_per_s)}/s"


_MALFORMED_SHARE = "is not a share; write a number above 0 and up to 1, such as 0.9"
_SHARE = re.compile(r"[0-9]?\.?[0-9]{1,9}", re.ASCII)


def parse_share(value: object) -> float:
    """A number above 0 and up to 1, from such a number or from text that is one.

    Raises ValueError, which does not repeat the value, for anything else.
    """
    if isinstance(value, str) and _SHARE.fullmatch(value.strip()):
        value = float(value)
    # A bool is an int to Python. What is not a number (NaN) compares false.
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1:
        return float(value)
    raise ValueError(_MALFORMED_SHARE)


_MALFORMED_LIMIT = "is not a limit; write a number of files such as 100, or a share such as '50%'"
_PERCENT = re.compile(r"([0-9]{1,3})(?:\.0)? ?%", re.ASCII)
_COUNT = re.compile(r"[0-9]{1,18}", re.ASCII)


def parse_limit(value: object) -> str:
    """A number of files (`100`) or a share of them (`50%`), in its plain form.

    Raises ValueError, which does not repeat the value, for anything else.
    """
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63:
        return str(value)
    if isinstance(value, str):
        percent = _PERCENT.fullmatch(value.strip())
        if percent and int(percent[1]) <= 100:
            return f"{int(percent[1])}%"
        if _COUNT.fullmatch(value.strip()):
            return str(int(value))
    raise ValueError(_MALFORMED_LIMIT)
