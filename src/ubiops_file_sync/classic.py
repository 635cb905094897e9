"""What the classic functions share: the profile that environment variables make, one way.

Their passes are those of the engine (`reconcile`), over the one baseline that the profile has,
whoever runs it: a command, the service, or these. Only the direction is another: a pass that
downloads writes to the folder alone, and one that uploads to the bucket alone; what either finds in
step is in step for all of them.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from ubiops_file_sync import places
from ubiops_file_sync.bucket import Bucket
from ubiops_file_sync.bucket.retry import RetryPolicy
from ubiops_file_sync.config import Profile, Settings, environment_settings
from ubiops_file_sync.config.environment import LOOKED_AT
from ubiops_file_sync.errors import (
    ConfigError,
    NoSuchBucket,
    ProfileLocked,
    RemoteError,
    SyncError,
    UsageError,
)
from ubiops_file_sync.logs import LogOutcomes
from ubiops_file_sync.model import ConflictPolicy, Direction, Reason, Report
from ubiops_file_sync.phrases import printable
from ubiops_file_sync.plan.guards import EMPTY_ROOT, EVERYTHING_CHANGED
from ubiops_file_sync.progress import AllOf, Progress
from ubiops_file_sync.reconcile import Reconciler
from ubiops_file_sync.stop import Stop

_log = logging.getLogger(__name__)

PATIENCE_S = 60.0
"""How long a call waits for another program that has a pass over the same places under way."""
_LOOK_AGAIN_S = 0.2
_TOLD_PROBLEMS = 3

_ALLOWED = {
    # Whoever asks for the bucket's files wants an empty folder filled.
    Direction.DOWNLOAD: (EMPTY_ROOT,),
    # Nothing is deleted for want of a file here; and a program that writes its results anew in each
    # run changes them all at once.
    Direction.UPLOAD: (EMPTY_ROOT, EVERYTHING_CHANGED),
}


class FilesFailed(SyncError):
    """Some files failed, after every other one was done."""

    def __init__(self, report: Report) -> None:
        """`report` has the first thousand of them in `problems`."""
        self.report = report
        told = [
            f"{printable(problem.key)}: {problem.message}"
            for problem in sorted(report.problems, key=lambda one: one.key)[:_TOLD_PROBLEMS]
        ]
        count = report.problem_count
        more = f"\nand {count - len(told):,} more" if count > len(told) else ""
        head = f"{count:,} files failed, and all others are done:\n" if count > 1 else ""
        super().__init__(f"{head}{chr(10).join(told)}{more}")

    def __reduce__(self) -> tuple[type[FilesFailed], tuple[Report]]:
        """So that it comes whole out of another process."""
        return FilesFailed, (self.report,)


@dataclass(frozen=True, slots=True)
class _Read:
    values: tuple[str | None, ...]
    settings: Settings


_read: _Read | None = None


def read_settings() -> Settings:
    """The settings that the environment variables make, read at the first call.

    A variable that has changed since has them read anew; until then a relative folder stays where
    it was, wherever the program goes. Raises `ConfigError` with everything that is wrong.
    """
    global _read  # noqa: PLW0603  what was read is the process's
    values = tuple(os.environ.get(name) for name in LOOKED_AT)
    if _read is None or _read.values != values:
        found = environment_settings(os.environ, Path.cwd())
        for warning in found.warnings:
            _log.warning("%s", warning)
        _read = _Read(values, found)
    return _read.settings


@dataclass(frozen=True, slots=True)
class OneWay:
    """Passes of a profile in one direction. Threads may share one: their passes take turns."""

    profile: Profile
    state_dir: Path
    retries: RetryPolicy | None = None
    patience_s: float = PATIENCE_S
    stop: Stop = field(default_factory=Stop)

    @classmethod
    def of_environment(cls, direction: Direction) -> Self:
        """Those of the profile that the environment variables make. Raises `ConfigError`.

        Where newer files are preserved, the newer one wins; else the source does, whatever the
        side that is written to holds.
        """
        settings = read_settings()
        [profile] = settings.profiles.values()
        conflict = ConflictPolicy.NEWER_WINS
        if profile.conflict is not ConflictPolicy.NEWER_WINS:
            is_download = direction is Direction.DOWNLOAD
            conflict = ConflictPolicy.REMOTE_WINS if is_download else ConflictPolicy.LOCAL_WINS
        changes = {"direction": direction, "conflict": conflict}
        return cls(profile.model_copy(update=changes), settings.state_dir)

    def at_once(self) -> Self:
        """The same, for a file that its caller says is finished: nothing waits for it to settle."""
        return replace(self, profile=self.profile.model_copy(update={"settle": 0.0}))

    def run(self, only: Collection[str] | None = None, progress: Progress | None = None) -> Report:
        """One pass, over some keys or over all. Raises `SyncError`; `FilesFailed` at its end."""
        report = self.attempt(only, progress)
        if report.problem_count:
            raise FilesFailed(report)
        return report

    def attempt(
        self, only: Collection[str] | None = None, progress: Progress | None = None
    ) -> Report:
        """As `run`, but files that failed are told by the report alone."""
        if self.profile.direction is Direction.DOWNLOAD:
            self._make_way()
        log = LogOutcomes()
        told = log if progress is None else AllOf(log, progress)
        with _turn(str(self._state_path)):
            report = self._patiently(lambda: self._reconciler(told).run(only))
        log.finished(report)
        for reason, count in report.planned.left.items():
            if reason is not Reason.OTHER_DIRECTION:
                which = printable(next(iter(only))) if only and len(only) == 1 else f"{count:,}"
                _log.info("%s: %s left as it is: %s", self.profile.name, which, reason)
        return report

    def _reconciler(self, progress: Progress) -> Reconciler:
        return Reconciler(
            self.profile,
            self.state_dir,
            progress=progress,
            retries=self.retries,
            allow=_ALLOWED[self.profile.direction],
            stop=self.stop,
        )

    def _patiently(self, run: Callable[[], Report]) -> Report:
        """`run`, once nobody else has a pass under way; waits for so long, and then says who has.

        `run` asks for the lock before it does anything.
        """
        deadline = time.monotonic() + self.patience_s
        while True:
            try:
                return run()
            except ProfileLocked as locked:
                if self.stop.is_asked or time.monotonic() >= deadline:
                    raise ProfileLocked(f"{locked} (waited {self.patience_s:g} s)") from None
            self.stop.sleep(_LOOK_AGAIN_S)

    def _make_way(self) -> None:
        """Make what a download needs that a pass would not: it makes a new root, and only that.

        A root that is gone, though files were in step there, is made again: it was asked for. What
        was in step is forgotten then, so that nothing passes for deleted (`Reconciler`).
        """
        root = self.profile.local_dir
        try:
            root.parent.mkdir(parents=True, exist_ok=True)
            if os.path.exists(self._state_path):  # noqa: PTH110  what cannot be read is not there
                with suppress(FileExistsError):  # Of a file that stands there, the pass will tell.
                    root.mkdir()
        except OSError as error:
            raise ConfigError(
                f"the folder {root} (LOCAL_SYNC_DIR) cannot be made "
                f"({(error.strerror or '').lower()}); make it, or name another"
            ) from error

    @property
    def is_in_this_thread(self) -> bool:
        """Whether this thread is in the midst of such a pass: then it must not wait for another."""
        return str(self._state_path) in _names()

    @property
    def _state_path(self) -> Path:
        return places.state_path(self.state_dir, self.profile)

    @contextmanager
    def bucket(self) -> Iterator[Bucket]:
        """The place in the bucket, to look at single objects."""
        with places.open_bucket(
            self.profile, os.environ, self.retries, time.time_ns, state_dir=self.state_dir
        ) as bucket:
            yield bucket

    def require_bucket(self) -> None:
        """Raise `NoSuchBucket` if that is why an object was not found: it looks the same."""
        with self.bucket() as bucket:
            try:
                bucket.facts()
            except NoSuchBucket:
                raise
            except RemoteError:
                return  # A restricted reader may not ask, and has been answered already.


_turns: dict[str, threading.RLock] = {}
_inside = threading.local()


def _names() -> set[str]:
    """The states that this thread has a pass over under way."""
    found: set[str] = _inside.__dict__.setdefault("names", set())
    return found


@contextmanager
def _turn(state: str) -> Iterator[None]:
    """Threads of one program take turns, for as long as it takes; the lock of the profile is for
    other programs."""
    names = _names()
    if state in names:
        raise UsageError(
            "a progress callback cannot begin another pass over the same places; do that once the "
            "first one has ended"
        )
    with _turns.setdefault(state, threading.RLock()):
        names.add(state)
        try:
            yield
        finally:
            names.remove(state)


# Whoever holds a turn while the program forks does not exist in the child.
os.register_at_fork(after_in_child=_turns.clear)
