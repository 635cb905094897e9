"""Every way to get it wrong: one clear message, the right exit code, nothing changed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.conftest import Shell

SECRET = "3f786850e387550fdab836ed7e6dc881de23001b"


def assert_says(
    shell: Shell, code: int, *parts: str, words: tuple[str, ...] = ("reconcile",)
) -> None:
    before = {p: p.read_bytes() for p in shell.files.rglob("*") if p.is_file()}
    bucket = shell.server.objects()
    done = shell(*words)
    assert done.returncode == code, done.stdout + done.stderr
    for part in parts:
        assert part in done.stderr
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert done.stderr.count("error: ") == 1
    assert {p: p.read_bytes() for p in shell.files.rglob("*") if p.is_file()} == before
    assert shell.server.objects() == bucket


@pytest.fixture(autouse=True)
def _something_to_lose(shell: Shell) -> None:
    (shell.files / "mine.txt").write_bytes(b"1")
    shell.server.put_object("data/theirs.txt", b"2")


def test_wrong_token(shell: Shell) -> None:
    shell.profile()
    shell.env["UBIOPS_API_TOKEN"] = SECRET
    assert_says(shell, 3, "does not know the token", "UBIOPS_API_TOKEN")


def test_no_token(shell: Shell) -> None:
    shell.profile()
    del shell.env["UBIOPS_API_TOKEN"]
    assert_says(shell, 78, "UBIOPS_API_TOKEN", "not set")


def test_unreachable_host(shell: Shell) -> None:
    shell.profile(api_host="http://127.0.0.1:1/v2.1")
    assert_says(shell, 3, "no connection to http://127.0.0.1:1", "Nothing was changed")


def test_unknown_host_name(shell: Shell) -> None:
    shell.profile(api_host="http://no-such-host.invalid/v2.1")
    assert_says(shell, 3, "no-such-host.invalid")


def test_a_host_that_is_no_ubiops(shell: Shell) -> None:
    shell.profile(api_host=f"{shell.server.origin}/elsewhere/v2.1")
    assert_says(shell, 3, "api_host")


def test_unknown_bucket_and_project(shell: Shell) -> None:
    shell.profile(bucket="typo")
    assert_says(shell, 3, "no bucket 'typo' in project 'demo'")
    shell.profile(project="typo")
    assert_says(shell, 3, "project 'typo'")


def test_unwritable_directory(shell: Shell) -> None:
    if os.geteuid() != 0:
        shell.profile()
        shell.files.chmod(0o555)
        assert_says(shell, 4, "cannot be written to", "direction: upload")
        return
    # root may write anywhere but on a read-only file system.
    with _mounted(shell.cwd / "readonly", "ro") as mount:
        shell.profile(local_dir=mount.name)
        assert_says(shell, 4, "cannot be written to", "direction: upload")


@contextmanager
def _mounted(place: Path, options: str) -> Iterator[Path]:
    """A small file system of the test's own."""
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can make a file system")
    place.mkdir()
    if subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("mounting is not allowed here")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_unwritable_state(shell: Shell) -> None:
    shell.profile()
    (shell.cwd / "state").write_text("a file stands where the folder should be")
    assert_says(shell, 78, "state_dir")


def test_a_local_dir_that_is_a_file(shell: Shell) -> None:
    shell.profile(local_dir="files/mine.txt")
    assert_says(shell, 4, "mine.txt", "not a directory")


def test_a_local_dir_that_is_missing(shell: Shell) -> None:
    shell.profile(local_dir="a/b/c")
    assert_says(shell, 4, "does not exist", "mkdir -p")


def test_bad_yaml(shell: Shell) -> None:
    shell.config("version: 1\nprofiles:\n  models: [unclosed\n")
    assert_says(shell, 78, "ubiops-file-sync.yaml:")


def test_a_misspelt_setting(shell: Shell) -> None:
    path = shell.profile()
    path.write_text(path.read_text().replace("bucket_dir", "buckt_dir"))
    assert_says(shell, 78, "buckt_dir", "bucket_dir", "ubiops-file-sync.yaml:")


def test_no_configuration_at_all(shell: Shell) -> None:
    assert_says(shell, 78, "ubiops-file-sync.yaml", "BUCKET_NAME")


def test_a_named_configuration_that_is_missing(shell: Shell) -> None:
    assert_says(shell, 78, "nowhere.yaml", words=("--config", "nowhere.yaml", "reconcile"))


def test_damaged_state(shell: Shell) -> None:
    shell.profile()
    shell("reconcile")
    (shell.cwd / "state" / "models.sqlite").write_bytes(b"garbage" * 1000)
    assert_says(shell, 78, "models.sqlite", "move it away")
    (shell.cwd / "state" / "models.sqlite").unlink()
    assert shell("reconcile").returncode == 0


def test_a_full_disk_is_a_problem_of_the_key(shell: Shell) -> None:
    with _mounted(shell.cwd / "small", "size=256k") as mount:
        # One after the other: beside a file that fills the disk no other finds room.
        shell.profile(local_dir="small", workers=1)
        shell.server.put_object("data/big", b"x" * 2_000_000)
        shell.server.put_object("data/small", b"1")
        done = shell("reconcile")
        assert done.returncode == 1
        assert "problem: big: no space left on device" in done.stdout
        assert (mount / "small").read_bytes() == b"1"
        assert not (mount / "big").exists()
        assert list((mount / ".ubiops-sync" / "tmp").iterdir()) == []
