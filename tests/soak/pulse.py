"""What a process holds, looked at every second."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import NamedTuple

_EVERY_S = 1.0


class Sample(NamedTuple):
    """One look."""

    rss_kib: int
    fds: int
    threads: int
    children: int


def sample(process: int) -> Sample:
    """What the process holds now."""
    proc = Path("/proc", str(process))
    status = dict(
        line.split(":", 1) for line in (proc / "status").read_text().splitlines() if ":" in line
    )
    children = sum(
        len((task / "children").read_text().split())
        for task in (proc / "task").iterdir()
        if (task / "children").exists()
    )
    return Sample(
        int(status["VmRSS"].split()[0]),
        len(os.listdir(proc / "fd")),
        int(status["Threads"]),
        children,
    )


@dataclass
class Pulse:
    """All looks until now."""

    samples: list[Sample] = field(default_factory=list)

    def quarter(self, number: int) -> list[Sample]:
        """The samples of the first (0) to the last (3) quarter."""
        count = len(self.samples)
        return self.samples[count * number // 4 : count * (number + 1) // 4]

    def median_rss_mib(self, quarter: int) -> float:
        """The usual memory in a quarter."""
        return median(one.rss_kib for one in self.quarter(quarter)) / 1024

    def words(self, name: str, what: Callable[[Sample], float]) -> str:
        """Median and maximum by quarter."""
        quarters = [sorted(map(what, self.quarter(number))) for number in range(4)]
        medians = " ".join(f"{median(one):8.1f}" for one in quarters)
        highest = " ".join(f"{one[-1]:8.1f}" for one in quarters)
        return f"{name:<12} median {medians}   most {highest}"


@contextmanager
def watched(process: int) -> Iterator[Pulse]:
    """Look at a process until the end of the block, or its own."""
    pulse, is_over = Pulse(), threading.Event()

    def look() -> None:
        while not is_over.wait(_EVERY_S):
            try:
                pulse.samples.append(sample(process))
            except OSError:
                # A thread that ended while it was looked at; a process that ended ends the block.
                continue

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield pulse
    finally:
        is_over.set()
        thread.join()
