"""The works: what is moved, by whom, and what the figures are held against."""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydantic import SecretStr

from benchmarks.contenders import Contest, copy_in, fill
from benchmarks.measure import Run, in_turn, ratio, run
from benchmarks.web import free_port, serving
from ubiops_file_sync.config import Profile
from ubiops_file_sync.emulator import BucketServer
from ubiops_file_sync.reconcile import Reconciler

_ROUNDS = 3
_ROUNDS_OF_BIG = 7
_MIB = 1 << 20
_WHOLE = "    multipart_threshold: 1TiB\n"


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    work: str
    ours: str
    other: str
    ratio: float | None = None
    target: str = ""

    def text(self) -> str:
        """The line."""
        shown = "" if self.ratio is None else f"{self.ratio:.2f}"
        return f"{self.work:64} {self.ours:>16} {self.other:>16} {shown:>7}  {self.target}"


def _wall(runs: list[Run]) -> list[float]:
    return [run.wall_s for run in runs]


def _cpu(runs: list[Run]) -> list[float]:
    return [run.cpu_s for run in runs]


def _median(values: list[float]) -> float:
    return statistics.median(values)


def _profile(server: BucketServer, root: Path, **settings: object) -> Profile:
    given: dict[str, object] = {"name": "p", "local_dir": root, "project": server.project}
    given |= {"api_host": server.api_host, "token": SecretStr(server.token), "settle": 0}
    return Profile.model_validate(given | settings)


