"""What a stranger met in the first hour, and must not meet again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time

import pytest

from cli.conftest import COMMAND, Shell
from cli.test_terminal import at_terminal
from ubiops_file_sync.emulator import Fault


def environment(shell: Shell) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(shell.cwd), "TERM": "xterm", **shell.env}


def test_a_name_with_markup_or_escapes_is_only_a_name(shell: Shell) -> None:
    shell.profile(workers=1)
    for name in ("[/red] x", "[bold]", "\x1b]0;title\x07"):
        (shell.files / name).parent.mkdir(exist_ok=True)
        (shell.files / name).write_bytes(b"1")
    shell.server.faults.add(Fault("put", "latency", times=None, seconds=0.7))
    seen = at_terminal(shell, "reconcile")
    assert seen.code == 0
    assert "\x1b]0;" not in seen.stderr
    assert any(line.startswith("done: ") for line in seen.frames)
    assert len(shell.server.objects()) == 3


def test_a_failing_confirmation_is_a_note_and_no_bug(shell: Shell) -> None:
    shell.profile()
    (shell.files / "a").write_bytes(b"1")
    shell.server.faults.add(Fault("get", "status", times=None, code=500))
    done = shell("reconcile")
    assert done.returncode == 0, done.stderr
    assert "note: what the bucket stored was not asked to the end" in done.stdout


def test_a_reader_of_the_output_that_goes_away_stops_no_profile(shell: Shell) -> None:
    shell.config(
        f"version: 1\napi_host: {shell.server.api_host}\nstate_dir: state\n"
        "defaults: {project: demo, settle: 0}\nprofiles:\n"
        "  one: {local_dir: files, bucket_dir: one}\n  two: {local_dir: more, bucket_dir: two}\n"
    )
    (shell.cwd / "more").mkdir()
    for folder in ("files", "more"):
        (shell.cwd / folder / "a").write_bytes(b"1")
    command = " ".join([*COMMAND, "reconcile"])
    done = subprocess.run(
        ["sh", "-c", f"{command} | true"],
        cwd=shell.cwd,
        env=environment(shell),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    assert set(shell.server.objects()) == {"one/a", "two/a"}


def test_ctrl_c_does_not_wait_for_the_quota(shell: Shell) -> None:
    shell.profile()
    shell.server.quota.limit = 12
    for n in range(40):
        (shell.files / f"f{n}").write_bytes(b"1")
    process = subprocess.Popen(
        [*COMMAND, "reconcile"],
        cwd=shell.cwd,
        env=environment(shell),
        stderr=subprocess.PIPE,
        text=True,
    )
    while len(shell.server.objects()) < 10:
        time.sleep(0.05)
    time.sleep(0.5)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130, stderr
    assert time.monotonic() - began < 10, "the window is a minute long"
    assert "interrupted" in stderr


def test_two_folders_synchronised_by_variables_alone_keep_their_own_state(shell: Shell) -> None:
    for folder in ("x", "y"):
        (shell.cwd / folder).mkdir()
        (shell.cwd / folder / "a").write_bytes(folder.encode())
        shell.env |= {
            "UBIOPS_API_HOST": shell.server.api_host,
            "BUCKET_PROJECT_NAME": "demo",
            "BUCKET_NAME": "default",
            "BUCKET_DIR": folder,
            "LOCAL_SYNC_DIR": str(shell.cwd / folder),
        }
        assert shell("reconcile").returncode == 0
    assert set(shell.server.objects()) == {"x/a", "y/a"}


def test_the_usual_host_of_this_machine_is_that_of_a_file_without_one(shell: Shell) -> None:
    shell.env["UBIOPS_API_HOST"] = shell.server.api_host
    shell.config(
        "version: 1\nstate_dir: state\nprofiles:\n  m: {local_dir: files, project: demo}\n"
    )
    done = shell("reconcile")
    assert done.returncode == 0, done.stderr


def test_a_control_folder_anywhere_is_never_synchronised(shell: Shell) -> None:
    shell.profile()
    inner = shell.files / "inner" / ".ubiops-sync" / "trash"
    inner.mkdir(parents=True)
    (inner / "old").write_bytes(b"1")
    assert shell("reconcile").returncode == 0
    assert shell.server.objects() == {}


def test_the_state_and_the_token_never_go_into_the_bucket(shell: Shell) -> None:
    path = shell.profile(local_dir=".")
    done = shell("reconcile")
    assert done.returncode == 78
    assert "the state folder" in done.stderr
    assert "would go into the bucket" in done.stderr
    path.write_text(path.read_text().replace("state_dir: state", "state_dir: ../state\ntoken: x1"))
    assert "the configuration with its token" in shell("reconcile").stderr


def test_a_disk_mounted_below_the_root_is_named(shell: Shell) -> None:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount")
    mount = shell.files / "scratch"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "tmpfs", str(mount)]
    if subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("mounting is not allowed here")
    try:
        shell.profile()
        shell.server.put_object("data/scratch/a", b"1")
        shell.server.put_object("data/b", b"1")
        done = shell("reconcile")
        assert done.returncode == 1
        assert "scratch/a: another file system is mounted on the way to it" in done.stdout
        assert (shell.files / "b").exists()
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def test_whatever_a_message_quotes_the_terminal_obeys_none_of_it(shell: Shell) -> None:
    shell.profile()
    done = shell("apply", "\x1b]0;title\x07.plan")
    assert (done.returncode, "\x1b" in done.stderr) == (2, False)
    assert r"error: \x1b]0;title\x07.plan cannot be read" in done.stderr
