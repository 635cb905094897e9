"""Both sides hold a version of their own: one wins by the policy, and none is lost (I1)."""

from __future__ import annotations

import re
import time

import pytest

from engine.world import QUICK, World, assert_in_step
from ubiops_file_sync.emulator import Provider
from ubiops_file_sync.keys import conflict_key
from ubiops_file_sync.model import PlanSummary, Verb
from ubiops_file_sync.progress import Progress
from ubiops_file_sync.reconcile import Reconciler

LOCAL, REMOTE = b"edited here", b"edited in the bucket, longer"


def conflict(world: World, *, local_age_s: float, remote_age_s: float, met: bool) -> None:
    """`met`: the two sides were in step before; otherwise it is their first meeting."""
    if met:
        world.write("a.txt", b"before", age_s=10_000)
        world.run()
    world.write("a.txt", LOCAL, age_s=local_age_s)
    world.put("a.txt", REMOTE, age_s=remote_age_s)


@pytest.mark.parametrize("met", [True, False], ids=["edited on both sides", "first meeting"])
@pytest.mark.parametrize(
    ("policy", "local_age_s", "remote_age_s", "winner"),
    [
        ("newer-wins", 10, 500, LOCAL),
        ("newer-wins", 500, 10, REMOTE),
        ("local-wins", 500, 10, LOCAL),
        ("remote-wins", 10, 500, REMOTE),
    ],
)
def test_the_policy_decides_and_the_loser_goes_to_the_trash(
    world: World, policy: str, local_age_s: float, remote_age_s: float, winner: bytes, met: bool
) -> None:
    world = world.with_settings(conflict=policy)
    conflict(world, local_age_s=local_age_s, remote_age_s=remote_age_s, met=met)
    assert world.run().problem_count == 0
    assert world.local() == {"a.txt": winner}
    loser = LOCAL if winner == REMOTE else REMOTE
    assert world.trash() == {"a.txt": [loser]}
    assert_in_step(world)


@pytest.mark.parametrize("met", [True, False], ids=["edited on both sides", "first meeting"])
@pytest.mark.parametrize(("local_age_s", "remote_age_s"), [(10, 500), (500, 10)])
def test_keep_both_keeps_the_loser_beside_the_winner_on_both_sides(
    world: World, local_age_s: float, remote_age_s: float, met: bool
) -> None:
    world = world.with_settings(conflict="keep-both")
    conflict(world, local_age_s=local_age_s, remote_age_s=remote_age_s, met=met)
    report = world.run()
    assert report.problem_count == 0
    winner, loser = (LOCAL, REMOTE) if local_age_s < remote_age_s else (REMOTE, LOCAL)
    (renamed,) = report.extra_keys
    assert re.fullmatch(r"a\.conflict-\d{8}T\d{6}Z\.txt", renamed)
    assert world.local() == {"a.txt": winner, renamed: loser}
    assert_in_step(world)


def test_keep_both_does_not_overwrite_an_earlier_loser(world: World) -> None:
    world = world.with_settings(conflict="keep-both")
    when = time.time() - 500
    for content in (b"first loser", b"second one"):
        world.write("a", content)
        import os

        os.utime(world.root / "a", (when, when))
        world.put("a", content + b" loses to this", age_s=10)
        assert world.run().problem_count == 0
    kept = [content for key, content in world.local().items() if "conflict" in key]
    assert sorted(kept) == [b"first loser", b"second one"]
    assert_in_step(world)


