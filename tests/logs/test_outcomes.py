"""A pass in the log, from real passes: a line for what travelled, one for the whole."""

from __future__ import annotations

import logging

import pytest

from engine.world import QUICK, World
from ubiops_file_sync.emulator import Fault
from ubiops_file_sync.errors import ProfileLocked, RemoteUnreachable, SyncError
from ubiops_file_sync.logs import LogOutcomes
from ubiops_file_sync.model import Report
from ubiops_file_sync.phrases import duration_words
from ubiops_file_sync.progress import AllOf, Progress
from ubiops_file_sync.reconcile import Reconciler
from ubiops_file_sync.store import profile_lock

OUTCOMES = "ubiops_file_sync.logs.outcomes"


@pytest.fixture(autouse=True)
def _everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "ubiops_file_sync")


def _run(world: World, *others: Progress) -> Report:
    told = LogOutcomes()
    progress = AllOf(told, *others)
    report = Reconciler(world.profile, world.state_dir, retries=QUICK, progress=progress).run()
    told.finished(report)
    return report


def _lines(caplog: pytest.LogCaptureFixture, level: int = logging.INFO) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.name == OUTCOMES and record.levelno >= level
    ]


def test_what_travels_is_a_line_with_size_time_and_reason(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.write("up/a.bin", b"x" * 2000)
    world.put("down.bin", b"y" * 300)
    report = _run(world)
    lines = sorted(_lines(caplog))
    assert len(lines) == 3
    assert lines[0] == (
        "p: 1 uploaded, 1 downloaded; 2.0 KiB up, 300 bytes down, "
        f"4 API calls, {duration_words(report.seconds)}"
    )
    assert lines[1].startswith("p: downloaded down.bin (300 bytes in ")
    assert lines[1].endswith("s; new in the bucket, absent here)")
    assert lines[2].startswith("p: uploaded up/a.bin (2.0 KiB in ")
    uploaded = next(r for r in caplog.records if r.getMessage() == lines[2])
    fields = vars(uploaded)
    assert (fields["profile"], fields["pass_id"]) == ("p", report.pass_id)
    assert (fields["key"], fields["bytes"], fields["verb"]) == ("up/a.bin", 2000, "upload")
    assert fields["reason"] == "new_local"
    assert 0 < fields["seconds"] < 30
    summary = vars(next(r for r in caplog.records if r.getMessage() == lines[0]))
    assert summary["pass_id"] == report.pass_id
    assert (summary["exit_code"], summary["problems"], summary["api_calls"]) == (0, 0, 4)
    assert (summary["bytes_up"], summary["bytes_down"]) == (2000, 300)
    assert summary["done"] == {"upload": 1, "download": 1}


def test_an_idle_pass_is_one_line_and_what_only_the_record_learns_is_none(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.write("a", b"same")
    world.put("a", b"same")
    _run(world)
    assert _lines(caplog)[0].startswith("p: 1 found equal; ")
    caplog.clear()
    _run(world)
    (line,) = _lines(caplog)
    assert line.startswith("p: nothing to do; 1 API call, ")


def test_a_deletion_and_the_loser_of_a_conflict_are_lines(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world = world.with_settings(deletions="both", conflict="keep-both")
    world.write("a", b"1")
    world.write("b", b"1")
    _run(world)
    caplog.clear()
    (world.root / "a").unlink()
    world.write("b", b"here")
    world.put("b", b"there!")
    report = _run(world)
    lines = _lines(caplog)
    assert any(line.startswith("p: deleted in the bucket a (") for line in lines)
    (loser,) = report.extra_keys
    assert f"p: kept the losing version of a conflict as {loser}" in lines


def test_a_key_that_fails_is_told_once_and_at_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """What the comparison refuses is told with the summary, for it has no outcome."""
    told: list[list[str]] = []

    class Meanwhile(Progress):
        def did(self, outcome: object) -> None:
            told.append(_lines(caplog, logging.WARNING))

    world.write("bad", b"x")
    world.put("a/../b", b"x")
    world.server.faults.add(Fault("put", "status", times=None, code=400))
    report = _run(world, Meanwhile())
    assert report.problem_count == 2
    (first,) = told
    assert first == [f"p: bad: {next(p.message for p in report.problems if p.key == 'bad')}"]
    warnings = _lines(caplog, logging.WARNING)
    assert len(warnings) == 3
    assert warnings[1].startswith("p: a/../b: ")
    assert "; 2 files failed and are tried again next time; " in warnings[2]


def test_a_pass_that_cannot_be_done_is_an_error_with_its_exit_code(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    told = LogOutcomes()
    world.server.faults.add(Fault("list", "status", times=None, code=503))
    reconciler = Reconciler(world.profile, world.state_dir, retries=QUICK, progress=told)
    with pytest.raises(RemoteUnreachable) as caught:
        reconciler.run()
    told.failed("p", caught.value)
    (error,) = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert error.getMessage() == str(caught.value)
    assert vars(error)["exit_code"] == 3
    assert vars(error)["pass_id"] is not None
    with profile_lock(world.state_dir, "p"), pytest.raises(ProfileLocked) as locked:
        reconciler.run()
    told.failed("p", locked.value)
    busy = caplog.records[-1]
    assert (busy.levelno, vars(busy)["pass_id"]) == (logging.WARNING, None)


def test_a_message_of_several_lines_is_several_records(caplog: pytest.LogCaptureFixture) -> None:
    LogOutcomes().failed("p", SyncError("one\ntwo"))
    assert _lines(caplog) == ["one", "two"]


def test_a_bug_is_told_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    LogOutcomes().failed("p", KeyError("x"))
    assert "a bug in ubiops-file-sync ended the pass (KeyError)" in caplog.text
    assert caplog.records[-1].exc_info is not None


def test_what_the_whole_pass_waits_for_is_a_warning_and_a_single_key_is_not(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.write("a", b"x")
    world.server.faults.add(Fault("list", "status", times=1, code=503))
    world.server.faults.add(Fault("put", "status", times=2, code=500))
    _run(world)
    tries = [r for r in caplog.records if r.name == "ubiops_file_sync.bucket.ubiops"]
    assert [record.levelno for record in tries] == [logging.WARNING, *[logging.DEBUG] * 2]
    words = [record.getMessage() for record in tries]
    assert words[0].startswith(f"p: list: UbiOps at {world.server.api_host} answered 503")
    assert "; try 2 of 5 comes in 0.0 s" in words[0]
    assert words[1].startswith("p: upload a: ")
    assert "; try 3 of 5 comes in" in words[2]
    assert (vars(tries[1])["endpoint"], vars(tries[1])["key"]) == ("upload", "a")


def test_a_report_tells_what_came_of_each_call(world: World) -> None:
    world.write("a", b"x")
    world.server.faults.add(Fault("list", "status", times=1, code=503))
    world.server.faults.add(Fault("sign_upload", "reset_before", times=1))
    report = world.run()
    assert report.api_answers == {
        "get": {"200": 1},
        "list": {"200": 1, "503": 1},
        "upload": {"200": 1, "none": 1},
    }
    assert {name: sum(of.values()) for name, of in report.api_answers.items()} == report.api_calls
    assert report.in_step == 1
    assert report.quota_left is None
