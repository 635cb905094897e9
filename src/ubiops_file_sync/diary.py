"""The diary of a pass: a row in the profile's store when it begins, and how it ended.

A pass is worth more than the memory of it: where that cannot be written, the pass goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from ubiops_file_sync.bucket import Bucket
from ubiops_file_sync.compare import Plan
from ubiops_file_sync.errors import EXIT_INTERRUPTED, ConfigError, SyncError
from ubiops_file_sync.model import PlanSummary, Problem, Report
from ubiops_file_sync.past import KEPT_NAMES, Account, PastPass, Stage
from ubiops_file_sync.plan.guards import Halt
from ubiops_file_sync.record import Recorder
from ubiops_file_sync.store import BaselineStore

HISTORY_DAYS = 90
"""How long passes are remembered, unless told."""

_DAY_US = 86_400_000_000


@dataclass(slots=True)
class SoFar:
    """What a pass has come to until now."""

    profile: str
    pass_id: str
    bucket: Bucket
    began: float = field(default_factory=time.monotonic)
    plan: Plan | None = None
    """None: none is complete yet."""
    recorder: Recorder | None = None
    """None: nothing was begun to be done."""
    is_stopped: bool = False
    """It was asked to end before its end."""
    only: frozenset[str] | None = None
    """The keys that it is about; None: all."""

    def report(self, *, dry_run: bool = False, halt: Halt | None = None) -> Report:
        """The report of it."""
        plan, recorder = self.plan, self.recorder
        found = recorder or plan
        return Report(
            profile=self.profile,
            pass_id=self.pass_id,
            dry_run=dry_run,
            seconds=time.monotonic() - self.began,
            planned=plan.summary if plan else PlanSummary(),
            done=dict(recorder.done) if recorder else {},
            bytes_up=recorder.bytes_up if recorder else 0,
            bytes_down=recorder.bytes_down if recorder else 0,
            api_calls=self.bucket.calls.by_endpoint(),
            api_answers=self.bucket.calls.by_answer(),
            problems=_by_key(found.problems) if found else (),
            problem_count=found.problem_count if found else 0,
            extra_keys=tuple(recorder.extra_keys) if recorder else (),
            notes=tuple(found.notes) if found else (),
            quota_left=self.bucket.quota_left,
            halt=halt.message if halt else None,
            is_stopped=self.is_stopped,
        )


class Diary:
    """Writes down one pass. Only the store's thread uses it.

    Of a pass over some keys, of which a program may make one a file, only what it changed or could
    not do is worth a row.
    """

    def __init__(
        self,
        store: BaselineStore,
        begun: PastPass,
        now_ns: Callable[[], int],
        history_days: int = HISTORY_DAYS,
        *,
        only_some: bool = False,
    ) -> None:
        """Nothing is written yet. Passes older than `history_days` go when this one ends.

        `only_some`: it is a pass over some keys.
        """
        self._only_some = only_some
        self._store = store
        self._begun = begun
        self._now_ns = now_ns
        self._keep_us = history_days * _DAY_US
        self._trouble: str | None = None

    def begin(self) -> None:
        """The pass is under way."""
        if self._only_some:
            return
        with self._as_far_as_possible():
            self._store.history.begin(self._begun)

    def end(self, so_far: SoFar) -> Report:
        """The pass came to its end. Returns its report."""
        report = so_far.report()
        with self._as_far_as_possible():
            if not self._only_some:
                report = replace(report, in_step=self._store.count_in_step())
            elif not report.done and not report.exit_code:
                return report
            self._write(so_far, report, report.exit_code, None)
        if self._trouble is None:
            return report
        return replace(report, notes=(*report.notes, self._trouble))

    def break_off(self, so_far: SoFar, error: BaseException) -> None:
        """The pass is ended by an exception, which the caller raises again."""
        with self._as_far_as_possible():
            self._write(so_far, so_far.report(), *_reason(error))

    def _write(self, so_far: SoFar, report: Report, exit_code: int, error: str | None) -> None:
        now_us = self._now_ns() // 1000
        ended = replace(
            self._begun,
            stage=Stage.ENDED,
            ended_us=now_us,
            exit_code=exit_code,
            account=_account(so_far, report, error),
            problems=_first(report.problems),
        )
        self._store.history.end(ended, now_us - self._keep_us)

    @contextmanager
    def _as_far_as_possible(self) -> Iterator[None]:
        try:
            yield
        except ConfigError as error:
            self._trouble = f"the pass is not in the history, or not all of it: {error}"


def _reason(error: BaseException) -> tuple[int, str]:
    """The exit code and the words of what ended a pass.

    The words of an exception that is not ours might hold anything, a token too (invariant I9).
    """
    if isinstance(error, SyncError):
        return error.exit_code, str(error)
    if isinstance(error, Exception):
        return SyncError.exit_code, f"a bug in ubiops-file-sync ({type(error).__name__})"
    return EXIT_INTERRUPTED, "interrupted"


def _account(so_far: SoFar, report: Report, error: str | None) -> Account:
    planned = report.planned
    return Account(
        seconds=round(report.seconds, 3),
        only=None if so_far.only is None else len(so_far.only),
        local_files=planned.local_files,
        remote_files=planned.remote_files,
        in_step=report.in_step,
        done=report.done,
        left={reason.name.lower(): count for reason, count in planned.left.items()},
        conflicts=planned.conflicts,
        bytes_up=report.bytes_up,
        bytes_down=report.bytes_down,
        api_calls=report.api_calls,
        pace=planned.pace,
        problem_count=report.problem_count,
        kept=report.extra_keys[:KEPT_NAMES],
        kept_count=len(report.extra_keys),
        notes=tuple(map(_encodable, report.notes)),
        error=None if error is None else _encodable(error),
    )


def _by_key(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=lambda one: one.key))


def _first(problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
    """Those that are kept by name; the same ones in the next pass, if the same keys fail."""
    first = _by_key(problems)[:KEPT_NAMES]
    return tuple(Problem(_encodable(one.key), _encodable(one.message)) for one in first)


def _encodable(text: str) -> str:
    """Without what neither JSON nor SQLite holds: names that are no UTF-8."""
    return text.encode(errors="replace").decode()
