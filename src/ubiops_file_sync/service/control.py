"""Asking a running service: a private Unix socket, one line of JSON each way.

The service writes down where its socket is, in the state folder, for only the configuration need
be known to find that. Whoever connects must be the service's own user, or root.
"""

from __future__ import annotations

import json
import os
import socket
import socketserver
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec

from ubiops_file_sync.errors import SyncError
from ubiops_file_sync.json_text import parsed
from ubiops_file_sync.service.files import write_private

_LONGEST_REQUEST = 64 * 1024
_LONGEST_ANSWER = 64 * 1024 * 1024
_TIMEOUT_S = 10.0
_ADDRESS_FILE = "service.json"
_SOCKET = "control.sock"
_PEER = struct.Struct("3i")
"""`struct ucred`: process, user, group; see unix(7)."""


class _Said(msgspec.Struct):
    """The answer to a command."""

    said: str
    until: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class _Status(msgspec.Struct):
    """The answer to the question how it is doing."""

    version: str
    process: int
    since: Annotated[datetime, msgspec.Meta(tz=True)]
    is_stopping: bool
    config_error: str | None
    profiles: dict[str, dict[str, Any]]


Answer = dict[str, Any]
Ask = Callable[[Answer], Answer]
"""Answers one request. Called in a thread of its own."""


class NoService(SyncError):
    """No service is running over this state folder."""


def socket_folder(env: Mapping[str, str], state_dir: Path) -> Path:
    """Where a service puts its socket: the runtime folder of systemd, else of the user, else beside
    its state."""
    given = env.get("RUNTIME_DIRECTORY", "").split(":")[0]
    if given:
        return Path(given)
    user = env.get("XDG_RUNTIME_DIR", "")
    if user and Path(user).is_dir():
        return Path(user, "ubiops-file-sync")
    return state_dir


class ControlServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """The service's end. The main loop selects on it, and calls `handle_request` when it is told.

    A client that says nothing holds up a thread of its own, and nobody else.
    """

    daemon_threads = True
    timeout = 0.0
    request_queue_size = 16

    def __init__(self, folder: Path, state_dir: Path, ask: Ask) -> None:
        """Listen, and write down where; raises OSError. The state folder must be locked."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Several services may share a runtime folder; a state folder has one service.
        name = _SOCKET if folder == state_dir else f"{state_dir.stat().st_ino:x}.sock"
        self._path = folder / name
        self._address_file = state_dir / _ADDRESS_FILE
        self._ask = ask
        self._path.unlink(missing_ok=True)
        with _short(self._path) as address:
            umask = os.umask(0o177)
            try:
                super().__init__(address, _Talk)
            finally:
                os.umask(umask)
        write_private(self._address_file, {"socket": str(self._path), "process": os.getpid()})

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002
        """Whether it is the service's own user, or root."""
        return _user_of(request) in {0, os.geteuid()}

    def answer(self, request: Answer) -> Answer:
        """The answer to one request."""
        return self._ask(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away; its request was heeded or not."""

    def close(self) -> None:
        """Listen no more, and leave nothing behind."""
        self.server_close()
        for path in (self._path, self._address_file):
            with suppress(OSError):
                path.unlink()


class _Talk(socketserver.StreamRequestHandler):
    """One request, and its answer."""

    timeout = _TIMEOUT_S
    server: ControlServer

    def handle(self) -> None:
        """Read it, and answer it."""
        line = self.rfile.readline(_LONGEST_REQUEST)
        try:
            request = parsed(line)
        except ValueError:
            request = None
        if not isinstance(request, dict):
            answer: Answer = {"error": "a request is one line with a JSON object in it"}
        else:
            answer = self.server.answer(request)
        self.wfile.write(json.dumps(answer).encode() + b"\n")


def ask_service(state_dir: Path, request: Answer) -> Answer:
    """The answer of the service that runs over a state folder. Raises `NoService`, `SyncError`.

    It has what the answer to such a request has: a service of another version may say other things.
    """
    path = _address(state_dir)
    try:
        with socket.socket(socket.AF_UNIX) as connection, _short(path) as address:
            connection.settimeout(_TIMEOUT_S)
            connection.connect(address)
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as answers:
                answer = parsed(answers.readline(_LONGEST_ANSWER))
    except (FileNotFoundError, ConnectionRefusedError):
        raise _no_service(state_dir) from None
    except PermissionError:
        raise SyncError(
            f"the service's socket {path} belongs to another user; ask as that user or as root"
        ) from None
    except (OSError, ValueError) as error:
        raise SyncError(
            f"the service gave no answer ({type(error).__name__}); look at its log, and whether "
            "it is running"
        ) from error
    if isinstance(answer, dict) and "error" in answer:
        raise SyncError(str(answer["error"]) or "the service refused, and did not say why")
    return _understood(answer, _Status if request.get("command") == "status" else _Said)


def _understood(answer: Any, shape: type[msgspec.Struct]) -> Answer:
    try:
        msgspec.convert(answer, shape)
    except (ValueError, RecursionError):
        raise SyncError(
            "the service gave no answer that can be read; is it of another version? Restart it"
        ) from None
    understood: Answer = answer
    return understood


def _address(state_dir: Path) -> Path:
    try:
        told = parsed((state_dir / _ADDRESS_FILE).read_bytes())
        return Path(told["socket"])
    except PermissionError:
        raise SyncError(
            f"{state_dir} belongs to another user; ask as that user or as root"
        ) from None
    except (OSError, ValueError, KeyError, TypeError):
        raise _no_service(state_dir) from None


def _no_service(state_dir: Path) -> NoService:
    return NoService(
        f"no service is running over {state_dir}; start it (ubiops-file-sync run), or check that "
        "this is the configuration it was started with"
    )


def _user_of(connection: socket.socket) -> int:
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    user: int = _PEER.unpack(told)[1]
    return user


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """The path of a socket, by way of its open folder: the kernel takes 107 bytes at most."""
    fd = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}/{path.name}"
    finally:
        os.close(fd)
