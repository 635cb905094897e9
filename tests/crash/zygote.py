"""A process that has the program imported, and forks a child for each pass that is to be killed.

A pass in a new interpreter takes half a second before its first act; in a forked child, nothing.
There are no threads in the process that forks, and the bucket's server is in the one that asks.
"""

from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys
import time
import traceback
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

from crash.below import Below
from crash.boundaries import Boundaries, Boundary, Kind, Point, places_of, watched
from ubiops_file_sync import parts
from ubiops_file_sync.bucket import bandwidth, quota, sdk, ubiops  # noqa: F401  loaded once
from ubiops_file_sync.bucket.retry import RetryPolicy
from ubiops_file_sync.config import Profile
from ubiops_file_sync.model import Loser, Problem, Reason, Verb
from ubiops_file_sync.reconcile import Reconciler

QUICK = RetryPolicy(first_wait_s=0.005, longest_wait_s=0.02)


@dataclass(frozen=True, slots=True)
class Order:
    """One pass."""

    profile: Profile
    state_dir: Path
    offset_s: float = 0.0
    """How far its clock is ahead."""
    allow: tuple[str, ...] = ()
    only: tuple[str, ...] | None = None
    kill_at: Point | int | None = None
    part_bytes: int | None = None
    """Bytes of the parts of big files; None: as many as the product takes."""
    is_plan: bool = False
    """Nothing is to be done."""
    then_plans: bool = False
    """At its end it is asked what a pass over everything would still do."""
    is_proven: bool = False
    """Count the boundaries a second time, from below."""


class Planned(NamedTuple):
    """What is to be done."""

    verb: Verb
    key: str
    loser: Loser
    reason: Reason


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of it."""

    was_killed: bool
    met: list[Boundary] = field(default_factory=list)
    """None are told by a pass that was killed."""
    done: dict[Verb, int] = field(default_factory=dict)
    planned: list[Planned] = field(default_factory=list)
    """What a plan holds, or what is left to do."""
    problems: tuple[Problem, ...] = ()
    from_below: dict[Kind, int] = field(default_factory=dict)
    """What was counted below the boundaries."""


class Zygote:
    """The process, seen from the one that asks."""

    def __init__(self) -> None:
        """Start it; returns at once."""
        paths = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from crash.zygote import main; main()"],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def run(self, order: Order) -> Ended:
        """One pass, in a process of its own, until its end or its death."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        pickle.dump(order, self._process.stdin)
        self._process.stdin.flush()
        answer = pickle.load(self._process.stdout)
        if isinstance(answer, str):
            raise AssertionError(f"a pass broke off:\n{answer}")
        assert isinstance(answer, Ended)
        return answer


def main() -> None:
    """Take orders from stdin until it ends, and answer each on stdout."""
    sdk.patterns()  # What the SDK sends is learnt once.
    gc.collect()
    gc.freeze()  # Or a child would copy all of it just to look through it.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while True:
        try:
            order = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        answers.write(_forked(order))
        answers.flush()


def _forked(order: Order) -> bytes:
    """The pickled answer."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        _be_the_pass(order, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as answers:
        answer = answers.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == 9
        return pickle.dumps(Ended(was_killed=True))
    return answer


def _be_the_pass(order: Order, writer: int) -> None:
    """Ends the process."""
    try:
        answer: object = _pass(order)
    except BaseException:  # noqa: BLE001  it is told to whoever asked
        answer = traceback.format_exc()
    with os.fdopen(writer, "wb") as told:
        pickle.dump(answer, told)
    os._exit(0)


def _pass(order: Order) -> Ended:
    if order.part_bytes is not None:
        parts.SMALLEST_PART_BYTES = order.part_bytes
    reconciler = Reconciler(
        order.profile,
        order.state_dir,
        retries=QUICK,
        now_ns=lambda: time.time_ns() + int(order.offset_s * 1e9),
        allow=order.allow,
    )
    if order.is_plan:
        return Ended(was_killed=False, planned=_planned(reconciler, order.only))
    boundaries = Boundaries(places_of(order.profile.local_dir, order.state_dir), order.kill_at)
    with ExitStack() as stack:
        below = Below()
        if order.is_proven:
            stack.enter_context(below.counting())
        stack.enter_context(watched(boundaries))
        report = reconciler.run(order.only)
    return Ended(
        was_killed=False,
        met=boundaries.met,
        done=dict(report.done),
        planned=_planned(reconciler) if order.then_plans else [],
        problems=report.problems,
        from_below=dict(below.counts),
    )


def _planned(reconciler: Reconciler, only: tuple[str, ...] | None = None) -> list[Planned]:
    with reconciler.plan(only) as (plan, _):
        return [Planned(one.verb, one.key, one.loser, one.reason) for one in plan.spool.actions()]