def calls(folder: Path, quick: bool) -> list[Row]:
    """API calls, counted by the embedded server."""
    count = 1500 if quick else 10_000
    root, other = folder / "root", folder / "other"
    fill(root, count, 8)
    other.mkdir()
    rows = []
    with BucketServer(folder / "server", rate_limit=None) as server:
        here = Reconciler(_profile(server, root), folder / "here")
        there = Reconciler(_profile(server, other), folder / "there")
        for words, one, theirs in (
            (f"API calls: upload of {count:,} files", here, count),
            (f"API calls: idle pass on {count:,} files", here, count),
            (f"API calls: download of {count:,} files", there, count + -(-count // 1000)),
        ):
            server.reset_calls()
            one.run()
            ours = server.calls.api_count
            rows.append(Row(words, f"{ours:,}", f"{theirs:,} (SDK)", theirs / ours))
    return rows


def small(folder: Path, quick: bool) -> list[Row]:
    """Many small files on loopback, without TLS and with."""
    count, few = (2000, 300) if quick else (10_000, 1000)
    sizes = fill(folder / "source", count, 4096)
    few_sizes = fill(folder / "few/source", few, 4096)
    rows = []
    with serving(folder / "web") as web:
        for tls in (False, True):
            label = f"{count:,} x 4 KiB{', TLS' if tls else ''}"
            many = Contest(web, folder, web.origin(tls=tls), 16)
            # The SDK is too slow for all of them: its figures are of fewer files, a file.
            less = Contest(web, folder / "few", web.origin(tls=tls), 16)
            up = in_turn(
                {"ours": many.ours_up, "rclone": many.rclone_up, "sdk": less.sdk_up}, _ROUNDS
            )
            rows += _small_rows(f"{label}, up", up, count, few, tls=tls)
            fill_all, fill_few = (
                copy_in(web, folder / "source", sizes),
                copy_in(web, folder / "few/source", few_sizes),
            )
            down: dict[str, list[Run]] = {"ours": [], "rclone": [], "sdk": []}
            for _ in range(_ROUNDS):
                fill_all()
                down["ours"].append(many.ours_down())
                down["rclone"].append(many.rclone_down())
                fill_few()
                down["sdk"].append(less.sdk_down())
            rows += _small_rows(f"{label}, down", down, count, few, tls=tls)
    return rows


def _small_rows(
    label: str, runs: Mapping[str, list[Run]], count: int, few: int, *, tls: bool
) -> list[Row]:
    ours, rclone = runs["ours"], runs["rclone"]
    sdk = [Run(r.wall_s * count / few, r.cpu_s * count / few, r.peak_mib) for r in runs["sdk"]]
    up = label.endswith("up")

    def rate(some: list[Run]) -> str:
        return f"{count / _median(_wall(some)):,.0f} files/s"

    def each(some: list[Run]) -> str:
        return f"{_median(_cpu(some)) / count * 1000:.2f} ms"

    return [
        Row(
            f"{label}: files/s over the SDK's",
            rate(ours),
            rate(sdk),
            ratio(_wall(ours), _wall(sdk)),
            ">= 20" if tls else ">= 10",
        ),
        Row(
            f"{label}: files/s over rclone's",
            rate(ours),
            rate(rclone),
            ratio(_wall(ours), _wall(rclone)),
            "" if tls else (">= 1.5" if up else ">= 1"),
        ),
        Row(
            f"{label}: CPU a file, of rclone's",
            each(ours),
            each(rclone),
            1 / ratio(_cpu(ours), _cpu(rclone)),
            "<= 0.5" if up and not tls else "",
        ),
    ]


@contextmanager
def _delayed(target: int, port: int, seconds: float) -> Iterator[None]:
    command = [sys.executable, "-m", "benchmarks.delay", str(port), str(target), str(seconds)]
    with subprocess.Popen(command) as process:
        time.sleep(1.0)
        try:
            yield
        finally:
            process.terminate()


def latency(folder: Path, quick: bool) -> list[Row]:
    """Small files at a round trip of 20 ms, with TLS, through a proxy that holds bytes back."""
    count, few, round_trip_s = (600, 100, 0.02) if quick else (2000, 300, 0.02)
    fill(folder / "source", count, 4096)
    fill(folder / "few/source", few, 4096)
    rows = []
    with serving(folder / "web") as web:
        port = free_port()
        with _delayed(web.tls_port, port, round_trip_s / 2):
            origin = f"https://127.0.0.1:{port}"
            for workers, target in ((32, "<= 1.15"), (64, "<= 1.25")):
                contest = Contest(web, folder, origin, workers)
                less = Contest(web, folder / "few", origin, workers)
                runs = in_turn(
                    {"ours": contest.ours_up, "rclone": contest.rclone_up, "sdk": less.sdk_up},
                    _ROUNDS,
                )
                limit_s = 2 * round_trip_s * count / workers
                ours = _median(_wall(runs["ours"]))
                label = f"{count:,} x 4 KiB up at 20 ms, TLS, {workers} workers"
                rows.append(
                    Row(f"{label}: of the arithmetic limit", f"{ours:.2f} s", f"{limit_s:.2f} s",
                        ours / limit_s, target)
                )  # fmt: skip
                for name, scale, words in (("rclone", 1.0, ">= 1"), ("sdk", count / few, "")):
                    theirs = [scale * wall for wall in _wall(runs[name])]
                    rows.append(
                        Row(f"{label}: over {name}", f"{ours:.2f} s", f"{_median(theirs):.2f} s",
                            ratio(_wall(runs["ours"]), theirs), words)
                    )  # fmt: skip
    return rows


def big(folder: Path, quick: bool) -> list[Row]:
    """One big file over TLS, in parts and in one request, beside curl."""
    size = (256 if quick else 1024) * _MIB
    source = folder / "source/big"
    source.parent.mkdir(parents=True)
    _write_random(source, size)
    rows = []

    def have_memory() -> None:
        """A virtual machine has to ask for memory that it did not use, which takes longer than a
        wire: so as much as a file takes is used and freed."""
        ballast = folder / "ballast"
        _write_random(ballast, size)
        ballast.unlink()

    # A storage takes several parts at once. Some more than there are cores, since the system
    # deals the connections out by chance.
    processes = 4 * (os.cpu_count() or 1)
    with (
        serving(folder / "web", processes=processes) as web,
        serving(folder / "google", "google_cloud_storage", processes=processes) as google,
    ):
        # Another provider, of which other proofs are expected.
        quickly = Contest(google, folder, google.origin(tls=True), 16, _WHOLE)
        usual = Contest(web, folder, web.origin(tls=True), 16)
        whole = Contest(web, folder, web.origin(tls=True), 16, _WHOLE)
        # The first pass of all has the SDK in memory, to learn what it sends.
        whole.ours_up()
        up = in_turn(
            {
                "parts": usual.ours_up,
                "parts, by a service": lambda: usual.served_up(source),
                "whole": whole.ours_up,
                "whole, by a service": lambda: whole.served_up(source),
                "whole, to Google": quickly.ours_up,
                "curl": lambda: whole.curl_up(source),
            },
            _ROUNDS_OF_BIG,
            before=have_memory,
        )
        sizes = [("big", size)]
        copy_in(web, source.parent, sizes)()
        down = in_turn(
            {
                "parts": usual.ours_down,
                "parts, by a service": lambda: usual.served_down(sizes),
                "whole": whole.ours_down,
                "whole, by a service": lambda: whole.served_down(sizes),
                "curl": whole.curl_down,
                "sdk": whole.sdk_down,
            },
            _ROUNDS_OF_BIG,
            before=have_memory,
        )
        sdk = _wall(down.pop("sdk"))
        for kind in ("parts", "parts, by a service"):
            ours = _wall(down[kind])
            rows.append(
                Row(f"{size // _MIB} MiB down, TLS, in {kind}: speed of the SDK's",
                    f"{_median(ours):.2f} s", f"{_median(sdk):.2f} s", ratio(ours, sdk), ">= 1.7")
            )  # fmt: skip
        for way, runs in (("up", up), ("down", down)):
            curl = runs.pop("curl")
            for kind, contender in runs.items():
                label = f"{size // _MIB} MiB {way}, TLS, in {kind}"
                rows += [
                    Row(f"{label}: speed of curl's", f"{_median(_wall(contender)):.2f} s",
                        f"{_median(_wall(curl)):.2f} s", ratio(_wall(contender), _wall(curl)),
                        ">= 0.95"),
                    Row(f"{label}: peak memory", f"{max(r.peak_mib for r in contender):.0f} MiB",
                        f"{max(r.peak_mib for r in curl):.0f} MiB", None, "<= 60 MiB"),
                ]  # fmt: skip
    return rows


def killed(folder: Path, quick: bool) -> list[Row]:
    """SIGKILL when nine tenths have travelled; how much travels again."""
    size = (512 if quick else 2048) * _MIB
    rows = []
    for way in ("up", "down"):
        place = folder / way
        root = place / "root"
        root.mkdir(parents=True)
        with BucketServer(place / "server", rate_limit=None) as server:
            if way == "up":
                _write_random(root / "big", size)
            else:
                _write_random(place / "big", size)
                server.put_object("big", (place / "big").read_bytes())
            config = place / "config.yaml"
            config.write_text(
                f"version: 1\napi_host: {server.api_host}\nstate_dir: {place / 'state'}\n"
                f"profiles:\n  p: {{local_dir: {root}, project: demo, settle: 0}}\n"
            )
            command = [sys.executable, "-m", "ubiops_file_sync", "--config", str(config)]
            command += ["reconcile", "--json"]
            operation = "put_part" if way == "up" else "get_blob"
            parts = size // (32 * _MIB)
            env = {**os.environ, "UBIOPS_API_TOKEN": server.token}
            with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL) as process:
                while server.calls.count(operation) < 0.9 * parts and process.poll() is None:
                    time.sleep(0.005)
                process.kill()
            report = Reconciler(_profile(server, root), place / "state").run()
            again = report.bytes_up + report.bytes_down
            lost = max(0, again - size // 10)
            rows.append(
                Row(f"{size // _MIB} MiB {way}, SIGKILL at 90 %: bytes sent again",
                    f"{lost / _MIB:.0f} MiB", f"{size * 0.9 / _MIB:.0f} MiB", lost / (size * 0.9))
            )  # fmt: skip
    return rows


def startup(folder: Path, quick: bool) -> list[Row]:
    """CPU of commands that do next to nothing, as they are once installed: with bytecode."""
    rounds, root = (5, folder / "root") if quick else (15, folder / "root")
    fill(root, 50, 8)
    with BucketServer(folder / "server", rate_limit=None) as server:
        config = folder / "config.yaml"
        config.write_text(
            f"version: 1\napi_host: {server.api_host}\nstate_dir: {folder / 'state'}\n"
            f"profiles:\n  p: {{local_dir: {root}, project: demo, settle: 0}}\n"
        )
        env = {"UBIOPS_API_TOKEN": server.token, "PYTHONDONTWRITEBYTECODE": ""}
        command = [sys.executable, "-m", "ubiops_file_sync", "--config", str(config)]
        words = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "--help": [*command, "--help"],
            "status": [*command, "status"],
            "plan": [*command, "plan"],
            "reconcile, nothing to do": [*command, "reconcile"],
        }

        def once(name: str) -> Run:
            return run(words[name], env, folder / "log")

        once("reconcile, nothing to do")  # which does all that there is to do
        runs = in_turn({name: partial(once, name) for name in words}, rounds)
    python_ms = _median(_cpu(runs.pop("python -c pass"))) * 1000
    targets = {"--help": "<= 150 ms", "reconcile, nothing to do": "<= 400 ms"}
    return [
        Row(f"CPU of `{name}`, 50 files; beside an empty Python",
            f"{_median(_cpu(some)) * 1000:.0f} ms", f"{python_ms:.0f} ms", None,
            targets.get(name, ""))
        for name, some in runs.items()
    ]  # fmt: skip


def quota(folder: Path, quick: bool) -> list[Row]:
    """The forecast of a pass under 300 calls a minute, and how long it took."""
    count = 400 if quick else 800
    fill(folder / "root", count, 4096)
    with BucketServer(folder / "server", rate_limit=300) as server:
        reconciler = Reconciler(_profile(server, folder / "root"), folder / "state")
        with reconciler.plan() as (_, forecast):
            planned = forecast.planned.api_calls
        pace = forecast.planned.pace
        minutes = planned / pace.a_minute if pace else 0.0
        began = time.monotonic()
        reconciler.run()
        truth = (time.monotonic() - began) / 60
        refused = sum(call.status == 429 for call in server.calls)
    label = f"{count} files up under 300 calls a minute"
    return [
        Row(f"{label}: forecast of the truth", f"{minutes:.2f} min", f"{truth:.2f} min",
            minutes / truth),
        Row(f"{label}: answers 429", f"{refused}", "0"),
    ]  # fmt: skip


def _write_random(path: Path, size: int) -> None:
    block = random.Random(0).randbytes(4 * _MIB)
    with path.open("wb") as file:
        for number in range(size // len(block)):
            file.write(number.to_bytes(8, "little") + block[8:])
