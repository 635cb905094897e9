"""How a pass grows with the number of files, beside a C program, `find` and rclone."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Run, in_turn, ratio, run
from benchmarks.trees import FILES_A_FOLDER, entries, plant
from benchmarks.works import Row

_ROUNDS = 3
_MIB_APART = "within 15 MiB"
_TARGETS = {"floor": "<= 3.5", "rclone": "<= 0.4", "peak": "<= 60 MiB", "adopts": "<= 3"}
"""Of the largest tree: a small one takes hardly longer than to start."""


@dataclass(frozen=True)
class Scene:
    """A tree of so many files, one that equals it, and a bucket that holds the same."""

    folder: Path
    count: int

    @property
    def root(self) -> Path:
        """The tree."""
        return self.folder / "root"

    @property
    def twin(self) -> Path:
        """The tree that equals it."""
        return self.folder / "twin"

    def pass_over(self) -> Run:
        """One pass of this program."""
        command = [sys.executable, "-m", "ubiops_file_sync", "--config"]
        command += [str(self.folder / "config.yaml"), "reconcile"]
        return run(command, {"UBIOPS_API_TOKEN": "emulator-token"}, self.folder / "log")

    def find(self) -> Run:
        """`find`, which asks for sizes and times too."""
        command = ["find", str(self.root), "-type", "f", "-printf", "%P %s %T@\\n"]
        return run(command, {}, self.folder / "log")

    def rclone(self) -> Run:
        """rclone, over two equal trees of the same disk."""
        rclone = str(Path(sys.executable).with_name("rclone"))
        command = [rclone, "sync", "--config=/dev/null", str(self.root), str(self.twin)]
        return run(command, {}, self.folder / "log")

    def floor(self) -> Run:
        """A C program that reads every directory and asks for every file's status."""
        return run([str(_compiled(self.folder)), str(self.root)], {}, self.folder / "log")

    def change(self, share: int) -> int:
        """Change one file in `share`; returns how many."""
        changed = 0
        for number, (key, size) in enumerate(entries(self.count)):
            if number % share == 0:
                os.truncate(self.root / key, size + 1)
                os.utime(self.root / key, (1_760_000_000, 1_760_000_000))
                changed += 1
        return changed


@contextmanager
def scene(folder: Path, count: int, *, twin: bool = True) -> Iterator[Scene]:
    """Both trees, and the bucket served in a process of its own."""
    made = Scene(folder, count)
    folder.mkdir()
    plant(made.root, count)
    if twin:
        plant(made.twin, count)
    command = [sys.executable, "-m", "benchmarks.bucket", str(folder / "server"), str(count)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        api_host, _, project, bucket = server.stdout.readline().split()
        (folder / "config.yaml").write_text(
            f"version: 1\napi_host: {api_host}\nstate_dir: {folder / 'state'}\nprofiles:\n"
            f"  p: {{local_dir: {made.root}, project: {project}, bucket: {bucket}, settle: 0}}\n"
        )
        try:
            yield made
        finally:
            server.stdin.close()


def _compiled(folder: Path) -> Path:
    program = folder.parent / "floor"
    if not program.exists():
        source = Path(__file__).with_name("floor.c")
        subprocess.run(["gcc", "-O2", "-o", str(program), str(source)], check=True)
    return program


def scale(folder: Path, quick: bool) -> list[Row]:
    """Passes that adopt, find nothing to do, and find a hundredth changed; 10 k to 1 M files."""
    counts = (1_000, 10_000) if quick else (10_000, 100_000, 1_000_000)
    rows, idle_mib, idle_each = [], [], []
    for count in counts:
        with scene(folder / str(count), count) as here:
            here.pass_over()  # which learns from the SDK what it sends
            (here.folder / "state/p.sqlite").unlink()
            adopting = here.pass_over()
            runs = in_turn(
                {
                    "ours": here.pass_over,
                    "floor": here.floor,
                    "find": here.find,
                    "rclone": here.rclone,
                },
                _ROUNDS,
            )
            here.change(FILES_A_FOLDER)
            changing = here.pass_over()
        targets = _TARGETS if count == counts[-1] else {}
        rows += _rows(f"{count:,} files", runs, adopting, changing, targets)
        idle_mib.append(max(one.peak_mib for one in runs["ours"]))
        idle_each.append(statistics.median(one.cpu_s for one in runs["ours"]) / count * 1e6)
    few, many = f"{counts[0]:,}", f"{counts[-1]:,}"
    return [
        *rows,
        Row(f"idle pass, {many} files beside {few}: peak memory", f"{idle_mib[-1]:.0f} MiB",
            f"{idle_mib[0]:.0f} MiB", None, _MIB_APART),
        Row(f"idle pass, {many} files beside {counts[-2]:,}: CPU a file", f"{idle_each[-1]:.1f} us",
            f"{idle_each[-2]:.1f} us", idle_each[-1] / idle_each[-2]),
    ]  # fmt: skip


def _rows(
    label: str,
    runs: Mapping[str, list[Run]],
    adopting: Run,
    changing: Run,
    targets: Mapping[str, str],
) -> list[Row]:
    cpu = {name: [one.cpu_s for one in some] for name, some in runs.items()}
    middle = {name: statistics.median(some) for name, some in cpu.items()}
    peak = max(one.peak_mib for one in runs["ours"])
    idle_s = middle["ours"]

    def over(name: str) -> Row:
        times = 1 / ratio(cpu["ours"], cpu[name])
        return Row(f"{label}, idle pass: CPU over {name}'s", f"{idle_s:.2f} s",
                   f"{middle[name]:.2f} s", times, targets.get(name, ""))  # fmt: skip

    wall = statistics.median(one.wall_s for one in runs["ours"])
    return [
        over("floor"),
        over("find"),
        over("rclone"),
        Row(f"{label}, idle pass: time, and peak memory", f"{wall:.2f} s", f"{peak:.0f} MiB", None,
            targets.get("peak", "")),
        Row(f"{label}, pass that adopts: CPU over an idle one", f"{adopting.cpu_s:.2f} s",
            f"{idle_s:.2f} s", adopting.cpu_s / idle_s, targets.get("adopts", "")),
        Row(f"{label}, pass that adopts: time, and peak memory", f"{adopting.wall_s:.2f} s",
            f"{adopting.peak_mib:.0f} MiB"),
        Row(f"{label}, 1 % changed, sent: CPU over an idle one", f"{changing.cpu_s:.2f} s",
            f"{idle_s:.2f} s", changing.cpu_s / idle_s),
        Row(f"{label}, 1 % changed, sent: time, and peak memory", f"{changing.wall_s:.2f} s",
            f"{changing.peak_mib:.0f} MiB"),
    ]  # fmt: skip
