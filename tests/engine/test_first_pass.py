"""A whole tree goes up, comes down elsewhere, and then stays in step for one call a pass."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from engine.world import World, assert_idle, assert_in_step
from ubiops_file_sync.emulator import BucketServer, Provider
from ubiops_file_sync.model import Verb

ODD_NAMES = [
    "with space.txt",
    "hash#mark",
    "per%cent",
    "%41",
    "a+b",
    "what?",
    "you&me",
    "ünïcödé",
    "日本語.txt",
    "emoji-😀",
    "e\u0301-decomposed",
    "quote'\"",
    "semi;colon",
    "new\nline",
    "tab\there",
    "back\\slash",
    "-dash",
    "~tilde",
    "download",
    "x" * 200,
    "é" * 100,
]


def mixed_files(count: int, seed: int = 1) -> dict[str, bytes]:
    """Nested and flat, empty and not, odd names and plain ones."""
    dice = random.Random(seed)
    files = {f"odd/{name}": name.encode() for name in ODD_NAMES}
    files |= {f"{name}/inside": b"x" for name in ODD_NAMES}
    while len(files) < count:
        depth = dice.randrange(4)
        folder = "".join(f"d{dice.randrange(5)}/" for _ in range(depth))
        name = f"{folder}f{len(files)}{dice.choice(['', '.txt', '.bin', '.tar.gz'])}"
        files[name] = dice.randbytes(dice.choice([0, 1, 10, 1000, 20_000]))
    return files


@pytest.mark.parametrize("provider", list(Provider))
def test_1000_mixed_files_go_up_and_come_down_byte_for_byte(
    tmp_path: Path, provider: Provider
) -> None:
    with BucketServer(tmp_path / "server", rate_limit=None, provider=provider) as server:
        (tmp_path / "a" / "root").mkdir(parents=True)
        here = World(server, tmp_path / "a" / "root", tmp_path / "a" / "state", {"workers": 8})
        files = mixed_files(1000)
        for key, content in files.items():
            here.write(key, content, age_s=1000)

        report = here.run()

        assert report.problem_count == 0
        assert report.done == {Verb.UPLOAD: 1000}
        # A page, a signed URL a file, and one more page to learn what was stored (I10).
        assert report.api_calls == {"list": 2, "upload": 1000}
        assert here.remote() == files
        assert_idle(here)
        assert_idle(here)

        there = here.elsewhere("b")
        down = there.run()

        assert down.problem_count == 0
        assert down.done == {Verb.DOWNLOAD: 1000}
        assert down.api_calls == {"list": 1, "download": 1000}
        assert there.local() == files
        for key, (_, created_us) in server.objects("data/").items():
            mtime_ns = (there.root / key.removeprefix("data/")).stat().st_mtime_ns
            assert mtime_ns == created_us * 1000
        assert_idle(there)
        assert_idle(there)
        assert_idle(here)


def test_both_directions_in_one_pass(world: World) -> None:
    world.write("here/a", b"from here")
    world.put("there/b", b"from there")
    report = world.run()
    assert report.done == {Verb.UPLOAD: 1, Verb.DOWNLOAD: 1}
    assert world.local() == {"here/a": b"from here", "there/b": b"from there"}
    assert_in_step(world)


def test_only_the_profiles_place_is_touched(world: World) -> None:
    world.server.put_object("database/x", b"a neighbour whose name begins alike")
    world.server.put_object("other", b"outside")
    world.write("a", b"1")
    world.run()
    assert world.local() == {"a": b"1"}
    assert set(world.server.objects()) == {"data/a", "database/x", "other"}


def test_the_whole_bucket_can_be_a_place(world: World) -> None:
    whole = world.with_settings(bucket_dir="")
    whole.server.put_object("x/y", b"1")
    whole.write("z", b"2")
    whole.run()
    assert set(whole.server.objects()) == {"x/y", "z"}
    assert_in_step(whole)


def test_a_listing_of_several_pages(world: World) -> None:
    world.server.add_synthetic(
        None, [(f"data/f{n:05}", 1, 1_600_000_000_000_000) for n in range(2500)]
    )
    report = world.with_settings(workers=16).run()
    assert report.api_calls == {"list": 3, "download": 2500}
    assert len(world.local()) == 2500
    assert world.run().api_calls == {"list": 3}


def test_folder_markers_of_consoles_are_passed_over(world: World) -> None:
    world.server.put_object("data/", b"")
    world.server.put_object("data/empty/", b"")
    world.put("empty/a", b"1")
    report = world.run()
    assert report.problem_count == 0
    assert world.local() == {"empty/a": b"1"}


def test_a_root_that_never_was_is_made(world: World, tmp_path: Path) -> None:
    fresh = World(world.server, tmp_path / "new", tmp_path / "new-state", {})
    fresh.put("a", b"1")
    with fresh.reconciler.plan() as (plan, _):
        assert [action.key for action in plan.spool.actions()] == ["a"]
    assert not fresh.root.exists()
    fresh.run()
    assert fresh.local() == {"a": b"1"}
