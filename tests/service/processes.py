"""A real `ubiops-file-sync run`, with a real notify socket, beside the embedded bucket server."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ubiops_file_sync.config import load_settings
from ubiops_file_sync.emulator import BucketServer
from ubiops_file_sync.past import PastPass, Stage
from ubiops_file_sync.service.control import ask_service
from ubiops_file_sync.status import read_history

PATIENCE_S = 30.0
"""For what surely comes; the machine may be busy."""
PROGRAM = [sys.executable, "-m", "ubiops_file_sync"]


def eventually(check: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
    """What `check` returns once that is true; fails if it never is."""
    deadline = time.monotonic() + patience_s
    while not (found := check()):
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.01)
    return found


@dataclass
class Running:
    """A service under way."""

    process: subprocess.Popen[bytes]
    heard: queue.SimpleQueue[str]
    log: Path
    told: list[str] = field(default_factory=list)
    """All that it told the service manager until now."""

    def hears(self, line: str) -> str:
        """The next message to the service manager with a line that begins so."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                message = self.heard.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"never told: {line}; but {self.told}") from None
            self.told.append(message)
            if any(one.startswith(line) for one in message.split("\n")):
                return message

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def ends(self, within_s: float = PATIENCE_S) -> int:
        """Its exit code, once it has ended."""
        return self.process.wait(within_s)

    def says(self, words: str) -> str:
        """The line of its log with these words, once it is there."""

        def look() -> str:
            return next((one for one in self.log.read_text().split("\n") if words in one), "")

        return str(eventually(look, f"{words!r} in the log"))

    def switches(self) -> int:
        """How often its main thread has gone to sleep."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])


@dataclass
class Place:
    """A configuration, its state and its folders; services and commands are run over it."""

    server: BucketServer
    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def state_dir(self) -> Path:
        return self.folder / "state"

    def root(self, name: str = "p") -> Path:
        """The local folder of a profile."""
        return self.folder / name

    def configure(self, top: dict[str, Any] | None = None, **profiles: dict[str, Any]) -> None:
        """Write the configuration: the settings of each profile that matter to the test."""
        whole = {
            "version": 1,
            "api_host": self.server.api_host,
            "state_dir": str(self.state_dir),
            **(top or {}),
            "profiles": {name: self._usual(name) | given for name, given in profiles.items()},
        }
        for name in profiles:
            self.root(name).mkdir(exist_ok=True)
        # JSON is YAML.
        self.config.write_text(json.dumps(whole))

    def _usual(self, name: str) -> dict[str, Any]:
        return {
            "local_dir": str(self.root(name)),
            "project": self.server.project,
            "bucket_dir": name,
            "settle": 0,
            "every": "1h",
        }

    def write(self, key: str, content: bytes, profile: str = "p") -> Path:
        """A local file that has come to rest."""
        path = self.root(profile) / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (time.time() - 100, time.time() - 100))
        return path

    @property
    def env(self) -> dict[str, str]:
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("XDG_", "UBIOPS"))}
        return {**kept, "UBIOPS_API_TOKEN": self.server.token}

    @contextlib.contextmanager
    def service(self, *names: str, watchdog_s: float | None = None) -> Iterator[Running]:
        """Run the service until the end of the block, at the latest."""
        address = self.folder / "notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
            address.unlink(missing_ok=True)
            ear.bind(str(address))
            heard: queue.SimpleQueue[str] = queue.SimpleQueue()
            threading.Thread(target=_listen, args=(ear, heard), daemon=True).start()
            env = {**self.env, "NOTIFY_SOCKET": str(address)}
            if watchdog_s is not None:
                env["WATCHDOG_USEC"] = str(int(watchdog_s * 1e6))
            log = self.folder / "service.log"
            with log.open("ab") as output:
                process = subprocess.Popen(
                    [*PROGRAM, "--config", str(self.config), "run", *names],
                    env=env,
                    stderr=output,
                    stdout=subprocess.DEVNULL,
                )
            try:
                yield Running(process, heard, log)
            finally:
                process.kill()
                process.wait()
                # Ends the listener, which a closed socket would not.
                with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as mouth:
                    mouth.sendto(b"", str(address))

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run another command over the same configuration, to its end."""
        return subprocess.run(
            [*PROGRAM, "--config", str(self.config), *words],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def status(self, profile: str = "p") -> dict[str, Any]:
        """What `status --json` says of a profile."""
        done = self.command("status", profile, "--json")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)["profiles"][0]
        return found

    def live(self, profile: str = "p") -> dict[str, Any]:
        """What the running service says of a profile."""
        answer = ask_service(self.state_dir, {"command": "status"})
        found: dict[str, Any] = answer["profiles"][profile]
        return found

    def passes(self, name: str = "p") -> list[PastPass]:
        """The passes of a profile that are not under way, oldest first."""
        [profile] = load_settings(self.config, self.env).select((name,))
        found = list(read_history(profile, self.state_dir))
        return [one for one in reversed(found) if one.stage is not Stage.UNDER_WAY]


def _listen(ear: socket.socket, heard: queue.SimpleQueue[str]) -> None:
    with contextlib.suppress(OSError):
        while message := ear.recv(65_536):
            heard.put(message.decode())
