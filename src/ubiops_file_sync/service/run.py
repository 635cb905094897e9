"""One pass of the service, with all that follows on it: the log, the metrics, the hooks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ubiops_file_sync import report as words
from ubiops_file_sync.bucket.traffic import Traffic
from ubiops_file_sync.config import Profile, Settings
from ubiops_file_sync.errors import ProfileLocked, SyncError
from ubiops_file_sync.hooks import Event, Occasion, events_of, run_hook
from ubiops_file_sync.logs import LogOutcomes
from ubiops_file_sync.metrics import Metrics
from ubiops_file_sync.past import Trigger
from ubiops_file_sync.reconcile import Reconciler
from ubiops_file_sync.stop import Stop

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a pass ended."""

    exit_code: int
    error: str | None = None
    """Why it was broken off; None: it came to its end, well or with problems, or was stopped."""
    is_busy: bool = False
    """It did not take place: somebody else holds the profile."""


@dataclass(frozen=True, slots=True)
class PassRun:
    """One pass under way, for a thread of its own."""

    profile: Profile
    settings: Settings
    env: Mapping[str, str]
    metrics: Metrics | None
    stop: Stop = field(default_factory=Stop)
    traffic: Traffic = field(default_factory=Traffic)

    def __call__(self) -> Ended:
        """Do it. Raises nothing."""
        log = LogOutcomes()
        try:
            report = self._reconciler(log).run()
        except Exception as error:  # noqa: BLE001  a bug must not end the service
            return self._failed(log, error)
        log.finished(report)
        self._after(lambda metrics: metrics.observe(report))
        self._run_hooks(report.exit_code, report.done, words.report_json(report))
        return Ended(report.exit_code)

    def _reconciler(self, log: LogOutcomes) -> Reconciler:
        return Reconciler(
            self.profile,
            self.settings.state_dir,
            env=self.env,
            progress=log,
            stop=self.stop,
            traffic=self.traffic,
            trigger=Trigger.SERVICE,
            history_days=self.settings.history_days,
        )

    def _failed(self, log: LogOutcomes, error: Exception) -> Ended:
        name = self.profile.name
        code = error.exit_code if isinstance(error, SyncError) else 1
        log.failed(name, error)
        self._after(lambda metrics: metrics.failed(name, code))
        if self.stop.is_asked:
            return Ended(code)
        if isinstance(error, ProfileLocked):
            return Ended(code, is_busy=True)
        message = str(error) if isinstance(error, SyncError) else f"a bug ({type(error).__name__})"
        self._run_hooks(code, {}, {"profile": name, "error": message, "exit_code": code})
        return Ended(code, message)

    def _after(self, count: Callable[[Metrics], None]) -> None:
        """Count the pass, and write the file of the metrics if there is one."""
        if self.metrics is None:
            return
        count(self.metrics)
        told = self.settings.metrics
        if told is not None and told.textfile is not None:
            try:
                self.metrics.write(told.textfile)
            except SyncError as error:
                _log.error("%s", error)

    def _run_hooks(
        self, exit_code: int, done: Mapping[Any, int], document: Mapping[str, Any]
    ) -> None:
        if self.stop.is_asked:
            return
        commands = {Event.CHANGE: self.profile.on_change, Event.FAILURE: self.profile.on_failure}
        for event in events_of(exit_code, done):
            if commands[event]:
                run_hook(
                    commands[event],
                    {"version": words.JSON_VERSION, "event": event.value, **document},
                    Occasion(event, self.profile.name, exit_code),
                    self.profile.hook_timeout,
                    env=self.env,
                    without=(self.profile.token_env or "",),
                    stopping=self.stop.urgent,
                )
