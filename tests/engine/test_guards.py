"""What stops a whole profile before anything is changed, and the command that goes on."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from engine.world import QUICK, SECOND_NS, World, assert_in_step, standing
from ubiops_file_sync.compare import Comparison, Plan
from ubiops_file_sync.emulator import BucketServer
from ubiops_file_sync.errors import RemoteUnreachable, SafetyHalt, UsageError
from ubiops_file_sync.model import Reason, Report, Verb
from ubiops_file_sync.plan.guards import delete_limit
from ubiops_file_sync.progress import Progress
from ubiops_file_sync.reconcile import Reconciler


def in_step(world: World, count: int = 30) -> World:
    for n in range(count):
        world.write(f"f{n:02}", b"content %d" % n, age_s=1000)
    world.run()
    return world


def allowing(world: World, *guards: str) -> Report:
    return Reconciler(world.profile, world.state_dir, retries=QUICK, allow=guards).run()


def assert_halts(world: World, guard: str, *words: str) -> None:
    """Exit code 4, a message that names the command to go on, and nothing changed anywhere."""
    before = standing(world), world.server.objects()
    with pytest.raises(SafetyHalt) as caught:
        world.run()
    message = str(caught.value)
    assert caught.value.exit_code == 4
    assert "Nothing was changed" in message
    assert f"ubiops-file-sync reconcile p --allow {guard}" in message
    for word in words:
        assert word in message
    assert (standing(world), world.server.objects()) == before
    with world.reconciler.plan() as (_, report):
        # All but figures that move by themselves, such as the free disk.
        assert report.halt is not None
        assert report.halt.partition(",")[0] == message.partition(",")[0]
        assert report.exit_code == 4


def test_a_root_that_is_suddenly_empty(world: World) -> None:
    world = in_step(world.with_settings(deletions="to_bucket", max_delete=100))
    for path in world.root.glob("f*"):
        path.unlink()
    assert_halts(world, "empty-root", "30 files were in step there", "Is its disk mounted?")
    allowing(world, "empty-root")
    assert world.remote() == {}


def test_more_deletions_than_max_delete(world: World) -> None:
    world = in_step(world.with_settings(deletions="to_bucket"))
    for n in range(16):
        (world.root / f"f{n:02}").unlink()
    assert_halts(world, "max-delete", "16 of 30 files would be deleted in the bucket", "allows 15")
    allowing(world, "max-delete")
    assert len(world.remote()) == 14
    assert_in_step(world)


def test_more_deletions_in_the_bucket_than_max_delete(world: World) -> None:
    world = in_step(world.with_settings(deletions="to_local", max_delete=5))
    for n in range(6):
        world.server.delete_object(f"data/f{n:02}")
    assert_halts(world, "max-delete", "6 of 30", "max_delete: 5")


@pytest.mark.parametrize(
    ("setting", "in_step_count", "limit"),
    [("50%", 100, 50), ("50%", 6, 10), ("0%", 100, 10), ("3", 1000, 3), ("0", 5, 0)],
)
def test_a_share_always_allows_ten(setting: str, in_step_count: int, limit: int) -> None:
    assert delete_limit(setting, in_step_count) == limit


def test_a_marker_that_is_missing(world: World) -> None:
    world = in_step(world).with_settings(marker=".mounted")
    assert_halts(world, "marker-missing", ".mounted", "Is its disk mounted?")
    world.write(".mounted", b"")
    assert world.run().problem_count == 0


def test_a_marker_that_vanishes_while_the_folder_is_read(world: World) -> None:
    world = world.with_settings(marker=".mounted")
    path = world.write(".mounted", b"")

    class Unmount(Progress):
        def compared(self, summary: object) -> None:
            path.unlink(missing_ok=True)

    with pytest.raises(SafetyHalt, match="marker"):
        Reconciler(world.profile, world.state_dir, progress=Unmount()).run()


def test_a_bucket_that_was_made_anew(world: World) -> None:
    world = in_step(world.with_settings(deletions="both", max_delete=1000))
    world.server.delete_bucket(world.server.bucket)
    world.server.create_bucket(world.server.bucket)
    assert_halts(world, "bucket-replaced", "deleted and made anew")
    allowing(world, "bucket-replaced")
    assert len(world.remote()) == 30, "a new baseline, and no deletion of everything"
    assert_in_step(world)


def test_everything_changed_at_once(world: World) -> None:
    world = in_step(world)
    for n in range(30):
        world.write(f"f{n:02}", b"encrypted by somebody")
    assert_halts(world, "everything-changed", "all 30 files", "encrypt")
    allowing(world, "everything-changed")
    assert_in_step(world)


def test_everything_changed_in_the_bucket_is_no_halt_since_the_trash_keeps_it(
    world: World,
) -> None:
    world = in_step(world)
    for n in range(30):
        world.put(f"f{n:02}", b"a new release of the data set")
    assert world.run().problem_count == 0
    assert len(world.trash()) == 30


def test_what_a_killed_pass_fetched_and_did_not_record_is_no_change_here(world: World) -> None:
    world = in_step(world)
    for n in range(30):
        world.put(f"f{n:02}", b"a new release of the data set")
        path = world.write(f"f{n:02}", b"a new release of the data set")
        created_us = world.server.objects(f"data/f{n:02}")[f"data/f{n:02}"][1]
        os.utime(path, ns=(created_us * 1000, created_us * 1000))
    assert world.run().done == {Verb.ADOPT: 30}
    assert_in_step(world)


def test_too_little_free_disk(world: World) -> None:
    world = in_step(world).with_settings(min_free="1000000TiB")
    world.put("a", b"1")
    assert_halts(world, "min-free", "Make room")
    allowing(world, "min-free")
    assert world.local()["a"] == b"1"


def test_state_of_other_places(world: World) -> None:
    in_step(world)
    moved = world.with_settings(bucket_dir="elsewhere")
    with pytest.raises(SafetyHalt, match="--allow other-places") as caught:
        moved.run()
    assert "bucket_dir was 'data' and is 'elsewhere'" in str(caught.value)
    allowing(moved, "other-places")
    assert len(moved.remote()) == 30
    assert_in_step(moved)


def test_an_unknown_guard_is_named(world: World) -> None:
    with pytest.raises(UsageError, match="max-delete"):
        allowing(world, "max_delete")


# -- clocks -------------------------------------------------------------------------------------


def test_a_skewed_clock_is_corrected_before_versions_are_compared(
    tmp_path: Path, world: World
) -> None:
    world.server.clock.offset_s = 300  # the bucket's clock is five minutes ahead
    world.put("a", b"stored first, though its time is later")
    world.write("a", b"written here a moment later", age_s=-1)
    world.run()
    assert world.remote() == {"a": b"written here a moment later"}
    assert_in_step(world)


def test_a_skew_that_is_measured_a_little_otherwise_turns_no_verdict(world: World) -> None:
    """Else two versions that are less apart than a measurement is good for would win by turns."""
    world = world.with_settings(direction="download")
    world.server.clock.offset_s = -120
    for n in range(12):
        world.put(f"{n:02}", b"theirs")
    world.run()
    for n in range(12):
        path = world.write(f"{n:02}", b"mine, longer")
        when_ns = path.stat().st_mtime_ns + (n - 8) * SECOND_NS // 4
        os.utime(path, ns=(when_ns, when_ns))
    world.run()
    plans = []
    for offset_s in (-120.5, -119.5, -120.0, -119.6, -120.4):
        world.server.clock.offset_s = offset_s
        plans.append(world.plan())
        assert world.run().done == {}
    assert plans == [[]] * 5


def test_clocks_too_far_apart_keep_both_versions_and_say_so(world: World) -> None:
    world.server.clock.offset_s = 3600
    world.put("a.txt", b"theirs")
    world.write("a.txt", b"mine, longer")
    report = world.run()
    assert "behind the bucket's" in report.notes[0]
    assert "keep both versions" in report.notes[0]
    assert sorted(world.local().values()) == [b"mine, longer", b"theirs"]
    assert world.local() == world.remote()


def test_a_skewed_clock_makes_no_difference_to_what_was_in_step(
    world: World, server: BucketServer
) -> None:
    world = in_step(world)
    server.clock.offset_s = -5000
    assert world.run().planned.action_count == 0
    world.write("f00", b"edited")
    report = world.run()
    assert report.planned.left.get(Reason.IN_STEP) is None
    world.run()
    assert world.run().planned.action_count == 0
    assert world.remote()["f00"] == b"edited"


def test_a_bucket_made_anew_is_begun_anew_before_any_other_guard_judges(world: World) -> None:
    world = in_step(world.with_settings(deletions="both"))
    world.server.delete_bucket(world.server.bucket)
    world.server.create_bucket(world.server.bucket)
    assert_halts(world, "bucket-replaced")
    allowing(world, "bucket-replaced")
    assert len(world.remote()) == 30
    assert world.trash() == {}


def test_the_command_that_goes_on_names_all_that_was_allowed(world: World) -> None:
    world = in_step(world.with_settings(deletions="to_bucket"))
    for path in world.root.glob("f*"):
        path.unlink()
    with pytest.raises(SafetyHalt, match="To go on deletes 30 of them in the bucket"):
        world.run()
    with pytest.raises(SafetyHalt, match="--allow empty-root --allow max-delete"):
        allowing(world, "empty-root")


def test_a_marker_made_anew_does_not_make_an_empty_root_a_full_one(world: World) -> None:
    world = in_step(world).with_settings(marker=".mounted")
    for path in world.root.glob("f*"):
        path.unlink()
    world.write(".mounted", b"")
    assert_halts(world, "empty-root")


def test_a_root_that_cannot_be_made_halts(world: World) -> None:
    world.put("a", b"1")
    # Nobody makes a folder there, not even root.
    with pytest.raises(SafetyHalt, match=r"cannot be made \(.*\)\. Nothing was changed; "):
        replace(world, root=Path("/proc/self/root-of-a-profile")).run()


def test_a_plan_that_cannot_be_judged_gives_its_disk_space_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = list[Plan]()

    def unreachable(_comparison: Comparison, plan: Plan, *_: object) -> None:
        plans.append(plan)
        raise RemoteUnreachable("nobody answers")

    monkeypatch.setattr(Comparison, "find_halt", unreachable)
    with pytest.raises(RemoteUnreachable):
        world.run()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        list(plans[0].actions())
