"""Filters between a real folder and the bucket: what they hide stays where it is, on both sides."""

from __future__ import annotations

import pytest

from engine.world import World, assert_idle, snapshot
from ubiops_file_sync.errors import ConfigError, SafetyHalt
from ubiops_file_sync.keys import IGNORE_FILE
from ubiops_file_sync.model import Deletions, Direction, Reason, Verb


def in_step(world: World, **files: bytes) -> None:
    for key, content in files.items():
        world.write(key.replace("__", "/"), content, age_s=100)
    assert world.run().problem_count == 0
    assert world.local() == world.remote()


def test_what_is_excluded_stays_where_it_is(world: World) -> None:
    world.write("a", b"1")
    world.write("b.tmp", b"mine")
    world.write("d/e/f", b"mine")
    world.put("c.tmp", b"theirs")
    world.put("d/g", b"theirs")
    filtered = world.with_settings(exclude=["*.tmp", "d/"])
    report = filtered.run()
    assert report.done == {Verb.UPLOAD: 1}
    assert world.local() == {"a": b"1", "b.tmp": b"mine", "d/e/f": b"mine"}
    assert world.remote() == {"a": b"1", "c.tmp": b"theirs", "d/g": b"theirs"}
    assert_idle(filtered)


def test_nothing_but_what_is_included_travels(world: World) -> None:
    for key in ("a.csv", "a.txt", "d/b.csv", "d/b.txt"):
        world.write(key, b"mine")
    for key in ("c.csv", "c.txt"):
        world.put(key, b"theirs")
    filtered = world.with_settings(include=["*.csv"])
    filtered.run()
    assert set(world.remote()) == {"a.csv", "d/b.csv", "c.csv", "c.txt"}
    assert set(world.local()) == {"a.csv", "a.txt", "d/b.csv", "d/b.txt", "c.csv"}
    assert_idle(filtered)


def test_limits_of_size_and_age(world: World) -> None:
    for key, size, age_s in (("a", 10, 10), ("small", 1, 10), ("large", 99, 10), ("old", 10, 9999)):
        world.write(f"here-{key}", b"x" * size, age_s=age_s)
        world.put(f"there-{key}", b"x" * size, age_s=age_s)
    filtered = world.with_settings(min_size=5, max_size=50, max_age=1000)
    assert filtered.run().done == {Verb.UPLOAD: 1, Verb.DOWNLOAD: 1}
    assert "there-a" in world.local()
    assert "here-a" in world.remote()
    assert_idle(filtered)


def test_a_pattern_that_cannot_be_read_stops_the_pass(world: World) -> None:
    world.write("a[", b"secret")
    with pytest.raises(ConfigError, match=r"profile 'p': `exclude`: line 1 \('a\['\)"):
        world.with_settings(exclude=["a["]).run()
    assert world.remote() == {}


# -- a filter that changes -------------------------------------------------------------------------


@pytest.mark.parametrize("deletions", list(Deletions))
@pytest.mark.parametrize("direction", list(Direction))
def test_a_new_filter_forgets_and_never_deletes(
    world: World, deletions: Deletions, direction: Direction
) -> None:
    in_step(world, a=b"1", b=b"2", d__c=b"3")
    (world.root / "b").unlink()
    world.server.delete_object("data/d/c")
    wide = world.with_settings(deletions=deletions, direction=direction)
    narrow = wide.with_settings(exclude=["b", "d/"])
    report = narrow.run()
    assert report.done == {Verb.FORGET: 2}
    assert world.local() == {"a": b"1", "d/c": b"3"}
    assert world.remote() == {"a": b"1", "b": b"2"}
    assert_idle(narrow)
    wide.run()
    assert {**world.local(), **world.remote()} == {"a": b"1", "b": b"2", "d/c": b"3"}
    assert world.trash() == {}


def test_what_comes_into_sight_again_unchanged_is_adopted(world: World) -> None:
    in_step(world, a=b"1", d__c=b"3")
    assert world.with_settings(exclude=["d"]).run().done == {Verb.FORGET: 1}
    report = world.run()
    assert report.done == {Verb.ADOPT: 1}
    assert report.bytes_up == 0
    assert_idle(world)


