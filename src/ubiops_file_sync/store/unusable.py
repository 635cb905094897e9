"""Why a profile's state cannot be used, in words that say what to do."""

from __future__ import annotations

import shlex
import sqlite3
from pathlib import Path

from ubiops_file_sync.errors import ConfigError
from ubiops_file_sync.system_errors import remedy_for, words_of

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
"""What SQLite says of a file that is not, or no longer, a database; the last one of a file that is
empty, or somebody else's: it lacks our tables."""

_WRITABLE = "see to it that this user may write to its folder, and that the disk has room"
_REMEDIES = {
    sqlite3.SQLITE_BUSY: (
        "another program has it open: end that one (a database browser, a backup?), and run this "
        "again"
    ),
    sqlite3.SQLITE_FULL: "make room on its disk, and run this again",
    sqlite3.SQLITE_IOERR: "see whether its disk is full, or failing (the kernel's log tells)",
    sqlite3.SQLITE_CANTOPEN: (
        "see to it that this user may write to its folder, and may open enough files (ulimit -n)"
    ),
}
"""What to do about an error of SQLite's, by its kind."""


def unusable(path: Path, error: Exception) -> ConfigError:
    """The message for a state that cannot be read or written."""
    start = f"the recorded state {path} "
    if _is_damage(error):
        words = _words(error)
        aside = f"mv {shlex.quote(str(path))} {shlex.quote(f'{path}.damaged')}"
        return ConfigError(
            f"{start}is damaged ({words}); move it away: {aside}. The next pass then compares both "
            "sides by content and loses nothing"
        )
    reason = words_of(error) if isinstance(error, OSError) else error
    return ConfigError(f"{start}cannot be used ({reason}); {_remedy(error)}")


def _words(error: Exception) -> str:
    """What is wrong with a damaged state. Python would quote text that it could not read."""
    if hasattr(error, "sqlite_errorcode") or isinstance(error, sqlite3.DataError):
        return "".join(char if char.isprintable() else "?" for char in str(error))
    return "it holds what no pass has written"


def _is_damage(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # It is Python that could not read what SQLite found.
        return isinstance(error, sqlite3.OperationalError | sqlite3.DataError | ValueError)
    return code & 0xFF in _DAMAGE  # The lowest byte is the kind.


def _remedy(error: Exception) -> str:
    """What to do about a state that cannot be used, and is not damaged."""
    if isinstance(error, OSError):
        return remedy_for(error, _WRITABLE)
    code = getattr(error, "sqlite_errorcode", 0)
    if code == sqlite3.SQLITE_READONLY_DBMOVED:
        return (
            "it was moved or removed while it was in use. What was done until now is found again "
            "by the next pass"
        )
    return _REMEDIES.get(code & 0xFF, _WRITABLE)
