"""Links that are followed, between a real folder and the bucket."""

from __future__ import annotations

import os

import pytest

from engine.world import World, assert_idle, snapshot
from ubiops_file_sync.model import Deletions, Symlinks, Verb


@pytest.fixture
def world(world: World) -> World:
    return world.with_settings(symlinks=Symlinks.FOLLOW)


def link(world: World, name: str, target: str) -> None:
    path = world.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def test_what_links_lead_to_goes_up_under_their_own_keys(world: World) -> None:
    world.write("v2/a", b"1")
    link(world, "current", "v2")
    link(world, "latest", "current/a")
    assert world.run().problem_count == 0
    assert world.remote() == {"v2/a": b"1", "current/a": b"1", "latest": b"1"}
    assert_idle(world)


def test_a_link_that_is_led_elsewhere_is_a_change_like_any_other(world: World) -> None:
    world.write("v1/a", b"1")
    world.write("v2/a", b"two")
    link(world, "current", "v1")
    world.run()
    (world.root / "current").unlink()
    link(world, "current", "v2")
    assert world.run().done == {Verb.UPLOAD: 1}
    assert world.remote()["current/a"] == b"two"
    assert_idle(world)


@pytest.mark.parametrize("deletions", list(Deletions))
def test_a_link_that_breaks_is_no_deletion(world: World, deletions: Deletions) -> None:
    world = world.with_settings(deletions=deletions)
    world.write("v1/a", b"1")
    world.write("b", b"2")
    link(world, "current", "v1")
    link(world, "file", "b")
    world.run()
    bucket = world.remote()
    for name in ("current", "file"):
        (world.root / name).unlink()
        link(world, name, "gone")
    report = world.run()
    assert {problem.key for problem in report.problems} == {"current", "file"}
    assert report.done == {}
    assert world.remote() == bucket


@pytest.mark.parametrize("deletions", list(Deletions))
def test_what_changes_in_the_bucket_is_not_written_through_a_link(
    world: World, deletions: Deletions
) -> None:
    world = world.with_settings(deletions=deletions)
    world.write("v1/a", b"1", age_s=100)
    world.write("v1/gone", b"2", age_s=100)
    link(world, "current", "v1")
    link(world, "file", "v1/a")
    world.run()
    before = snapshot(world.root / "v1")
    world.put("current/a", b"theirs")
    world.put("current/new", b"theirs")
    world.put("file", b"theirs")
    world.server.reset_calls()
    report = world.run()
    assert {problem.key for problem in report.problems} == {"current/a", "current/new", "file"}
    assert world.server.calls.of("get_blob") == [], "what cannot be written is not fetched"
    assert snapshot(world.root / "v1") == before
    assert world.remote()["current/a"] == b"theirs"
    world.server.delete_object("data/current/gone")
    world.run()
    assert snapshot(world.root / "v1") == before


def test_a_link_that_leads_out_sends_nothing_from_there(world: World) -> None:
    outside = world.root.parent / "secret"
    outside.write_bytes(b"not yours")
    link(world, "out", "../secret")
    link(world, "up", "..")
    world.write("a", b"1")
    report = world.run()
    assert {problem.key for problem in report.problems} == {"out", "up"}
    assert world.remote() == {"a": b"1"}
    excluding = world.with_settings(exclude=["/out", "/up"])
    assert excluding.run().problem_count == 0
    assert_idle(excluding)


def test_a_circle_ends_and_the_rest_goes_up(world: World) -> None:
    world.write("x/a", b"1")
    world.write("y/b", b"2")
    link(world, "x/to", "../y")
    link(world, "y/to", "../x")
    report = world.run()
    assert {problem.key for problem in report.problems} == {"x/to/to", "y/to/to"}
    assert set(world.remote()) == {"x/a", "x/to/b", "y/b", "y/to/a"}


def test_the_first_meeting_of_a_link_and_an_object_of_its_content_is_recorded(
    world: World,
) -> None:
    world.write("a", b"same", age_s=500)
    link(world, "b", "a")
    world.put("b", b"same", age_s=100)
    assert world.run().done == {Verb.UPLOAD: 1, Verb.ADOPT: 1}
    assert os.path.islink(world.root / "b")
    assert_idle(world)


def test_ignore_files_rule_what_links_lead_to_by_its_key(world: World) -> None:
    world.write("real/a.tmp", b"1")
    world.write("real/b", b"2")
    link(world, "l", "real")
    world.write(".ubiopsignore", b"/l/a.tmp\n")
    assert world.run().problem_count == 0
    assert set(world.remote()) == {".ubiopsignore", "real/a.tmp", "real/b", "l/b"}
    assert_idle(world)
