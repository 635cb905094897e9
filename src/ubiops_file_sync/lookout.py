"""A thread that looks at a folder every few seconds, and uploads what has changed in it.

A look takes no API call: it compares the folder with the baseline. So what the last run of the
program left behind goes up too, and what anybody else brought in step meanwhile does not. Only what
differs, and has come to rest, is asked about and sent, by passes over just those files.
"""

from __future__ import annotations

import logging
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from ubiops_file_sync import places
from ubiops_file_sync.classic import OneWay
from ubiops_file_sync.config import Profile
from ubiops_file_sync.local import Wanted
from ubiops_file_sync.logs import LogOutcomes
from ubiops_file_sync.model import BaselineRow, LocalEntry, PlanSummary, Report, Unknown
from ubiops_file_sync.plan import Scope, merged
from ubiops_file_sync.plan.intents import is_later_edit
from ubiops_file_sync.progress import Progress
from ubiops_file_sync.store import BaselineStore, UnsentFiles

_log = logging.getLogger(__name__)

_CHUNK = 500
"""Files that one pass is about, so that memory does not grow with their number (I11)."""
_RETRY_S = 60.0
"""After which a file that failed is tried again; one that changes meanwhile is, at once."""
_LONGEST_PAUSE_S = 60.0
"""Between looks that fail."""
_RESTS_A_LOOK = 9
"""A look that takes long is followed by a pause that many times as long: a folder of a million
files is looked at more rarely, rather than all the time."""
_MOST_TOLD = 1000

_at_work = threading.RLock()
"""Held by a watcher while it looks or uploads."""
_has_waited = False
_A_FORK_WAITS_S = 0.2


def _before_fork() -> None:
    """Let the watcher come to the end of its look: what it holds of SQLite's own locks at that
    moment would be held in the child for ever.

    A courtesy: a pass may take long, and then it is most likely waiting for answers.
    """
    global _has_waited  # noqa: PLW0603  between the two halves of a fork
    _has_waited = _at_work.acquire(timeout=_A_FORK_WAITS_S)


def _after_fork() -> None:
    global _has_waited  # noqa: PLW0603
    if _has_waited:
        _has_waited = False
        _at_work.release()


def _begin_anew() -> None:
    global _at_work  # noqa: PLW0603  whoever held it is not in the child
    _at_work = threading.RLock()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_begin_anew)


