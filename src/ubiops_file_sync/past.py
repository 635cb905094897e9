"""Passes of the past: what is remembered of each, long after its report is gone.

Plain values, as in `model`. What a pass came to is kept as JSON, and what was nothing is left out
of that: most passes find nothing to do, and there may be thousands of them a day.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from ubiops_file_sync.model import Pace, Problem, Verb

KEPT_NAMES = 20
"""Keys that are remembered by name: problems, and losers of conflicts; the rest are counted."""


class Trigger(StrEnum):
    """Who asked for a pass."""

    SERVICE = "service"
    COMMAND = "command"
    LIBRARY = "library"
    APPLY = "apply"
    """A saved plan was applied."""


class Stage(StrEnum):
    """How far a pass has come."""

    UNDER_WAY = "under-way"
    ENDED = "ended"
    CUT_OFF = "cut-off"
    """It never wrote down how it ended: it was killed, or the machine stopped."""


class Account(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What a pass came to, but for its problems."""

    seconds: float = 0.0
    only: int | None = None
    """Keys that it was about; None: all."""
    local_files: int = 0
    remote_files: int = 0
    in_step: int | None = None
    """Keys that were in step at its end; None: it broke off, or was about some keys only."""
    done: dict[Verb, int] = {}
    """Number of actions that ended well, by verb."""
    left: dict[str, int] = {}
    """Keys left as they were, though the sides differed, by the name of the reason."""
    conflicts: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    api_calls: dict[str, int] = {}
    """Calls made, by endpoint."""
    pace: Pace | None = None
    """How quickly API calls could be made; None: nobody told."""
    problem_count: int = 0
    kept: tuple[str, ...] = ()
    """The first losers of conflicts that were kept under names of their own."""
    kept_count: int = 0
    """All of them."""
    notes: tuple[str, ...] = ()
    error: str | None = None
    """Why it broke off, in words; None: it came to its end."""


@dataclass(frozen=True, slots=True)
class PastPass:
    """One pass, as it is remembered."""

    pass_id: str
    began_us: int
    """Microseconds since the epoch, UTC, as are all times here."""
    trigger: Trigger
    process: int
    """Number of the process that ran it."""
    stage: Stage
    ended_us: int | None = None
    """None: it has not, as far as is known."""
    exit_code: int | None = None
    """None: not known."""
    account: Account = field(default_factory=Account)
    problems: tuple[Problem, ...] = ()
    """The first of them, by key."""
