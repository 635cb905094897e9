"""`explain` as a user types it."""

from __future__ import annotations

import os

from cli.conftest import Shell


def test_it_tells_both_sides_the_rules_and_the_verdict(shell: Shell) -> None:
    shell.profile()
    path = shell.files / "a.txt"
    path.write_bytes(b"1234567890")
    shell("reconcile")
    path.write_bytes(b"123456789012")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    for name in ("a.txt", "files/a.txt", str(path), "ubiops-file://default/data/a.txt"):
        done = shell("explain", name)
        assert done.returncode == 0, done.stderr
        assert "12 bytes, changed at 2023-11-14 22:13:20 UTC" in done.stdout
        assert "in the bucket now:  10 bytes, stored at 20" in done.stdout
        assert "when last in step:  10 bytes" in done.stdout
        assert "YES: the size was 10 bytes, is 12 bytes" in done.stdout
        assert "may this profile write to the bucket? YES: `direction` is two-way" in done.stdout
        assert "Verdict: the next pass uploads it." in done.stdout
        assert "To do it now: ubiops-file-sync reconcile models" in done.stdout
    told = shell.json("explain", "a.txt")
    assert told["verdict"]["verb"] == "upload"
    assert told["verdict"]["reason"] == "changed_local"
    assert told["local"]["size"] == 12
    assert told["baseline"]["size"] == told["remote"]["size"] == 10
    assert told["api_calls"] == {"get": 1}
    assert "uploaded" in shell("reconcile").stdout


def test_what_cannot_be_is_explained_too(shell: Shell) -> None:
    shell.profile()
    for name, words in [
        ("nowhere.txt", "neither side knows it"),
        ("a//b", "a part of the name is empty"),
        ("x\x1b[2J", "neither side knows it"),
    ]:
        done = shell("explain", name)
        assert done.returncode == 0, done.stderr
        assert words in done.stdout
        assert "\x1b" not in done.stdout
        assert done.stderr == ""


def test_several_profiles_ask_for_one(shell: Shell) -> None:
    shell.profiles(
        one="{local_dir: files, bucket_dir: one}", two="{local_dir: other, bucket_dir: two}"
    )
    done = shell("explain", "a.txt")
    assert done.returncode == 2
    assert "one, two" in done.stderr
    assert "--profile one" in done.stderr
    assert shell("explain", "a.txt", "--profile", "two").stdout.startswith("two: a.txt")
    assert shell("explain", "other/a.txt").stdout.startswith("two: a.txt")
    assert shell("explain", "a.txt", "--profile", "three").returncode == 2


def test_a_wrong_token_says_so(shell: Shell) -> None:
    shell.profile()
    shell.env["UBIOPS_API_TOKEN"] = "0" * 40
    done = shell("explain", "a.txt")
    assert done.returncode == 3
    assert "does not know the token" in done.stderr


def test_a_bucket_that_does_not_answer_says_so(shell: Shell) -> None:
    shell.profile()
    shell.server.stop()
    done = shell("explain", "a.txt")
    shell.server.start()
    assert (done.returncode, done.stdout) == (3, "")
    assert "no connection to http://127.0.0.1" in done.stderr
