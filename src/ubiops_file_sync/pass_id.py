"""The names of passes: `20261123T042015Z-ab12cd`, which sort by time."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime

_FORM = re.compile(r"(\d{8}T\d{6}Z)-[0-9a-f]{6}", re.ASCII)
_SECOND = "%Y%m%dT%H%M%SZ"


def new_pass_id(now_ns: int) -> str:
    """A name for a pass that begins at `now_ns` (nanoseconds since the epoch).

    Of the six last digits four are the fraction of the second, so that two passes of one second
    sort by time too: the newest version of a key is found by the name of its pass alone. The other
    two are random.
    """
    second, rest_ns = divmod(now_ns, 1_000_000_000)
    fraction = (rest_ns << 16) // 1_000_000_000
    return f"{datetime.fromtimestamp(second, UTC):{_SECOND}}-{fraction:04x}{secrets.token_hex(1)}"


def begun_at(pass_id: str) -> datetime | None:
    """When the pass began, to the second, UTC; None: that is no name of a pass."""
    form = _FORM.fullmatch(pass_id)
    if form is None:
        return None
    try:
        return datetime.strptime(form[1], _SECOND).replace(tzinfo=UTC)
    except ValueError:
        return None  # Such as the 99th of a month.
