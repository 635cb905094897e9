"""What a check found, and what to do about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from ubiops_file_sync.errors import ConfigError, RemoteError, SyncError

_OF_A_PROFILE = re.compile(r"\Aprofile \S+: ")
"""How messages begin; a finding has its profile above it."""


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    """It works, and something should be seen to."""
    PROBLEM = "problem"
    """Something does not work, or soon will not."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a diagnosis. No token and no signed URL is in it."""

    check: str
    """What was looked at, in a word or two."""
    level: Level
    words: str
    remedy: str = ""
    """What to do; empty: nothing, or the words say it."""
    exit_code: int = 0
    """Not 0 for a problem, and for nothing else."""
    profile: str | None = None
    """Whose it is; None: everybody's."""


def ok(check: str, words: str, remedy: str = "") -> Finding:
    """All is well. `remedy`: what one may want to do all the same."""
    return Finding(check, Level.OK, words, remedy)


def warning(check: str, words: str, remedy: str) -> Finding:
    """It works, and something should be seen to."""
    return Finding(check, Level.WARNING, words, remedy)


def problem(check: str, words: str, remedy: str, exit_code: int = 1) -> Finding:
    """Something does not work."""
    return Finding(check, Level.PROBLEM, words, remedy, exit_code)


def problem_of(check: str, error: SyncError) -> Finding:
    """What an exception tells; its message has the remedy at its end.

    The exit code is that of its kind only where no pass could begin at all.
    """
    # A diagnosis changes nothing, and need not say so.
    words = _OF_A_PROFILE.sub("", str(error)).replace(". Nothing was changed", "")
    code = error.exit_code if isinstance(error, RemoteError | ConfigError) else 1
    for between in (". Check ", "; check ", "; "):
        what, found, remedy = words.partition(between)
        if found:
            verb = "check " if "heck" in between else ""
            return problem(check, what, f"{verb}{remedy}", code)
    return problem(check, words, "", code)
