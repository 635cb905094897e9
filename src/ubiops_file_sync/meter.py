"""How far a pass has come, and how long it still takes. Pure: it is told what time it is."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from ubiops_file_sync.model import Action, PlanSummary

_FILE_COSTS_BYTES = 64 << 10
"""A file takes as long as so many bytes before its first one travels."""
_WINDOW_S = 20.0
"""How far back speed looks: a pass is as quick as it was of late."""
_SAMPLE_S = 0.5
_SOONEST_S = 3.0
"""Before that, nobody can tell how long the rest takes."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A pass at one moment."""

    files_done: int
    files: int
    bytes_done: int
    bytes_all: int
    share: float
    """What of the work is done, from 0 to 1."""
    bytes_per_s: float
    """Of late."""
    left_s: float | None
    """None: it cannot be told yet."""


@dataclass(slots=True)
class Meter:
    """Counts what a pass does."""

    summary: PlanSummary
    began_s: float
    _files_done: int = 0
    _bytes_done: int = 0
    _furthest_bytes: int = 0
    _samples: deque[tuple[float, int, int]] = field(default_factory=deque)
    """When how many files and bytes were done, the oldest first."""

    def did(self, action: Action) -> None:
        """One action has ended, well or not."""
        self._files_done += 1
        self._bytes_done += action.size_bytes

    def settled(self, files: int) -> None:
        """So many actions have ended that only wrote the baseline."""
        self._files_done += files

    def standing(self, now_s: float, under_way_bytes: int) -> Standing:
        """How far it is, with so many bytes of files that have not ended."""
        files, bytes_all = self.summary.action_count, self._bytes_all
        done = min(self._bytes_done + under_way_bytes, bytes_all)
        # A file that has just ended is for a moment neither under way nor counted.
        self._furthest_bytes = done = max(done, self._furthest_bytes)
        self._sample(now_s, done)
        all_work = _work(files, bytes_all)
        share = _work(self._files_done, done) / all_work if all_work else 1.0
        speed, work_speed = self._speeds(now_s, done)
        return Standing(
            files_done=min(self._files_done, files),
            files=files,
            bytes_done=done,
            bytes_all=bytes_all,
            share=min(share, 1.0),
            bytes_per_s=speed,
            left_s=self._left_s(now_s, all_work * (1 - share), work_speed),
        )

    @property
    def _bytes_all(self) -> int:
        return self.summary.bytes_up + self.summary.bytes_down

    def _sample(self, now_s: float, done: int) -> None:
        if not self._samples:
            self._samples.append((self.began_s, 0, 0))
        if now_s - self._samples[-1][0] >= _SAMPLE_S:
            self._samples.append((now_s, self._files_done, done))
        while len(self._samples) > 2 and now_s - self._samples[1][0] >= _WINDOW_S:
            self._samples.popleft()

    def _speeds(self, now_s: float, done: int) -> tuple[float, float]:
        """Bytes and work a second."""
        then_s, files, size = self._samples[0]
        took_s = max(now_s - then_s, 0.001)
        moved, ended = max(done - size, 0), self._files_done - files
        return moved / took_s, _work(ended, moved) / took_s

    def _left_s(self, now_s: float, work: float, work_speed: float) -> float | None:
        if now_s - self.began_s < _SOONEST_S or work_speed <= 0:
            return None
        return max(work / work_speed, self._quota_s())

    def _quota_s(self) -> float:
        """What the API's quota makes of the files that are left, at least."""
        pace, files = self.summary.pace, self.summary.action_count
        if pace is None or not files:
            return 0.0
        calls = self.summary.transfer_calls * (1 - self._files_done / files)
        return max(calls / pace.a_minute - 1, 0.0) * 60


def _work(files: int, size: int) -> int:
    return size + files * _FILE_COSTS_BYTES
