"""Pooled HTTP: one client for the API and for signed URLs, on libcurl.

Keep-alive connections (a new TLS session costs three times the CPU of a request), timeouts on
every phase, no body and no query ever logged (signed URLs are secrets), no retry of its own.
Why libcurl, with figures: `docs/dependencies.md`.
"""

from __future__ import annotations

import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pycurl

from ubiops_file_sync.bucket.bandwidth import Bandwidth
from ubiops_file_sync.bucket.exchange import Answer, Exchange, Source, Take
from ubiops_file_sync.bucket.trouble import NoAnswer, Trouble, trouble_of
from ubiops_file_sync.bucket.trust import trusted_certificates
from ubiops_file_sync.errors import Interrupted
from ubiops_file_sync.lanes import is_in_lane, perform

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 60.0
_BUFFER_BYTES = 256 * 1024
"""libcurl's default of 16 KiB costs a call into Python for each."""
_WHOLE_BYTES = 64 * 1024
"""A body up to this size is handed over whole: a call into Python for a piece of it costs as much
as the request, if other threads want the interpreter too."""


def interrupted() -> Interrupted:
    """What is raised by everything that `HttpClient.stopping` ends."""
    return Interrupted("interrupted; the next pass takes it")


class HttpClient:
    """Connections to any number of hosts, kept alive between requests. Thread-safe."""

    def __init__(self, bandwidth: Bandwidth | None = None) -> None:
        """`bandwidth` limits the bodies that `put` and `get` move."""
        self._bandwidth = bandwidth
        self.stopping = threading.Event()
        """Set by `stop`."""
        # The one used last is taken first, so there are as many as threads ever asked at once.
        self._idle: list[_Handle] = []
        # In lanes the connections are not a handle's own, but those of all lanes.
        self._idle_in_lanes: list[_Handle] = []
        self._sockets_in_lanes: dict[int, int] = {}
        self._handles: list[_Handle] = []
        self._trust = trusted_certificates()

    def close(self) -> None:
        """Close every idle connection."""
        for idle in (self._idle, self._idle_in_lanes):
            while idle:
                handle = idle.pop()
                self._handles.remove(handle)
                handle.curl.close()

    def stop(self) -> None:
        """Break off the requests under way, and refuse every further one. Takes no lock."""
        self.stopping.set()
        # Those of lanes are many handles' own.
        for sockets in {id(one.sockets): one.sockets for one in list(self._handles)}.values():
            _hang_up(sockets)

    def require_going_on(self) -> None:
        """Raise `Interrupted` once `stopping` is set."""
        if self.stopping.is_set():
            raise interrupted()

    def ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        *,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> Answer:
        """The answer to one small request. Raises `NoAnswer`."""

        def prepare(curl: Any) -> None:
            curl.setopt(pycurl.CUSTOMREQUEST, method)
            if body is not None:
                curl.setopt(pycurl.POSTFIELDS, body)

        return self._request(url, headers, prepare, None, read_timeout_s)

    def put(self, url: str, headers: Mapping[str, str], source: Source, size: int) -> Answer:
        """PUT `size` bytes of `source`, with their length even if it is zero.

        Raises `NoAnswer`, and what `source` raises, which breaks the request off.
        """
        if size <= _WHOLE_BYTES:
            return self._put_whole(url, headers, source, size)

        def prepare(curl: Any) -> None:
            curl.setopt(pycurl.UPLOAD, 1)
            curl.setopt(pycurl.INFILESIZE_LARGE, size)
            curl.setopt(pycurl.UPLOAD_BUFFERSIZE, self._block_bytes)

        return self._request(url, headers, prepare, None, READ_TIMEOUT_S, source)

    def _put_whole(self, url: str, headers: Mapping[str, str], source: Source, size: int) -> Answer:
        body = b""
        while len(body) < size:
            body += source.read(size - len(body))
        self._spend(size)
        # libcurl would call it a form.
        kind = {} if any(name.lower() == "content-type" for name in headers) else _NO_KIND
        return self.ask("PUT", url, {**headers, **kind}, body)

    def get(
        self, url: str, headers: Mapping[str, str], begin: Callable[[Answer], Take | None]
    ) -> Answer:
        """GET whose body goes to what `begin` returns, once it has seen status and headers.

        None: the body is left, which costs the connection. Raises `NoAnswer`, and what `begin` or
        the taker raises.
        """

        def prepare(curl: Any) -> None:
            curl.setopt(pycurl.BUFFERSIZE, self._block_bytes)

        return self._request(url, headers, prepare, begin, READ_TIMEOUT_S)

    @property
    def _block_bytes(self) -> int:
        return _BUFFER_BYTES if self._bandwidth is None else self._bandwidth.block_bytes

    def _spend(self, count: int) -> None:
        if self._bandwidth is not None:
            self._bandwidth.spend(count, self.stopping)

    def _request(
        self,
        url: str,
        headers: Mapping[str, str],
        prepare: Callable[[Any], None],
        begin: Callable[[Answer], Take | None] | None,
        read_timeout_s: float,
        source: Source | None = None,
    ) -> Answer:
        idle = self._idle_in_lanes if is_in_lane() else self._idle
        handle = self._take_handle(idle)
        curl = handle.curl
        exchange = Exchange(self.stopping, self._spend, begin, source)
        was_connected = bool(handle.sockets)
        try:
            self.require_going_on()
            self._set_up(handle, url, headers, read_timeout_s)
            prepare(curl)
            exchange.listen(curl)
            # Until there is a connection that `stop` could hang up, and for Ctrl-C.
            if not was_connected or threading.current_thread() is threading.main_thread():
                exchange.watch(curl)
            sent_at = time.monotonic_ns()
            perform(curl, self.stopping)
            exchange.took_us = (time.monotonic_ns() - sent_at) // 1000
            if was_connected and curl.getinfo(pycurl.NUM_CONNECTS):
                exchange.was_sent_again = True
        except pycurl.error as error:
            exchange.raise_what_came()
            self.require_going_on()
            if not exchange.is_left:
                raise NoAnswer(trouble_of(error, curl)) from None
        except UnicodeError:
            raise NoAnswer(Trouble.BROKEN) from None  # The URL is no URL.
        finally:
            curl.reset()  # Lets go of the callbacks, and keeps the connections.
            idle.append(handle)
        return exchange.answer()

    def _take_handle(self, idle: list[_Handle]) -> _Handle:
        try:
            return idle.pop()
        except IndexError:
            sockets = self._sockets_in_lanes if idle is self._idle_in_lanes else {}
            handle = _Handle(pycurl.Curl(), self.stopping, sockets)
            self._handles.append(handle)
            return handle

    def _set_up(
        self, handle: _Handle, url: str, headers: Mapping[str, str], read_timeout_s: float
    ) -> None:
        curl = handle.curl
        curl.setopt(pycurl.URL, url)
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        # Signatures are of the path as it stands.
        curl.setopt(pycurl.PATH_AS_IS, 1)
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        # Without the empty one it would wait a second for leave to send a large body.
        lines = [f"{name}: {value}" for name, value in headers.items()]
        lines.append("Expect:")
        curl.setopt(pycurl.HTTPHEADER, lines)
        curl.setopt(pycurl.SOCKOPTFUNCTION, handle.note_socket)
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.TCP_NODELAY, 1)
        curl.setopt(pycurl.BUFFERSIZE, _BUFFER_BYTES)
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, int(CONNECT_TIMEOUT_S * 1000))
        # Not a limit of the whole, which may take hours, but of the time without a byte.
        curl.setopt(pycurl.LOW_SPEED_LIMIT, 1)
        curl.setopt(pycurl.LOW_SPEED_TIME, max(1, round(read_timeout_s)))
        for option, place in self._trust:
            curl.setopt(option, place)


