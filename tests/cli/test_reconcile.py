"""`reconcile` and `plan` as a user types them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli.conftest import COMMAND, Shell
from ubiops_file_sync.emulator import Fault
from ubiops_file_sync.store import profile_lock


def test_a_yaml_file_in_the_working_directory_is_enough(shell: Shell) -> None:
    shell.profile()
    (shell.files / "a.txt").write_bytes(b"1")
    shell.server.put_object("data/b.txt", b"22")
    done = shell("reconcile")
    assert done.returncode == 0, done.stderr
    assert "models: 1 uploaded, 1 downloaded" in done.stdout
    assert done.stderr == ""
    assert (shell.files / "b.txt").read_bytes() == b"22"
    again = shell("reconcile")
    assert "nothing to do" in again.stdout
    assert "1 API call," in again.stdout


def test_environment_variables_alone_are_enough(shell: Shell) -> None:
    shell.env |= {
        "UBIOPS_API_HOST": shell.server.api_host,
        "BUCKET_PROJECT_NAME": "demo",
        "BUCKET_NAME": "default",
        "BUCKET_DIR": "",
        "LOCAL_SYNC_DIR": str(shell.files),
    }
    (shell.files / "a.txt").write_bytes(b"1")
    done = shell("reconcile")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("default: 1 uploaded")
    assert set(shell.server.objects()) == {"a.txt"}


def test_several_profiles_and_one_that_fails(shell: Shell) -> None:
    shell.profiles(
        broken="{local_dir: files, bucket: typo}", works="{local_dir: other, bucket_dir: w}"
    )
    shell.server.put_object("w/a", b"1")
    done = shell("reconcile")
    assert done.returncode == 3
    assert "no bucket 'typo'" in done.stderr
    assert "works: 1 downloaded" in done.stdout
    assert shell("reconcile", "works").returncode == 0
    unknown = shell("reconcile", "work")
    assert unknown.returncode == 2
    assert "did you mean 'works'" in unknown.stderr


def test_json_is_one_document_on_stdout(shell: Shell) -> None:
    shell.profile()
    (shell.files / "a.txt").write_bytes(b"1")
    told = shell.json("reconcile")
    assert told["version"] == 1
    assert told["exit_code"] == 0
    (report,) = told["profiles"]
    assert report["done"] == {"upload": 1}
    assert report["api_calls"] == {"list": 1, "upload": 1, "get": 1}
    shell.server.stop()
    broken = shell.json("reconcile")
    assert broken["exit_code"] == 3
    assert "no connection" in broken["profiles"][0]["error"]


def test_plan_gives_every_line_its_reason_and_changes_nothing(shell: Shell) -> None:
    shell.profile()
    (shell.files / "new.txt").write_bytes(b"12345")
    shell.server.put_object("data/theirs.txt", b"1")
    for words in (["plan"], ["reconcile", "--dry-run"]):
        done = shell(*words)
        assert done.returncode == 0
        assert re.search(
            r"upload +5 bytes +new.txt  \(new here, absent from the bucket\)", done.stdout
        )
        assert "download" in done.stdout
        assert "a pass takes 4 API calls at most" in done.stdout
    assert not (shell.files / "theirs.txt").exists()
    assert not (shell.cwd / "state").exists()
    assert shell("plan", "--detailed-exitcode").returncode == 10
    shell("reconcile")
    assert shell("plan", "--detailed-exitcode").returncode == 0
    (planned,) = shell.json("plan")["profiles"]
    assert planned["actions"] == []


def test_a_key_cannot_play_tricks_on_the_terminal(shell: Shell) -> None:
    shell.profile()
    (shell.files / "a\x1b[2Jb\nc").write_bytes(b"1")
    done = shell("plan")
    assert "\x1b" not in done.stdout
    assert "a\\x1b[2Jb\\nc" in done.stdout


@pytest.mark.parametrize("words", [[], ["--help"], ["reconcile", "--help"], ["demo", "-h"]])
def test_help_has_examples(shell: Shell, words: list[str]) -> None:
    done = shell(*words)
    assert "Usage:" in done.stdout + done.stderr
    assert shell("--help").stdout.count("ubiops-file-sync ") >= 4


def test_version(shell: Shell) -> None:
    assert shell("--version").stdout.startswith("ubiops-file-sync, version 0.")


def test_wrong_usage_exits_with_2(shell: Shell) -> None:
    done = shell("recnocile")
    assert done.returncode == 2
    assert "No such command" in done.stderr


def test_sigint_ends_it_politely_and_the_next_pass_goes_on(shell: Shell) -> None:
    shell.profile(workers=2)
    for n in range(40):
        (shell.files / f"f{n:02}").write_bytes(b"1")
    shell.server.faults.add(Fault("put", "latency", times=None, seconds=0.2))
    process = subprocess.Popen(
        [*COMMAND, "reconcile"],
        cwd=shell.cwd,
        env={"PATH": os.environ["PATH"], "HOME": str(shell.cwd), **shell.env},
        stderr=subprocess.PIPE,
        text=True,
    )
    while not shell.server.objects():
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted" in stderr
    assert "Traceback" not in stderr
    shell.server.faults.clear()
    assert shell("reconcile").returncode == 0
    assert len(shell.server.objects()) == 40
    assert "nothing to do" in shell("reconcile").stdout


def test_a_second_process_is_told_who_holds_the_profile(shell: Shell) -> None:
    shell.profile()
    with profile_lock(shell.cwd / "state", "models"):
        done = shell("reconcile")
    assert done.returncode == 5
    assert f"process {os.getpid()}" in done.stderr


def test_importing_the_package_reads_no_environment_and_no_sdk(tmp_path: Path) -> None:
    code = (
        "import sys, ubiops_file_sync, ubiops_file_sync.cli;"
        "heavy = {'ubiops', 'pydantic', 'starlette', 'uvicorn', 'rich.progress'};"
        "sys.exit(repr(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_long_pass_is_foretold_in_minutes(shell: Shell) -> None:
    path = shell.profile()
    path.write_text(f"quota_share: 0.5\n{path.read_text()}")
    shell.server.quota.limit = 20
    shell.server.quota.window_s = 1.0
    for n in range(17):
        (shell.files / f"f{n}").write_bytes(b"1")
    words = "a pass takes 19 API calls at most, about 2 min at 10 a minute (quota 20, share 0.5)"
    assert f"; {words}\n" in shell("plan").stdout
    (planned,) = shell.json("plan")["profiles"]
    assert (planned["planned_api_calls"], planned["planned_minutes"]) == (19, 2)
    assert planned["quota"] == {"limit": 20, "share": 0.5, "a_minute": 10}
    done = shell("reconcile")
    assert done.returncode == 0
    assert done.stderr == f"models: {words}\n"
    assert not [call for call in shell.server.calls if call.status == 429]


def test_without_a_quota_only_the_calls_are_foretold(shell: Shell) -> None:
    shell.profile()
    (planned,) = shell.json("plan")["profiles"]
    assert (planned["planned_api_calls"], planned["planned_minutes"]) == (1, None)
    assert planned["quota"] is None


def test_what_the_whole_pass_waits_for_is_said_meanwhile(shell: Shell) -> None:
    """Else a command that tries again for minutes looks as if it hung."""
    shell.profile()
    shell.server.faults.add(Fault("list", "status", times=1, code=503))
    done = shell("reconcile", "--json")
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert line.startswith("warning: models: list: UbiOps at http://127.0.0.1:")
    assert "answered 503" in line
    assert "; try 2 of 5 comes in " in line
    (profile,) = json.loads(done.stdout)["profiles"]
    assert profile["api_answers"] == {"list": {"200": 1, "503": 1}}
    assert (profile["in_step"], profile["quota_left"]) == (0, None)
