"""Edits and deletions after the first pass, on one side or the other."""

from __future__ import annotations

import os

import pytest

from engine.world import World, assert_in_step
from ubiops_file_sync.model import Direction, Reason, Verb


def in_step(world: World, **files: bytes) -> None:
    for key, content in files.items():
        world.write(key, content, age_s=100)
    world.run()


def test_a_local_edit_travels_even_with_an_old_mtime(world: World) -> None:
    in_step(world, a=b"one")
    world.write("a", b"two, restored from a backup", age_s=1_000_000)
    world.run()
    assert world.remote() == {"a": b"two, restored from a backup"}
    assert_in_step(world)


def test_an_edit_of_the_same_size_travels(world: World) -> None:
    in_step(world, a=b"one")
    world.write("a", b"two")
    world.run()
    assert world.remote() == {"a": b"two"}


def test_an_edit_in_the_bucket_travels_and_the_old_version_is_in_the_trash(world: World) -> None:
    in_step(world, a=b"one")
    os.chmod(world.root / "a", 0o640)
    world.put("a", b"two")
    world.run()
    assert world.local() == {"a": b"two"}
    assert world.trash() == {"a": [b"one"]}
    assert (world.root / "a").stat().st_mode & 0o777 == 0o640
    assert_in_step(world)


def test_an_atomic_save_is_a_change_like_any_other(world: World) -> None:
    in_step(world, a=b"one")
    world.write("a.tmp", b"two")
    os.replace(world.root / "a.tmp", world.root / "a")
    world.run()
    assert world.remote() == {"a": b"two"}


def test_a_deletion_does_not_travel_by_default(world: World) -> None:
    in_step(world, here=b"1", there=b"2")
    (world.root / "here").unlink()
    world.server.delete_object("data/there")
    report = world.run()
    assert report.done == {Verb.UPLOAD: 1, Verb.DOWNLOAD: 1}
    assert world.local() == {"here": b"1", "there": b"2"}
    assert_in_step(world)


def test_an_edit_beats_a_delete_on_either_side(world: World) -> None:
    in_step(world, a=b"1", b=b"2")
    (world.root / "a").unlink()
    world.put("a", b"1 edited")
    world.write("b", b"2 edited")
    world.server.delete_object("data/b")
    world.run()
    assert world.local() == {"a": b"1 edited", "b": b"2 edited"}
    assert_in_step(world)


def test_a_key_gone_from_both_sides_is_forgotten(world: World) -> None:
    in_step(world, a=b"1")
    (world.root / "a").unlink()
    world.server.delete_object("data/a")
    assert world.run().done == {Verb.FORGET: 1}
    world.put("a", b"another life")
    world.run()
    assert world.local() == {"a": b"another life"}


def test_a_rename_is_a_new_key_and_a_missing_one(world: World) -> None:
    in_step(world, old=b"1")
    (world.root / "old").rename(world.root / "new")
    world.run()
    assert world.local() == {"new": b"1", "old": b"1"}
    assert_in_step(world)


@pytest.mark.parametrize("direction", [Direction.UPLOAD, Direction.DOWNLOAD])
def test_a_one_way_profile_never_writes_to_its_source(world: World, direction: Direction) -> None:
    one_way = world.with_settings(direction=direction)
    one_way.write("here", b"1")
    one_way.put("there", b"2")
    one_way.write("both", b"old", age_s=500)
    one_way.put("both", b"older", age_s=900)
    source = one_way.local if direction is Direction.UPLOAD else one_way.remote
    before = source()
    for _ in range(3):
        assert one_way.run().problem_count == 0
    assert source() == before


def test_a_one_way_profile_settles_down(world: World) -> None:
    one_way = world.with_settings(direction="upload")
    one_way.write("a", b"1", age_s=100)
    one_way.put("b", b"2")
    one_way.run()
    one_way.put("a", b"changed in the bucket")
    report = one_way.run()
    assert report.planned.action_count == 0
    assert report.planned.left == {Reason.DESTINATION_NEWER: 1, Reason.OTHER_DIRECTION: 1}
    assert one_way.remote()["a"] == b"changed in the bucket"


def test_the_source_of_a_one_way_profile_can_always_win(world: World) -> None:
    one_way = world.with_settings(direction="upload", conflict="local-wins")
    one_way.write("a", b"1", age_s=100)
    one_way.run()
    one_way.put("a", b"changed in the bucket")
    one_way.run()
    assert one_way.remote() == {"a": b"1"}
    assert one_way.trash() == {"a": [b"changed in the bucket"]}