_NO_KIND = {"Content-Type": ""}


@dataclass(slots=True, eq=False)
class _Handle:
    """One of libcurl's, which keeps its own connections, unless it is used in lanes."""

    curl: Any
    stopping: threading.Event
    sockets: dict[int, int]
    """The inode of each socket by its descriptor. libcurl closes them, and does not say so."""

    def note_socket(self, fd: int, _purpose: int) -> int:
        """libcurl made a socket, and is about to connect it."""
        if self.stopping.is_set():
            return int(pycurl.SOCKOPT_ERROR)
        self.sockets[fd] = os.fstat(fd).st_ino
        return int(pycurl.SOCKOPT_OK)


def _hang_up(sockets: dict[int, int]) -> None:
    """Shut connections down, from any thread: what waits for them fails at once."""
    for fd, inode in list(sockets.items()):
        # It may have been closed meanwhile, and be another's by now: even a file's, of which no
        # descriptor may be closed either, since that ends SQLite's locks.
        with suppress(OSError):
            if _is_socket(fd, inode):
                _shut_down(os.dup(fd), inode)


def _is_socket(fd: int, inode: int) -> bool:
    status = os.fstat(fd)
    return stat.S_ISSOCK(status.st_mode) and status.st_ino == inode


def _shut_down(ours: int, inode: int) -> None:
    """Shut the socket down, if it is that one, and close the descriptor."""
    if not _is_socket(ours, inode):
        os.close(ours)
        return
    with socket.socket(fileno=ours) as duplicate:
        duplicate.shutdown(socket.SHUT_RDWR)
