"""A belief about the service, and what may come of holding it against the truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from ubiops_file_sync.contract.seen import NotSeen, Seen


class Holds(StrEnum):
    """Whether a belief holds."""

    YES = "yes"
    COVERED = "no, covered"
    """It does not, and the program has another way."""
    NO = "NO"
    OPEN = "cannot be told"


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of one belief."""

    holds: Holds
    words: str


@dataclass(frozen=True, slots=True)
class Belief:
    """One thing that the program takes the service to do."""

    name: str
    words: str
    """The belief itself, short enough for a table."""
    otherwise: str
    """What the program does where it does not hold."""
    judge: Callable[[Seen], Found]
    may_stay_open: bool = False
    """It cannot be told of every bucket, and that is no fault."""

    def find(self, seen: Seen) -> Found:
        """What was found; a look that came to nothing leaves it open."""
        try:
            return self.judge(seen)
        except NotSeen as error:
            return Found(Holds.OPEN, str(error))

    def is_met_by(self, found: Found) -> bool:
        """Whether the program does well with what was found."""
        if found.holds is Holds.OPEN:
            return self.may_stay_open
        return found.holds is not Holds.NO


def yes(words: str) -> Found:
    """It holds."""
    return Found(Holds.YES, words)


def covered(words: str) -> Found:
    """It does not hold, and the program has another way."""
    return Found(Holds.COVERED, words)


def no(words: str) -> Found:
    """It does not hold, and something goes wrong."""
    return Found(Holds.NO, words)


def either(holds: bool, words: str, otherwise: Callable[[str], Found] = no) -> Found:  # noqa: FBT001
    """`words` as what was found, under a verdict."""
    return yes(words) if holds else otherwise(words)
