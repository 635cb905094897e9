"""An HTTP server in a thread of this process, on a loopback address."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
KEEP_ALIVE_S = 60


class HttpThread:
    """Serves an application from `start` until `stop`."""

    def __init__(
        self, app: ASGIApp, host: str, port: int, tls: tuple[str | Path, str | Path] | None
    ) -> None:
        """`port` 0 takes a free one. Raises `OSError` when the port is taken."""
        certificate, key = tls or (None, None)
        config = uvicorn.Config(
            _ending_quietly(app),
            http=_Protocol,
            ws="none",
            loop="asyncio",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            ssl_certfile=certificate,
            ssl_keyfile=None if key is None else str(key),
        )
        self._listener = _listen(host, port)
        self.port: int = self._listener.getsockname()[1]
        self._started = threading.Event()
        self._server = _Server(config, self._started.set)
        self._thread = threading.Thread(target=self._run, name="bucket-server", daemon=True)
        self._problem: BaseException | None = None

    def start(self) -> None:
        """Return when requests are served; raises what keeps the server from starting."""
        self._thread.start()
        if not self._started.wait(START_TIMEOUT_S):
            raise TimeoutError("the bucket server does not start")
        if self._problem is not None:
            raise self._problem

    def stop(self) -> None:
        """Break every connection and return when nothing is served any more."""
        self._server.stop()
        self._thread.join(STOP_TIMEOUT_S)
        if self._thread.is_alive():
            raise TimeoutError("the bucket server does not stop")

    def _run(self) -> None:
        try:
            asyncio.run(self._server.serve(sockets=[self._listener]))
        except BaseException as problem:  # noqa: BLE001 - goes on in the thread that starts us
            self._problem = problem
        finally:
            self._listener.close()
            self._started.set()


class _Protocol(HttpToolsProtocol):
    """Hands the connection to the application, which must be able to break it."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"]["transport"] = self.transport


class _Server(uvicorn.Server):
    """Starts and stops within milliseconds, which a test suite does hundreds of times.

    Stopping breaks every connection, as a machine does that goes down.
    """

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_started()
        await self._stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        while self.server_state.connections or self.server_state.tasks:
            for connection in list(self.server_state.connections):
                connection.transport.abort()
            for task in list(self.server_state.tasks):
                task.cancel()
            await asyncio.sleep(0.001)

    def stop(self) -> None:
        """End the server; may be called by any thread, once it has started."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stopping.set)


def _ending_quietly(app: ASGIApp) -> ASGIApp:
    """The application, but being cancelled when the server stops is not logged as its error."""

    async def quiet(scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await app(scope, receive, send)

    return quiet


def require_loopback(host: str) -> None:
    """Raise `ValueError` for an address that other machines may reach."""
    try:
        is_loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise ValueError(
            f"The bucket server listens on loopback addresses only, not on {host!r}: it has one "
            "token and no protection. Use 127.0.0.1, ::1 or localhost."
        )


def _listen(host: str, port: int) -> socket.socket:
    address = "127.0.0.1" if host == "localhost" else host
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # asyncio turns Nagle's delay off only for sockets that say they speak TCP; without it each
    # response waits 40 ms for the client's delayed acknowledgement of the headers.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        # Connections that come before the loop runs wait rather than fail.
        listener.listen(2048)
    except BaseException:
        listener.close()
        raise
    return listener