@pytest.mark.parametrize("direction", ["two-way", "upload", "download"])
@pytest.mark.parametrize("where", ["here", "there", "on both sides"])
@pytest.mark.parametrize(("local_age_s", "remote_age_s"), [(10, 500), (500, 10)])
def test_a_loser_that_a_killed_pass_kept_is_not_kept_twice(
    world: World, where: str, local_age_s: float, remote_age_s: float, direction: str
) -> None:
    world = world.with_settings(conflict="keep-both", direction=direction)
    conflict(world, local_age_s=local_age_s, remote_age_s=remote_age_s, met=False)
    local_wins = direction == "upload" or (direction == "two-way" and local_age_s < remote_age_s)
    winner, loser = (LOCAL, REMOTE) if local_wins else (REMOTE, LOCAL)
    changed_us = (world.root / "a.txt").stat().st_mtime_ns // 1000
    if local_wins:
        changed_us = world.server.objects("data/")["data/a.txt"][1]
    renamed = conflict_key("a.txt", changed_us)
    if where != "there":
        world.write(renamed, loser)
    if where != "here":
        world.put(renamed, loser)
    for _ in range(2):
        report = world.run()
    assert report.problem_count == 0
    ours, theirs = world.local(), world.remote()
    assert set(ours) | set(theirs) == {"a.txt", renamed}
    assert ours.get(renamed, loser) == theirs.get(renamed, loser) == loser
    assert winner in (ours["a.txt"], theirs["a.txt"])
    if direction == "two-way":
        assert_in_step(world)


def test_a_loser_s_name_that_another_has_in_the_bucket_is_left_to_that_one(world: World) -> None:
    world = world.with_settings(conflict="keep-both")
    conflict(world, local_age_s=500, remote_age_s=10, met=False)
    changed_us = (world.root / "a.txt").stat().st_mtime_ns // 1000
    world.put(conflict_key("a.txt", changed_us), b"somebody else's")
    world.run()
    world.run()
    assert world.remote() == {
        "a.txt": REMOTE,
        conflict_key("a.txt", changed_us): b"somebody else's",
        conflict_key("a.txt", changed_us, 1): LOCAL,
    }
    assert_in_step(world)


@pytest.mark.parametrize("provider", list(Provider))
def test_equal_content_is_adopted_without_a_transfer(world: World, provider: Provider) -> None:
    world.server.create_bucket("b", provider=provider)
    world = world.with_settings(bucket="b")
    world.write("a", b"the same on both sides", age_s=777)
    world.server.put_object("data/a", b"the same on both sides", bucket="b")
    report = world.run()
    assert report.done == {Verb.ADOPT: 1}
    assert report.bytes_down == 0
    assert report.api_calls == {"list": 1, "download": 1}
    assert world.trash() == {}
    assert_idle_in(world)


def assert_idle_in(world: World) -> None:
    assert world.run().planned.action_count == 0


def test_equal_size_and_other_content_is_a_conflict(world: World) -> None:
    world.write("a", b"aaaa", age_s=10)
    world.put("a", b"bbbb", age_s=500)
    world.run()
    assert world.remote() == {"a": b"aaaa"}
    assert world.trash() == {"a": [b"bbbb"]}


@pytest.mark.parametrize("mtime", [0, -5, 32_503_680_000], ids=["epoch", "before", "year 3000"])
def test_an_impossible_mtime_tells_nothing_so_the_bucket_wins(world: World, mtime: float) -> None:
    import os

    os.utime(world.write("a", LOCAL), (mtime, mtime))
    world.put("a", REMOTE, age_s=100_000)
    world.run()
    assert world.local() == {"a": REMOTE}
    assert world.trash() == {"a": [LOCAL]}


def test_an_object_that_comes_after_the_listing_is_not_overwritten(world: World) -> None:
    """Nobody could have put its content into the trash."""

    class Stranger(Progress):
        def planned(self, summary: PlanSummary) -> None:
            world.put("a", b"somebody else's")

    world.write("a", b"ours, and longer", age_s=100)
    report = Reconciler(world.profile, world.state_dir, retries=QUICK, progress=Stranger()).run()
    assert [problem.key for problem in report.problems] == ["a"]
    assert world.remote() == {"a": b"somebody else's"}
    world.run()
    assert world.trash() == {"a": [b"ours, and longer"]}
    assert_in_step(world)


def test_an_object_of_the_same_content_that_comes_after_the_listing_is_no_trouble(
    world: World,
) -> None:
    """Such as what a killed pass had sent, and the bucket took only now."""

    class LatePut(Progress):
        def planned(self, summary: PlanSummary) -> None:
            world.put("a", b"ours")

    world.write("a", b"ours", age_s=100)
    report = Reconciler(world.profile, world.state_dir, retries=QUICK, progress=LatePut()).run()
    assert (report.problem_count, report.bytes_up) == (0, 0)
    assert_in_step(world)
