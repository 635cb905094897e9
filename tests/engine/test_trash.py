"""Versions put back, one or a whole pass of them, and what the next passes make of it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.world import SECOND_NS, World, assert_idle, assert_in_step, snapshot
from ubiops_file_sync.emulator import Fault
from ubiops_file_sync.errors import ProfileLocked, SafetyHalt, SyncError, UsageError
from ubiops_file_sync.keys import CONTROL_DIR
from ubiops_file_sync.local import Trash, Version
from ubiops_file_sync.model import BaselineEntry, Unknown, Verb
from ubiops_file_sync.reconcile import Reconciler
from ubiops_file_sync.restore import Fate, Restorer, Step, fresh_mtime_ns
from ubiops_file_sync.store import profile_lock

DAY_NS = 86_400 * SECOND_NS


def restorer(world: World) -> Restorer:
    return Restorer(world.profile, world.state_dir)


def newest(world: World, key: str) -> Version:
    return restorer(world).history(key)[0]


def undo(world: World, pass_id: str, *, force: bool = False) -> dict[str, Step]:
    done: list[Step] = []
    restorer(world).undo(pass_id, done.append, force=force)
    return {step.key: step for step in done}


def fates(steps: dict[str, Step]) -> dict[str, Fate]:
    return {key: step.fate for key, step in steps.items()}


def replaced(world: World, **contents: bytes) -> str:
    """Files in step, then replaced from the bucket. Returns the id of the pass that did it."""
    for key, content in contents.items():
        world.write(key, content, age_s=100)
    world.run()
    for key, content in contents.items():
        world.put(key, b"new " + content)
    return world.run().pass_id


# -- one version -----------------------------------------------------------------------------------


def test_a_version_put_back_goes_to_the_bucket_and_the_third_pass_plans_nothing(
    world: World,
) -> None:
    pass_id = replaced(world, a=b"old")
    step = restorer(world).put_back(newest(world, "a"))
    assert (step.fate, step.next_verb) == (Fate.PUT_BACK, Verb.UPLOAD)
    assert world.local() == {"a": b"old"}
    assert world.trash() == {"a": [b"old", b"new old"]}, "what stood there, and the version itself"
    assert step.kept_under is not None
    assert step.kept_under > pass_id
    assert world.run().done == {Verb.UPLOAD: 1}
    assert world.remote() == {"a": b"old"}
    assert_in_step(world)


def test_putting_back_twice_goes_back_and_forth(world: World) -> None:
    replaced(world, a=b"old")
    for expected in (b"old", b"new old", b"old"):
        restorer(world).put_back(newest(world, "a"))
        assert world.local() == {"a": expected}


def test_a_file_deleted_on_both_sides_comes_back_on_both(world: World) -> None:
    replaced(world, a=b"old")
    (world.root / "a").unlink()
    world.server.delete_object(world.profile.prefix + "a")
    world.run()
    assert_idle(world)
    step = restorer(world).put_back(newest(world, "a"))
    assert (step.now, step.kept_under, step.next_verb) == (None, None, Verb.UPLOAD)
    world.run()
    assert world.remote() == {"a": b"old"}
    assert_in_step(world)


def test_a_file_and_its_folder_deleted_here_come_back_before_the_next_pass(world: World) -> None:
    world.write("d/e/a", b"old", age_s=100)
    world.run()
    world.put("d/e/a", b"new")
    world.run()
    (world.root / "d/e/a").unlink()
    (world.root / "d/e").rmdir()
    restorer(world).put_back(newest(world, "d/e/a"))
    world.run()
    assert world.remote() == {"d/e/a": b"old"}
    assert_in_step(world)


@pytest.mark.parametrize("deleted", ["here", "in the bucket"])
def test_a_deletion_that_travelled_is_undone_on_both_sides(world: World, deleted: str) -> None:
    world = world.with_settings(deletions="both")
    world.write("a", b"only copy", age_s=100)
    world.write("b", b"stays", age_s=100)
    world.run()
    if deleted == "here":
        (world.root / "a").unlink()
    else:
        world.server.delete_object(world.profile.prefix + "a")
    pass_id = world.run().pass_id
    assert (set(world.local()), set(world.remote())) == ({"b"}, {"b"})
    assert fates(undo(world, pass_id)) == {"a": Fate.PUT_BACK}
    world.run()
    assert world.remote() == {"a": b"only copy", "b": b"stays"}
    assert_in_step(world)


def test_a_version_put_back_wins_over_what_the_bucket_was_given_before(world: World) -> None:
    replaced(world, a=b"old")
    world.put("a", b"newer still")
    time.sleep(0.01)
    restorer(world).put_back(newest(world, "a"))
    world.run()
    assert world.remote() == {"a": b"old"}
    assert b"newer still" in world.trash()["a"]


def test_even_where_the_version_is_what_the_baseline_records_it_counts_as_changed(
    world: World,
) -> None:
    """The trap: size and time of the version equal the baseline's, but not the content."""
    replaced(world, a=b"old")
    (version,) = restorer(world).history("a")
    now = (world.root / "a").stat()
    impostor = world.root / CONTROL_DIR / "trash" / version.pass_id / "a"
    impostor.write_bytes(b"X" * now.st_size)
    os.utime(impostor, ns=(now.st_mtime_ns, now.st_mtime_ns))
    frozen = Restorer(world.profile, world.state_dir, now_ns=lambda: now.st_mtime_ns)
    step = frozen.put_back(newest(world, "a"))
    assert step.fate is Fate.PUT_BACK
    assert [action.verb for action in world.plan()] == [Verb.UPLOAD]
    world.run()
    assert world.remote() == {"a": b"X" * now.st_size}
    assert_in_step(world)


