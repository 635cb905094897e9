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
from dataclasses import dataclass, field
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
_UNSENT_BYTES = 128 * 1024
"""What the system holds beyond what is on its way. If it took megabytes, progress would tell of
bytes that nobody has received; and on one machine the receiver's core would do the sending too, at
the moment when it takes what came (0.9 s a GiB instead of 0.7)."""
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
        self._asking, self._telling = _Kind(), _Kind()
        self._sending, self._fetching = _Kind(streams_up=True), _Kind(streams_down=True)
        # In lanes the connections are not a handle's own, but those of all lanes.
        self._sockets_in_lanes: dict[int, int] = {}
        self._handles: list[_Handle] = []
        self._trust = trusted_certificates()

    def close(self) -> None:
        """Close every idle connection."""
        for kind in (self._asking, self._telling, self._sending, self._fetching):
            for idle in (kind.idle, kind.idle_in_lanes):
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
        kind = self._asking if body is None else self._telling

        def prepare(curl: Any) -> None:
            curl.setopt(pycurl.CUSTOMREQUEST, method)
            if body is not None:
                curl.setopt(pycurl.POSTFIELDS, body)

        return self._request(kind, url, headers, prepare, read_timeout_s=read_timeout_s)

    def put(self, url: str, headers: Mapping[str, str], source: Source, size: int) -> Answer:
        """PUT `size` bytes of `source`, with their length even if it is zero.

        Raises `NoAnswer`, and what `source` raises, which breaks the request off.
        """
        if size <= _WHOLE_BYTES:
            return self._put_whole(url, headers, source, size)

        def prepare(curl: Any) -> None:
            curl.setopt(pycurl.INFILESIZE_LARGE, size)

        return self._request(self._sending, url, headers, prepare, source=source)

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
        return self._request(self._fetching, url, headers, lambda _curl: None, begin)

    def _spend(self, count: int) -> None:
        if self._bandwidth is not None:
            self._bandwidth.spend(count, self.stopping)

    def _request(
        self,
        kind: _Kind,
        url: str,
        headers: Mapping[str, str],
        prepare: Callable[[Any], None],
        begin: Callable[[Answer], Take | None] | None = None,
        source: Source | None = None,
        *,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> Answer:
        in_lane = is_in_lane()
        idle = kind.idle_in_lanes if in_lane else kind.idle
        handle = idle.pop() if idle else self._new_handle(in_lane=in_lane)
        curl, exchange = handle.curl, handle.exchange
        exchange.begin(begin, source)
        was_connected = bool(handle.sockets)
        try:
            self.require_going_on()
            if not handle.is_set_up:
                self._set_up(handle, kind)
            handle.say(headers, read_timeout_s)
            curl.setopt(pycurl.URL, url)
            prepare(curl)
            # Until there is a connection that `stop` could hang up, and for Ctrl-C.
            if not was_connected or (not in_lane and _is_in_main_thread()):
                exchange.watch(curl)
                handle.is_set_up = False
            sent_at = time.monotonic_ns()
            perform(curl, self.stopping)
            took_us = (time.monotonic_ns() - sent_at) // 1000
            was_sent_again = was_connected and curl.getinfo(pycurl.NUM_CONNECTS) > 0
            return exchange.answer(took_us, was_sent_again=was_sent_again)
        except pycurl.error as error:
            handle.is_set_up = False
            exchange.raise_what_came()
            self.require_going_on()
            if not exchange.is_left:
                raise NoAnswer(trouble_of(error, curl)) from None
            return exchange.answer(0, was_sent_again=False)
        except UnicodeError:
            raise NoAnswer(Trouble.BROKEN) from None  # The URL is no URL.
        finally:
            exchange.let_go()
            if not handle.is_set_up:
                curl.reset()  # Keeps the connections.
            idle.append(handle)

    def _new_handle(self, *, in_lane: bool) -> _Handle:
        sockets = self._sockets_in_lanes if in_lane else {}
        spend = None if self._bandwidth is None else self._spend
        exchange = Exchange(self.stopping, spend)
        handle = _Handle(pycurl.Curl(), exchange, self.stopping, sockets)
        self._handles.append(handle)
        return handle

    def _set_up(self, handle: _Handle, kind: _Kind) -> None:
        """What is the same in all requests of one kind: to say it again costs as much as to ask."""
        curl = handle.curl
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        # Signatures are of the path as it stands.
        curl.setopt(pycurl.PATH_AS_IS, 1)
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        curl.setopt(pycurl.SOCKOPTFUNCTION, handle.note_socket)
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.TCP_NODELAY, 1)
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, int(CONNECT_TIMEOUT_S * 1000))
        curl.setopt(pycurl.LOW_SPEED_LIMIT, 1)
        for option, place in self._trust:
            curl.setopt(option, place)
        block_bytes = _BUFFER_BYTES
        if self._bandwidth is not None and (kind.streams_up or kind.streams_down):
            block_bytes = self._bandwidth.block_bytes
        curl.setopt(pycurl.BUFFERSIZE, block_bytes)
        handle.exchange.listen(curl)
        if kind.streams_up:
            curl.setopt(pycurl.UPLOAD, 1)
            curl.setopt(pycurl.UPLOAD_BUFFERSIZE, block_bytes)
            handle.exchange.listen_for_body(curl)
        handle.said = None
        handle.is_set_up = True


_NO_KIND = {"Content-Type": ""}


@dataclass(slots=True, eq=False)
class _Kind:
    """Requests that differ in no more than their method, URL, headers and body."""

    streams_up: bool = False
    """The body is asked for block by block."""
    streams_down: bool = False
    """The body of the answer is wanted block by block."""
    # The one used last is taken first, so there are as many as ever asked at once.
    idle: list[_Handle] = field(default_factory=list)
    idle_in_lanes: list[_Handle] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Handle:
    """One of libcurl's, which keeps its own connections, unless it is used in lanes."""

    curl: Any
    exchange: Exchange
    stopping: threading.Event
    sockets: dict[int, int]
    """The inode of each socket by its descriptor. libcurl closes them, and does not say so."""
    is_set_up: bool = False
    """For requests of its kind."""
    said: tuple[Mapping[str, str], float] | None = None
    """Headers and timeout of the last request, which most likely are those of the next."""

    def say(self, headers: Mapping[str, str], read_timeout_s: float) -> None:
        """Tell libcurl of the headers, and how long to wait."""
        if self.said == (headers, read_timeout_s):
            return
        # Without the empty one it would wait a second for leave to send a large body.
        lines = [f"{name}: {value}" for name, value in headers.items()]
        lines.append("Expect:")
        self.curl.setopt(pycurl.HTTPHEADER, lines)
        # Not a limit of the whole, which may take hours, but of the time without a byte.
        self.curl.setopt(pycurl.LOW_SPEED_TIME, max(1, round(read_timeout_s)))
        self.said = (dict(headers), read_timeout_s)

    def note_socket(self, fd: int, _purpose: int) -> int:
        """libcurl made a socket, and is about to connect it."""
        if self.stopping.is_set():
            return int(pycurl.SOCKOPT_ERROR)
        self.sockets[fd] = os.fstat(fd).st_ino
        _keep_little_unsent(fd)
        return int(pycurl.SOCKOPT_OK)


def _keep_little_unsent(fd: int) -> None:
    """Have the system take no more than travels soon; how much travels at once is not touched."""
    connection = socket.socket(fileno=fd)
    try:
        with suppress(OSError):  # Another system knows no such thing.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
    finally:
        connection.detach()


def _is_in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


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
