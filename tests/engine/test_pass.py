"""How a pass behaves as a whole: dry runs, fresh files, locks, order, and what it costs."""

from __future__ import annotations

import os
import sys
import threading
import time
from dataclasses import replace
from typing import Any

import pytest

from engine.world import SECOND_NS, World, assert_idle, assert_in_step, snapshot
from ubiops_file_sync.emulator import Behaviour, Fault
from ubiops_file_sync.errors import ConfigError, ProfileLocked, SafetyHalt
from ubiops_file_sync.model import Reason, Verb
from ubiops_file_sync.progress import Progress
from ubiops_file_sync.reconcile import Reconciler
from ubiops_file_sync.store import profile_lock


def test_a_dry_run_changes_nothing_anywhere(world: World) -> None:
    world.write("a", b"1", age_s=100)
    world.put("b", b"2")
    untouched = snapshot(world.root.parent)
    assert [(a.key, a.verb) for a in world.plan()] == [("a", Verb.UPLOAD), ("b", Verb.DOWNLOAD)]
    assert snapshot(world.root.parent) == untouched, "not even a state folder"
    world.run()
    world.write("a", b"changed")
    world.put("c", b"3")
    untouched, bucket = snapshot(world.root.parent), world.server.objects()
    assert [(a.key, a.reason) for a in world.plan()] == [
        ("a", Reason.CHANGED_LOCAL),
        ("c", Reason.NEW_REMOTE),
    ]
    assert snapshot(world.root.parent) == untouched
    assert world.server.objects() == bucket


def test_a_plan_foretells_the_api_calls_of_a_pass(world: World) -> None:
    for n in range(5):
        world.write(f"up{n}", b"1", age_s=100)
        world.put(f"down{n}", b"2")
    world.write("conflict", b"newer", age_s=1)
    world.put("conflict", b"older one", age_s=100)
    with world.reconciler.plan() as (_, report):
        foretold = report.planned.api_calls
    assert sum(world.run().api_calls.values()) == foretold == 1 + 5 + 5 + 3 + 1


def test_a_single_upload_to_a_big_bucket_is_confirmed_by_one_get(world: World) -> None:
    old = 1_600_000_000_000_000
    world.server.add_synthetic(None, [(f"data/f{n:05}", 0, old) for n in range(2500)])
    world = world.with_settings(direction="upload")
    world.write("a", b"1")
    assert world.run().api_calls == {"list": 3, "upload": 1, "get": 1}


def test_a_fresh_file_is_looked_at_again_within_the_pass(world: World) -> None:
    world = world.with_settings(settle=0.3)
    world.write("fresh", b"1")
    world.write("old", b"2", age_s=100)
    began = time.monotonic()
    assert world.run().problem_count == 0
    assert time.monotonic() - began >= 0.3
    assert set(world.remote()) == {"fresh", "old"}
    assert_idle(world)


def test_a_file_that_keeps_changing_is_left_and_said_to_be(world: World) -> None:
    world = world.with_settings(settle=0.3)
    path = world.write("growing", b"1")
    world.write("old", b"2", age_s=100)

    class Grow(Progress):
        def settling(self, files: int, seconds: float) -> None:
            path.write_bytes(b"still being written")

    report = Reconciler(world.profile, world.state_dir, progress=Grow()).run()
    assert [problem.key for problem in report.problems] == ["growing"]
    assert "still being written" in report.problems[0].message
    assert report.exit_code == 1
    assert set(world.remote()) == {"old"}


def test_a_file_that_changes_while_it_is_sent_never_arrives_torn(world: World) -> None:
    path = world.write("a", b"x" * 600_000, age_s=100)
    world.server.faults.add(Fault("sign_upload", "latency", seconds=1.5))

    class ScribbleSoon(Progress):
        """The plan stands, and the upload waits for its signed URL."""

        def planned(self, summary: Any) -> None:
            threading.Timer(0.2, path.write_bytes, [b"y" * 600_000]).start()

    report = Reconciler(world.profile, world.state_dir, progress=ScribbleSoon()).run()
    assert "changed while it was read" in report.problems[0].message
    assert world.remote() == {}
    world.run()
    assert world.remote() == {"a": b"y" * 600_000}
    assert_in_step(world)


def test_a_local_edit_between_plan_and_download_is_not_overwritten(world: World) -> None:
    path = world.write("a", b"before", age_s=100)
    world.run()
    world.put("a", b"from the bucket")

    class EditNow(Progress):
        def planned(self, summary: Any) -> None:
            path.write_bytes(b"edited in the middle of the pass")

    report = Reconciler(world.profile, world.state_dir, progress=EditNow()).run()
    assert "changed during the pass" in report.problems[0].message
    assert world.local() == {"a": b"edited in the middle of the pass"}
    world.run()
    assert_in_step(world)


def test_only_one_pass_at_a_time(world: World) -> None:
    with profile_lock(world.state_dir, "p"), pytest.raises(ProfileLocked, match=str(os.getpid())):
        world.run()
    assert world.run().problem_count == 0


def test_state_of_another_root_halts(world: World) -> None:
    world.write("a", b"1")
    world.run()
    other = replace(world.elsewhere("b"), state_dir=world.state_dir)
    with pytest.raises(SafetyHalt, match="local_dir was"):
        other.run()
    assert other.local() == {}


