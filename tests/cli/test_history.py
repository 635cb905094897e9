"""`history` and `status` as a user types them."""

from __future__ import annotations

import re
import signal
import sqlite3
import subprocess
import time
from contextlib import closing

import pytest

from cli.conftest import COMMAND, SAME_PACKAGE, Shell
from ubiops_file_sync.emulator import Fault


def test_passes_are_told_newest_last_in_the_local_zone(shell: Shell) -> None:
    shell.profile()
    (shell.files / "a.txt").write_bytes(b"123")
    shell("reconcile")
    for _ in range(3):
        shell("reconcile")
    shell.server.put_object("data/x/../y", b"1")
    shell("reconcile")
    shell.env["TZ"] = "Asia/Tokyo"
    done = shell("history")
    assert done.returncode == 0, done.stderr
    head, *lines = done.stdout.splitlines()
    assert head == "models: passes, the newest last"
    when = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d JST"
    took = r"(\d+ ms|\d+\.\d s)"
    for line, form in zip(
        lines,
        [
            rf"  {when} +{took}  command  1 uploaded \(3 bytes up, 0 bytes down\)",
            rf"  {when}      3 passes  command  nothing to do; the last at {when}",
            rf"  {when} +{took}  command  nothing was done; 1 file failed",
        ],
        strict=True,
    ):
        assert re.fullmatch(form, line), line
    assert len(shell("history", "--limit", "1").stdout.splitlines()) == 2


def test_programs_read_every_pass(shell: Shell) -> None:
    shell.profile()
    for _ in range(3):
        shell("reconcile")
    told = shell.json("history")
    assert (told["version"], told["exit_code"]) == (1, 0)
    (profile,) = told["profiles"]
    assert (profile["profile"], len(profile["passes"])) == ("models", 3)
    began = [one["began"] for one in profile["passes"]]
    assert began == sorted(began)
    one = profile["passes"][-1]
    assert (one["stage"], one["trigger"], one["exit_code"]) == ("ended", "command", 0)
    assert one["api_calls"] == {"list": 1}
    (limited,) = shell.json("history", "models", "--limit", "1")["profiles"]
    assert limited["passes"] == [one]


def test_neither_asks_ubiops_for_anything_nor_writes(shell: Shell) -> None:
    shell.profile()
    for command in ("history", "status"):
        assert shell(command).returncode == 0
    assert not (shell.cwd / "state").exists()
    shell("reconcile")
    shell.server.stop()
    del shell.env["UBIOPS_API_TOKEN"]
    before = (shell.cwd / "state/models.sqlite").stat().st_mtime_ns
    assert "models: in step" in shell("status").stdout
    assert "nothing to do" in shell("history").stdout
    assert (shell.cwd / "state/models.sqlite").stat().st_mtime_ns == before


def test_several_profiles_and_one_whose_state_cannot_be_read(shell: Shell) -> None:
    shell.profiles(
        broken="{local_dir: files, bucket_dir: b}", works="{local_dir: other, bucket_dir: w}"
    )
    shell("reconcile")
    (shell.cwd / "state/broken.sqlite").write_bytes(b"# no database\n" * 1000)
    for command in ("history", "status"):
        done = shell(command)
        assert done.returncode == 78
        assert "state/broken.sqlite" in done.stderr
        assert "works: " in done.stdout
        assert shell(command, "works").returncode == 0
        assert "did you mean 'works'" in shell(command, "work").stderr


def test_a_newer_version_s_state_is_refused(shell: Shell) -> None:
    shell.profile()
    shell("reconcile")
    with closing(sqlite3.connect(shell.cwd / "state/models.sqlite")) as db:
        db.execute("PRAGMA user_version = 99")
    for command in ("history", "status", "reconcile"):
        done = shell(command)
        assert done.returncode == 78
        assert "newer version of ubiops-file-sync" in done.stderr


def test_the_status_of_a_profile_in_step(shell: Shell) -> None:
    shell.profile()
    (shell.files / "a.txt").write_bytes(b"1")
    assert shell("status").stdout.startswith("models: no pass yet\n")
    shell("reconcile")
    first, places, last, *rest = shell("status").stdout.splitlines()
    assert first == "models: in step"
    assert places == f"  {shell.files} and demo/default/data/"
    assert last.startswith("  last pass ")
    assert ", by a command, in " in last
    assert last.endswith(": 1 uploaded (1 byte up, 0 bytes down)")
    assert "  1 file in step" in rest
    (told,) = shell.json("status")["profiles"]
    assert (told["is_in_step"], told["in_step"], told["live"]) == (True, 1, None)
    assert told["last"]["done"] == {"upload": 1}


def test_the_status_of_a_profile_that_needs_a_person(shell: Shell) -> None:
    shell.profile()
    (shell.files / "a.txt").write_bytes(b"1")
    shell("reconcile")
    (shell.files / "a.txt").unlink()
    halted = shell("reconcile")
    assert halted.returncode == 4
    told = shell("status")
    assert told.returncode == 0
    assert told.stdout.startswith("models: NOT in step: the last pass halted\n")
    assert halted.stderr.strip() in told.stdout
    assert "--allow empty-root" in told.stdout
    assert "last pass that went well: " in told.stdout
    assert "halted: " in shell("history").stdout


def test_a_pass_is_seen_while_it_runs_and_after_it_was_killed(shell: Shell) -> None:
    shell.profile()
    (shell.files / "a.txt").write_bytes(b"1")
    shell.server.faults.add(Fault("put", "hang", times=None))
    process = subprocess.Popen(
        [*COMMAND, "reconcile"],
        cwd=shell.cwd,
        env={"PYTHONPATH": SAME_PACKAGE, "HOME": str(shell.cwd), **shell.env},
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while "a pass is under way since" not in shell("status").stdout:
        assert process.poll() is None
        assert time.monotonic() < deadline
    assert f"process {process.pid}" in shell("status").stdout
    assert shell("history").stdout.endswith("  command  under way\n")
    process.send_signal(signal.SIGKILL)
    process.wait()
    told = shell("status").stdout
    assert told.startswith("models: NOT in step: the last pass did not come to its end\n")
    assert "under way" not in told
    assert "killed, or the machine stopped" in shell("history").stdout


@pytest.mark.parametrize("words", [["history", "--limit", "0"], ["status", "--limit", "3"]])
def test_wrong_usage(shell: Shell, words: list[str]) -> None:
    shell.profile()
    assert shell(*words).returncode == 2
