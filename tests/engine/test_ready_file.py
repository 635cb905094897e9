"""The ready file: nothing goes up before it stands here, and it goes up after everything else."""

from __future__ import annotations

import os

import pytest

from engine.world import QUICK, World, assert_idle
from ubiops_file_sync.emulator import Fault
from ubiops_file_sync.model import Deletions, Reason, Verb
from ubiops_file_sync.progress import Progress
from ubiops_file_sync.reconcile import Reconciler


@pytest.fixture
def gated(world: World) -> World:
    return world.with_settings(ready_file="_SUCCESS", workers=8)


def sent(world: World) -> list[str]:
    """The keys whose bytes arrived in the bucket, in that order."""
    return [call.key for call in world.server.calls.of("put") if call.status == 200]


def test_a_folder_goes_up_once_its_ready_file_is_there(gated: World) -> None:
    gated.write("d/a", b"1")
    gated.write("d/e/b", b"2")
    gated.write("_SUCCESSOR/c", b"3")
    report = gated.run()
    assert report.planned.left == {Reason.NOT_READY: 3}
    assert report.exit_code == 0
    assert gated.remote() == {}
    gated.write("d/_SUCCESS", b"")
    report = gated.run()
    assert report.planned.left == {Reason.NOT_READY: 1}
    assert set(gated.remote()) == {"d/a", "d/e/b", "d/_SUCCESS"}
    assert_idle(gated)


def test_ready_files_go_up_last_and_those_of_deep_folders_first(gated: World) -> None:
    for folder in ("", "d/", "d/e/", "z/"):
        gated.write(f"{folder}_SUCCESS", b"done")
        for number in range(12):
            gated.write(f"{folder}part{number}", b"x" * 2000)
    assert gated.run().problem_count == 0
    order = [key.removeprefix("data/") for key in sent(gated)]
    assert len(order) == 52
    assert order[-4] == "d/e/_SUCCESS"
    assert set(order[-3:-1]) == {"d/_SUCCESS", "z/_SUCCESS"}
    assert order[-1] == "_SUCCESS"
    assert_idle(gated)


def test_a_file_that_fails_keeps_back_the_ready_files_above_it_alone(gated: World) -> None:
    for folder in ("", "d/", "d/e/", "z/"):
        gated.write(f"{folder}_SUCCESS", b"done")
        gated.write(f"{folder}part", b"x")
    gated.server.faults.add(Fault("put", "status", key="data/d/part", code=500, times=None))
    report = gated.run()
    assert [problem.key for problem in report.problems] == ["d/part"]
    assert report.planned.left == {Reason.READY_LATER: 2}
    assert set(gated.remote()) == {"part", "d/e/part", "d/e/_SUCCESS", "z/part", "z/_SUCCESS"}
    gated.server.faults.clear()
    assert gated.run().planned.left == {}
    assert gated.remote() == gated.local()
    assert_idle(gated)


def test_a_ready_file_that_fails_keeps_back_the_one_above(gated: World) -> None:
    gated.write("_SUCCESS", b"")
    gated.write("d/_SUCCESS", b"x")
    gated.server.faults.add(Fault("put", "status", key="data/d/_SUCCESS", code=500, times=None))
    assert gated.run().planned.left == {Reason.READY_LATER: 1}
    assert gated.remote() == {}


def test_a_file_that_changes_while_it_settles_keeps_its_ready_file_back(gated: World) -> None:
    settling = gated.with_settings(settle=0.2)
    gated.write("d/part", b"1")
    gated.write("d/_SUCCESS", b"", age_s=100)

    class Busy(Progress):
        def settling(self, files: int, seconds: float) -> None:
            gated.write("d/part", b"22")

    report = Reconciler(settling.profile, gated.state_dir, retries=QUICK, progress=Busy()).run()
    assert [problem.key for problem in report.problems] == ["d/part"]
    assert report.planned.left == {Reason.READY_LATER: 1}
    assert gated.remote() == {}


def test_a_young_ready_file_waits_like_any_other(gated: World) -> None:
    gated.write("d/part", b"1", age_s=100)
    gated.write("d/_SUCCESS", b"")
    assert gated.with_settings(settle=0.1).run().problem_count == 0
    assert set(gated.remote()) == {"d/part", "d/_SUCCESS"}


def test_a_file_that_cannot_be_read_keeps_its_ready_file_back(gated: World) -> None:
    gated.write("d/_SUCCESS", b"")
    gated.write("d/part", b"1")
    gated.write("d" + f"/{'n' * 250}" * 5, b"its name is too long for the bucket")
    report = gated.run()
    assert report.problem_count == 1
    assert report.planned.left == {Reason.READY_LATER: 1}
    assert set(gated.remote()) == {"d/part"}


def test_what_is_wrong_with_an_object_keeps_no_ready_file_back(gated: World) -> None:
    gated.write("d/_SUCCESS", b"")
    gated.put("d//odd", b"1")
    assert gated.run().problem_count == 1
    assert "d/_SUCCESS" in gated.remote()


def test_the_gate_is_shut_for_changes_too_once_the_ready_file_is_gone(gated: World) -> None:
    gated.write("d/_SUCCESS", b"")
    gated.write("d/part", b"1", age_s=100)
    gated.run()
    (gated.root / "d/_SUCCESS").unlink()
    gated.write("d/part", b"half of the next")
    report = gated.run()
    assert report.planned.left == {Reason.NOT_READY: 1, Reason.NOT_READY_AGAIN: 1}
    assert gated.remote()["d/part"] == b"1"
    assert not (gated.root / "d/_SUCCESS").exists()
    gated.write("d/part", b"the next")
    gated.write("d/_SUCCESS", b"again")
    gated.run()
    assert gated.remote() == {"d/part": b"the next", "d/_SUCCESS": b"again"}
    assert_idle(gated)


def test_the_gate_lets_downloads_and_deletions_through(gated: World) -> None:
    gated.write("d/_SUCCESS", b"")
    gated.write("d/part", b"1", age_s=100)
    gated.run()
    both = gated.with_settings(deletions=Deletions.BOTH)
    (gated.root / "d/_SUCCESS").unlink()
    gated.put("d/new", b"2")
    assert both.run().done == {Verb.DELETE_REMOTE: 1, Verb.DOWNLOAD: 1}
    assert set(gated.remote()) == {"d/part", "d/new"}


def test_a_ready_file_that_is_excluded_opens_the_gate_and_stays_here(gated: World) -> None:
    gated.write("d/_SUCCESS", b"")
    gated.write("d/part", b"1")
    gated.with_settings(exclude=["_SUCCESS"]).run()
    assert set(gated.remote()) == {"d/part"}


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_only_a_file_makes_a_folder_ready(gated: World, kind: str) -> None:
    gated.write("d/part", b"1")
    if kind == "folder":
        (gated.root / "d/_SUCCESS").mkdir()
    else:
        os.symlink("part", gated.root / "d/_SUCCESS")
    assert gated.run().planned.left == {Reason.NOT_READY: 1}
    assert gated.remote() == {}
