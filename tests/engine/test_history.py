"""Each pass leaves a row in the state, whatever came of it; and the state tells of the profile."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from engine.world import World, snapshot
from ubiops_file_sync.emulator import Fault
from ubiops_file_sync.errors import (
    AccessRefused,
    ConfigError,
    ProfileLocked,
    RemoteUnreachable,
    SafetyHalt,
)
from ubiops_file_sync.model import PlanSummary, Reason, Verb
from ubiops_file_sync.pass_id import begun_at
from ubiops_file_sync.past import PastPass, Stage, Trigger
from ubiops_file_sync.places import identity
from ubiops_file_sync.progress import Progress
from ubiops_file_sync.reconcile import Reconciler
from ubiops_file_sync.saved_plan import load_plan, save_plan
from ubiops_file_sync.status import ProfileStatus, read, read_history, read_status
from ubiops_file_sync.store import profile_lock

WEEK_S = 7 * 86_400
WEEK_US = WEEK_S * 1_000_000
DAY_NS = 86_400 * 1_000_000_000


def passes(world: World) -> list[PastPass]:
    """Newest first."""
    return list(read_history(world.profile, world.state_dir))


def newest(world: World) -> PastPass:
    return passes(world)[0]


def status(world: World) -> ProfileStatus:
    return read_status(world.profile, world.state_dir, time.time_ns() // 1000)


class At(Progress):
    """Does something at the moment between the plan and its first action."""

    def __init__(self, act: Any) -> None:
        self._act = act

    def planned(self, summary: PlanSummary) -> None:
        self._act()


def test_a_pass_that_went_well(world: World) -> None:
    world.write("up", b"123")
    world.put("down", b"12345")
    before_us = time.time_ns() // 1000
    report = world.reconciler.run()
    (one,) = passes(world)
    assert one.pass_id == report.pass_id
    assert before_us <= one.began_us <= (one.ended_us or 0) <= time.time_ns() // 1000
    assert (one.stage, one.exit_code, one.trigger) == (Stage.ENDED, 0, Trigger.LIBRARY)
    assert one.process == os.getpid()
    told = one.account
    assert told.done == {Verb.UPLOAD: 1, Verb.DOWNLOAD: 1}
    assert (told.bytes_up, told.bytes_down) == (3, 5)
    assert told.api_calls == report.api_calls
    assert (told.local_files, told.remote_files, told.in_step) == (1, 1, 2)
    assert report.in_step == 2
    assert told.error is None
    now = status(world)
    assert now.is_in_step is True
    assert now.last == now.last_success == one
    assert (now.in_step_count, now.under_way, now.held_by) == (2, None, None)


def test_keys_that_fail_are_named_and_the_others_counted(world: World) -> None:
    for n in range(30):
        world.put(f"bad{n:02}/../x", b"1")
    world.put("good", b"1")
    report = world.reconciler.run()
    assert report.exit_code == 1
    one = newest(world)
    assert (one.exit_code, one.account.problem_count) == (1, 30)
    assert [problem.key for problem in one.problems] == [f"bad{n:02}/../x" for n in range(20)]
    assert one.account.done == {Verb.DOWNLOAD: 1}
    assert (status(world).is_in_step, status(world).last_success) == (False, None)


def test_what_is_left_on_purpose_is_told_by_reason(world: World) -> None:
    world.put("theirs", b"1")
    world.write("mine", b"1")
    world.with_settings(direction="upload").reconciler.run()
    one = newest(world)
    assert one.exit_code == 0
    assert one.account.left == {Reason.OTHER_DIRECTION.name.lower(): 1}
    assert status(world).is_in_step is False


def test_the_losers_of_conflicts_are_told_until_somebody_removes_them(world: World) -> None:
    world = world.with_settings(conflict="keep-both", deletions="both")
    world.write("a.txt", b"mine", age_s=100)
    world.put("a.txt", b"theirs!", age_s=50)
    (kept,) = world.reconciler.run().extra_keys
    assert (newest(world).account.kept, newest(world).account.kept_count) == ((kept,), 1)
    world.run()
    assert (status(world).conflicts, status(world).conflict_count) == ((kept,), 1)
    (world.root / kept).unlink()
    world.run()
    world.run()
    assert (status(world).conflicts, status(world).conflict_count) == ((), 0)


def test_a_halt(world: World) -> None:
    world.write("a", b"1")
    world.run()
    good = newest(world)
    (world.root / "a").unlink()
    with pytest.raises(SafetyHalt) as caught:
        world.reconciler.run()
    one = newest(world)
    assert (one.stage, one.exit_code, one.account.error) == (Stage.ENDED, 4, str(caught.value))
    assert (one.account.local_files, one.account.remote_files, one.account.in_step) == (0, 1, None)
    assert (status(world).last, status(world).last_success) == (one, good)
    assert status(world).is_in_step is False


def test_a_root_that_is_missing(world: World) -> None:
    world.write("a", b"1")
    world.run()
    world.root.rename(world.root.with_name("elsewhere"))
    with pytest.raises(SafetyHalt, match="is missing"):
        world.reconciler.run()
    assert newest(world).exit_code == 4


def test_ubiops_unreachable(world: World) -> None:
    world.write("a", b"1")
    world.server.stop()
    with pytest.raises(RemoteUnreachable) as caught:
        world.reconciler.run()
    one = newest(world)
    assert (one.exit_code, one.account.error) == (3, str(caught.value))
    assert one.account.done == {}
    assert one.account.api_calls == {"list": 5}


def test_a_token_that_is_refused_is_not_in_the_state(world: World) -> None:
    token = "0123456789abcdef" * 2
    with pytest.raises(AccessRefused):
        world.with_settings(token=SecretStr(token)).reconciler.run()
    assert newest(world).exit_code == 3
    assert token.encode() not in (world.state_dir / "p.sqlite").read_bytes()


def test_ubiops_that_goes_away_in_the_middle(world: World) -> None:
    """What was done until then counts."""
    for n in range(60):
        world.write(f"f{n:02}", b"1", age_s=100)
    world.server.faults.add(Fault("sign_upload", "reset_before", times=None, after=10))
    with pytest.raises(RemoteUnreachable):
        world.reconciler.run()
    one = newest(world)
    assert one.exit_code == 3
    assert one.account.done == {Verb.UPLOAD: 10}
    assert one.account.bytes_up == 10
    assert one.account.in_step is None


def test_an_interrupt(world: World) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    world.write("a", b"1")
    with pytest.raises(KeyboardInterrupt):
        Reconciler(world.profile, world.state_dir, progress=At(interrupt)).run()
    one = newest(world)
    assert (one.stage, one.exit_code, one.account.error) == (Stage.ENDED, 130, "interrupted")


def test_of_a_bug_only_its_kind_is_remembered(world: World) -> None:
    def bug() -> None:
        raise ValueError("https://storage.example.com/x?X-Amz-Signature=secret")

    with pytest.raises(ValueError, match="secret"):
        Reconciler(world.profile, world.state_dir, progress=At(bug)).run()
    one = newest(world)
    assert (one.exit_code, one.account.error) == (1, "a bug in ubiops-file-sync (ValueError)")


def test_an_old_pass_that_did_not_end_is_not_under_way_in_a_new_one(world: World) -> None:
    seen: list[list[Stage]] = []
    world.run()
    with closing(sqlite3.connect(world.state_dir / "p.sqlite")) as db, db:
        db.execute("UPDATE pass SET ended_us = NULL")
    look = At(lambda: seen.append([one.stage for one in passes(world)]))
    Reconciler(world.profile, world.state_dir, progress=look).run()
    assert seen == [[Stage.UNDER_WAY, Stage.CUT_OFF]]
    assert [one.stage for one in passes(world)] == [Stage.ENDED, Stage.CUT_OFF]


def slow_pass(world: World, folder: Path) -> subprocess.Popen[bytes]:
    """A real process whose pass is under way, and stays so until it is killed."""
    world.server.faults.add(Fault("put", "hang", times=None))
    config = folder / "config.yaml"
    config.write_text(
        f"version: 1\napi_host: {world.server.api_host}\nstate_dir: {world.state_dir}\nprofiles:\n"
        f"  p: {{local_dir: {world.root}, project: demo, bucket_dir: data, settle: 0}}\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "ubiops_file_sync", "--config", str(config), "reconcile"],
        env={**os.environ, "UBIOPS_API_TOKEN": world.server.token},
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while status(world).under_way is None:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


def test_a_pass_that_is_killed_is_under_way_until_then_and_cut_off_after(
    world: World, tmp_path: Path
) -> None:
    world.write("a", b"1", age_s=100)
    process = slow_pass(world, tmp_path)
    try:
        now = status(world)
        assert now.under_way is not None
        assert now.under_way.process == process.pid
        assert now.under_way.trigger is Trigger.COMMAND
        assert (now.last, now.is_in_step) == (None, None)
        assert now.held_by is not None
        assert now.held_by.startswith(f"process {process.pid} since ")
        with pytest.raises(ProfileLocked):
            world.reconciler.run()
        assert len(passes(world)) == 1, "a pass that found the profile locked leaves no row"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    killed = replace(now.under_way, stage=Stage.CUT_OFF)
    after = status(world)
    assert (after.under_way, after.last, after.held_by) == (None, killed, None)
    assert after.is_in_step is False
    world.server.faults.clear()
    world.run()
    assert [one.stage for one in passes(world)][-2:] == [Stage.ENDED, Stage.CUT_OFF]
    assert status(world).is_in_step is True


def test_asking_all_the_time_disturbs_no_pass_and_is_always_answered(world: World) -> None:
    asked: list[ProfileStatus] = []
    troubles: list[Exception] = []
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            try:
                asked.append(status(world))
            except Exception as error:  # noqa: BLE001  whatever it is, it is told
                troubles.append(error)
                return

    for n in range(150):
        world.write(f"f{n:03}", b"1", age_s=100)
    asker = threading.Thread(target=ask)
    asker.start()
    try:
        for _ in range(5):
            report = world.reconciler.run()
            assert (report.exit_code, report.notes) == (0, ())
    finally:
        ended.set()
        asker.join()
    assert troubles == []
    assert any(one.under_way for one in asked)
    assert not any(one.last and one.last.stage is Stage.CUT_OFF for one in asked)
    assert not any(one.under_way and one.under_way == one.last for one in asked)


def test_a_killed_pass_is_not_under_way_because_something_else_has_the_profile(
    world: World, tmp_path: Path
) -> None:
    world.write("a", b"1", age_s=100)
    process = slow_pass(world, tmp_path)
    process.kill()
    process.wait()
    with profile_lock(world.state_dir, "p"):
        now = status(world)
        assert (now.under_way, now.last and now.last.stage) == (None, Stage.CUT_OFF)
        assert now.held_by is not None


def test_a_pass_that_ends_while_it_is_asked_about_was_not_killed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its row is read before its lock is asked about, and it may end in between."""
    world.run()
    end = newest(world).ended_us
    state = world.state_dir / "p.sqlite"

    def set_end(end_us: int | None) -> None:
        with closing(sqlite3.connect(state)) as db, db:
            db.execute("UPDATE pass SET ended_us = ?", (end_us,))

    def ends_now(state_dir: Path, profile: str) -> None:
        set_end(end)

    set_end(None)
    assert newest(world).stage is Stage.CUT_OFF
    monkeypatch.setattr(read, "find_holder", ends_now)
    assert newest(world).stage is Stage.ENDED


