"""How much a command says: `-q`, `-v`, before the command's name or behind it."""

from __future__ import annotations

import json
import re

import pytest

from cli.conftest import Shell
from ubiops_file_sync.emulator import Fault


def test_quiet_says_nothing_of_what_went_well(shell: Shell) -> None:
    shell.profile()
    (shell.files / "a").write_bytes(b"1")
    for words in (["plan"], ["reconcile"], ["verify"], ["status"]):
        done = shell("-q", *words)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), words
    assert "".join(shell.server.objects()) == "data/a"


def test_quiet_says_what_did_not(shell: Shell) -> None:
    shell.profile()
    (shell.files / "a").write_bytes(b"1")
    shell.server.put_object("data/x/../y", b"1")
    done = shell("reconcile", "-q")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "models: 1 file failed and is tried again next time",
        (
            "  problem: x/../y: a part of the name is empty, '.' or '..'; rename the object in "
            "the bucket"
        ),
    ]
    assert shell("status", "-q").stdout.startswith("models: NOT in step")
    shell.server.stop()
    assert "no connection" in shell("reconcile", "-q").stderr


def test_quiet_answers_all_the_same_what_was_asked(shell: Shell) -> None:
    shell.profile()
    shell("reconcile")
    for words in (["history"], ["explain", "a"], ["trash", "list"]):
        assert shell(*words, "-q").stdout == shell(*words).stdout != ""


def test_verbose_tells_each_file_and_each_try_on_stderr(shell: Shell) -> None:
    shell.profile()
    (shell.files / "a").write_bytes(b"1")
    shell.server.faults.add(Fault("sign_upload", "status", times=1, code=503))
    done = shell("reconcile", "-v")
    assert done.returncode == 0
    assert done.stdout.startswith("models: 1 uploaded")
    said = done.stderr.splitlines()
    sent = r"models: uploaded a \(1 byte in .* s; new here, absent from the bucket\)"
    assert any(re.fullmatch(sent, line) for line in said)
    assert any("models: upload a: " in line and "try 2 of 5" in line for line in said)
    assert shell("-v", "reconcile", "--json").stdout.startswith("{")


def test_the_last_word_counts(shell: Shell) -> None:
    shell.profile()
    assert shell("-q", "reconcile", "-v").stdout.startswith("models: nothing to do")
    assert shell("-v", "reconcile", "-q").stdout == ""


def test_the_configuration_may_be_named_behind_the_command(shell: Shell) -> None:
    path = shell.profile()
    moved = path.rename(shell.cwd / "elsewhere.yaml")
    assert shell("reconcile", "--config", str(moved)).returncode == 0
    assert shell("--config", "nowhere.yaml", "trash", "list", "--config", moved.name).stdout


@pytest.mark.parametrize("command", ["reconcile", "trash", "status", "run"])
def test_what_every_command_takes_is_told_once(shell: Shell, command: str) -> None:
    assert "--quiet" in shell("--help").stdout
    assert "--quiet" not in shell(command, "--help").stdout


# -- plans ----------------------------------------------------------------------------------------


def many(shell: Shell, count: int) -> None:
    for n in range(count):
        path = shell.files / f"d{n % 3}" / f"f{n:04}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x" * 100)


def test_a_small_plan_shows_each_action(shell: Shell) -> None:
    shell.profile()
    many(shell, 50)
    assert shell("plan").stdout.count("(new here, absent from the bucket)") == 50


def test_a_large_plan_is_summed_up_by_reason_and_by_folder(shell: Shell) -> None:
    shell.profile()
    many(shell, 60)
    shell.server.put_object("data/theirs.bin", b"y" * 3000)
    lines = shell("plan").stdout.splitlines()
    assert lines[1:] == [
        "  by reason:",
        "    60 to upload        5.9 KiB  new here, absent from the bucket",
        "     1 to download      2.9 KiB  new in the bucket, absent here",
        "  by folder:",
        "    20      2.0 KiB  d0/  (20 to upload)",
        "    20      2.0 KiB  d1/  (20 to upload)",
        "    20      2.0 KiB  d2/  (20 to upload)",
        "     1      2.9 KiB  (in no folder)  (1 to download)",
        "  each of the 61 by itself: ubiops-file-sync plan models --all",
        "  60 to upload, 1 to download",
        "  5.9 KiB up, 2.9 KiB down; a pass takes 63 API calls at most",
    ]


@pytest.mark.parametrize("option", ["--all", "-v"])
def test_a_large_plan_in_full_is_to_be_had(shell: Shell, option: str) -> None:
    shell.profile()
    many(shell, 60)
    assert shell("plan", option).stdout.count("(new here, absent from the bucket)") == 60


def test_programs_get_it_in_full(shell: Shell) -> None:
    shell.profile()
    many(shell, 60)
    (profile,) = shell.json("plan")["profiles"]
    assert len(profile["actions"]) == 60


def test_many_problems_are_shown_up_to_fifty(shell: Shell) -> None:
    shell.profile()
    for n in range(60):
        shell.server.put_object(f"data/{n:02}/../x", b"1")
    done = shell("reconcile")
    assert done.stdout.count("  problem: ") == 50
    assert done.stdout.endswith("  and 10 more problems; -v shows more of them\n")
    assert shell("reconcile", "-v").stdout.count("  problem: ") == 60


# -- errors for programs --------------------------------------------------------------------------


def test_whoever_reads_json_gets_json_of_a_command_that_failed_as_a_whole(shell: Shell) -> None:
    shell.config("profiles: [")
    done = shell("reconcile", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["version"], told["exit_code"]) == (78, 1, 78)
    assert "ubiops-file-sync.yaml" in told["error"]
    assert done.stderr.startswith("error: ")


def test_restore_tells_programs_what_it_did(shell: Shell) -> None:
    shell.profile()
    (shell.files / "a").write_bytes(b"old")
    shell("reconcile")
    shell.server.put_object("data/a", b"newer")
    shell("reconcile")
    told = shell.json("restore", "a", "--to", "copy")
    assert (told["version"], told["done"], told["target"]) == (1, "copied", "copy")
    told = shell.json("restore", "a")
    assert (told["done"], told["restored"]["size"]) == ("put-back", 3)
    assert told["kept_under"] is not None
