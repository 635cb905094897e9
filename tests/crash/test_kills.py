"""A real `reconcile`, killed for real at random moments, while both sides go on being edited.

`--kills N` says how often, over all histories. The moments are spread over the whole life of the
process, its start and its end among them, as long as an undisturbed one lived.
"""

from __future__ import annotations

import itertools
import random
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from crash.places import check_state, wait_until_quiet
from engine.process import reconcile
from engine.world import World, assert_in_step
from ubiops_file_sync.emulator import BucketServer, Fault
from ubiops_file_sync.emulator.calls import Operation
from ubiops_file_sync.keys import CONTROL_DIR
from ubiops_file_sync.parts import MIB

KEYS = [f"{folder}{name:02}" for folder in ("", "d/", "d/e/") for name in range(12)]
BIG_KEYS = ["big/up", "big/down"]
BIG_BYTES = 10 * MIB + 12_345
EDITS = 20
"""Between one kill and the next."""
ROUND = 6
"""Kills until the history is let come to rest, and all of it is looked at."""
LATENCY_S = 0.01
"""What each answer takes, so that there is a pass to be killed in."""
BEFORE, TRAVELLING = "before its first call", "while files travelled"


@dataclass(frozen=True)
class Way:
    """One history: who edits, and what the profile wants."""

    name: str
    settings: dict[str, object]
    here: bool = True
    there: bool = True


WAYS = [
    Way("two-way", {"workers": 3}),
    Way("deletions", {"workers": 2, "deletions": "both", "max_delete": "100%"}),
    Way("one-worker", {"workers": 1, "deletions": "both", "max_delete": "100%"}),
    Way("upload", {"direction": "upload", "workers": 4}, there=False),
    Way("download", {"direction": "download", "workers": 4}, here=False),
]


@dataclass
class History:
    """Two actors, whose last edit of a key is what must stand on both sides in the end."""

    world: World
    way: Way
    dice: random.Random
    newest: dict[str, bytes] = field(default_factory=dict)
    """By key: what stands on both sides in the end."""
    alive: dict[bytes, tuple[str, str]] = field(default_factory=dict)
    """Versions that must stand somewhere: their key, and who wrote them."""
    ever: dict[str, set[bytes]] = field(default_factory=dict)
    """Every version of a key."""
    at_rest: set[str] = field(default_factory=set)
    """Keys that were in step at the last rest, and that nobody has edited since."""
    count: int = 0

    def edit(self) -> None:
        """Some edits, here and there, and some deletions of what nobody has edited since."""
        actors = [name for name in ("here", "there") if getattr(self.way, name)]
        for key in self.dice.sample(KEYS, EDITS):
            self._write(self.dice.choice(actors), key, self.dice.randrange(3000))
        if self.dice.random() < 0.3:
            self._write(self.dice.choice(actors), self.dice.choice(BIG_KEYS), BIG_BYTES)
        if self.way.settings.get("deletions") == "both" and self.at_rest:
            self._delete(self.dice.choice(actors), self.dice.choice(sorted(self.at_rest)))

    def _write(self, actor: str, key: str, size: int) -> None:
        self.count += 1
        content = b"%s %s %06d " % (key.encode(), actor.encode(), self.count)
        content += self.dice.randbytes(size)
        self._replaced_by(actor, key)
        if actor == "here":
            # With a time of its own: the kernel's is some milliseconds behind the bucket's.
            self.world.write(key, content, age_s=0)
        else:
            self.world.put(key, content)
        self.newest[key] = content
        self.alive[content] = key, actor
        self.ever.setdefault(key, set()).add(content)
        self.at_rest.discard(key)

    def _delete(self, actor: str, key: str) -> None:
        self._replaced_by(actor, key)
        self.at_rest.discard(key)
        del self.newest[key]
        if actor == "here":
            (self.world.root / key).unlink()
        else:
            self.world.server.delete_object(self.world.profile.prefix + key)

    def _replaced_by(self, actor: str, key: str) -> None:
        """What an actor replaces by hand may vanish: they wrote it, or saw it."""
        for version in [one for one, of in self.alive.items() if of == (key, actor)]:
            del self.alive[version]
        path, name = self.world.root / key, self.world.profile.prefix + key
        seen = None
        if actor == "here" and path.exists():
            seen = path.read_bytes()
        elif actor == "there" and name in self.world.server.objects(name):
            seen = self.world.server.read_object(name)
        if seen is not None:
            self.alive.pop(seen, None)

    def look(self) -> None:
        """Every version stands somewhere, and none in part (I1, I6)."""
        local, remote, trash = self.world.local(), self.world.remote(), self.world.trash()
        standing = {*local.values(), *remote.values()}.union(*trash.values())
        for version, (key, actor) in self.alive.items():
            assert version in standing, f"I1: what was written {actor} to {key} is gone"
        for side in (local, remote):
            for key, content in side.items():
                assert content in self.ever[key], f"I6: {key} holds {content[:50]!r}"
        outside = self.world.root.parent / "outside"
        assert [path.read_bytes() for path in outside.iterdir()] == [b"untouched"], "I7"
        if (self.world.state_dir / "p.sqlite").exists():
            check_state(self.world)

    def come_to_rest(self) -> float:
        """Run it undisturbed, hold everything against the last edits, and tell how long it took."""
        began = time.monotonic()
        assert finished(self.world) == 0
        lived_s = time.monotonic() - began
        if self.world.local() != self.newest or self.world.remote() != self.newest:
            assert finished(self.world) == 0  # Two passes at most.
        self.look()
        assert self.world.local() == self.newest, "I5: here"
        assert self.world.remote() == self.newest, "I5: in the bucket"
        assert self.world.staged() == []
        assert_in_step(self.world)
        self.at_rest = self.newest.keys() - set(BIG_KEYS)
        # The trash is emptied by its user, who knows what is in it.
        shutil.rmtree(self.world.root / CONTROL_DIR / "trash", ignore_errors=True)
        self.alive = {one: self.alive[one] for one in self.newest.values() if one in self.alive}
        return lived_s


