"""Pooled HTTP: one client for the API and for signed URLs, on libcurl.

Keep-alive connections (a new TLS session costs three times the CPU of a request), timeouts on
every phase, no body and no query ever logged (signed URLs are secrets), no retry of its own.
Why libcurl, with figures: `docs/dependencies.md`.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pycurl

from ubiops_file_sync.bucket.bandwidth import Bandwidth
from ubiops_file_sync.courtesy import stepping_aside
from ubiops_file_sync.errors import Interrupted

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 60.0
_BUFFER_BYTES = 256 * 1024
"""libcurl's default of 16 KiB costs a call into Python for each."""
_WHOLE_BYTES = 64 * 1024
"""A body up to this size is handed over whole: a call into Python for a piece of it costs as much
as the request, if other threads want the interpreter too."""

_CA_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Where Debian, Fedora, SUSE and Alpine keep the trusted certificates."""


class Trouble(Enum):
    """Where a request broke off."""

    NAME = "the host name is not known"
    CONNECT = "no connection"
    TLS = "the secure connection failed"
    TIMEOUT = "no answer in time"
    PROXY = "the proxy refused"
    FILES = "too many open files"
    BROKEN = "the connection broke off"


class NoAnswer(Exception):
    """No complete answer came. Its text never holds a URL."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.value)
        self.trouble = trouble


@dataclass(slots=True)
class Answer:
    """An answer of any status."""

    status: int
    reason: str
    headers: Mapping[str, str]
    """By lower-case name; those that came more than once are joined with commas."""
    data: bytes = b""
    """The whole body, unless somebody else took it."""
    took_us: int = 0
    """From the moment when the request was sent to the end of the answer, microseconds."""
    was_sent_again: bool = False
    """A kept connection may have been closed, and the request sent a second time: the first may
    have been heeded."""


def interrupted() -> Interrupted:
    """What is raised by everything that `HttpClient.stopping` ends."""
    return Interrupted("interrupted; the next pass takes it")


class Source(Protocol):
    """A request body of known length."""

    def read(self, count: int, /) -> bytes:
        """At most `count` further bytes."""
        ...

    def rewind(self) -> None:
        """Begin anew: a pooled connection turned out to be closed."""
        ...


Take = Callable[[bytes], None]
"""Takes a block of a body."""


class HttpClient:
    """Connections to any number of hosts, kept alive between requests. Thread-safe."""

    def __init__(self, bandwidth: Bandwidth | None = None) -> None:
        """`bandwidth` limits the bodies that `put` and `get` move."""
        self._bandwidth = bandwidth
        self.stopping = threading.Event()
        """Set by `stop`."""
        # The one used last is taken first, so there are as many as threads ever asked at once.
        self._idle: list[_Handle] = []
        self._handles: list[_Handle] = []
        self._trust = _trusted_certificates()

    def close(self) -> None:
        """Close every idle connection."""
        while self._idle:
            handle = self._idle.pop()
            self._handles.remove(handle)
            handle.curl.close()

    def stop(self) -> None:
        """Break off the requests under way, and refuse every further one. Takes no lock."""
        self.stopping.set()
        for handle in list(self._handles):
            handle.hang_up()

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
        handle = self._take_handle()
        curl = handle.curl
        exchange = _Exchange(self.stopping, self._spend, begin, source)
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
            with stepping_aside():
                curl.perform()
            exchange.took_us = (time.monotonic_ns() - sent_at) // 1000
            if was_connected and curl.getinfo(pycurl.NUM_CONNECTS):
                exchange.was_sent_again = True
        except pycurl.error as error:
            exchange.raise_what_came()
            self.require_going_on()
            if not exchange.is_left:
                raise NoAnswer(_trouble(error, curl)) from None
        except UnicodeError:
            raise NoAnswer(Trouble.BROKEN) from None  # The URL is no URL.
        finally:
            curl.reset()  # Lets go of the callbacks, and keeps the connections.
            self._idle.append(handle)
        return exchange.answer()

    def _take_handle(self) -> _Handle:
        try:
            return self._idle.pop()
        except IndexError:
            handle = _Handle(pycurl.Curl(), self.stopping)
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
    """One of libcurl's, which keeps its own connections."""

    curl: Any
    stopping: threading.Event
    sockets: dict[int, int] = field(default_factory=dict)
    """The inode of each socket by its descriptor. libcurl closes them, and does not say so."""

    def note_socket(self, fd: int, _purpose: int) -> int:
        """libcurl made a socket, and is about to connect it."""
        if self.stopping.is_set():
            return int(pycurl.SOCKOPT_ERROR)
        self.sockets[fd] = os.fstat(fd).st_ino
        return int(pycurl.SOCKOPT_OK)

    def hang_up(self) -> None:
        """Shut the connections down, from any thread: what waits for them fails at once."""
        for fd, inode in list(self.sockets.items()):
            with suppress(OSError), socket.socket(fileno=os.dup(fd)) as ours:
                # A descriptor may have been closed meanwhile, and be another's by now.
                if os.fstat(ours.fileno()).st_ino == inode:
                    ours.shutdown(socket.SHUT_RDWR)


