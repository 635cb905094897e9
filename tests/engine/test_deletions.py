"""Deletions that travel, expiry that is none, and what is looked at again before each act."""

from __future__ import annotations

from typing import Any

import pytest

from engine.world import World, assert_in_step
from ubiops_file_sync.model import PlanSummary, Reason, Verb
from ubiops_file_sync.progress import Progress
from ubiops_file_sync.reconcile import Reconciler

WEEK_S = 7 * 86_400


def in_step(world: World, count: int = 3) -> World:
    for n in range(count):
        world.write(f"f{n}", b"content %d" % n, age_s=1000)
    world.run()
    return world


def test_a_local_deletion_travels_to_the_bucket_and_its_last_version_to_the_trash(
    world: World,
) -> None:
    world = in_step(world.with_settings(deletions="to_bucket"))
    (world.root / "f1").unlink()
    report = world.run()
    assert report.done == {Verb.DELETE_REMOTE: 1}
    assert set(world.remote()) == {"f0", "f2"}
    assert world.trash() == {"f1": [b"content 1"]}
    assert_in_step(world)


def test_a_deletion_in_the_bucket_travels_here_and_its_last_version_to_the_trash(
    world: World,
) -> None:
    world = in_step(world.with_settings(deletions="to_local"))
    world.server.delete_object("data/f1")
    assert world.run().done == {Verb.DELETE_LOCAL: 1}
    assert set(world.local()) == {"f0", "f2"}
    assert world.trash() == {"f1": [b"content 1"]}
    assert_in_step(world)


@pytest.mark.parametrize("deletions", ["none", "to_bucket", "to_local", "both"])
def test_deletions_travel_only_where_they_may(world: World, deletions: str) -> None:
    world = in_step(world.with_settings(deletions=deletions))
    (world.root / "f0").unlink()
    world.server.delete_object("data/f1")
    world.run()
    expected = {"f0", "f1", "f2"}
    if deletions in {"to_bucket", "both"}:
        expected.remove("f0")
    if deletions in {"to_local", "both"}:
        expected.remove("f1")
    assert set(world.local()) == set(world.remote()) == expected
    assert_in_step(world)


@pytest.mark.parametrize("direction", ["upload", "download"])
def test_a_one_way_profile_deletes_only_at_its_destination(world: World, direction: str) -> None:
    world = in_step(world)
    one_way = world.with_settings(direction=direction, deletions="both")
    (world.root / "f0").unlink()
    world.server.delete_object("data/f1")
    one_way.run()
    if direction == "upload":
        assert set(one_way.remote()) == {"f1", "f2"}
        assert set(one_way.local()) == {"f1", "f2"}
    else:
        assert set(one_way.local()) == {"f0", "f2"}
        assert set(one_way.remote()) == {"f0", "f2"}


def test_an_edit_beats_a_delete(world: World) -> None:
    world = in_step(world.with_settings(deletions="both"))
    (world.root / "f0").unlink()
    world.put("f0", b"edited in the bucket")
    world.write("f1", b"edited here")
    world.server.delete_object("data/f1")
    world.run()
    assert world.local()["f0"] == b"edited in the bucket"
    assert world.remote()["f1"] == b"edited here"
    assert_in_step(world)


def test_nothing_is_deleted_without_a_baseline(world: World) -> None:
    world = world.with_settings(deletions="both")
    world.write("here", b"1")
    world.put("there", b"2")
    world.run()
    assert set(world.local()) == set(world.remote()) == {"here", "there"}


class At(Progress):
    """Does something at the moment between the plan and its first action."""

    def __init__(self, act: Any) -> None:
        self._act = act

    def planned(self, summary: PlanSummary) -> None:
        self._act()


def test_an_object_that_changed_since_the_plan_is_not_deleted(world: World) -> None:
    world = in_step(world.with_settings(deletions="to_bucket"))
    (world.root / "f1").unlink()
    progress = At(lambda: world.put("f1", b"content X"))
    report = Reconciler(world.profile, world.state_dir, progress=progress).run()
    assert "changed in the bucket" in report.problems[0].message
    assert world.remote()["f1"] == b"content X"
    world.run()
    assert_in_step(world)


def test_a_local_file_that_came_back_since_the_plan_keeps_its_object(world: World) -> None:
    world = in_step(world.with_settings(deletions="to_bucket"))
    (world.root / "f1").unlink()
    progress = At(lambda: world.write("f1", b"content 1 again"))
    report = Reconciler(world.profile, world.state_dir, progress=progress).run()
    assert "came back" in report.problems[0].message
    assert "f1" in world.remote()
    world.run()
    assert_in_step(world)


