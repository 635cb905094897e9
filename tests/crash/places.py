"""What stands on all sides of a history, and what must never be seen there."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crash.histories import Played
from engine.world import World
from ubiops_file_sync.emulator import BucketServer
from ubiops_file_sync.store import BaselineStore

Contents = dict[str, bytes]


@dataclass(frozen=True)
class Sides:
    """What stands on both sides, and in the trash."""

    local: Contents
    remote: Contents
    trash: dict[str, set[bytes]]
    """Every version, by key."""
    stamps: dict[str, tuple[int, int]]
    """Time and mode of each local file."""
    created_us: dict[str, int]
    """When each object was stored."""
    in_step: dict[str, tuple[int, int]]
    """What the state says of each file that is in step: size and time."""
    outside: Contents
    """What is beside the root, and nobody's business."""

    @classmethod
    def of(cls, world: World) -> Sides:
        """As they are now."""
        prefix = world.profile.prefix
        outside = world.root.parent / "outside"
        local = world.local()
        return cls(
            local=local,
            remote=world.remote(),
            trash={key: set(versions) for key, versions in world.trash().items()},
            stamps={key: _stamp(world.root / key) for key in local},
            created_us={
                key[len(prefix) :]: created
                for key, (_, created) in world.server.objects(prefix).items()
            },
            in_step=_in_step(world),
            outside={path.name: path.read_bytes() for path in outside.iterdir()},
        )

    @property
    def standing(self) -> set[bytes]:
        """Every version that is anywhere."""
        return {*self.local.values(), *self.remote.values()}.union(*self.trash.values())


def _in_step(world: World) -> dict[str, tuple[int, int]]:
    store = BaselineStore.look(world.state_dir / "p.sqlite")
    if store is None:
        return {}
    with store:
        return {row.key: (row.base.size, row.base.mtime_ns) for row in store.rows() if row.base}


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_mode


def differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """What is other in two mappings, in short."""
    return [
        f"{key!r}: {_short(found.get(key))}, and not {_short(wanted.get(key))}"
        for key in sorted(found.keys() | wanted.keys())
        if found.get(key) != wanted.get(key)
    ]


def _short(value: object) -> str:
    if isinstance(value, set):
        return "{" + ", ".join(sorted(map(_short, value))) + "}"
    return repr(value[:40] if isinstance(value, bytes) else value)


def wait_until_quiet(server: BucketServer) -> None:
    """Return when nothing that a dead process asked for is still being done."""
    assert server._running is not None
    state = server._running[1]._server.server_state
    deadline = time.monotonic() + 30
    while state.connections or state.tasks:
        assert time.monotonic() < deadline, "the server is still at work for the dead"
        time.sleep(0.0005)


def check_plain_rules(played: Played, before: Sides, after: Sides) -> None:
    """What an undisturbed pass may not do, by rules of which it knows nothing (I1, I3, I7)."""
    for key, content in before.local.items():
        assert content in after.standing, f"I1: the local version of {key} is gone"
    for key, content in before.remote.items():
        replaced_by_its_user = played.in_step.get(key) == content
        assert content in after.standing or replaced_by_its_user, f"I1: {key} is gone there"
    if played.course.days and played.course.ttl_s:
        for key in before.local.keys() - after.local.keys():
            assert played.course.days * 86_400 < played.course.ttl_s, f"I3: {key} only expired"
    assert after.outside == before.outside, "I7"
    if played.order.profile.direction == "upload":
        assert after.local == before.local, "a one-way profile wrote to its source"
    if played.order.profile.direction == "download":
        assert after.remote == before.remote, "a one-way profile wrote to its source"


def check_at_once(before: Sides, now: Sides, whole: Sides) -> None:
    """What must hold the instant after the kill: `whole` is where an undisturbed pass ends."""
    for version in before.standing - now.standing:
        assert version not in whole.standing, f"I1: {version[:40]!r} is gone"
    _check_side("here", now.local, before.local, whole.local)
    _check_side("in the bucket", now.remote, before.remote, whole.remote)
    assert now.outside == before.outside, "I7"


def _check_side(side: str, now: Contents, first: Contents, last: Contents) -> None:
    """Every final path holds what it held before, or what it is to hold, whole (I6).

    And it holds something, where it did before and is to do so at the end (I2).
    """
    for key, content in now.items():
        assert content in {first.get(key), last.get(key)}, (
            f"I6: {key} {side} is neither old nor new"
        )
    for key in first.keys() & last.keys():
        assert key in now, f"I2: {key} is missing {side}"


def check_state(world: World) -> None:
    """A killed writer leaves no damage, and nobody has to mend anything (I5)."""
    path = world.state_dir / "p.sqlite"
    store = BaselineStore.look(path)
    if store is not None:
        with store:
            assert store.damage() is None


def check_nothing_is_left_over(world: World) -> None:
    """Neither half-written files, nor a memory of transfers that are over."""
    assert world.staged() == [], world.staged()
    with closing(sqlite3.connect(world.state_dir / "p.sqlite")) as db:
        for table in ("intent", "transfer", "part"):
            rows = db.execute(f"SELECT * FROM {table}").fetchall()
            assert rows == [], f"left in {table}: {rows}"
    names = {path.name for path in world.state_dir.iterdir()}
    assert names <= {"p.sqlite", "p.lock", "api-calls.json"}, names