class _Exchange:
    """What comes and goes during one request, as libcurl calls for it.

    pycurl prints what a callback raises and goes on; so it is kept here, and raised at the end.
    """

    def __init__(
        self,
        stopping: threading.Event,
        spend: Callable[[int], None],
        begin: Callable[[Answer], Take | None] | None,
        source: Source | None,
    ) -> None:
        self._stopping = stopping
        self._spend = spend
        self._begin = begin
        self._source = source
        self._head: list[bytes] = []
        self._blocks: list[bytes] = []
        self._take: Take | None = self._blocks.append if begin is None else None
        self._parsed: Answer | None = None
        self._raised: BaseException | None = None
        self.is_left = False
        """Nobody wanted the body."""
        self.took_us = 0
        self.was_sent_again = False

    def listen(self, curl: Any) -> None:
        """Have libcurl call for each event."""
        # The list's own method, and no function of ours: it is called for every line.
        curl.setopt(pycurl.HEADERFUNCTION, self._head.append)
        curl.setopt(pycurl.WRITEFUNCTION, self._came)
        if self._source is not None:
            curl.setopt(pycurl.READFUNCTION, partial(self._read, self._source))
            curl.setopt(pycurl.SEEKFUNCTION, partial(self._seek, self._source))

    def watch(self, curl: Any) -> None:
        """Have libcurl ask whether to go on, some ten times a request and then once a second."""
        curl.setopt(pycurl.NOPROGRESS, 0)
        curl.setopt(pycurl.XFERINFOFUNCTION, self._watch)

    def answer(self) -> Answer:
        """The answer. Raises what a callback raised."""
        self.raise_what_came()
        answer = self._parsed or _parsed(self._head)
        if self._begin is not None and self._take is None and not self.is_left:
            self._begin(answer)  # A body of no bytes has not called for it yet.
        answer.data = b"".join(self._blocks)
        answer.took_us = self.took_us
        answer.was_sent_again = self.was_sent_again
        return answer

    def raise_what_came(self) -> None:
        """Raise what broke the request off on this side."""
        if self._raised is not None:
            raise self._raised

    def _came(self, block: bytes) -> int | None:
        try:
            if self._take is None and self._begin is not None:
                self._parsed = _parsed(self._head)
                self._take = self._begin(self._parsed)
            if self._take is None:
                self.is_left = True
                return 0
            if self._begin is not None:
                self._spend(len(block))
            self._take(block)
        except BaseException as error:  # noqa: BLE001  raised again outside of libcurl
            self._raised = error
            return 0
        return None

    def _read(self, source: Source, count: int) -> bytes | int:
        try:
            block = source.read(count)
            self._spend(len(block))
        except BaseException as error:  # noqa: BLE001  raised again outside of libcurl
            self._raised = error
            return int(pycurl.READFUNC_ABORT)
        return block

    def _seek(self, source: Source, offset: int, origin: int) -> int:
        if offset or origin:
            return int(pycurl.SEEKFUNC_CANTSEEK)
        source.rewind()
        self.was_sent_again = True
        return int(pycurl.SEEKFUNC_OK)

    def _watch(self, *_counts: int) -> bool:
        try:
            return self._stopping.is_set()
        except BaseException as error:  # noqa: BLE001  Ctrl-C comes to the main thread here
            self._raised = error
            return True


