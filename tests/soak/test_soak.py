"""The service for minutes or hours, under edits, faults and an operator who cannot sit still.

`--soak SECONDS` says for how long, and without it there is none. In the end both sides are equal,
nothing was lost, and memory, descriptors and threads are where they were.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random, SystemRandom

import pytest

from service.processes import Place, eventually
from soak.actors import (
    LOG_BACKUPS,
    LOG_BYTES,
    TRASH_BYTES,
    Life,
    folder_bytes,
    profiles,
    settings,
)
from soak.ledger import Ledger, Sides, fingerprint
from soak.pulse import Pulse, Sample, sample, watched
from ubiops_file_sync.emulator import BucketServer
from ubiops_file_sync.keys import CONTROL_DIR
from ubiops_file_sync.service.control import ask_service

CALM_S = 120.0
"""For the last of the waits that faults led to."""
GROWTH = 1.05
SLACK_MIB = 3.0
"""Memory may grow by that much from the second quarter to the last: what a heap varies by."""
STATE_BYTES = 512 * 1024
"""Of each profile: some hundred keys, and the two passes that `history_days: 0` keeps."""


@pytest.fixture
def seconds(request: pytest.FixtureRequest) -> int:
    wanted: int = request.config.getoption("--soak")
    if not wanted:
        pytest.skip("--soak SECONDS says for how long")
    return wanted


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with BucketServer(tmp_path / "server", rate_limit=None) as server:
        yield Place(server, tmp_path)


def sides_of(place: Place, name: str) -> Sides:
    """Where everything of a profile stands now."""
    root = place.root(name)
    local: dict[str, str] = {}
    trash: dict[str, set[str]] = {}
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        if not path.is_file():
            continue
        if parts[0] != CONTROL_DIR:
            local["/".join(parts)] = fingerprint(path.read_bytes())
        elif parts[1] == "trash":
            versions = trash.setdefault("/".join(parts[3:]), set())
            versions.add(fingerprint(path.read_bytes()))
    remote = {
        key.removeprefix(f"{name}/"): fingerprint(place.server.read_object(key))
        for key in place.server.objects(f"{name}/")
    }
    return Sides(local, remote, trash)


def are_in_step(place: Place) -> bool:
    """Whether both sides of each profile are equal, and the last pass over it says so too."""
    told = ask_service(place.state_dir, {"command": "status"})["profiles"]
    if any(told[name]["last_exit_code"] != 0 for name in profiles(4)):
        return False
    found = [sides_of(place, name) for name in profiles(4)]
    return all(sides.local == sides.remote for sides in found)


def at_rest(place: Place, process: int) -> Sample:
    """What the process holds while it does nothing: all is paused, and no pass is under way."""
    for name in profiles(4):
        ask_service(place.state_dir, {"command": "pause", "profile": name})

    def is_idle() -> bool:
        told = ask_service(place.state_dir, {"command": "status"})["profiles"]
        return not any(one["is_running"] for one in told.values())

    eventually(is_idle, "the end of the passes under way", CALM_S)
    # A thread that has done its work may not have ended yet, nor one that answered just now.
    looks: list[Sample] = []

    def is_steady() -> bool:
        looks.append(sample(process))
        last = [(one.fds, one.threads) for one in looks[-20:]]
        return len(last) == 20 and len(set(last)) == 1

    eventually(is_steady, "a moment in which nothing changes", CALM_S)
    for name in profiles(4):
        ask_service(place.state_dir, {"command": "resume", "profile": name})
    return looks[-1]


# An outage of the embedded server may leave a connection of this very process to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_it_holds_no_more_after_all_of_it_than_before(
    place: Place, seconds: int, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = int(os.environ.get("SOAK_SEED", SystemRandom().randrange(10**6)))
    ledgers = {name: Ledger() for name in profiles(4)}
    place.configure(settings(place), **profiles(4))
    with place.service() as service:
        service.hears("READY=1")
        eventually(lambda: are_in_step(place), "the first passes", CALM_S)
        before = at_rest(place, service.process.pid)
        life = Life(place, service, Random(seed), ledgers)
        with capsys.disabled(), watched(service.process.pid) as pulse:
            sys.stderr.write(f"\nsoak of {seconds} s, SOAK_SEED={seed}\n")
            life.live(seconds)
        life.calm()
        eventually(lambda: are_in_step(place), "both sides in step, once all is calm", CALM_S)
        # A pass never takes its own versions away; the next one does.
        eventually(lambda: trash_bytes(place) <= TRASH_BYTES, "the trash to be tidied", CALM_S)
        after = at_rest(place, service.process.pid)
        service.signal(signal.SIGTERM)
        assert service.ends() == 0
    with capsys.disabled():
        for line in figures(place, life, pulse, before, after):
            sys.stdout.write(f"{line}\n")
    assert_nothing_is_lost(place, ledgers)
    assert_flat(pulse, before, after)
    assert_bounded(place)
    assert "Traceback" not in all_logs(place)
    assert " bug" not in all_logs(place)


def assert_nothing_is_lost(place: Place, ledgers: dict[str, Ledger]) -> None:
    for name, ledger in ledgers.items():
        sides = sides_of(place, name)
        assert list(ledger.complaints(sides)) == [], name
        if name == "two":
            assert list(ledger.lost_losers(sides)) == []


def assert_flat(pulse: Pulse, before: Sample, after: Sample) -> None:
    first, last = pulse.median_rss_mib(1), pulse.median_rss_mib(3)
    assert last <= first * GROWTH + SLACK_MIB, "memory grows"
    assert after.fds == before.fds, "descriptors are left open"
    assert after.threads == before.threads, "threads are left over"
    assert after.children == 0


def assert_bounded(place: Place) -> None:
    """What is kept on the disk is what the configuration allows."""
    for name in profiles(4):
        assert (place.state_dir / f"{name}.sqlite").stat().st_size <= STATE_BYTES
        assert len(place.passes(name)) <= 2
        assert list((place.root(name) / CONTROL_DIR / "tmp").glob("*")) == []
    assert trash_bytes(place) <= TRASH_BYTES
    logs = [path for path in place.folder.glob("log*") if path.is_file()]
    # A line that comes last may reach beyond.
    assert sum(path.stat().st_size for path in logs) <= (LOG_BACKUPS + 1) * (LOG_BYTES + 4096)


def trash_bytes(place: Place) -> int:
    """What is in the trash that has a bound."""
    return folder_bytes(place.root("down") / CONTROL_DIR / "trash")


def all_logs(place: Place) -> str:
    logs = [path for path in place.folder.glob("log*") if path.is_file()]
    return "".join(path.read_text() for path in [*logs, place.folder / "service.log"])


def figures(place: Place, life: Life, pulse: Pulse, before: Sample, after: Sample) -> Iterator[str]:
    """What there is to tell of it."""
    metrics = (place.folder / "metrics.prom").read_text()
    ended = re.findall(r'_passes_total\{profile="(\w+)",result="([^"]+)"\} ([\d.]+)', metrics)
    passes = ", ".join(
        f"{name} {result} {float(count):.0f}" for name, result, count in ended if float(count)
    )
    edits = sum(ledger.acts for ledger in life.ledgers.values())
    yield f"edits {edits:,}; passes: {passes}"
    yield "; ".join(f"{what} {count}" for what, count in sorted(life.counts.items()))
    yield f"{'by quarter':<12}"
    yield pulse.words("RSS (MiB)", lambda one: one.rss_kib / 1024)
    yield pulse.words("descriptors", lambda one: one.fds)
    yield pulse.words("threads", lambda one: one.threads)
    for name, one in (("before", before), ("after", after)):
        yield (
            f"at rest {name}: {one.rss_kib / 1024:.1f} MiB, {one.fds} descriptors, "
            f"{one.threads} threads"
        )
    state = folder_bytes(place.state_dir)
    yield f"state {state // 1024} KiB, bounded trash {trash_bytes(place) // 1024} KiB"
