"""Amounts as people write them: `2s`, `5m`, `1w`."""

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


def parse_duration(value: object) -> float:
    """Seconds, from a number of seconds or from text such as `500ms`, `2s`, `5m`, `1h`, `1d`, `1w`.

    Raises ValueError, which does not repeat the value, for anything else: a negative or endless
    number too.
    """
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if match is None:
            raise ValueError(_MALFORMED)
        return float(match[1]) * _SECONDS_PER_UNIT[match[2]]
    # A bool is an int to Python, and `yes` is a bool to YAML. What is not a number (NaN) compares
    # false as well; 1e15 s are 30 million years.
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1e15:
        return float(value)
    raise ValueError(_MALFORMED)