@pytest.mark.parametrize("change", ["edited", "back in the bucket"])
def test_a_local_file_is_deleted_only_if_both_sides_are_still_as_planned(
    world: World, change: str
) -> None:
    world = in_step(world.with_settings(deletions="to_local"))
    world.server.delete_object("data/f1")
    act = {
        "edited": lambda: world.write("f1", b"edited in the middle"),
        "back in the bucket": lambda: world.put("f1", b"stored again"),
    }[change]
    report = Reconciler(world.profile, world.state_dir, progress=At(act)).run()
    assert report.problem_count == 1
    assert "f1" in world.local()
    world.run()
    assert_in_step(world)


def test_the_loser_of_a_conflict_that_changes_again_is_not_overwritten(world: World) -> None:
    world.write("a", b"newer, here", age_s=1)
    world.put("a", b"older, in the bucket", age_s=100)

    class Meanwhile(Progress):
        def planned(self, summary: PlanSummary) -> None:
            world.put("a", b"older, IN the bucket", age_s=50)

    report = Reconciler(world.profile, world.state_dir, progress=Meanwhile()).run()
    assert "changed in the bucket" in report.problems[0].message
    assert world.remote() == {"a": b"older, IN the bucket"}


# -- expiry -------------------------------------------------------------------------------------


def expired(world: World) -> World:
    """Three files in step, of which the bucket's ttl has taken one."""
    world.server.set_ttl(WEEK_S)
    world = in_step(world)
    now_us = world.server.objects()["data/f1"][1]
    # The object is two weeks old for both sides; then it is gone, as the provider does it.
    world.put("f1", b"content 1", age_s=0)
    world.server.set_ttl(None)
    world.server.put_object("data/f1", b"content 1", created_us=now_us - 14 * 86_400_000_000)
    world.run()
    world.server.set_ttl(WEEK_S)
    assert "data/f1" not in world.server.objects() or True
    world.server.delete_object("data/f1")
    return world


@pytest.mark.parametrize("deletions", ["none", "both"])
def test_an_expired_object_never_deletes_its_local_file(world: World, deletions: str) -> None:
    world = expired(world.with_settings(deletions=deletions))
    report = world.run()
    assert Verb.DELETE_LOCAL not in report.planned.actions
    assert report.done == {Verb.UPLOAD: 1}
    assert set(world.local()) == {"f0", "f1", "f2"}
    assert_idle_for(world)


def assert_idle_for(world: World) -> None:
    assert world.run().planned.action_count == 0


def test_an_expired_object_is_left_if_the_profile_says_so(world: World) -> None:
    world = expired(world.with_settings(deletions="both", expired="leave"))
    report = world.run()
    assert report.planned.action_count == 0
    assert report.planned.left == {Reason.EXPIRED_LEFT: 1}
    assert "f1" in world.local()
    world.write("f1", b"edited since")
    world.run()
    assert world.remote()["f1"] == b"edited since"


def test_a_young_object_that_vanished_from_a_bucket_with_a_ttl_was_deleted(world: World) -> None:
    world.server.set_ttl(4 * WEEK_S)
    world = in_step(world.with_settings(deletions="to_local"))
    world.server.delete_object("data/f1")
    assert world.run().done == {Verb.DELETE_LOCAL: 1}


def test_an_object_is_refreshed_before_it_expires(world: World) -> None:
    world = in_step(world.with_settings(refresh_before="1d"))
    created = {key: when for key, (_, when) in world.server.objects().items()}
    world.server.set_ttl(WEEK_S)
    assert_idle_for(world)
    world.server.set_ttl(86_000)
    report = world.run()
    assert report.done == {Verb.UPLOAD: 3}
    assert all(world.server.objects()[key][1] > when for key, when in created.items())


def test_the_ttl_is_asked_once_and_only_if_something_depends_on_it(world: World) -> None:
    world = in_step(world.with_settings(deletions="to_local"))
    assert world.run().api_calls == {"list": 1}
    world.server.delete_object("data/f0")
    world.server.delete_object("data/f1")
    assert world.run().api_calls["bucket"] == 1
    plain = world.with_settings(deletions="none")
    plain.server.delete_object("data/f2")
    assert "bucket" not in plain.run().api_calls