def test_what_changed_while_it_was_hidden_meets_as_if_for_the_first_time(world: World) -> None:
    in_step(world, a=b"1")
    hiding = world.with_settings(exclude=["a"])
    hiding.run()
    world.write("a", b"mine, newer")
    world.put("a", b"theirs", age_s=50)
    hiding.run()
    assert world.run().done == {Verb.UPLOAD: 1}
    assert world.remote() == {"a": b"mine, newer"}
    assert world.trash() == {"a": [b"theirs"]}


def test_a_file_that_grows_beyond_the_limit_is_left_alone(world: World) -> None:
    limited = world.with_settings(max_size=10, deletions=Deletions.BOTH)
    in_step(limited, a=b"1")
    world.write("a", b"x" * 11)
    assert limited.run().done == {Verb.FORGET: 1}
    assert world.remote() == {"a": b"1"}
    assert world.local() == {"a": b"x" * 11}
    assert_idle(limited)


def test_a_dry_run_tells_what_would_be_forgotten_and_forgets_nothing(world: World) -> None:
    in_step(world, a=b"1", b=b"2")
    before = snapshot(world.root, world.state_dir)
    (action,) = world.with_settings(exclude=["b"]).plan()
    assert (action.verb, action.key, action.reason) == (Verb.FORGET, "b", Reason.HIDDEN)
    assert snapshot(world.root, world.state_dir) == before
    assert world.plan() == []


# -- ignore files ----------------------------------------------------------------------------------


def test_an_ignore_file_travels_and_rules_both_sides(world: World) -> None:
    world.write(f"d/{IGNORE_FILE}", b"*.tmp\n!keep.tmp\n", age_s=100)
    for key in ("a.tmp", "d/a.tmp", "d/e/a.tmp", "d/keep.tmp"):
        world.write(key, b"mine")
    world.put("d/b.tmp", b"theirs")
    world.run()
    assert set(world.remote()) == {"a.tmp", "d/b.tmp", "d/keep.tmp", f"d/{IGNORE_FILE}"}
    assert "d/b.tmp" not in world.local()
    assert_idle(world)


def test_an_ignore_file_that_comes_out_of_the_bucket_forgets_and_deletes_nothing(
    world: World,
) -> None:
    world = world.with_settings(deletions=Deletions.BOTH)
    in_step(world, d__a=b"1", d__b=b"2")
    world.put(f"d/{IGNORE_FILE}", b"a")
    assert world.run().done == {Verb.DOWNLOAD: 1}
    assert world.run().done == {Verb.FORGET: 1}
    (world.root / "d/a").unlink()
    assert_idle(world)
    assert "d/a" in world.remote()


def test_an_ignore_file_may_be_excluded_and_rules_all_the_same(world: World) -> None:
    world.write(IGNORE_FILE, b"a")
    world.write("a", b"1")
    world.write("b", b"2")
    filtered = world.with_settings(exclude=[IGNORE_FILE])
    filtered.run()
    assert world.remote() == {"b": b"2"}
    assert_idle(filtered)


def test_an_unusable_ignore_file_leaves_its_folder_alone_and_nothing_else(world: World) -> None:
    in_step(world, d__a=b"1", e=b"2")
    world.write(f"d/{IGNORE_FILE}", b"\xff")
    world.write("d/a", b"changed")
    world.write("d/secret", b"not yet ignored")
    world.write("e", b"changed")
    report = world.run()
    assert [problem.key for problem in report.problems] == ["d"]
    assert IGNORE_FILE in report.problems[0].message
    assert world.remote() == {"d/a": b"1", "e": b"changed"}
    world.write(f"d/{IGNORE_FILE}", b"secret")
    assert world.run().problem_count == 0
    assert world.remote() == {"d/a": b"changed", "e": b"changed", f"d/{IGNORE_FILE}": b"secret"}


def test_an_unusable_ignore_file_at_the_root_halts_the_pass(world: World) -> None:
    in_step(world, a=b"1")
    world.write(IGNORE_FILE, b"\xff")
    world.write("b", b"2")
    with pytest.raises(SafetyHalt, match=f"{IGNORE_FILE} is not UTF-8"):
        world.run()
    assert world.remote() == {"a": b"1"}
