"""A pass of a service that is running already: no start is in it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import PEAK, Run
from ubiops_file_sync.errors import SyncError
from ubiops_file_sync.service.control import ask_service

_LOOK_S = 0.005
_TICKS_A_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Service:
    """One that runs over a state folder, and whose profile `p` is in step."""

    process: subprocess.Popen[bytes]
    state: Path

    def pass_now(self) -> Run:
        """Have it pass over the profile, from the asking to the end. RuntimeError if that fails."""
        cpu_s, began = self._cpu_s(), time.monotonic()
        ask_service(self.state, {"command": "trigger", "profile": "p"})
        self.wait()
        wall_s = time.monotonic() - began
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        peak = PEAK.search(status)
        return Run(wall_s, self._cpu_s() - cpu_s, int(peak[1]) / 1024 if peak else 0.0)

    def wait(self) -> None:
        """Until no pass is under way or wanted. RuntimeError if the last one failed."""
        while True:
            if self.process.poll() is not None:
                raise RuntimeError("the service has ended")
            time.sleep(_LOOK_S)
            with suppress(SyncError):
                profile = ask_service(self.state, {"command": "status"})["profiles"]["p"]
                if profile["last_exit_code"] is None:
                    continue
                if not profile["is_running"] and not profile["is_wanted"]:
                    break
        if profile["last_exit_code"]:
            raise RuntimeError(f"the pass failed: {profile['last_error']}")

    def _cpu_s(self) -> float:
        told = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(told[11]) + int(told[12])) / _TICKS_A_S


@contextmanager
def running(
    command: Sequence[str], env: Mapping[str, str], log: Path, state: Path
) -> Iterator[Service]:
    """A service after its first pass."""
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, env={**os.environ, **env}, stdout=output, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            service = Service(process, state)
            service.wait()
            yield service
        finally:
            process.terminate()
