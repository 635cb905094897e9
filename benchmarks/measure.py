"""One run of one contender: how long, how much CPU, how much memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Run:
    """What a process took, its children included."""

    wall_s: float
    cpu_s: float
    peak_mib: float


def run(command: Sequence[str], env: Mapping[str, str], log: Path) -> Run:
    """Run a command to its end. Raises RuntimeError, with what it said, if it fails."""
    with log.open("wb") as output:
        began = time.monotonic()
        process = subprocess.Popen(
            command, env={**os.environ, **env}, stdout=output, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(
            f"{command[0]} ended with {process.returncode}: {log.read_text()[-2000:]}"
        )
    return Run(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def in_turn(contenders: Mapping[str, Callable[[], Run]], rounds: int) -> dict[str, list[Run]]:
    """Each contender once a round, so that a machine that gets slower does so for all."""
    runs: dict[str, list[Run]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contend in contenders.items():
            runs[name].append(contend())
    return runs


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of theirs over ours, round by round."""
    return statistics.median(t / o for o, t in zip(ours, theirs, strict=True))