class Lookout:
    """Watches one folder from `start` to `end`."""

    def __init__(
        self,
        passes: OneWay,
        interval_s: float,
        progress: Progress | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is looked at yet. `clock`: seconds that only go forward."""
        self._passes = passes
        self._interval_s = interval_s
        self._progress = progress
        self._clock = clock
        self._filters = places.filters(passes.profile)
        self._unsent: UnsentFiles | None = None
        self._told: set[Unknown] = set()
        self._log = LogOutcomes()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watcher", daemon=True)

    @property
    def profile(self) -> Profile:
        """What is watched."""
        return self._passes.profile

    @property
    def is_alive(self) -> bool:
        """Whether it watches, or uploads the last of it."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    @property
    def is_ending(self) -> bool:
        """Whether it was asked to end."""
        return self._ending.is_set()

    def end(self) -> None:
        """Upload what has changed until now, and end. May be called again, and by any thread.

        An interrupt (Ctrl-C) of that breaks off what is under way, and is raised. A thread that is
        in the midst of a pass, from a progress callback or a signal handler, does not wait: the
        watcher might wait for that very pass.
        """
        self._ending.set()
        if threading.current_thread() is self._thread or self._passes.is_in_this_thread:
            return
        try:
            self._thread.join()
        except BaseException:
            self._passes.stop.now()
            self._thread.join()
            raise

    def _watch(self) -> None:
        root = self.profile.local_dir
        _log.info("%s: watching %s every %g s", self.profile.name, root, self._interval_s)
        with UnsentFiles() as self._unsent:
            failures = 0
            while not self._ending.is_set():
                began = self._clock()
                failures = 0 if self._survives(self.turn) else failures + 1
                self._ending.wait(self._pause_s(self._clock() - began, failures))
            self._survives(self.drain)
        _log.info("%s: no longer watching %s", self.profile.name, root)

    def _pause_s(self, took_s: float, failures: int) -> float:
        pause_s = max(self._interval_s, took_s * _RESTS_A_LOOK)
        if not failures:
            return pause_s
        return max(pause_s, min(self._interval_s * 2.0 ** min(failures, 20), _LONGEST_PAUSE_S))

    def _survives(self, work: Callable[[], None]) -> bool:
        """Whether it went well; what did not is in the log."""
        try:
            with _at_work:
                work()
        except Exception as error:  # noqa: BLE001  whatever it is, the next look may go well
            self._log.failed(self.profile.name, error)
            return False
        return True

    def turn(self) -> None:
        """One look, and the upload of what has come to rest. Raises `SyncError`."""
        self._look()
        now_s = self._clock()
        self._send_all(now_s - self.profile.settle, now_s, retry_at_s=now_s + _RETRY_S)

    def drain(self) -> None:
        """One last look, and the upload of everything that it finds. Raises `SyncError`.

        What is fresh is waited for by the pass itself, until it has come to rest.
        """
        self._look()
        self._send_all(math.inf, sys.float_info.max, retry_at_s=math.inf)

    def _look(self) -> None:
        self._files.see(self._changed(), self._clock())

    @property
    def _files(self) -> UnsentFiles:
        """Made by the thread that uses it."""
        if self._unsent is None:
            self._unsent = UnsentFiles()
        return self._unsent

    def _changed(self) -> Iterator[LocalEntry]:
        """The files here that are not as they were when last in step, in key order."""
        with ExitStack() as stack:
            tree = stack.enter_context(places.existing_root(self.profile, ""))
            path = places.state_path(self._passes.state_dir, self.profile)
            store = BaselineStore.open_read_only(path, places.identity(self.profile))
            rows = stack.enter_context(store).row_blocks()
            wanted = Wanted(Scope(self._filters), self._filters.ready_file)
            for _, here, _, row in merged(tree.walk_blocks(wanted), (), rows, PlanSummary()):
                if isinstance(here, Unknown):
                    self._tell(here)
                elif isinstance(here, LocalEntry) and not _is_sent(here, row):
                    yield here

    def _tell(self, unknown: Unknown) -> None:
        """Once: it is the same at every look, until somebody mends it."""
        if unknown.is_problem and unknown not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add(unknown)
            shown = unknown.key.encode(errors="replace").decode()
            _log.warning("%s: %s: %s", self.profile.name, shown, unknown.reason)

    def _send_all(self, since_s: float, now_s: float, *, retry_at_s: float) -> None:
        while chosen := self._files.at_rest(since_s, now_s, _CHUNK):
            report = self._passes.attempt(chosen, self._progress)
            if report.is_stopped:
                return
            # Whatever was left as it is, for its object is newer, is left until it changes.
            self._files.put_off(chosen, math.inf)
            self._files.put_off(_failed(chosen, report), retry_at_s)


def _is_sent(here: LocalEntry, row: BaselineRow | None) -> bool:
    """Whether the file is as it was when last in step, or when an upload of it ended well."""
    if row is None:
        return False
    base, intent = row.base, row.intent
    if base is not None and (here.size, here.mtime_ns) == (base.size, base.mtime_ns):
        return True
    return intent is not None and intent.finished_us is not None and not is_later_edit(here, intent)


def _failed(chosen: list[str], report: Report) -> list[str]:
    """Those that have a problem, or stand in a folder that has one."""
    troubled = {problem.key for problem in report.problems}
    return [
        key
        for key in chosen
        if key in troubled or any(f"{one}/" == key[: len(one) + 1] for one in troubled)
    ]
