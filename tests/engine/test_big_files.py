"""Files from `multipart_threshold` on: in parts, and never from the beginning again."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.process import reconcile
from engine.world import World, assert_idle, assert_in_step
from ubiops_file_sync.emulator import BucketServer, Fault, Provider
from ubiops_file_sync.model import Verb
from ubiops_file_sync.parts import MIB
from ubiops_file_sync.record import Recorder

PART = 5 * MIB
BIG = random.Random(1).randbytes(3 * PART - 4321)
BODIES = {"put", "put_part"}
OTHER = random.Random(2).randbytes(len(BIG))


@pytest.fixture
def big(world: World) -> World:
    return world.with_settings(multipart_threshold=2 * PART)


@pytest.fixture(params=list(Provider))
def big_anywhere(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    """With each storage provider behind the API."""
    (tmp_path / "root").mkdir()
    with BucketServer(tmp_path / "server", rate_limit=None, provider=request.param) as server:
        yield World(
            server, tmp_path / "root", tmp_path / "state", {"multipart_threshold": 2 * PART}
        )


def test_a_big_file_goes_up_in_parts(big_anywhere: World) -> None:
    world = big_anywhere
    world.write("models/a.bin", BIG, age_s=100)
    world.write("small", b"1", age_s=100)
    report = world.run()
    assert (report.done, report.bytes_up) == ({Verb.UPLOAD: 2}, len(BIG) + 1)
    assert report.api_calls["upload"] == 3 + 1
    assert (report.api_calls["begin-parts"], report.api_calls["complete-parts"]) == (1, 1)
    assert sum(report.api_calls.values()) <= report.planned.api_calls
    assert world.remote() == {"models/a.bin": BIG, "small": b"1"}
    assert_in_step(world)


def test_a_big_file_comes_down_in_ranges(big_anywhere: World) -> None:
    world = big_anywhere
    world.put("models/a.bin", BIG)
    report = world.run()
    assert (report.done, report.bytes_down) == ({Verb.DOWNLOAD: 1}, len(BIG))
    assert report.api_calls == {"list": 1, "download": 1}
    # One of a single byte tells the version and the digest.
    assert world.server.calls.count("get_blob") == 1 + 3
    assert world.staged() == []
    assert_in_step(world)


def test_what_was_sent_in_parts_comes_down_in_ranges(big_anywhere: World) -> None:
    """Such an object has no digest of the whole, or another one, at each provider."""
    world = big_anywhere
    world.write("a", BIG, age_s=100)
    world.run()
    there = world.elsewhere("there")
    assert there.run().done == {Verb.DOWNLOAD: 1}
    assert there.local() == {"a": BIG}
    assert_idle(there)


def test_equal_big_files_are_adopted(big_anywhere: World) -> None:
    world = big_anywhere
    world.write("a", BIG, age_s=100)
    world.put("a", BIG)
    report = world.run()
    assert report.done == {Verb.ADOPT: 1}
    assert (report.bytes_up, report.bytes_down) == (0, 0)
    assert world.staged() == []
    assert_in_step(world)


@pytest.mark.parametrize("local_age_s", [100, 10])
def test_equal_big_files_without_a_digest_of_the_whole_leave_nothing_staged(
    big: World, local_age_s: float
) -> None:
    """Sent in parts, an object tells no digest that could be compared before it is fetched."""
    there = big.elsewhere("there")
    there.write("a", BIG, age_s=100)
    there.run()
    big.write("a", BIG, age_s=-local_age_s)
    assert big.run().done == {Verb.ADOPT: 1}
    assert big.staged() == []
    assert_in_step(big)


def test_a_big_conflict_keeps_both(big: World) -> None:
    world = big.with_settings(conflict="keep-both")
    world.write("a", BIG, age_s=100)
    world.put("a", OTHER, age_s=50)
    world.run()
    assert sorted(world.local().values()) == sorted([BIG, OTHER])
    assert world.staged() == []
    assert_in_step(world)


def test_a_big_object_that_goes_with_its_file_is_in_the_trash(big: World) -> None:
    world = big.with_settings(deletions="both", max_delete="100%")
    path = world.write("a", BIG, age_s=100)
    world.write("stays", b"1", age_s=100)
    world.run()
    path.unlink()
    assert world.run().done == {Verb.DELETE_REMOTE: 1}
    assert world.trash() == {"a": [BIG]}


def test_a_part_that_fails_for_good_leaves_the_others_for_the_next_pass(big: World) -> None:
    world = big
    world.write("a", BIG, age_s=100)
    last = Fault("put_part", "status", after=2, times=None, code=500)
    world.server.faults.add(last)
    report = world.run()
    assert (report.problem_count, report.done) == (1, {})
    assert world.remote() == {}
    world.server.faults.clear()
    world.server.reset_calls()
    report = world.run()
    assert report.done == {Verb.UPLOAD: 1}
    assert report.bytes_up in {PART, len(BIG) - 2 * PART}
    assert report.api_calls["upload"] == 1
    assert "begin-parts" not in report.api_calls
    assert_in_step(world)


def test_an_upload_that_the_service_forgot_is_begun_anew(big: World) -> None:
    world = big
    world.write("a", BIG, age_s=100)
    world.server.faults.add(Fault("put_part", "status", after=2, times=None, code=500))
    world.run()
    world.server.faults.clear()
    world.server.faults.add(Fault("sign_part", "status", code=404))
    report = world.run()
    assert (report.done, report.bytes_up) == ({Verb.UPLOAD: 1}, len(BIG))
    assert_in_step(world)


def test_a_file_that_was_edited_meanwhile_is_not_mixed(big: World) -> None:
    world = big
    path = world.write("a", BIG, age_s=100)
    world.server.faults.add(Fault("put_part", "status", after=2, times=None, code=500))
    world.run()
    world.server.faults.clear()
    path.write_bytes(OTHER)
    world.run()
    assert world.remote() == {"a": OTHER}
    assert_in_step(world)


def test_the_answer_to_the_last_call_may_be_lost(big: World) -> None:
    world = big
    world.write("a", BIG, age_s=100)
    world.server.faults.add(Fault("complete_multipart", "reset_after"))
    report = world.run()
    assert (report.done, report.problem_count) == ({Verb.UPLOAD: 1}, 0)
    assert_in_step(world)


def test_ranges_that_arrived_are_not_fetched_again(big: World) -> None:
    world = big
    world.put("a", BIG)
    world.server.faults.add(Fault("get_blob", "status", after=2, times=None, code=500))
    report = world.run()
    assert (report.problem_count, world.local()) == (1, {})
    assert len(world.staged()) == 1
    world.server.faults.clear()
    report = world.run()
    assert report.done == {Verb.DOWNLOAD: 1}
    assert report.bytes_down < len(BIG)
    assert world.local() == {"a": BIG}
    assert world.staged() == []
    assert_in_step(world)


def test_two_versions_never_mix(big_anywhere: World) -> None:
    world = big_anywhere
    world.put("a", BIG)
    world.server.faults.add(Fault("get_blob", "status", after=2, times=None, code=500))
    world.run()
    world.server.faults.clear()
    world.put("a", OTHER)
    world.run()
    assert world.local() == {"a": OTHER}
    assert world.staged() == []
    assert_in_step(world)


def test_an_object_that_changes_while_its_ranges_come(big_anywhere: World) -> None:
    world = big_anywhere.with_settings(workers=1)
    world.put("a", BIG)
    world.server.faults.add(Fault("get_blob", "latency", after=2, times=None, seconds=0.3))

    def overwrite() -> None:
        while world.server.calls.count("get_blob") < 2:
            time.sleep(0.01)
        world.put("a", OTHER)

    thread = threading.Thread(target=overwrite)
    thread.start()
    report = world.run()
    thread.join()
    assert world.local() in ({}, {"a": OTHER})
    if not world.local():
        assert report.problem_count == 1
    world.server.faults.clear()
    world.run()
    assert world.local() == {"a": OTHER}
    assert world.staged() == []
    assert_in_step(world)


def test_what_was_half_fetched_and_is_no_longer_wanted_goes(big: World) -> None:
    world = big
    world.put("a", BIG)
    world.server.faults.add(Fault("get_blob", "status", after=2, times=None, code=500))
    world.run()
    world.server.faults.clear()
    assert len(world.staged()) == 1
    world.server.delete_object("data/a")
    world.run()
    assert world.staged() == []
    assert_in_step(world)


@pytest.mark.parametrize("way", ["up", "down"])
def test_killed_in_the_middle_it_goes_on_where_it_was(big: World, tmp_path: Path, way: str) -> None:
    world = big
    content = random.Random(3).randbytes(8 * PART)
    if way == "up":
        world.write("a", content, age_s=100)
    else:
        world.put("a", content)
    operation = "put_part" if way == "up" else "get_blob"
    world.server.faults.add(Fault(operation, "hang", after=6, times=None, seconds=20))
    process = reconcile(world, tmp_path)
    deadline = time.monotonic() + 60
    while len(world.server.calls.of(operation)) < 5 and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)
    process.kill()
    process.wait()
    world.server.faults.clear()
    report = world.run()
    moved = report.bytes_up if way == "up" else report.bytes_down
    assert report.problem_count == 0
    assert 2 * PART <= moved <= 5 * PART
    assert_in_step(world)


def test_interrupted_it_keeps_what_has_arrived(big: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world = big.with_settings(workers=2)
    world.put("a", BIG)
    note = Recorder.note

    def note_and_stop(recorder: Recorder, news: object) -> None:
        note(recorder, news)  # type: ignore[arg-type]
        if type(news).__name__ == "Part":
            raise KeyboardInterrupt

    monkeypatch.setattr(Recorder, "note", note_and_stop)
    with pytest.raises(KeyboardInterrupt):
        world.run()
    monkeypatch.undo()
    assert len(world.staged()) == 1
    report = world.run()
    assert report.done == {Verb.DOWNLOAD: 1}
    assert report.bytes_down <= len(BIG) - PART
    assert_in_step(world)


def test_big_files_do_not_hold_small_ones_up(big: World) -> None:
    world = big.with_settings(workers=2)
    world.write("a", BIG, age_s=100)
    for n in range(20):
        world.write(f"small/{n}", b"1", age_s=100)
    world.server.faults.add(Fault("put_part", "latency", times=None, seconds=1.0))
    world.run()
    stored = [call.operation for call in world.server.calls if call.operation in BODIES]
    assert stored[:20] == ["put"] * 20
    assert_in_step(world)


def test_small_files_do_not_hold_big_ones_up(big: World) -> None:
    world = big.with_settings(workers=4)
    world.write("a", BIG + BIG, age_s=100)
    for n in range(150):
        world.write(f"small/{n}", b"1", age_s=100)
    world.server.faults.add(Fault("put", "latency", times=None, seconds=0.01))
    world.server.faults.add(Fault("put_part", "latency", times=None, seconds=0.05))
    world.run()
    stored = [call.operation for call in world.server.calls if call.operation in BODIES]
    parts = [at for at, operation in enumerate(stored) if operation == "put_part"]
    assert len(parts) == 6
    assert parts[-1] < 100
    assert_in_step(world)


def test_a_full_disk_is_said_and_leaves_nothing_wrong(
    big: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = big
    world.put("a", BIG)
    write = os.pwritev

    def full(fd: int, blocks: list[bytes], at: int) -> int:
        if at >= PART:
            raise OSError(28, "No space left on device")
        return write(fd, blocks, at)

    monkeypatch.setattr(os, "pwritev", full)
    report = world.run()
    assert "no space left" in report.problems[0].message
    assert world.local() == {}
    monkeypatch.undo()
    world.run()
    assert_in_step(world)