def test_a_dry_run_leaves_no_row_and_no_file(world: World) -> None:
    world.write("a", b"1")
    world.plan()
    assert passes(world) == []
    assert not world.state_dir.exists()
    world.run()
    before, rows = snapshot(world.state_dir), passes(world)
    world.write("b", b"1")
    world.plan()
    status(world)
    assert (snapshot(world.state_dir), passes(world)) == (before, rows)


def test_a_configuration_that_cannot_be_used_leaves_no_row(world: World) -> None:
    with pytest.raises(ConfigError):
        Reconciler(
            world.with_settings(token=None, token_env="NOT_SET").profile, world.state_dir, env={}
        ).run()
    assert passes(world) == []


def test_who_asked_for_a_pass(world: World, tmp_path: Path) -> None:
    world.write("a", b"1", age_s=100)
    profile, file = world.profile, tmp_path / "p.plan"
    with world.reconciler.plan() as (plan, _):
        counts = plan.summary.actions
        save_plan(file, profile, identity(profile), plan.spool.actions(), counts, force=False)
    with load_plan(file) as saved:
        world.reconciler.apply(saved)
    for trigger in (Trigger.SERVICE, Trigger.COMMAND):
        Reconciler(profile, world.state_dir, trigger=trigger).run()
    assert [one.trigger for one in passes(world)] == ["command", "service", "apply"]


