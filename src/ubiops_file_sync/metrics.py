"""What passes did, as Prometheus reads it: over HTTP, or in a file for node_exporter.

Labels are names of profiles, verbs, endpoints and results: never a key, an address or a token
(invariant I9). The client library is loaded with the first `Metrics`, since it takes as long as a
whole command.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ubiops_file_sync import __version__
from ubiops_file_sync.errors import ConfigError, ProfileLocked, RemoteError, SafetyHalt
from ubiops_file_sync.model import Report, Verb

if TYPE_CHECKING:
    from wsgiref.simple_server import WSGIServer

    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics import MetricWrapperBase
    from prometheus_client.registry import Collector

_log = logging.getLogger(__name__)

_PREFIX = "ubiops_file_sync"
_SECONDS = (0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 14_400)
"""From an idle pass over a few files to the first one over many, which the quota makes long."""
_REQUEST_TIMEOUT_S = 10.0
_READABLE = 0o644

_OK, _PROBLEMS, _BUSY, _FAILED = "ok", "problems", "busy", "failed"
_RAISED = {
    RemoteError.exit_code: "unreachable",
    SafetyHalt.exit_code: "halted",
    ProfileLocked.exit_code: _BUSY,
    ConfigError.exit_code: "configuration",
}
"""What an exit code says of a pass that raised; any other: a bug."""
_RESULTS = (_OK, _PROBLEMS, *_RAISED.values(), _FAILED)


class Metrics:
    """Counts the passes of a process. Thread-safe."""

    def __init__(self, now_s: Callable[[], float] = time.time) -> None:
        """Nothing is counted yet. `now_s`: seconds since the epoch, for the end of a pass."""
        from prometheus_client import CollectorRegistry, Info, disable_created_metrics

        disable_created_metrics()  # type: ignore[no-untyped-call]  # else each counter comes twice
        self._now_s = now_s
        self._profiles: set[str] = set()
        self._lock = threading.Lock()
        self._of_passes = CollectorRegistry()
        self._set_up_counters(self._of_passes)
        self._set_up_gauges(self._of_passes)
        build = Info(f"{_PREFIX}_build", "The version of this program.", registry=self._of_passes)
        build.info({"version": __version__})
        self._everything = _with_process((*self._of_profiles, build))

    def _set_up_counters(self, registry: CollectorRegistry) -> None:
        from prometheus_client import Counter, Histogram

        def counter(name: str, words: str, *labels: str) -> Counter:
            return Counter(f"{_PREFIX}_{name}", words, ("profile", *labels), registry=registry)

        self._passes = counter("passes", "Passes that ended, by how they ended.", "result")
        self._outcomes = counter("outcomes", "Actions that ended well.", "verb")
        self._up = counter("uploaded_bytes", "Bytes that went to the bucket.")
        self._down = counter("downloaded_bytes", "Bytes that came from the bucket.")
        self._calls = counter(
            "api_calls",
            "API calls of finished passes, by endpoint and status of the answer (none: no answer).",
            "endpoint",
            "status",
        )
        self._seconds = Histogram(
            f"{_PREFIX}_pass_duration_seconds",
            "How long finished passes took.",
            ("profile",),
            buckets=_SECONDS,
            registry=registry,
        )

    def _set_up_gauges(self, registry: CollectorRegistry) -> None:
        from prometheus_client import Gauge

        def gauge(name: str, words: str) -> Gauge:
            return Gauge(f"{_PREFIX}_{name}", words, ("profile",), registry=registry)

        self._in_step = gauge("files_in_step", "Files on record as in step.")
        self._problems = gauge("problems", "Keys that the last finished pass had trouble with.")
        self._last = gauge("last_pass_timestamp_seconds", "When the last pass ended.")
        self._last_ok = gauge(
            "last_success_timestamp_seconds", "When the last pass without any problem ended."
        )
        self._due = gauge("next_due_timestamp_seconds", "When the next pass is due.")
        self._limit = gauge(
            "quota_limit_calls", "API calls that the service allows in a window of its quota."
        )
        self._left = gauge(
            "quota_left_calls", "API calls that were left of it when the last pass ended."
        )

    @property
    def _of_profiles(self) -> tuple[MetricWrapperBase, ...]:
        counters = (self._passes, self._outcomes, self._up, self._down, self._calls, self._seconds)
        times = (self._last, self._last_ok, self._due)
        return (*counters, self._in_step, self._problems, *times, self._limit, self._left)

    def observe(self, report: Report) -> None:
        """Count a pass that has ended with a report. A dry run counts for nothing."""
        if report.dry_run:
            return
        profile = self._ended(report.profile, _PROBLEMS if report.exit_code else _OK)
        for verb, count in report.done.items():
            self._outcomes.labels(profile, verb.value).inc(count)
        self._up.labels(profile).inc(report.bytes_up)
        self._down.labels(profile).inc(report.bytes_down)
        for endpoint, status, count in _calls_of(report):
            self._calls.labels(profile, endpoint, status).inc(count)
        self._seconds.labels(profile).observe(report.seconds)
        if report.in_step is not None:
            self._in_step.labels(profile).set(report.in_step)
        self._problems.labels(profile).set(report.problem_count)
        pace = report.planned.pace
        if pace is not None:
            self._limit.labels(profile).set(pace.limit)
        if report.quota_left is not None:
            self._left.labels(profile).set(report.quota_left)

    def failed(self, profile: str, exit_code: int) -> None:
        """Count a pass that raised: it has no report, but an exit code."""
        self._ended(profile, _RAISED.get(exit_code, _FAILED))

    def due(self, profile: str, when_s: float | None) -> None:
        """Tell when the next pass is due, in seconds since the epoch; None: it is paused."""
        if when_s is None:
            self._due.remove_by_labels({"profile": profile})
        else:
            self._begin(profile)
            self._due.labels(profile).set(when_s)

    def remember(self, profile: str, last_s: float | None, last_ok_s: float | None) -> None:
        """Tell of passes of an earlier process, so that an alert outlives a restart."""
        self._begin(profile)
        if last_s is not None:
            self._last.labels(profile).set(last_s)
        if last_ok_s is not None:
            self._last_ok.labels(profile).set(last_ok_s)

    def keep_only(self, profiles: Collection[str]) -> None:
        """Forget every other profile: it is gone from the configuration."""
        with self._lock:
            gone = self._profiles.difference(profiles)
            self._profiles -= gone
        for profile in gone:
            for metric in self._of_profiles:
                metric.remove_by_labels({"profile": profile})

    def _ended(self, profile: str, result: str) -> str:
        self._begin(profile)
        now_s = self._now_s()
        self._passes.labels(profile, result).inc()
        if result != _BUSY:  # Then it was somebody else's.
            self._last.labels(profile).set(now_s)
        if result == _OK:
            self._last_ok.labels(profile).set(now_s)
        return profile

    def _begin(self, profile: str) -> None:
        """Counters that stand at zero before anything happens: an increase from nothing at all is
        none to Prometheus."""
        with self._lock:
            if profile in self._profiles:
                return
            self._profiles.add(profile)
        for result in _RESULTS:
            self._passes.labels(profile, result)
        for verb in Verb:
            self._outcomes.labels(profile, verb.value)
        self._up.labels(profile)
        self._down.labels(profile)

    def listen(self, host: str, port: int) -> Listener:
        """Serve everything over HTTP, until that is closed. Raises `ConfigError`."""
        return Listener(host, port, self._everything)

    def write(self, path: Path) -> None:
        """Write a file for node_exporter's textfile collector: whole or not at all, and readable.

        For one process alone: another would write its own counts over it. What concerns the process
        itself is left out, since node_exporter has series of its own of those names and refuses
        both. Raises `ConfigError`.
        """
        from prometheus_client import generate_latest

        new = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            # The library's own `write_to_textfile` leaves the mode to the umask, and that of a
            # service is 0077.
            with new.open("wb") as file:
                os.fchmod(file.fileno(), _READABLE)
                file.write(generate_latest(self._of_passes))
            new.rename(path)
        except OSError as error:
            with suppress(OSError):
                new.unlink()
            raise ConfigError(
                f"`metrics.textfile` {path} cannot be written ({_words(error)}); make its folder "
                "and give this user the right to write there, or set it elsewhere"
            ) from error


class Listener:
    """An HTTP server in a thread of its own, which sleeps until it is asked."""

    def __init__(self, host: str, port: int, registry: CollectorRegistry) -> None:
        """Requests are answered from now on. Raises `ConfigError` if the address cannot be had."""
        try:
            self._server = _server(host, port, registry)
        except (OSError, OverflowError) as error:
            raise ConfigError(
                f"`metrics.listen` {_address(host, port)} cannot be had ({_words(error)}); stop "
                "what listens there, or choose another address"
            ) from error
        self.port: int = self._server.server_port
        """The one that was given, or that was free where it was 0."""
        self._thread = threading.Thread(target=self._serve, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let go of the address."""
        # Wakes the thread, which waits without a limit of time.
        with suppress(OSError):
            self._server.socket.shutdown(socket.SHUT_RDWR)
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _serve(self) -> None:
        # The library's own thread looks twice a second whether to stop, for ever.
        self._server.serve_forever(poll_interval=None)  # type: ignore[arg-type]  # select's None


