"""Whole histories: two actors at work on both sides, and the engine in between.

Every step is real: the engine, its SQLite store, the embedded bucket over HTTP, a folder on disk.
Only time is made: `days_pass` moves the clocks of both sides. The invariants of design section 5
are checked after each step. `--histories N` sets how many are run.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from engine.world import QUICK, World, snapshot
from ubiops_file_sync.emulator import BucketServer, Fault
from ubiops_file_sync.errors import RemoteUnreachable
from ubiops_file_sync.model import Outcome, Report
from ubiops_file_sync.plan.guards import GUARDS
from ubiops_file_sync.progress import Progress
from ubiops_file_sync.reconcile import Reconciler

KEYS = ["a", "a.txt", "d/x", "d/y", "e"]
keys = st.sampled_from(KEYS)
TTL_DAYS = 14
DAY_NS = 86_400_000_000_000
ALL_GUARDS = tuple(GUARDS)

_server: BucketServer | None = None
_folder: Path | None = None


@pytest.fixture(scope="module", autouse=True)
def _one_server() -> Any:
    """One server for all histories, in memory where there is room; each has a bucket of its own."""
    global _server, _folder
    shm = Path("/dev/shm")
    _folder = Path(tempfile.mkdtemp(dir=shm if os.access(shm, os.W_OK) else None))
    with BucketServer(_folder / "server", rate_limit=None) as _server:
        yield
    shutil.rmtree(_folder)


class Stop(BaseException):
    """What a test throws into the middle of a pass."""


@dataclass
class StopAfter(Progress):
    """Ends a pass after some actions."""

    outcomes: int

    def did(self, outcome: Outcome) -> None:
        self.outcomes -= 1
        if self.outcomes < 0:
            raise Stop


@dataclass
class Truth:
    """What a person who sees everything would remember."""

    versions: set[bytes] = field(default_factory=set)
    """Every content that was ever written."""
    in_step: dict[str, bytes] = field(default_factory=dict)
    """What both sides held when they were last seen equal."""


class Histories(RuleBasedStateMachine):
    """Two actors, a clock, and a reconciler that is interrupted now and then."""

    number = 0

    @initialize(
        direction=st.sampled_from(["two-way", "two-way", "two-way", "upload", "download"]),
        conflict=st.sampled_from(["newer-wins", "local-wins", "remote-wins", "keep-both"]),
        deletions=st.sampled_from(["none", "to_bucket", "to_local", "both", "both"]),
        expired=st.sampled_from(["reupload", "leave"]),
        skew_s=st.sampled_from([0, 0, 120, -120, 5000]),
        ttl=st.booleans(),
    )
    def begin(
        self, direction: str, conflict: str, deletions: str, expired: str, skew_s: int, ttl: bool
    ) -> None:
        assert _server is not None
        assert _folder is not None
        Histories.number += 1
        name = f"h{Histories.number}"
        self.home = _folder / name
        root = self.home / "root"
        root.mkdir(parents=True)
        (self.home / "outside").mkdir()
        (self.home / "outside" / "secret").write_bytes(b"untouched")
        _server.create_bucket(name, ttl_s=TTL_DAYS * 86_400 if ttl else None)
        wants = {
            "bucket": name,
            "direction": direction,
            "conflict": conflict,
            "deletions": deletions,
            "expired": expired,
            "workers": 2,
        }
        self.world = World(_server, root, self.home / "state", wants)
        self.expired_keys: set[str] = set()
        self.offset_ns = 0
        self.skew_s = skew_s
        self._set_server_clock()
        self.truth = Truth()
        self.count = 0

    def teardown(self) -> None:
        if hasattr(self, "world"):
            _server.delete_bucket(self.world.settings["bucket"])  # type: ignore[union-attr]
            shutil.rmtree(self.home)

    # -- actors -------------------------------------------------------------------------------

    @rule(key=keys, age_days=st.sampled_from([0, 0, 0, 3, 30]), same_size=st.booleans())
    def somebody_writes_here(self, key: str, age_days: int, same_size: bool) -> None:
        path = self.world.root / key
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(self._content(same_size))
        self._stamp(path, self.now_ns() - age_days * DAY_NS)

    @rule(key=keys, same_size=st.booleans())
    def somebody_stores(self, key: str, same_size: bool) -> None:
        self.expired_keys.discard(key)
        self.world.server.put_object(
            f"data/{key}", self._content(same_size), bucket=self.world.settings["bucket"]
        )

    @rule(key=keys)
    def somebody_deletes_here(self, key: str) -> None:
        (self.world.root / key).unlink(missing_ok=True)

    @rule(key=keys)
    def somebody_deletes_in_the_bucket(self, key: str) -> None:
        self.world.server.delete_object(f"data/{key}", bucket=self.world.settings["bucket"])

    @rule(key=keys)
    def somebody_touches(self, key: str) -> None:
        if (self.world.root / key).exists():
            self._stamp(self.world.root / key, self.now_ns())

    @rule(old=keys, new=keys)
    def somebody_renames(self, old: str, new: str) -> None:
        if (self.world.root / old).exists():
            (self.world.root / new).parent.mkdir(exist_ok=True)
            (self.world.root / old).rename(self.world.root / new)

    @rule(days=st.sampled_from([1, 8, 13, 20]))
    def days_pass(self, days: int) -> None:
        self.offset_ns += days * DAY_NS
        self._set_server_clock()

    # -- the engine ---------------------------------------------------------------------------

    @rule()
    def a_pass(self) -> None:
        self._checked_pass(Progress())

    @rule(after=st.integers(0, 3))
    def a_pass_that_is_interrupted(self, after: int) -> None:
        self._checked_pass(StopAfter(after))

    @rule()
    def a_dry_run(self) -> None:
        before = snapshot(self.home), self._remote()
        with self._reconciler(Progress()).plan():
            pass
        assert (snapshot(self.home), self._remote()) == before, "I8"

    @rule(kind=st.sampled_from(["status", "reset_before", "truncate"]))
    def a_pass_whose_listing_fails(self, kind: str) -> None:
        before = self.world.local(), self._remote(), self.world.trash()
        self.world.server.faults.add(Fault("list", kind, times=5, length=3))
        try:
            self._reconciler(Progress()).run()
        except RemoteUnreachable:
            pass
        else:
            raise AssertionError("a failed listing was taken for one")
        finally:
            self.world.server.faults.clear()
        assert (self.world.local(), self._remote(), self.world.trash()) == before, "I12"

    @rule(operation=st.sampled_from(["put", "get_blob", "sign_upload", "delete"]), key=keys)
    def a_pass_in_which_one_key_fails(self, operation: str, key: str) -> None:
        self.world.server.faults.add(Fault(operation, "status", times=None, key=key, code=500))
        try:
            self._checked_pass(Progress())
        finally:
            self.world.server.faults.clear()

    @rule(operation=st.sampled_from(["put", "delete", "list"]))
    def a_pass_in_which_an_answer_is_lost(self, operation: str) -> None:
        self.world.server.faults.add(Fault(operation, "reset_after", times=1))
        try:
            self._checked_pass(Progress())
        finally:
            self.world.server.faults.clear()

    @precondition(lambda self: self.count > 0)
    @rule(exclude=st.sampled_from([[], ["d/"], ["*.txt"], ["a"]]))
    def somebody_changes_the_filter(self, exclude: list[str]) -> None:
        self.world = self.world.with_settings(exclude=exclude)

    # -- what must always hold ----------------------------------------------------------------

    @invariant()
    def nothing_outside_is_touched(self) -> None:
        if hasattr(self, "home"):
            assert (self.home / "outside" / "secret").read_bytes() == b"untouched", "I7"
            assert list((self.home / "outside").iterdir()) == [self.home / "outside" / "secret"]

    @invariant()
    def no_final_path_holds_a_part_of_a_file(self) -> None:
        if hasattr(self, "world"):
            for side in (self.world.local(), self._remote()):
                assert set(side.values()) <= self.truth.versions, "I6"

    def _checked_pass(self, progress: Progress) -> Report | None:
        """One pass, and what no pass may do (I1, I2, I3)."""
        local, remote = self.world.local(), self._remote()
        try:
            report = self._reconciler(progress).run()
        except Stop:
            report = None
        now_local, now_remote = self.world.local(), self._remote()
        kept = set(now_local.values()) | set(now_remote.values())
        kept.update(*self.world.trash().values())
        for key, content in local.items():
            assert content in kept, f"I1: the local version of {key} is gone"
            if key not in now_local:
                assert key in self.truth.in_step, f"I2: {key} was deleted without a baseline"
                assert key not in self.expired_keys, f"I3: the expiry of {key} deleted it here"
        for key, content in remote.items():
            replaced_by_its_user = self.truth.in_step.get(key) == content
            assert content in kept or replaced_by_its_user, f"I1: {key} is gone from the bucket"
            if key not in now_remote:
                assert key in self.truth.in_step, f"I2: {key} was deleted without a baseline"
        self._direction_is_kept(local, remote, now_local, now_remote)
        self._hidden_is_untouched(local, remote, now_local, now_remote)
        self.expired_keys -= set(now_remote)
        self.truth.in_step |= {
            key: content for key, content in now_local.items() if now_remote.get(key) == content
        }
        return report

    def _direction_is_kept(self, *sides: dict[str, bytes]) -> None:
        local, remote, now_local, now_remote = sides
        if self.world.settings["direction"] == "upload":
            assert now_local == local, "a one-way profile wrote to its source"
        if self.world.settings["direction"] == "download":
            assert now_remote == remote, "a one-way profile wrote to its source"

    def _hidden_is_untouched(self, *sides: dict[str, bytes]) -> None:
        local, remote, now_local, now_remote = sides
        exclude = self.world.settings.get("exclude", [])
        for key in KEYS:
            hidden = (key.startswith("d/") and "d/" in exclude) or (
                (key == "a" and "a" in exclude) or (key.endswith(".txt") and "*.txt" in exclude)
            )
            if hidden:
                assert local.get(key) == now_local.get(key), "a filter's key was touched here"
                assert remote.get(key) == now_remote.get(key), "a filter's key was touched there"

    # -- helpers ------------------------------------------------------------------------------

    def now_ns(self) -> int:
        return time.time_ns() + self.offset_ns

    def _set_server_clock(self) -> None:
        """Move the bucket's clock, and note what its ttl takes by that."""
        before = set(self._remote())
        self.world.server.clock.offset_s = self.offset_ns / 1e9 + self.skew_s
        self.expired_keys |= before - set(self._remote())

    def _content(self, same_size: bool) -> bytes:
        self.count += 1
        content = b"version %06d" % self.count + (b"" if same_size else b"+" * (self.count % 7))
        self.truth.versions.add(content)
        return content

    def _stamp(self, path: Path, when_ns: int) -> None:
        os.utime(path, ns=(when_ns, when_ns))

    def _reconciler(self, progress: Progress) -> Reconciler:
        return Reconciler(
            self.world.profile,
            self.world.state_dir,
            retries=QUICK,
            progress=progress,
            now_ns=self.now_ns,
            allow=ALL_GUARDS,
        )

    def _remote(self) -> dict[str, bytes]:
        name, server = self.world.settings["bucket"], self.world.server
        return {
            key.removeprefix("data/"): server.read_object(key, bucket=name)
            for key in server.objects("data/", bucket=name)
        }

    @rule()
    def left_alone_it_converges(self) -> None:
        """Two passes, and the third plans nothing (I4, and I5 after an interruption)."""
        for _ in range(2):
            report = self._checked_pass(Progress())
            assert report is not None
            assert report.problem_count == 0
        with self._reconciler(Progress()).plan() as (plan, _):
            assert list(plan.spool.actions()) == [], "I4"
        if self.world.settings["direction"] == "two-way" and not self.world.settings.get("exclude"):
            left = self.world.settings["expired"] == "leave"
            assert left or self.world.local() == self._remote()


def test_no_history_loses_a_version(request: pytest.FixtureRequest) -> None:
    count = request.config.getoption("histories")
    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=count,
            stateful_step_count=14,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink),
            print_blob=True,
            database=None,
        ),
    )
