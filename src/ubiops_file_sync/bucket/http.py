"""Pooled HTTP: one client for the API and for signed URLs.

Keep-alive connections (a new TLS session costs three times the CPU of a request), timeouts on
every phase, no body and no query ever logged (signed URLs are secrets), no retry of its own.
"""

from __future__ import annotations

import logging
import os
import ssl
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import urllib3

from ubiops_file_sync.errors import Interrupted

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 60.0


class _NoQueries(logging.Filter):
    """Takes queries out of urllib3's own log lines: that of a signed URL is a secret (I9)."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                arg.partition("?")[0] if isinstance(arg, str) else arg for arg in record.args
            )
        return True


logging.getLogger("urllib3.connectionpool").addFilter(_NoQueries())


class _PlainConnection(urllib3.connection.HTTPConnection):
    """Gives each block of a body the read timeout: urllib3 leaves the connect timeout in force
    while the first request of a connection is sent, and a slow uplink would meet it."""

    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(READ_TIMEOUT_S)


class _TlsConnection(urllib3.connection.HTTPSConnection):
    """As `_PlainConnection`."""

    def connect(self) -> None:
        super().connect()
        if self.sock is not None:
            self.sock.settimeout(READ_TIMEOUT_S)


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class HttpClient:
    """A pool of connections to any number of hosts. Thread-safe."""

    def __init__(self, connections: int) -> None:
        """`connections`: how many threads will ask one host at the same time."""
        self._options: dict[str, Any] = {
            "maxsize": connections,
            "block": False,
            "retries": False,
            "timeout": urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S),
        }
        self.stopping = threading.Event()
        """Set: every request fails, and bodies that are under way break off."""
        self._pools: dict[tuple[str, str], urllib3.PoolManager] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close every idle connection."""
        with self._lock:
            for pool in self._pools.values():
                pool.clear()

    def ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Any = None,
        *,
        stream: bool = False,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> urllib3.BaseHTTPResponse:
        """Send one request. Raises urllib3's `HTTPError` for anything but an answer.

        With `stream` the body is not read; the caller reads it and releases the connection.
        """
        self.require_going_on()
        return self._pool_for(url).request(
            method,
            url,
            headers=headers,
            body=body,
            preload_content=not stream,
            redirect=False,
            decode_content=False,
            timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=read_timeout_s),
        )

    def require_going_on(self) -> None:
        """Raise `Interrupted` once `stopping` is set."""
        if self.stopping.is_set():
            raise Interrupted("interrupted; the next pass takes it")

    @contextmanager
    def streaming(self, url: str, headers: Mapping[str, str]) -> Iterator[urllib3.BaseHTTPResponse]:
        """GET whose body the block may read or leave: an unread one costs the connection."""
        response = self.ask("GET", url, headers, stream=True)
        try:
            yield response
        finally:
            # drain_conn would download all the rest; a connection is the cheaper price.
            response.close()
            response.release_conn()

    def _pool_for(self, url: str) -> urllib3.PoolManager:
        try:
            parts = urlsplit(url)
        except ValueError:
            raise urllib3.exceptions.LocationParseError("a signed URL") from None
        place = (parts.scheme, parts.netloc)
        with self._lock:
            pool = self._pools.get(place)
            if pool is None:
                pool = self._pools[place] = self._new_pool(parts.scheme, parts.hostname or "")
            return pool

    def _new_pool(self, scheme: str, host: str) -> urllib3.PoolManager:
        options = dict(self._options)
        if scheme == "https":
            options["ssl_context"] = _tls_context()
        proxy = _proxy_for(scheme, host)
        pool = (
            urllib3.PoolManager(**options)
            if proxy is None
            else urllib3.ProxyManager(proxy, **options)
        )
        pool.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}
        return pool


def _proxy_for(scheme: str, host: str) -> str | None:
    """The proxy that the usual variables (`HTTPS_PROXY`, `NO_PROXY` …) name for a host."""
    proxies = urllib.request.getproxies()
    proxy = proxies.get(scheme, proxies.get("all"))
    if not proxy or urllib.request.proxy_bypass(host):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _tls_context() -> ssl.SSLContext:
    """The system's trusted certificates, and those that `requests` users name by variable."""
    context = ssl.create_default_context()
    extra = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    if extra:
        context.load_verify_locations(cafile=extra)
    return context
