"""One run of one contender: how long, how much CPU, how much memory."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_LOOK_S = 0.005
PEAK = re.compile(r"^VmHWM:\s*(\d+) kB", re.MULTILINE)
"""The most memory that a process had, in its `/proc/PID/status`."""


@dataclass(frozen=True)
class Run:
    """What a process took."""

    wall_s: float
    cpu_s: float
    """That of its children included."""
    peak_mib: float
    """Of the process itself."""


def run(command: Sequence[str], env: Mapping[str, str], log: Path) -> Run:
    """Run a command to its end. Raises RuntimeError, with what it said, if it fails."""
    with log.open("wb") as output:
        began = time.monotonic()
        process = subprocess.Popen(
            command, env={**os.environ, **env}, stdout=output, stderr=subprocess.STDOUT
        )
        ended = threading.Event()
        with ThreadPoolExecutor(1) as watcher:
            peak = watcher.submit(_peak_mib, process.pid, ended)
            _, status, usage = os.wait4(process.pid, 0)
            wall_s = time.monotonic() - began
            ended.set()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(
            f"{command[0]} ended with {process.returncode}: {log.read_text()[-2000:]}"
        )
    return Run(wall_s, usage.ru_utime + usage.ru_stime, peak.result())


def _peak_mib(pid: int, ended: threading.Event) -> float:
    """The most memory that a process had, looked at until it ends.

    `ru_maxrss` would tell that of this process, if it has more: a child begins as a copy of it.
    """
    status, peak_kib = Path(f"/proc/{pid}/status"), 0
    while not ended.wait(_LOOK_S):
        with suppress(OSError):
            found = PEAK.search(status.read_text())
            peak_kib = max(peak_kib, int(found[1]) if found else 0)
    return peak_kib / 1024


def in_turn(
    contenders: Mapping[str, Callable[[], Run]],
    rounds: int,
    before: Callable[[], None] = lambda: None,
) -> dict[str, list[Run]]:
    """Each contender once a round, so that a machine that gets slower does so for all.

    `before` is called before each run.
    """
    runs: dict[str, list[Run]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contend in contenders.items():
            before()
            runs[name].append(contend())
    return runs


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of theirs over ours, round by round."""
    return statistics.median(t / o for o, t in zip(ours, theirs, strict=True))
