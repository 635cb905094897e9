"""What a log is to be like. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class LogFormat(StrEnum):
    """How a record looks."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class LogFile:
    """A log file. Everybody who writes one file wants it alike."""

    path: Path
    level: str = "INFO"
    """The least that goes there: DEBUG, INFO, WARNING, ERROR or CRITICAL."""
    format: LogFormat = LogFormat.TEXT
    max_bytes: int = 10 * 1024 * 1024
    """It is full from this size on, and renamed; 0: it grows for ever."""
    backups: int = 5
    """Full files that are kept beside it, as `NAME.1` (the newest) and so on; 0: none, so that a
    full file is emptied."""


@dataclass(frozen=True, slots=True)
class Stderr:
    """What goes to standard error."""

    level: str = "WARNING"
    """The least that goes there."""
    format: LogFormat = LogFormat.TEXT
    dated: bool = False
    """Time, level and process stand before each line, unless it is the journal that reads it."""
    has_outcomes: bool = True
    """What `LogOutcomes` tells of files goes there too; a command may say that in its own way."""
    has_summaries: bool = True
    """What it tells of whole passes goes there too; a command says that in its own way."""
    has_others: bool = True
    """What other packages have to say below a warning goes there too."""
