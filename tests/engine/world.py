"""One profile between a real folder and the embedded bucket server."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from ubiops_file_sync.bucket.retry import RetryPolicy
from ubiops_file_sync.config import Profile
from ubiops_file_sync.emulator import Behaviour, BucketServer
from ubiops_file_sync.keys import CONTROL_DIR
from ubiops_file_sync.logs import LogOutcomes
from ubiops_file_sync.model import Action, Report, Verb
from ubiops_file_sync.reconcile import Reconciler

QUICK = RetryPolicy(first_wait_s=0.005, longest_wait_s=0.02)
"""As many tries as the product makes, without its waits."""

SECOND_NS = 1_000_000_000


class SeeingServer(BucketServer):
    """What others store in it is seen by the next pass, even in a bucket that is slow to show."""

    def put_object(self, key: str, data: bytes, **options: Any) -> int:
        """Store an object, and let it be seen."""
        created_us = super().put_object(key, data, **options)
        self.show_all()
        return created_us


@dataclass(frozen=True)
class World:
    """A root, a place in a bucket, and the state that a profile keeps of them."""

    server: BucketServer
    root: Path
    state_dir: Path
    settings: dict[str, Any]

    def with_settings(self, **settings: Any) -> World:
        """The same places under a profile that wants something else."""
        return replace(self, settings={**self.settings, **settings})

    def elsewhere(self, name: str) -> World:
        """Another machine: a root and a state of its own, the same bucket."""
        folder = self.root.parent / name
        (folder / "root").mkdir(parents=True)
        return replace(self, root=folder / "root", state_dir=folder / "state")

    @property
    def profile(self) -> Profile:
        given: dict[str, Any] = {
            "name": "p",
            "local_dir": self.root,
            "project": self.server.project,
            "bucket": self.server.bucket,
            "bucket_dir": "data",
            "api_host": self.server.api_host,
            "token": SecretStr(self.server.token),
            "settle": 0,
            "workers": 4,
        }
        return Profile(**{**given, **self.settings})

    @property
    def reconciler(self) -> Reconciler:
        return Reconciler(self.profile, self.state_dir, retries=QUICK, progress=LogOutcomes())

    def run(self) -> Report:
        """One pass; where it cannot learn what it stored, also the next one, which can."""
        report = self.reconciler.run()
        behaviour = self.server.behaviour
        self.server.show_all()
        if behaviour.slow_visibility_s or behaviour.keep_time_on_overwrite:
            self._learn(report)
        return report

    def _learn(self, report: Report) -> None:
        """Nothing moves: the bucket shows by now what the pass before stored in it."""
        if report.done.get(Verb.UPLOAD) and not report.problem_count:
            learning = self.reconciler.run()
            assert set(learning.done) <= {Verb.ADOPT}
            assert (learning.bytes_up, learning.bytes_down) == (0, 0)

    def plan(self) -> list[Action]:
        """What a pass would do."""
        with self.reconciler.plan() as (plan, _):
            return list(plan.spool.actions())

    def write(self, key: str, content: bytes, *, age_s: float | None = None) -> Path:
        """A local file; `age_s` sets how long ago it was last changed."""
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        if age_s is not None:
            when = time.time_ns() - int(age_s * SECOND_NS)
            os.utime(path, ns=(when, when))
        return path

    def put(self, key: str, content: bytes, *, age_s: float | None = None) -> None:
        """An object below the profile's place, stored by somebody else."""
        created = None if age_s is None else time.time_ns() // 1000 - int(age_s * 1e6)
        self.server.put_object(self.profile.prefix + key, content, created_us=created)

    def local(self) -> dict[str, bytes]:
        """Every local file that is synchronised."""
        return {
            path.relative_to(self.root).as_posix(): path.read_bytes()
            for path in sorted(self.root.rglob("*"))
            if path.is_file() and CONTROL_DIR not in path.relative_to(self.root).parts
        }

    def remote(self) -> dict[str, bytes]:
        """Every object below the profile's place."""
        prefix = self.profile.prefix
        self.server.show_all()
        return {
            key[len(prefix) :]: self.server.read_object(key) for key in self.server.objects(prefix)
        }

    def trash(self) -> dict[str, list[bytes]]:
        """Every version in the trash, by key."""
        found: dict[str, list[bytes]] = {}
        trash = self.root / CONTROL_DIR / "trash"
        for path in sorted(trash.rglob("*")):
            if path.is_file():
                key = "/".join(path.relative_to(trash).parts[1:])
                found.setdefault(key, []).append(path.read_bytes())
        return found

    def staged(self) -> list[str]:
        """Names of half-written files."""
        return sorted(path.name for path in (self.root / CONTROL_DIR / "tmp").glob("*"))


def assert_idle(world: World) -> None:
    """Nothing is left to do, and finding that out costs one call for up to 1000 files (I4, I10).

    A bucket that is odd may need a second pass to learn what the first one stored. That one moves
    nothing.
    """
    odd = world.server.behaviour != Behaviour()
    if odd:
        learning = world.run()
        assert set(learning.done) <= {Verb.ADOPT}
        assert (learning.bytes_up, learning.bytes_down, learning.problem_count) == (0, 0, 0)
    world.server.reset_calls()
    report = world.run()
    assert report.planned.action_count == 0
    assert report.problem_count == 0
    assert report.api_calls == {"list": report.api_calls["list"] if odd else 1}
    assert world.server.calls.api_count == report.api_calls["list"]


def assert_in_step(world: World) -> None:
    """Both sides hold the same bytes, and a further pass has nothing to do."""
    assert world.local() == world.remote()
    assert_idle(world)


def standing(world: World) -> tuple[dict[str, tuple[int, int, bytes]], dict[str, list[Any]]]:
    """All that a pass may not change that comes to nothing: the root, and the state.

    But for the history, in which every pass leaves a row.
    """
    with closing(sqlite3.connect(world.state_dir / "p.sqlite")) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema ORDER BY name")]
        state = {
            name: db.execute(f"SELECT * FROM {name}").fetchall()
            for name in tables
            if name not in {"pass", "pass_began", "trouble"}
        }
    return snapshot(world.root), state


def snapshot(*folders: Path) -> dict[str, tuple[int, int, bytes]]:
    """Everything below some folders, to show that nothing at all was changed."""
    return {
        str(path): (
            path.lstat().st_mode,
            path.lstat().st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for folder in folders
        for path in [folder, *sorted(folder.rglob("*"))]
        if path.exists()
    }
