"""Amounts as people write them: `2s`, `5m`, `1w`; `10GiB`; `50%`."""

from __future__ import annotations

import re

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
    number too.
    """
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if match is None:
            raise ValueError(_MALFORMED)
        return _bounded(float(match[1]) * _SECONDS_PER_UNIT[match[2]])
    # A bool is an int to Python, and `yes` is a bool to YAML. What is not a number (NaN) compares
    # false as well.
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return _bounded(float(value))
    raise ValueError(_MALFORMED)


_MALFORMED_SIZE = "is not a size; write 500kB, 20MiB, 10GiB or a number of bytes"


def parse_size(value: object) -> int:
    """Bytes, from a number of them or from text such as `500kB`, `20MiB`, `10GiB`.

    Raises ValueError, which does not repeat the value, for anything else.
    """
    from pydantic import ByteSize, TypeAdapter, ValidationError

    try:
        # A bool is an int to Python.
        plain = str(value).lower() if isinstance(value, bool) else value
        size = int(TypeAdapter(ByteSize).validate_python(plain))
    except ValidationError:
        raise ValueError(_MALFORMED_SIZE) from None
    if not 0 <= size < 2**63:
        raise ValueError(_MALFORMED_SIZE)
    return size


_MALFORMED_LIMIT = "is not a limit; write a number of files such as 100, or a share such as '50%'"
_PERCENT = re.compile(r"([0-9]{1,3})(?:\.0)? ?%", re.ASCII)


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
        if value.strip().isascii() and value.strip().isdigit():
            return str(int(value))
    raise ValueError(_MALFORMED_LIMIT)