def finished(world: World) -> int:
    """The exit code of a pass that nobody disturbs."""
    return start(world).wait(60)


def start(world: World) -> subprocess.Popen[bytes]:
    """A pass. That all files were edited, as may happen here before a pass lives, is no halt."""
    return reconcile(world, world.root.parent, "--allow", "everything-changed")


@pytest.fixture
def kill_server(tmp_path: Path) -> Iterator[BucketServer]:
    with BucketServer(tmp_path / "server", rate_limit=None) as server:
        server.faults.add(Fault("*", "latency", times=None, seconds=LATENCY_S))
        yield server


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_killed_at_any_moment_and_edited_meanwhile_it_ends_with_the_last_edits(
    kill_server: BucketServer, tmp_path: Path, way: Way, request: pytest.FixtureRequest
) -> None:
    wanted = -(-request.config.getoption("--kills") // len(WAYS))
    home = tmp_path / "home"
    (home / "root").mkdir(parents=True)
    (home / "outside").mkdir()
    (home / "outside" / "file").write_bytes(b"untouched")
    settings = {"multipart_threshold": 5 * MIB, **way.settings}
    history = History(
        World(kill_server, home / "root", home / "state", settings),
        way,
        random.Random(f"kills {way.name}"),
    )
    history.edit()
    history.come_to_rest()  # The first pass of all takes longer: it learns the API's calls.
    history.edit()
    lived_s = history.come_to_rest()
    moments = _moments(history.dice)
    struck: Counter[str] = Counter()
    kills, at_once = 0, False
    while kills < wanted or not (struck[BEFORE] and struck[TRAVELLING]):
        assert sum(struck.values()) <= 10 * wanted, struck
        if not at_once:
            history.edit()
        kill_server.reset_calls()
        process = start(history.world)
        if not _was_killed(process, next(moments) * lived_s):
            # Begun beside what a dead one had asked for, it may have met a change of that.
            assert process.returncode in ({0, 1} if at_once else {0})
            struck["it ended before"] += 1
            at_once = False
            continue
        kills += 1
        struck[_where(kill_server)] += 1
        at_once = history.dice.random() < 0.3
        if at_once:
            continue  # With what the dead one asked for still under way.
        wait_until_quiet(kill_server)
        history.look()
        if kills % ROUND == 0:
            lived_s = history.come_to_rest()
    wait_until_quiet(kill_server)
    history.come_to_rest()
    print(f"{way.name}: {kills} kills, {dict(struck)}")  # noqa: T201  the figures of a campaign


def _moments(dice: random.Random) -> Iterator[float]:
    """Parts of a life, all of it in turn, in an order of their own; a little beyond its end too."""
    for _ in itertools.count():
        tenths = [at / 10 for at in range(11)]
        dice.shuffle(tenths)
        for tenth in tenths:
            yield tenth + dice.random() / 10


def _was_killed(process: subprocess.Popen[bytes], after_s: float) -> bool:
    try:
        process.wait(after_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    return process.returncode == -9


def _where(server: BucketServer) -> str:
    """How far it had come, as the server knows."""
    counts = server.calls.counts()
    if not counts:
        return BEFORE
    if counts.total() == counts[Operation.LIST]:
        return "while it compared"
    return "after it looked again" if counts[Operation.LIST] > 1 else TRAVELLING
