"""`verify` as a user types it."""

from __future__ import annotations

import os

from cli.conftest import Shell


def test_it_verifies_by_record_and_by_content(shell: Shell) -> None:
    shell.profile()
    path = shell.files / "a.txt"
    path.write_bytes(b"good")
    (shell.files / "b.txt").write_bytes(b"22")
    shell("reconcile")
    done = shell("verify")
    assert done.returncode == 0, done.stderr
    assert "models: 2 in step" in done.stdout
    assert "compared by sizes and times; 1 API call," in done.stdout
    before = path.stat()
    path.write_bytes(b"evil")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert shell("verify").returncode == 0
    found = shell("verify", "models", "--content")
    assert found.returncode == 1
    assert "to compare the content of 2 files takes 2 API calls more" in found.stderr
    assert "models: 1 in step, 1 DAMAGED" in found.stdout
    assert "DAMAGED: a.txt: damaged here or in the bucket" in found.stdout
    told = shell.json("verify", "--content")
    assert told["exit_code"] == 1
    (report,) = told["profiles"]
    assert report["counts"]["damaged"] == 1
    assert report["counts"]["in_step"] == 1
    assert report["found"][0]["key"] == "a.txt"
    assert report["api_calls"] == {"download": 2, "list": 1, "get": 1}


def test_differences_end_with_1_and_troubles_with_their_own_codes(shell: Shell) -> None:
    shell.profile()
    (shell.files / "a\x1b[2J").write_bytes(b"1")
    done = shell("verify")
    assert done.returncode == 1
    assert "only here: a\\x1b[2J: never in step in the bucket" in done.stdout
    assert "\x1b" not in done.stdout
    assert "is downloaded and hashed" in " ".join(shell("verify", "--help").stdout.split())
    shell.server.stop()
    down = shell("verify")
    assert down.returncode == 3
    assert "no connection" in down.stderr
