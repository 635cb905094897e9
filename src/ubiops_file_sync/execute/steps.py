"""What an action is to the pool: steps, between which parts of its file travel side by side."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ubiops_file_sync.model import Action, Outcome, Part, Unfinished

Unit = Callable[[], Part | None]
"""Sends or fetches one part, in any worker. What it returns is noted before the next step."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Batch:
    """Units that may run in any order, and many at once."""

    units: Sequence[Unit]
    begun: Unfinished | None = None
    """To be noted before the first unit begins."""


Stepwise = Generator[Batch, None, Result]
"""Yields the units that must be done before it goes on; what one of them raises is raised there.

A step runs in any worker, one at a time. A generator that is closed lets go of what it holds.
"""

Steps = Stepwise[Outcome]


def at_once(run: Callable[[Action], Outcome]) -> Callable[[Action], Steps]:
    """The steps of actions that have only one."""

    def steps(action: Action) -> Steps:
        return run(action)
        yield  # type: ignore[unreachable]  # Makes it a generator.

    return steps
