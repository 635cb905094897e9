"""Passes in the log: a line for each file that travels or fails, and one for the whole."""

from __future__ import annotations

import logging
from typing import Any

from ubiops_file_sync.errors import ProfileLocked, SyncError
from ubiops_file_sync.model import Outcome, PlanSummary, Problem, Report, Settled, Verb
from ubiops_file_sync.phrases import bytes_words, counted, duration_words
from ubiops_file_sync.progress import Progress
from ubiops_file_sync.report import DONE, forecast, summary_line

_log = logging.getLogger(__name__)

_QUIET = {Verb.ADOPT, Verb.FORGET}
"""Only the record changes; a first pass over two equal sides does that with every file."""
_TRAVELS = {Verb.UPLOAD, Verb.DOWNLOAD}
_KEPT = 1_000
"""Problems that are remembered as told; as many as a report names."""


def is_of_whole_pass(record: logging.LogRecord) -> bool:
    """Whether a record of `LogOutcomes` tells of a pass, and not of a key."""
    return hasattr(record, "exit_code")


class LogOutcomes(Progress):
    """Logs a pass while it runs. One of these for each profile, which may serve all its passes.

    INFO: what travelled or was deleted, and the summary. WARNING: keys that failed, and a pass
    that had such. ERROR: a pass that could not be done. DEBUG: everything else.
    """

    def __init__(self) -> None:
        self._profile = ""
        self._pass_id = ""
        self._told: set[Problem] = set()

    def began(self, profile: str, pass_id: str) -> None:
        """Remember which pass it is about."""
        self._profile, self._pass_id = profile, pass_id
        self._told.clear()
        self._say(logging.DEBUG, "%s: pass %s begins", profile, pass_id)

    def comparing(self, profile: str) -> None:
        """Remember whom it is about, where nobody said that it began."""
        self._profile = profile

    def planned(self, summary: PlanSummary) -> None:
        """Say how long it takes, if that is a minute or more."""
        if summary.minutes:
            self._say(logging.INFO, "%s: %s", self._profile, forecast(summary))

    def did(self, outcome: Outcome) -> None:
        """Log one outcome."""
        action, done = outcome.action, outcome.did
        extra: dict[str, Any] = {
            "key": action.key,
            "verb": action.verb.value,
            "reason": action.reason.name.lower(),
            "seconds": round(outcome.seconds, 3),
        }
        if done in _TRAVELS:
            extra["bytes"] = action.size_bytes
        if done is not None:
            level = logging.DEBUG if done in _QUIET else logging.INFO
            size = f"{bytes_words(action.size_bytes)} in " if done in _TRAVELS else ""
            self._say(
                level,
                "%s: %s %s (%s%s; %s)",
                self._profile,
                DONE[done],
                action.key,
                size,
                duration_words(outcome.seconds),
                action.reason,
                **extra,
            )
        if outcome.problem is not None:
            self._problem(outcome.problem, extra)

    def settled(self, some: Settled) -> None:
        """Log each of them, if anybody wants that much."""
        if _log.isEnabledFor(logging.DEBUG):
            for outcome in some.outcomes():
                self.did(outcome)

    def settling(self, files: int, seconds: float) -> None:
        """Say why it waits."""
        words = "%s: waiting %g s for %s to come to rest"
        self._say(logging.DEBUG, words, self._profile, seconds, counted(files, "fresh file"))

    def confirming(self, uploads: int) -> None:
        """Say what the last calls are for."""
        words = "%s: asking the bucket about %s"
        self._say(logging.DEBUG, words, self._profile, counted(uploads, "upload"))

    def finished(self, report: Report) -> None:
        """Log what `did` was not told of, and the summary."""
        self._profile, self._pass_id = report.profile, report.pass_id
        for problem in report.problems:
            if problem not in self._told:
                self._problem(problem, {})
        for key in report.extra_keys:
            words = "%s: kept the losing version of a conflict as %s"
            self._say(logging.INFO, words, report.profile, key, key=key)
        for note in report.notes:
            self._say(logging.INFO, "%s: note: %s", report.profile, note)
        self._say(
            logging.WARNING if report.exit_code else logging.INFO,
            "%s",
            summary_line(report),
            exit_code=report.exit_code,
            done=dict(report.done),
            bytes_up=report.bytes_up,
            bytes_down=report.bytes_down,
            api_calls=sum(report.api_calls.values()),
            problems=report.problem_count,
            seconds=round(report.seconds, 3),
        )
        self._pass_id = ""

    def failed(self, profile: str, error: Exception) -> None:
        """Log a pass that raised; a bug with its traceback."""
        self._profile = profile
        if isinstance(error, SyncError):
            level = logging.WARNING if isinstance(error, ProfileLocked) else logging.ERROR
            for line in str(error).splitlines():
                self._say(level, "%s", line, exit_code=error.exit_code)
        else:
            words = "%s: a bug in ubiops-file-sync ended the pass (%s); please report it"
            self._say(logging.ERROR, words, profile, type(error).__name__, exc_info=error)
        # The next one may fail before it begins.
        self._pass_id = ""

    def _problem(self, problem: Problem, extra: dict[str, Any]) -> None:
        if len(self._told) < _KEPT:
            self._told.add(problem)
        words = "%s: %s: %s"
        known = {**extra, "key": problem.key}
        self._say(logging.WARNING, words, self._profile, problem.key, problem.message, **known)

    def _say(
        self,
        level: int,
        words: str,
        *args: object,
        exc_info: Exception | None = None,
        **extra: Any,
    ) -> None:
        known = {"profile": self._profile, "pass_id": self._pass_id or None}
        _log.log(level, words, *args, exc_info=exc_info, extra={**known, **extra})
