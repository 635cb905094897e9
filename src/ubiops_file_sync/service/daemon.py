"""The service: one loop that waits for ticks, signals, requests and passes that end.

All that is decided is decided in the loop's thread; passes run in threads of their own and only
send a message when they have ended. The loop sleeps until something happens: it wakes for ticks and
for the watchdog, and for nothing else.
"""

from __future__ import annotations

import logging
import os
import random
import selectors
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ubiops_file_sync import __version__
from ubiops_file_sync.bucket.quota import quota_left
from ubiops_file_sync.config import Settings
from ubiops_file_sync.errors import SyncError
from ubiops_file_sync.schedule import LONGEST_SLEEP_S, Clocks
from ubiops_file_sync.service.clock import WallAlarm, read_clocks
from ubiops_file_sync.service.control import Answer, ControlServer, socket_folder
from ubiops_file_sync.service.files import read_private, write_private
from ubiops_file_sync.service.lanes import Lane, Lanes
from ubiops_file_sync.service.notify import Notifier
from ubiops_file_sync.service.outlets import Outlets
from ubiops_file_sync.service.run import Ended, PassRun
from ubiops_file_sync.service.telling import live_of, paused_from, paused_of, status_words
from ubiops_file_sync.store import service_lock

_log = logging.getLogger(__name__)

_PAUSED_FILE = "paused.json"
_ANSWER_TIMEOUT_S = 8.0
_LONGEST_PAUSE_S = 366 * 86_400.0
_LAST_GRACE_S = 5.0
"""What a pass is given that was broken off, to write down what it did."""
_SHORTEST_SLEEP_S = 0.001
"""Select takes less for nothing, and would be asked again and again."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

Load = Callable[[], Settings]
"""Reads the configuration again. Raises `SyncError`."""


@dataclass(slots=True)
class _Request:
    """A question from outside, to be answered in the loop's thread."""

    asked: Answer
    answer: Future[Answer] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class _PassEnded:
    lane: Lane
    ended: Ended