BEHAVIOURS = {
    "unsorted": Behaviour(unsorted=True),
    "short pages": Behaviour(short_pages=True),
    "repeated items": Behaviour(repeat_item_between_pages=True),
    "whole seconds": Behaviour(time_precision="s"),
    "milliseconds with an offset": Behaviour(time_precision="ms", time_suffix="+00:00"),
    "time kept on overwrite": Behaviour(keep_time_on_overwrite=True),
    "all of it": Behaviour(
        unsorted=True, short_pages=True, repeat_item_between_pages=True, time_precision="s"
    ),
}


@pytest.mark.parametrize("behaviour", BEHAVIOURS.values(), ids=BEHAVIOURS.keys())
def test_no_belief_about_the_service_is_load_bearing(world: World, behaviour: Behaviour) -> None:
    world.server.behaviour = behaviour
    files = {f"d{n % 7}/f{n:04}": f"content {n}".encode() for n in range(1200)}
    for key, content in files.items():
        world.write(key, content, age_s=100)
    world = world.with_settings(workers=8)
    assert world.run().problem_count == 0
    assert world.remote() == files
    world.write("d1/f0001", b"edited, and longer than before")
    world.put("d2/f0002", b"edited in the bucket, and longer")
    world.run()
    world.run()
    third = world.run()
    assert third.planned.action_count == 0
    assert third.problem_count == 0
    assert world.local() == world.remote()
    assert world.local()["d1/f0001"] == b"edited, and longer than before"
    assert world.local()["d2/f0002"] == b"edited in the bucket, and longer"


def test_an_unsorted_listing_costs_a_second_one_only_once(world: World) -> None:
    world.server.behaviour = Behaviour(unsorted=True)
    for n in range(10):
        world.put(f"f{n}", b"1")
    assert world.run().api_calls["list"] == 2
    assert world.run().api_calls == {"list": 1}


def test_a_file_and_a_folder_of_one_name_are_refused_and_the_rest_goes_on(world: World) -> None:
    world.write("a", b"a file here")
    world.write("a.txt", b"sorts in between")
    world.put("a/b", b"a folder in the bucket")
    world.put("c", b"1")
    report = world.run()
    assert [problem.key for problem in report.problems] == ["a"]
    assert world.remote() == {
        "a.txt": b"sorts in between",
        "a/b": b"a folder in the bucket",
        "c": b"1",
    }
    assert set(world.local()) == {"a", "a.txt", "c"}


@pytest.mark.parametrize(
    "key",
    ["../escape", "a/../../escape", "/abs", "a//b", "./x", "nul\0", "x" * 300, ".ubiops-sync/x"],
)
def test_a_dangerous_key_is_refused_and_nothing_leaves_the_root(world: World, key: str) -> None:
    world.put(key, b"evil")
    world.put("good", b"1")
    before = {path for path in world.root.parent.parent.rglob("*") if "server" not in path.parts}
    report = world.run()
    assert report.problem_count == 1
    assert world.local() == {"good": b"1"}
    after = {path for path in world.root.parent.parent.rglob("*") if "server" not in path.parts}
    assert not any("escape" in path.name for path in after - before)


def test_a_link_in_the_root_is_neither_followed_nor_replaced(world: World) -> None:
    outside = world.root.parent / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"1")
    (world.root / "link").symlink_to(outside)
    world.put("link/secret", b"overwritten?")
    report = world.run()
    assert [problem.key for problem in report.problems] == ["link"]
    assert (outside / "secret").read_bytes() == b"1"
    assert (world.root / "link").is_symlink()
    assert world.remote() == {"link/secret": b"overwritten?"}


def test_a_folder_swapped_for_a_link_in_mid_pass_leads_nothing_outside(world: World) -> None:
    outside = world.root.parent / "outside"
    outside.mkdir()
    world.write("d/a", b"1", age_s=100)
    world.run()
    world.put("d/a", b"2")

    class Swap(Progress):
        def planned(self, summary: Any) -> None:
            (world.root / "d").rename(world.root / "was-d")
            (world.root / "d").symlink_to(outside)

    report = Reconciler(world.profile, world.state_dir, progress=Swap()).run()
    assert report.problem_count == 1
    assert list(outside.iterdir()) == []


def test_a_downloaded_file_has_the_permissions_of_any_new_file(world: World) -> None:
    world.put("a", b"1")
    world.run()
    made = world.write("b", b"2")
    assert (world.root / "a").stat().st_mode == made.stat().st_mode
    assert (world.root / ".ubiops-sync").stat().st_mode & 0o077 == 0
    assert (world.state_dir / "p.sqlite").stat().st_mode & 0o077 == 0


def test_times_to_the_nanosecond_do_not_make_false_changes(world: World) -> None:
    path = world.write("a", b"1")
    os.utime(path, ns=(1_700_000_000_123_456_789, 1_700_000_000_123_456_789))
    world.run()
    assert_idle(world)
    os.utime(
        path, ns=(1_700_000_000_123_456_789 - SECOND_NS, 1_700_000_000_123_456_789 - SECOND_NS)
    )
    assert [a.reason for a in world.plan()] == [Reason.CHANGED_LOCAL]


def test_a_name_that_is_no_unicode_does_not_stop_the_listing(world: World) -> None:
    world.put("good", b"1")
    body = (
        '{"files": [{"file": "data/\\ud800", "size": 1, "time_created": "2024-01-01T00:00:00Z"}]}'
    )
    world.server.faults.add(Fault("list", "status", code=200, body=body))
    report = world.run()
    assert [problem.message for problem in report.problems] == [
        "the name is not valid UTF-8, which the bucket needs; rename the file"
    ]


def test_a_latin_locale_is_refused_before_any_name_is_misread(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "iso8859-1")
    with pytest.raises(ConfigError, match=r"LC_ALL=C\.UTF-8"):
        world.run()