def test_passes_are_forgotten_after_some_days_but_not_the_last(world: World) -> None:
    now = time.time_ns()

    def run(days: int, history_days: int = 90) -> None:
        Reconciler(
            world.profile,
            world.state_dir,
            now_ns=lambda: now + days * DAY_NS,
            history_days=history_days,
        ).run()

    def days() -> list[int]:
        return [round((one.began_us * 1000 - now) / DAY_NS) for one in passes(world)]

    for day in (0, 50, 89):
        run(day)
    assert days() == [89, 50, 0]
    run(100)
    assert days() == [100, 89, 50]
    run(101, history_days=12)
    assert days() == [101, 100, 89]
    run(102, history_days=0)
    assert days() == [102]
    begun = begun_at(passes(world)[0].pass_id)
    assert begun is not None
    assert abs(begun.timestamp() - passes(world)[0].began_us / 1e6) < 1


@pytest.mark.parametrize("damage", ["DROP TABLE pass", "DROP TABLE trouble"])
def test_a_pass_that_cannot_be_remembered_is_done_all_the_same(world: World, damage: str) -> None:
    world.run()
    with closing(sqlite3.connect(world.state_dir / "p.sqlite")) as db:
        db.execute(damage)
    world.write("good", b"1", age_s=100)
    world.put("bad/../x", b"1")
    report = world.reconciler.run()
    assert (report.exit_code, report.done) == (1, {Verb.UPLOAD: 1})
    (note,) = report.notes
    assert "not in the history" in note
    assert world.remote()["good"] == b"1"


