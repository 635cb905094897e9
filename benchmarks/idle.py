"""What the service costs while it has nothing to do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.works import Row
from ubiops_file_sync.emulator import BucketServer

_PROFILES = 20


def idle(folder: Path, quick: bool) -> list[Row]:
    """A service with 20 profiles after its first passes: wake-ups, CPU and memory at rest."""
    seconds = 5 if quick else 30
    with BucketServer(folder / "server", rate_limit=None) as server:
        lines = [f"version: 1\napi_host: {server.api_host}\n"]
        lines.append(f"state_dir: {folder / 'state'}\nprofiles:\n")
        for number in range(_PROFILES):
            root = folder / f"root{number}"
            root.mkdir()
            (root / "file").write_bytes(b"1" * 1000)
            lines.append(
                f"  p{number}: {{local_dir: {root}, project: demo, bucket_dir: p{number},"
                " every: 1h, settle: 0}\n"
            )
        config = folder / "config.yaml"
        config.write_text("".join(lines))
        command = [sys.executable, "-m", "ubiops_file_sync", "--config", str(config), "run"]
        env = {**os.environ, "UBIOPS_API_TOKEN": server.token}
        with subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL) as process:
            try:
                while len(server.objects()) < _PROFILES:
                    time.sleep(0.05)
                time.sleep(2)
                before = _status(process.pid)
                time.sleep(seconds)
                after = _status(process.pid)
            finally:
                process.terminate()
    label = f"service, {_PROFILES} profiles, {seconds} s at rest"
    return [
        Row(f"{label}: wake-ups", f"{after[0] - before[0]}", "0"),
        Row(f"{label}: CPU", f"{(after[1] - before[1]) * 1000:.0f} ms", "0 ms"),
        Row(f"{label}: memory, peak until now", f"{after[2]:.0f} MiB", ""),
    ]


def _status(pid: int) -> tuple[int, float, float]:
    """Switches of all threads, CPU seconds, and peak memory in MiB."""
    switches = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        switches += _number((task / "status").read_text(), "voluntary_ctxt_switches")
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    cpu_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return switches, cpu_s, _number(Path(f"/proc/{pid}/status").read_text(), "VmHWM") / 1024


def _number(text: str, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+)", text, re.MULTILINE)
    assert found is not None
    return int(found[1])