class Daemon:
    """Runs the profiles of one configuration until it is told to stop."""

    def __init__(
        self,
        settings: Settings,
        load: Load,
        names: tuple[str, ...],
        env: Mapping[str, str],
        notifier: Notifier,
    ) -> None:
        """`names`: the profiles to run; none: all that are enabled."""
        self._settings = settings
        self._load = load
        self._names = names
        self._env = env
        self._notifier = notifier
        self._outlets = Outlets()
        self._lanes = Lanes(settings.max_concurrent_profiles, _chance)
        self._runs: dict[int, PassRun] = {}
        """By the identity of their lanes."""
        self._inbox: deque[_Request | _PassEnded | signal.Signals] = deque()
        self._selector = selectors.DefaultSelector()
        self._began = datetime.now(UTC)
        self._is_stopping = False
        self._gives_up_at_s = float("inf")
        """When passes that still run are broken off, and then left; by the monotonic clock."""
        self._is_broken_off = False
        self._config_error: str | None = None
        self._alive_at_s = 0.0

    def run(self) -> None:
        """Run until a signal ends it. Raises `SyncError` if it cannot start."""
        settings = self._settings
        with ExitStack() as stack:
            stack.callback(self._selector.close)
            stack.enter_context(service_lock(settings.state_dir))
            stack.enter_context(self._outlets)
            self._outlets.open(settings)
            self._wake_fd = stack.enter_context(self._woken_by_signals())
            self._alarm = self._wall_alarm(stack)
            self._control = self._listening(stack)
            self._set_up_lanes(settings)
            self._notifier.ready(self._words())
            _log.info("%s runs %s", f"ubiops-file-sync {__version__}", self._words())
            while not self._is_over():
                self._turn()
        _log.info("the service has stopped")

    # -- one turn of the loop ----------------------------------------------------------------------

    def _turn(self) -> None:
        now = read_clocks()
        if not self._is_stopping:
            for lane in self._lanes.ready(now):
                self._begin(lane)
        elif time.monotonic() >= self._gives_up_at_s:
            self._break_off()
        self._feed_watchdog()
        self._notifier.status(self._words())
        self._wait(now)
        while self._inbox:
            self._heed(self._inbox.popleft())

    def _wait(self, now: Clocks) -> None:
        """Sleep until something happens, or until it is time for something."""
        wait_s = None if self._is_stopping else self._lanes.wait_s(now)
        limits = [self._gives_up_at_s - time.monotonic(), self._alive_at_s - time.monotonic()]
        if wait_s is not None:
            limits.append(max(wait_s, _SHORTEST_SLEEP_S))
            if self._alarm is None:
                limits.append(LONGEST_SLEEP_S)
            else:
                self._alarm.ring_at(now.wall + timedelta(seconds=wait_s))
        timeout_s = min(limits)
        for key, _ in self._selector.select(None if timeout_s == float("inf") else timeout_s):
            if key.fileobj is self._control:
                self._control.handle_request()
            elif key.fileobj == self._wake_fd:
                with suppress(BlockingIOError):
                    os.read(self._wake_fd, 4096)
            # The alarm is set anew before the next wait, which silences it.

    def _feed_watchdog(self) -> None:
        """Twice in the time that the service manager waits, and only from here: if the loop is
        stuck, nobody does."""
        if self._notifier.watchdog_s is None:
            self._alive_at_s = float("inf")
        elif time.monotonic() >= self._alive_at_s:
            self._notifier.alive()
            self._alive_at_s = time.monotonic() + self._notifier.watchdog_s / 2

    def _heed(self, news: _Request | _PassEnded | signal.Signals) -> None:
        if isinstance(news, _PassEnded):
            self._end(news.lane, news.ended)
        elif isinstance(news, _Request):
            news.answer.set_result(self._answered(news.asked))
        elif news is signal.SIGHUP:
            self._reload()
        else:
            self._stop(news.name)

    def _is_over(self) -> bool:
        if not self._is_stopping:
            return False
        is_left = self._is_broken_off and time.monotonic() >= self._gives_up_at_s
        if is_left and self._runs:
            _log.error(
                "%s did not end in time and is left; the next start goes on from what it recorded",
                ", ".join(run.profile.name for run in self._runs.values()),
            )
        return is_left or not self._runs

    # -- passes ------------------------------------------------------------------------------------

    def _begin(self, lane: Lane) -> None:
        lane.begin()
        run = PassRun(lane.profile, self._settings, self._env, self._outlets.metrics)
        self._runs[id(lane)] = run

        def work() -> None:
            ended = Ended(1, "a bug in ubiops-file-sync; its log has more")
            try:
                ended = run()
            finally:
                # Whatever came of it: a lane that never hears of its end would run no more.
                self._inbox.append(_PassEnded(lane, ended))
                self._wake()

        # A daemon's thread: one that hangs in a dead disk must not hold the end of the process.
        threading.Thread(target=work, name=f"pass-{lane.profile.name}", daemon=True).start()

    def _end(self, lane: Lane, ended: Ended) -> None:
        del self._runs[id(lane)]
        now = read_clocks()
        if ended.is_busy:
            lane.pass_over(now, _chance())
        else:
            lane.end(now, _chance(), ended.exit_code, ended.error)
        if lane.failures and not self._is_stopping:
            zone = self._settings.zone(lane.profile)
            _log.warning("%s: %s", lane.profile.name, lane.due.in_words(zone))
        self._lanes.ended(lane)
        self._outlets.tell_due(lane)

    def _set_up_lanes(self, settings: Settings) -> None:
        profiles = settings.select_to_run(self._names)
        wanted = [(profile, settings.timing(profile)) for profile in profiles]
        paused = read_private(settings.state_dir / _PAUSED_FILE)
        for change in self._lanes.set_up(wanted, read_clocks(), paused_from(paused)):
            _log.info("%s", change)
        self._lanes.at_once = settings.max_concurrent_profiles
        self._outlets.keep_only(settings, self._lanes.by_name.values())

    # -- the end -----------------------------------------------------------------------------------

    def _stop(self, why: str) -> None:
        """First time: begin nothing more, and wait; again: wait no longer."""
        if self._is_stopping:
            self._break_off()
            return
        self._is_stopping = True
        self._gives_up_at_s = time.monotonic() + self._settings.stop_timeout
        running = ", ".join(run.profile.name for run in self._runs.values())
        words = f"stopping; waits for {running}" if running else "stopping"
        _log.info("%s: %s", why, words)
        self._notifier.stopping(words)
        for run in self._runs.values():
            run.stop.ask()

    def _break_off(self) -> None:
        if self._is_broken_off:
            return
        self._is_broken_off = True
        self._gives_up_at_s = time.monotonic() + _LAST_GRACE_S
        for run in self._runs.values():
            _log.info("%s: what is under way is broken off", run.profile.name)
            run.stop.now()

    # -- the configuration -------------------------------------------------------------------------

    def _reload(self) -> str | None:
        """Read the configuration again; why the old one goes on, if it does."""
        self._notifier.reloading()
        time.tzset()
        try:
            self._take_over(self._load())
        except SyncError as error:
            self._config_error = str(error)
            _log.error("the configuration is not taken over, and the old one goes on: %s", error)
        else:
            self._config_error = None
            _log.info("the configuration is taken over")
        self._notifier.ready(self._words())
        return self._config_error

    def _take_over(self, settings: Settings) -> None:
        """Raises `SyncError`, and nothing is changed then."""
        if settings.state_dir != self._settings.state_dir:
            raise SyncError(
                f"`state_dir` is {settings.state_dir} now, and was {self._settings.state_dir}; "
                "restart the service to move it"
            )
        settings.select_to_run(self._names)
        for warning in settings.warnings:
            _log.warning("%s", warning)
        self._outlets.open(settings)
        self._settings = settings
        self._set_up_lanes(settings)

    # -- requests from outside ---------------------------------------------------------------------

    def _ask(self, asked: Answer) -> Answer:
        """Have the loop answer; called in a thread of the control server."""
        request = _Request(asked)
        self._inbox.append(request)
        self._wake()
        try:
            return request.answer.result(_ANSWER_TIMEOUT_S)
        except TimeoutError:
            return {"error": "the service is busy and did not answer; look at its log"}

    def _answered(self, asked: Answer) -> Answer:
        commands: dict[str, Callable[[Answer], Answer]] = {
            "status": self._tell_status,
            "trigger": self._trigger,
            "pause": self._pause,
            "resume": self._resume,
            "reload": self._reload_now,
        }
        name = asked.get("command")
        command = commands.get(name) if isinstance(name, str) else None
        if command is None:
            return {"error": f"the service knows {', '.join(commands)}"}
        try:
            return command(asked)
        except SyncError as error:
            return {"error": str(error)}
        except Exception:  # noqa: BLE001
            # Whatever somebody asks, the service goes on.
            _log.exception("a request could not be answered, by a bug; please report it")
            return {"error": "a bug in the service; its log has more"}

    def _tell_status(self, _asked: Answer) -> Answer:
        lanes = self._lanes.by_name.values()
        return {
            "version": __version__,
            "process": os.getpid(),
            "since": self._began.isoformat(),
            "is_stopping": self._is_stopping,
            "config_error": self._config_error,
            "profiles": {
                lane.profile.name: live_of(
                    lane,
                    self._runs.get(id(lane)),
                    quota_left(lane.profile.api_host),
                )
                for lane in lanes
            },
        }

    def _trigger(self, asked: Answer) -> Answer:
        lane = self._lane(asked)
        if self._is_stopping:
            raise SyncError("the service is stopping, and begins no pass any more")
        lane.is_wanted = True
        if lane.is_running:
            return {"said": "a pass is under way; another one follows it"}
        if len(self._lanes.running) >= self._lanes.at_once:
            return {"said": "the pass begins as soon as one of another profile has ended"}
        return {"said": "the pass begins"}

    def _pause(self, asked: Answer) -> Answer:
        lane = self._lane(asked)
        seconds = asked.get("seconds")
        until = None
        if seconds is not None:
            if not isinstance(seconds, int | float) or not 0 < seconds <= _LONGEST_PAUSE_S:
                raise SyncError("a pause lasts up to a year; leave its length out for a longer one")
            until = datetime.now(UTC) + timedelta(seconds=seconds)
        lane.pause(until)
        self._note_paused(lane)
        under_way = "; the pass under way goes on" if lane.is_running else ""
        return {"said": f"paused{under_way}", "until": None if until is None else until.isoformat()}

    def _resume(self, asked: Answer) -> Answer:
        lane = self._lane(asked)
        if not lane.is_paused:
            return {"said": "it was not paused"}
        lane.resume(read_clocks(), _chance())
        self._note_paused(lane)
        return {"said": lane.due.in_words(self._settings.zone(lane.profile))}

    def _note_paused(self, lane: Lane) -> None:
        """A pause outlives the service. Raises `SyncError` if it cannot be written down."""
        self._outlets.tell_due(lane)
        try:
            write_private(
                self._settings.state_dir / _PAUSED_FILE, paused_of(self._lanes.by_name.values())
            )
        except OSError as error:
            raise SyncError(
                f"done, but it could not be written down ({(error.strerror or '').lower()}), so "
                "that a restart forgets it"
            ) from error

    def _reload_now(self, _asked: Answer) -> Answer:
        trouble = self._reload()
        if trouble is not None:
            raise SyncError(f"the old configuration goes on: {trouble}")
        return {"said": "the configuration is taken over"}

    def _lane(self, asked: Answer) -> Lane:
        name = asked.get("profile")
        lane = self._lanes.by_name.get(name) if isinstance(name, str) else None
        if lane is None or lane.is_retired:
            there = ", ".join(self._lanes.by_name) or "none"
            raise SyncError(f"the service runs no profile {name!r}; it runs {there}")
        return lane

    # -- what the loop waits on --------------------------------------------------------------------

    def _words(self) -> str:
        return status_words(self._lanes.by_name.values(), self._settings, self._config_error)

    def _wake(self) -> None:
        # Full: it will wake anyway.
        with suppress(BlockingIOError, OSError):
            os.write(self._write_fd, b"\0")

    @contextmanager
    def _woken_by_signals(self) -> Iterator[int]:
        """A descriptor that becomes readable with each signal and each message."""
        read_fd, self._write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        earlier = {number: signal.getsignal(number) for number in _SIGNALS}

        def note(number: int, _frame: object) -> None:
            self._inbox.append(signal.Signals(number))

        for number in _SIGNALS:
            signal.signal(number, note)
        earlier_fd = signal.set_wakeup_fd(self._write_fd, warn_on_full_buffer=False)
        self._selector.register(read_fd, selectors.EVENT_READ)
        try:
            yield read_fd
        finally:
            signal.set_wakeup_fd(earlier_fd)
            for number, handler in earlier.items():
                signal.signal(number, handler)
            os.close(read_fd)
            os.close(self._write_fd)

    def _wall_alarm(self, stack: ExitStack) -> WallAlarm | None:
        try:
            alarm = WallAlarm()
        except OSError:
            return None  # Then it wakes up once a minute, to see whether the clock was set.
        stack.callback(alarm.close)
        self._selector.register(alarm, selectors.EVENT_READ)
        return alarm

    def _listening(self, stack: ExitStack) -> ControlServer | None:
        state_dir = self._settings.state_dir
        try:
            control = ControlServer(socket_folder(self._env, state_dir), state_dir, self._ask)
        except OSError as error:
            _log.error(
                "no control socket (%s): status tells less, and trigger, pause and reload do not "
                "work; SIGHUP reloads all the same",
                (error.strerror or str(error)).lower(),
            )
            return None
        stack.callback(control.close)
        self._selector.register(control, selectors.EVENT_READ)
        return control


def _chance() -> float:
    return random.random()  # noqa: S311  jitter is no secret
