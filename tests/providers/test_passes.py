"""Whole passes between a folder and a real storage server."""

from __future__ import annotations

from pathlib import Path

from engine.world import World, assert_idle, assert_in_step
from ubiops_file_sync.emulator import BucketServer


def test_both_sides_come_in_step_and_stay_so(server: BucketServer, tmp_path: Path) -> None:
    root = tmp_path / "here" / "root"
    root.mkdir(parents=True)
    world = World(server, root, tmp_path / "here" / "state", {"deletions": "both"})
    kept = {name: name.encode() for name in ("same", "d/edit here", "d/edit there")}
    going = {"gone here": b"1", "gone there/ü#?%+.bin": b"2"}
    for key, content in {**kept, **going}.items():
        world.write(key, content)
    world.put("new there", b"from the start")
    world.put("empty there", b"")
    assert world.run().problem_count == 0
    assert_in_step(world)
    assert set(world.local()) == {*kept, *going, "new there", "empty there"}

    world.write("d/edit here", b"edited here, and longer")
    world.write("new here", b"x" * 300_000)
    (root / "gone here").unlink()
    world.put("d/edit there", b"edited in the bucket, and longer")
    world.put("a b/ü#?%+ there", b"y" * 300_000)
    server.delete_object(world.profile.prefix + "gone there/ü#?%+.bin")
    assert world.run().problem_count == 0
    expected = {
        "same": b"same",
        "d/edit here": b"edited here, and longer",
        "d/edit there": b"edited in the bucket, and longer",
        "new here": b"x" * 300_000,
        "new there": b"from the start",
        "empty there": b"",
        "a b/ü#?%+ there": b"y" * 300_000,
    }
    assert world.local() == expected
    assert_in_step(world)

    other = world.elsewhere("other machine")
    assert other.run().problem_count == 0
    assert other.local() == expected
    assert_idle(other)
    assert_idle(world)
