"""JSON as somebody else wrote it."""

from __future__ import annotations

import json
from typing import Any


def parsed(text: bytes) -> Any:
    """What a JSON text says. Raises ValueError, for one that is nested too deeply too."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