def _server(host: str, port: int, registry: CollectorRegistry) -> WSGIServer:
    from socketserver import TCPServer
    from wsgiref.simple_server import WSGIRequestHandler, make_server

    from prometheus_client import make_wsgi_app
    from prometheus_client.exposition import ThreadingWSGIServer

    class Server(ThreadingWSGIServer):
        address_family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]

        def server_bind(self) -> None:
            """As it is usually done, but without asking the DNS for a name that nobody needs."""
            TCPServer.server_bind(self)
            self.server_name, self.server_port = host, self.socket.getsockname()[1]
            self.setup_environ()

        def handle_error(self, *_request: object) -> None:
            """A client that went away is no reason for a traceback on standard error."""
            _log.debug("a request for metrics broke off", exc_info=True)

    class Handler(WSGIRequestHandler):
        timeout = _REQUEST_TIMEOUT_S
        """Whoever connects and says nothing does not hold a thread for ever."""

        def log_message(self, *_args: object) -> None:
            """A scrape every few seconds is no news."""

    return make_server(host, port, make_wsgi_app(registry), Server, Handler)


def _with_process(collectors: Iterable[Collector]) -> CollectorRegistry:
    """A registry of these, and of what tells of the process and of Python."""
    from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector

    registry = CollectorRegistry()
    for collector in collectors:
        registry.register(collector)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry


def _calls_of(report: Report) -> Iterator[tuple[str, str, int]]:
    """Endpoint, status of the answer, and number of calls."""
    for endpoint, answers in report.api_answers.items():
        for status, count in answers.items():
            yield endpoint, status, count


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _words(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()
