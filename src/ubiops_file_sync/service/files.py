"""Small files of the service in the state folder: written whole or not at all, and private."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ubiops_file_sync.json_text import parsed


def write_private(path: Path, content: dict[str, Any]) -> None:
    """Replace a file by another JSON object. Raises OSError, and the old one stands then."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(fd, "w", encoding="utf-8") as file:  # noqa: PTH123  a descriptor
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def read_private(path: Path) -> dict[str, Any]:
    """What `write_private` wrote; nothing, if it is not there or holds something else."""
    try:
        content = parsed(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
