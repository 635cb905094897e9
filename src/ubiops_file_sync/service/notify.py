"""Telling systemd how the service is doing: the protocol of sd_notify(3), a datagram a message.

Without `$NOTIFY_SOCKET` nobody is told.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field

_LONGEST_STATUS = 500


@dataclass(slots=True)
class Notifier:
    """The service manager's ear. Only the service's main thread may speak: `NotifyAccess=main`."""

    address: str | None = None
    """A path, or `@NAME` in the abstract namespace; None: nobody listens."""
    watchdog_s: float | None = None
    """How often at least `alive` is to be called; None: nobody waits for it."""
    _last_status: str = field(default="", init=False)

    @classmethod
    def from_env(cls, env: MutableMapping[str, str]) -> Notifier:
        """By the variables of sd_notify(3), which are removed: they are not for child processes."""
        address = env.pop("NOTIFY_SOCKET", None)
        usec, pid = env.pop("WATCHDOG_USEC", ""), env.pop("WATCHDOG_PID", "")
        is_ours = not pid or pid == str(os.getpid())
        watchdog_s = int(usec) / 1e6 if usec.isdecimal() and int(usec) and is_ours else None
        return cls(address or None, watchdog_s)

    def ready(self, status: str) -> None:
        """The service has started, or has reloaded its configuration."""
        self._tell("READY=1", self._status_line(status))

    def reloading(self) -> None:
        """The configuration is being read again; `ready` ends it."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, status: str) -> None:
        """The service is on its way out."""
        self._tell("STOPPING=1", self._status_line(status))

    def alive(self) -> None:
        """The service turns."""
        self._tell("WATCHDOG=1")

    def status(self, text: str) -> None:
        """How it is doing, in words; nothing is sent if that was told before."""
        if text != self._last_status:
            self._tell(self._status_line(text))

    def _status_line(self, text: str) -> str:
        self._last_status = text
        line = " ".join(text.split())
        return f"STATUS={line[:_LONGEST_STATUS]}"

    def _tell(self, *lines: str) -> None:
        if self.address is None:
            return
        address = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        # A manager that went away is no reason to stop.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
            ear.sendto("\n".join(lines).encode(errors="replace"), address)