def test_what_ended_a_pass_is_told_even_if_it_cannot_be_remembered(world: World) -> None:
    world.run()
    with closing(sqlite3.connect(world.state_dir / "p.sqlite")) as db:
        db.execute("DROP TABLE pass")
    world.server.stop()
    with pytest.raises(RemoteUnreachable):
        world.reconciler.run()


def test_names_and_messages_that_are_no_unicode_are_remembered(world: World) -> None:
    name = os.fsencode(world.root) + b"/bad\xff.txt"
    Path(os.fsdecode(name)).write_bytes(b"1")
    assert world.reconciler.run().problem_count == 1
    (problem,) = newest(world).problems
    assert problem.key.startswith("bad")


# -- expiry ----------------------------------------------------------------------------------------


def test_expiry_is_foretold_without_a_call_once_a_pass_had_to_ask(world: World) -> None:
    world.server.set_ttl(2 * WEEK_S)
    world.put("old", b"1", age_s=10 * 86_400)
    world.put("new", b"1", age_s=10)
    world.run()
    assert (status(world).is_ttl_known, status(world).expiry) == (False, None)
    world.with_settings(refresh_before=60).run()
    world.server.reset_calls()
    now = status(world)
    assert world.server.calls.api_count == 0
    assert now.is_ttl_known
    assert now.expiry is not None
    assert now.expiry.ttl_us == 2 * WEEK_US
    assert now.expiry.soon_count == 1, "the other one has 14 days"
    assert now.expiry.first_us is not None
    assert abs(now.expiry.first_us - now.asked_us - 4 * 86_400e6) < 600e6


def test_a_bucket_that_keeps_its_files_is_known_to(world: World) -> None:
    world.put("a", b"1")
    world.run()
    world.with_settings(refresh_before=60).run()
    assert (status(world).is_ttl_known, status(world).expiry) == (True, None)


# -- other places, and none ------------------------------------------------------------------------


def test_a_profile_without_a_pass(world: World) -> None:
    now = status(world)
    assert (now.is_in_step, now.last, now.under_way, now.in_step_count) == (None, None, None, 0)
    assert not world.state_dir.exists()


def test_a_state_of_other_places_is_said_to_be_one(world: World) -> None:
    world.write("a", b"1")
    world.run()
    moved = world.with_settings(bucket_dir="elsewhere")
    assert (status(moved).is_of_other_places, status(moved).is_in_step) == (True, False)
    assert passes(moved) == passes(world)


def test_the_quota_is_as_the_last_pass_saw_it_that_saw_one(world: World) -> None:
    world.run()
    assert status(world).pace is None, "this server has none"


def test_a_big_file_that_a_pass_did_not_end_is_told(world: World, tmp_path: Path) -> None:
    size = 16 * 1024 * 1024
    world = world.with_settings(multipart_threshold=5 * 1024 * 1024)
    world.write("big", os.urandom(size), age_s=100)
    world.server.faults.add(Fault("put_part", "status", times=None, after=1, code=400))
    world.run()
    (one,) = status(world).unfinished
    assert (one.key, one.size) == ("big", size)