@pytest.mark.parametrize("ahead_ns", [-3 * SECOND_NS, -SECOND_NS, -1, 0, 1, SECOND_NS, DAY_NS])
def test_the_time_of_a_file_put_back_is_no_baseline_s_even_on_coarse_file_systems(
    ahead_ns: int,
) -> None:
    now_ns = 1_700_000_000 * SECOND_NS + 5
    base = BaselineEntry("a", 1, (now_ns + ahead_ns) // (2 * SECOND_NS) * 2 * SECOND_NS, 0)
    kept_ns = fresh_mtime_ns(now_ns, base) // (2 * SECOND_NS) * 2 * SECOND_NS
    assert kept_ns != base.mtime_ns
    assert abs(kept_ns - now_ns) <= 4 * SECOND_NS


def test_a_file_that_holds_the_content_already_is_left_alone(world: World) -> None:
    replaced(world, a=b"old")
    world.write("a", b"old")
    before = snapshot(world.root)
    assert restorer(world).put_back(newest(world, "a")).fate is Fate.AS_THEN
    assert snapshot(world.root) == before


def test_permissions_come_back_too(world: World) -> None:
    world.write("a", b"old", age_s=100).chmod(0o750)
    world.run()
    world.put("a", b"new")
    world.run()
    (world.root / "a").unlink()
    restorer(world).put_back(newest(world, "a"))
    assert (world.root / "a").stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"direction": "download"}, None),
        ({"direction": "download", "conflict": "remote-wins"}, Verb.DOWNLOAD),
        ({"direction": "upload"}, Verb.UPLOAD),
        ({"conflict": "remote-wins"}, Verb.UPLOAD),
    ],
)
def test_what_the_next_pass_does_is_foretold(
    world: World, settings: dict[str, str], expected: Verb | None
) -> None:
    replaced(world, a=b"old")
    world = world.with_settings(**settings)
    assert restorer(world).put_back(newest(world, "a")).next_verb is expected
    assert [action.verb for action in world.plan()] == ([expected] if expected else [])


def test_nothing_is_put_back_while_a_pass_runs(world: World) -> None:
    pass_id = replaced(world, a=b"old")
    with profile_lock(world.state_dir, "p"):
        with pytest.raises(ProfileLocked):
            restorer(world).put_back(newest(world, "a"))
        with pytest.raises(ProfileLocked):
            undo(world, pass_id)
        restorer(world).copy_out(newest(world, "a"), world.root.parent / "copy")
    assert world.local() == {"a": b"new old"}
    assert (world.root.parent / "copy").read_bytes() == b"old"


@pytest.mark.parametrize("key", ["d", "d/a"])
def test_a_link_in_the_place_is_neither_followed_nor_replaced(
    world: World, tmp_path: Path, key: str
) -> None:
    world.write("d/a", b"old", age_s=100)
    world.run()
    world.put("d/a", b"new")
    world.run()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/a").write_bytes(b"not yours")
    (world.root / "d/a").unlink()
    if key == "d":
        (world.root / "d").rmdir()
    target = tmp_path / ("outside" if key == "d" else "outside/a")
    (world.root / key).symlink_to(target)
    step = restorer(world).put_back(newest(world, "d/a"))
    assert step.fate is Fate.FAILED
    assert "link" in step.why
    assert (tmp_path / "outside/a").read_bytes() == b"not yours"
    assert (world.root / key).is_symlink()


def test_a_planted_version_is_not_put_where_no_key_may_be(world: World) -> None:
    pass_id = replaced(world, a=b"old")
    planted = world.root / CONTROL_DIR / "trash" / pass_id / "d" / CONTROL_DIR
    planted.mkdir(parents=True)
    (planted / "x").write_bytes(b"planted")
    version = Version(pass_id, f"{CONTROL_DIR}/tmp/x", 7, 0)
    assert restorer(world).put_back(version).fate is Fate.FAILED
    assert world.staged() == []