_STATUS = re.compile(r"[0-9]{3}", re.ASCII)
_HEADER_LINE = re.compile(r"^([^:\r\n]+):[ \t]*([^\r\n]*)", re.MULTILINE)


def _parsed(head: list[bytes]) -> Answer:
    """The status and the headers of the last answer: that of a 100 may stand before it."""
    _, _, last = ("\r\n" + b"".join(head).decode("latin-1")).rpartition("\r\nHTTP/")
    first, _, lines = last.partition("\r\n")
    words = first.split(None, 2)
    status = int(words[1]) if len(words) > 1 and _STATUS.fullmatch(words[1]) else 0
    reason = words[2].strip() if len(words) > 2 else ""
    return Answer(status, reason, _joined(_HEADER_LINE.findall(lines)))


def _joined(lines: Iterable[tuple[str, str]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for written, padded in lines:
        name, value = written.lower(), padded.rstrip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


_E_PROXY = 97
"""CURLE_PROXY, which pycurl has no name for."""

_TROUBLES = {
    pycurl.E_COULDNT_RESOLVE_HOST: Trouble.NAME,
    pycurl.E_COULDNT_RESOLVE_PROXY: Trouble.PROXY,
    pycurl.E_COULDNT_CONNECT: Trouble.CONNECT,
    pycurl.E_OPERATION_TIMEDOUT: Trouble.TIMEOUT,
    pycurl.E_SSL_CONNECT_ERROR: Trouble.TLS,
    pycurl.E_PEER_FAILED_VERIFICATION: Trouble.TLS,
    pycurl.E_SSL_CACERT_BADFILE: Trouble.TLS,
    pycurl.E_SSL_CERTPROBLEM: Trouble.TLS,
    pycurl.E_SSL_CIPHER: Trouble.TLS,
    _E_PROXY: Trouble.PROXY,
}


def _trouble(error: pycurl.error, curl: Any) -> Trouble:
    """Where it broke off. libcurl's own words are left out: they may quote the URL."""
    trouble = _TROUBLES.get(error.args[0], Trouble.BROKEN)
    if trouble is not Trouble.TIMEOUT and _may_open_nothing():
        return Trouble.FILES
    if trouble is Trouble.TIMEOUT and not curl.getinfo(pycurl.PRETRANSFER_TIME):
        return Trouble.CONNECT
    if curl.getinfo(pycurl.HTTP_CONNECTCODE) >= 400:
        return Trouble.PROXY
    return trouble


def _may_open_nothing() -> bool:
    """Whether this process has as many files open as it may. libcurl does not tell."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        return error.errno in {errno.EMFILE, errno.ENFILE}
    return False


def _trusted_certificates() -> list[tuple[int, str]]:
    """libcurl's options for the certificates to trust.

    Those that the variables of OpenSSL, `requests` and curl name; else the system's; else those
    that come with the SDK.
    """
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        place = os.environ.get(name)
        if place:
            return [(pycurl.CAPATH if Path(place).is_dir() else pycurl.CAINFO, place)]
    own = ssl.get_default_verify_paths()
    for place in (own.cafile, *_CA_FILES):
        if place and Path(place).is_file():
            return [(pycurl.CAINFO, place)]
    import certifi

    return [(pycurl.CAINFO, certifi.where())]
