"""Trees of odd shapes, and plans of many actions: no step may be quadratic, no memory may grow."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from benchmarks.contenders import Contest, fill
from benchmarks.measure import Run, run
from benchmarks.web import serving
from benchmarks.works import Row
from ubiops_file_sync.emulator import BucketServer

_DEEP = 100
_GIB = 1 << 30


def shapes(folder: Path, quick: bool) -> list[Row]:
    """Plans of one huge file, of one folder with very many, and of a path with very many parts."""
    wide = 2_000 if quick else 20_000
    trees = {
        "64 GiB in one file": _huge,
        f"{wide:,} files in one folder": lambda root: _wide(root, wide),
        f"{wide * 10:,} files in one folder": lambda root: _wide(root, wide * 10),
        f"a path {_DEEP} levels deep": _deep,
    }
    rows = []
    with BucketServer(folder / "server", rate_limit=None) as server:
        for number, (label, make) in enumerate(trees.items()):
            root = folder / f"root{number}"
            root.mkdir()
            make(root)
            took = _plan(server, root, folder)
            rows.append(
                Row(f"plan of {label}: CPU, and peak memory", f"{took.cpu_s:.2f} s",
                    f"{took.peak_mib:.0f} MiB")
            )  # fmt: skip
    return rows


def _plan(server: BucketServer, root: Path, folder: Path) -> Run:
    config = folder / "config.yaml"
    config.write_text(
        f"version: 1\napi_host: {server.api_host}\nstate_dir: {folder / 'state'}\nprofiles:\n"
        f"  p: {{local_dir: {root}, project: {server.project}, settle: 0}}\n"
    )
    command = [sys.executable, "-m", "ubiops_file_sync", "--config", str(config), "plan"]
    return run(command, {"UBIOPS_API_TOKEN": server.token}, folder / "log")


def _huge(root: Path) -> None:
    with (root / "huge").open("wb") as file:
        file.truncate(64 * _GIB)


def _wide(root: Path, count: int) -> None:
    for number in range(count):
        os.close(os.open(root / f"f{number:07}", os.O_CREAT, 0o600))


def _deep(root: Path) -> None:
    for level in range(_DEEP):
        root = root / f"d{level}"
        root.mkdir()
    (root / "file").write_bytes(b"1")


def actions(folder: Path, quick: bool) -> list[Row]:
    """Uploads by the hundred thousand and by the ten thousand: CPU a file, and memory."""
    few, many = (1_000, 5_000) if quick else (10_000, 100_000)
    took = {}
    with serving(folder / "web") as web:
        for count in (few, many):
            place = folder / str(count)
            fill(place / "source", count, 4096)
            contest = Contest(web, place, web.origin(tls=False), 16)
            took[count] = contest.ours_up()
    each = {count: one.cpu_s / count * 1000 for count, one in took.items()}
    return [
        Row(f"{many:,} uploads beside {few:,}: CPU a file", f"{each[many]:.3f} ms",
            f"{each[few]:.3f} ms", each[many] / each[few], "<= 1.1"),
        Row(f"{many:,} uploads beside {few:,}: peak memory", f"{took[many].peak_mib:.0f} MiB",
            f"{took[few].peak_mib:.0f} MiB", None, "flat"),
    ]  # fmt: skip