def test_a_copy_goes_anywhere_but_over_a_file(world: World, tmp_path: Path) -> None:
    replaced(world, a=b"old")
    version = newest(world, "a")
    restorer(world).copy_out(version, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"old"
    assert (tmp_path / "copy").stat().st_mtime_ns == version.mtime_ns
    with pytest.raises(UsageError, match="exists already"):
        restorer(world).copy_out(version, tmp_path / "copy")
    with pytest.raises(UsageError, match="no folder"):
        restorer(world).copy_out(version, tmp_path / "none/copy")
    with pytest.raises(SyncError):
        restorer(world).copy_out(version._replace(key="gone"), tmp_path / "other")
    assert not (tmp_path / "other").exists()
    assert world.local() == {"a": b"new old"}


def test_a_root_that_is_missing_is_said_to_be(world: World) -> None:
    world.root.rmdir()
    with pytest.raises(SafetyHalt, match="cannot be read"):
        restorer(world).passes()


# -- a whole pass ----------------------------------------------------------------------------------


def test_an_undo_puts_back_what_a_pass_replaced_and_the_next_pass_carries_it(world: World) -> None:
    pass_id = replaced(world, a=b"1", b=b"2")
    world.write("c", b"3")
    assert fates(undo(world, pass_id)) == {"a": Fate.PUT_BACK, "b": Fate.PUT_BACK}
    assert world.local() == {"a": b"1", "b": b"2", "c": b"3"}
    world.run()
    assert world.remote() == {"a": b"1", "b": b"2", "c": b"3"}
    assert_in_step(world)


@pytest.mark.parametrize("with_pass_between", [False, True])
def test_an_undo_can_be_undone_and_that_too(world: World, with_pass_between: bool) -> None:
    pass_id = replaced(world, a=b"1", b=b"2")
    for expected in ({"a": b"1", "b": b"2"}, {"a": b"new 1", "b": b"new 2"}) * 2:
        done = undo(world, pass_id)
        assert set(fates(done).values()) == {Fate.PUT_BACK}
        assert world.local() == expected
        (pass_id,) = {step.kept_under or "" for step in done.values()}
        if with_pass_between:
            world.run()
            assert world.remote() == expected
    world.run()
    assert_in_step(world)


def test_a_conflict_s_loser_from_the_bucket_can_be_had_back(world: World) -> None:
    world.write("a", b"mine, newer", age_s=1)
    world.put("a", b"theirs", age_s=100)
    pass_id = world.run().pass_id
    undo(world, pass_id)
    world.run()
    assert world.remote() == {"a": b"theirs"}
    assert_in_step(world)


def test_what_was_edited_since_is_skipped_unless_forced(world: World) -> None:
    pass_id = replaced(world, a=b"1", b=b"2")
    world.write("a", b"an hour of work")
    assert fates(undo(world, pass_id)) == {"a": Fate.EDITED, "b": Fate.PUT_BACK}
    assert world.local() == {"a": b"an hour of work", "b": b"2"}
    assert fates(undo(world, pass_id, force=True)) == {"a": Fate.PUT_BACK, "b": Fate.AS_THEN}
    assert world.local() == {"a": b"1", "b": b"2"}
    assert b"an hour of work" in world.trash()["a"]


def test_what_was_deleted_since_comes_back(world: World) -> None:
    pass_id = replaced(world, a=b"1")
    (world.root / "a").unlink()
    assert fates(undo(world, pass_id)) == {"a": Fate.PUT_BACK}
    assert world.local() == {"a": b"1"}


def test_the_plan_of_an_undo_changes_nothing(world: World) -> None:
    pass_id = replaced(world, a=b"1", b=b"2")
    world.write("b", b"edited")
    before = snapshot(world.root.parent)
    with profile_lock(world.root.parent.parent, "p"):
        steps = {step.key: step for step in restorer(world).plan_undo(pass_id)}
    assert fates(steps) == {"a": Fate.PUT_BACK, "b": Fate.EDITED}
    assert snapshot(world.root.parent) == before


def test_one_key_s_trouble_does_not_stop_the_others(world: World) -> None:
    pass_id = replaced(world, a=b"1", b=b"2", c=b"3")
    (world.root / "b").unlink()
    (world.root / "b").mkdir()
    done = undo(world, pass_id)
    assert fates(done) == {"a": Fate.PUT_BACK, "b": Fate.FAILED, "c": Fate.PUT_BACK}
    assert "folder of that name" in done["b"].why


def test_links_in_a_pass_s_trash_are_not_put_back(world: World, tmp_path: Path) -> None:
    pass_id = replaced(world, a=b"1")
    (tmp_path / "secret").write_bytes(b"not for the bucket")
    (world.root / CONTROL_DIR / "trash" / pass_id / "b").symlink_to(tmp_path / "secret")
    assert fates(undo(world, pass_id)) == {"a": Fate.PUT_BACK}
    assert world.local() == {"a": b"1"}


class Killed(BaseException):
    """The end of the process, as far as its files are concerned."""


def killing(call: Callable[..., object], after: int) -> Callable[..., object]:
    """`call`, until it has been called so often."""
    left = [after]

    def dying(*args: object, **options: object) -> object:
        if left[0] == 0:
            raise Killed
        left[0] -= 1
        return call(*args, **options)

    return dying


@pytest.mark.parametrize("name", ["link", "rename", "utime", "fsync"])
@pytest.mark.parametrize("after", range(3))
def test_an_undo_that_is_killed_is_done_by_running_it_again(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str, after: int
) -> None:
    pass_id = replaced(world, a=b"1", b=b"2", c=b"3")
    with monkeypatch.context() as patch:
        patch.setattr(os, name, killing(getattr(os, name), after))
        with pytest.raises(Killed):
            undo(world, pass_id)
    for key, content in {"a": b"1", "b": b"2", "c": b"3"}.items():
        assert world.local()[key] in {content, b"new " + content}
        versions = {world.local()[key], *world.trash()[key]}
        assert versions == {content, b"new " + content}, "no version is lost"
    assert Fate.FAILED not in fates(undo(world, pass_id)).values()
    assert world.local() == {"a": b"1", "b": b"2", "c": b"3"}
    assert world.staged() == []
    world.run()
    assert_in_step(world)


# -- what goes -------------------------------------------------------------------------------------


def pass_at(world: World, now_ns: int) -> Reconciler:
    return Reconciler(world.profile, world.state_dir, now_ns=lambda: now_ns)


def test_old_versions_go_at_the_end_of_a_pass_and_the_report_says_so(world: World) -> None:
    world = world.with_settings(trash={"keep_days": 3})
    old = replaced(world, a=b"1")
    assert world.run().notes == ()
    assert set(world.trash()) == {"a"}
    report = pass_at(world, time.time_ns() + 4 * DAY_NS).run()
    assert world.trash() == {}
    assert report.problem_count == 0
    assert any(old in note for note in report.notes)
    assert world.local() == {"a": b"new 1"}
    assert_in_step(world)


def test_the_trash_is_held_to_its_size_but_for_what_the_pass_itself_put_there(
    world: World,
) -> None:
    world = world.with_settings(trash={"max_size": 1500})
    replaced(world, a=b"1" * 1000)
    world.put("a", b"2" * 2000)
    world.run()
    assert world.trash() == {"a": [b"new " + b"1" * 1000]}, "the older of two went"
    world.put("a", b"3")
    world.run()
    assert world.trash() == {"a": [b"2" * 2000]}, "too big, but of this very pass"
    world.run()
    assert world.trash() == {}


def test_what_is_in_the_trash_is_counted_once_and_not_by_every_pass(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = replaced(world, a=b"1")
    counted: list[str] = []
    real = Trash.versions

    def versions(self: Trash, pass_id: str) -> Iterator[Version | Unknown]:
        counted.append(pass_id)
        return real(self, pass_id)

    monkeypatch.setattr(Trash, "versions", versions)
    world.run()
    assert counted == []
    world.put("a", b"2")
    second = world.run().pass_id
    assert (counted, first < second) == ([second], True)


def test_a_pass_that_breaks_off_or_is_dry_takes_nothing_away(world: World) -> None:
    world = world.with_settings(trash={"keep_days": 0, "max_size": 0})
    replaced(world, a=b"1")
    world.plan()
    world.server.faults.add(Fault("list", "status", times=None, code=403))
    with pytest.raises(SyncError):
        world.run()
    assert world.trash() == {"a": [b"1"]}


def test_a_copy_that_is_being_made_outlives_the_version(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy takes no lock, so a pass may tidy the trash meanwhile."""
    replaced(world, a=b"1" * 100)
    version = newest(world, "a")
    other = replace(world).with_settings(trash={"max_size": 0})
    real = os.utime

    def tidied_first(*args: object, **options: object) -> None:
        monkeypatch.setattr(os, "utime", real)
        thread = threading.Thread(target=other.run)
        thread.start()
        thread.join()
        assert world.trash() == {}
        real(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "utime", tidied_first)
    restorer(world).copy_out(version, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"1" * 100
