"""The last lines that were logged: to the file that is configured, and to the journal."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from ubiops_file_sync.service.units import SERVICE_NAME

MOST_LINES = 500
_MOST_BYTES = 1 << 20
_TIMEOUT_S = 20


def log_lines(path: Path | None) -> Iterator[str]:
    """The last lines of the log file; or why there are none."""
    if path is None:
        yield "no log file is configured: the log goes to standard error, or to the journal"
        return
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _MOST_BYTES))
            text = file.read(_MOST_BYTES).decode(errors="backslashreplace")
    except OSError as error:
        yield f"{path} cannot be read ({(error.strerror or '').lower()})"
        return
    lines = text.splitlines()
    # The first may have lost its beginning, and with it what tells a secret.
    yield from lines[1:][-MOST_LINES:] if size > _MOST_BYTES else lines[-MOST_LINES:]


def journal_lines() -> Iterator[str]:
    """The last lines of the unit's journal, of the machine and of this user; or why there are
    none."""
    program = shutil.which("journalctl")
    if program is None:
        yield "there is no journalctl here"
        return
    unit = f"{SERVICE_NAME}*"
    for which in (f"--unit={unit}", f"--user-unit={unit}"):
        try:
            done = subprocess.run(  # noqa: S603  words of our own
                [program, which, f"--lines={MOST_LINES}", "--no-pager", "--output=short-iso"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            yield f"journalctl {which} gave no answer ({type(error).__name__})"
            continue
        yield f"# {which}"
        yield from done.stdout.decode(errors="backslashreplace").splitlines()[-MOST_LINES:]
