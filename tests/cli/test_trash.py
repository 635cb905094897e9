"""`trash`, `restore` and `undo` as a user types them."""

from __future__ import annotations

import json
import os
import pty
import random
import re
import subprocess
import time
from pathlib import Path

import pytest

from cli.conftest import COMMAND, SAME_PACKAGE, Shell
from ubiops_file_sync.store import profile_lock

TRASH = ".ubiops-sync/trash"
PASS = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")


def environment(shell: Shell) -> dict[str, str]:
    """What a command finds in its environment that is not run by the shell itself."""
    given = {"PATH": os.environ["PATH"], "PYTHONPATH": SAME_PACKAGE, "HOME": str(shell.cwd)}
    return given | shell.env


def replaced(shell: Shell, **contents: bytes) -> str:
    """Files in step, then replaced from the bucket. Returns the id of the pass that did it."""
    for key, content in contents.items():
        (shell.files / key).write_bytes(content)
    assert shell("reconcile").returncode == 0
    for key, content in contents.items():
        shell.server.put_object(f"data/{key}", b"new " + content)
    (told,) = shell.json("reconcile")["profiles"]
    return str(told["pass_id"])


def content(shell: Shell, key: str) -> bytes:
    return (shell.files / key).read_bytes()


def bucket(shell: Shell) -> dict[str, bytes]:
    return {key: shell.server.read_object(key) for key in shell.server.objects("data/")}


# -- trash list ------------------------------------------------------------------------------------


def test_an_empty_trash_is_said_to_be(shell: Shell) -> None:
    shell.profile()
    done = shell("trash", "list")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "models: no versions in the trash\n"
    assert list(shell.files.iterdir()) == []


def test_versions_are_listed_newest_first(shell: Shell) -> None:
    shell.profile()
    first = replaced(shell, a=b"1" * 1500, b=b"2")
    second = replaced(shell, a=b"3")
    done = shell("trash", "list")
    assert done.returncode == 0, done.stderr
    assert PASS.findall(done.stdout) == [second, first]
    lines = done.stdout.splitlines()
    assert re.fullmatch(rf"pass {second}, \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC", lines[0])
    assert re.match(r" +1 byte +a  \(last changed \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\)", lines[1])
    assert re.match(r" +1.5 KiB +a ", lines[3])
    assert lines[-1].startswith("models: 3 versions, 1.5 KiB; kept for 30 days")
    told = shell.json("trash", "list", "b")
    assert (told["version"], told["exit_code"]) == (1, 0)
    (profile,) = told["profiles"]
    (version,) = profile["versions"]
    assert (version["key"], version["size"], version["pass_id"]) == ("b", 1, first)
    assert (shell.files / version["path"]).read_bytes() == b"2"


def test_names_cannot_play_tricks_on_a_terminal(shell: Shell) -> None:
    shell.profile()
    replaced(shell, **{"\x1b[31mred\n": b"1"})
    done = shell("trash", "list")
    assert "\x1b" not in done.stdout
    assert "\\x1b[31mred\\n" in done.stdout
    back = shell("restore", "\x1b[31mred\n")
    assert back.returncode == 0, back.stderr
    assert "\x1b" not in back.stdout
    assert content(shell, "\x1b[31mred\n") == b"1"


def two_profiles(shell: Shell) -> None:
    shell.profiles(
        one="{local_dir: files, bucket_dir: data}", two="{local_dir: other, bucket_dir: w}"
    )
    for place, folder in (("data", shell.files), ("w", shell.cwd / "other")):
        (folder / "a").write_bytes(b"old")
        assert shell("reconcile").returncode == 0
        shell.server.put_object(f"{place}/a", b"new, and longer")
        assert shell("reconcile").returncode == 0
    (shell.files / "b").write_bytes(b"b")


def test_several_profiles_are_named_and_told_apart(shell: Shell) -> None:
    two_profiles(shell)
    done = shell("trash", "list")
    assert f"one: {shell.files}\n" in done.stdout
    assert f"two: {shell.cwd}/other\n" in done.stdout
    assert "one: 1 version, " in done.stdout
    only = shell("trash", "list", "--profile", "two")
    assert "one" not in only.stdout
    unclear = shell("restore", "a")
    assert unclear.returncode == 2
    assert "several profiles have a version of a: one, two; say which" in unclear.stderr
    assert shell("restore", "a", "--profile", "two").returncode == 0
    assert (shell.cwd / "other/a").read_bytes() == b"old"
    assert content(shell, "a") == b"new, and longer"
    assert shell("trash", "list", "--profile", "tow").returncode == 2


def test_a_profile_that_cannot_be_read_does_not_hide_another_s_versions(shell: Shell) -> None:
    two_profiles(shell)
    (shell.cwd / "other").rename(shell.cwd / "unmounted")
    done = shell("trash", "list")
    assert done.returncode == 4
    assert "one: 1 version" in done.stdout
    assert "'two'" in done.stderr
    back = shell("restore", "a")
    assert back.returncode == 0
    assert "warning: profile 'two'" in back.stderr
    assert content(shell, "a") == b"old"


# -- restore ---------------------------------------------------------------------------------------


def test_the_newest_version_comes_back_and_goes_to_the_bucket(shell: Shell) -> None:
    shell.profile()
    replaced(shell, a=b"oldest")
    last = replaced(shell, a=b"old")
    done = shell("restore", "a")
    assert done.returncode == 0, done.stderr
    assert "models: put back a (3 bytes, last changed 20" in done.stdout
    assert f"from pass {last}" in done.stdout
    assert "the next `reconcile` carries this to the bucket" in done.stdout
    assert content(shell, "a") == b"old"
    assert "1 uploaded" in shell("reconcile").stdout
    assert bucket(shell) == {"data/a": b"old"}
    assert "nothing to do" in shell("reconcile").stdout
    assert shell("plan", "--detailed-exitcode").returncode == 0


def test_an_older_version_comes_back_by_its_pass(shell: Shell) -> None:
    shell.profile()
    first = replaced(shell, a=b"oldest", b=b"b")
    second = replaced(shell, b=b"bb")
    assert shell("restore", "a", "--pass", first).returncode == 0
    assert content(shell, "a") == b"oldest"
    for unknown in (second, "nonsense", "../.."):
        done = shell("restore", "a", "--pass", unknown)
        assert done.returncode == 2
        assert "has no version of a" in done.stderr
        assert first in done.stderr
    none = shell("restore", "c")
    assert none.returncode == 2
    assert "no version of c" in none.stderr


def test_a_copy_is_written_below_the_current_folder_and_never_over_a_file(shell: Shell) -> None:
    shell.profile()
    replaced(shell, a=b"old")
    os.utime(next((shell.files / TRASH).glob("*/a")), (1e9, 1e9))
    assert "copied a" in shell("restore", "a", "--to", "copy").stdout
    assert (shell.cwd / "copy").read_bytes() == b"old"
    assert (shell.cwd / "copy").stat().st_mtime == 1e9
    again = shell("restore", "a", "--to", "copy")
    assert again.returncode == 2
    assert "exists already" in again.stderr
    (shell.cwd / "folder").mkdir()
    assert shell("restore", "a", "--to", "folder").returncode == 0
    assert (shell.cwd / "folder/a").read_bytes() == b"old"
    assert shell("restore", "a", "--to", "none/copy").returncode == 2
    assert content(shell, "a") == b"new old"
    assert [path.name for path in shell.cwd.iterdir() if path.name.startswith(".")] == []


def test_what_holds_that_content_already_is_left(shell: Shell) -> None:
    shell.profile()
    replaced(shell, a=b"old")
    assert shell("restore", "a").returncode == 0
    version = PASS.findall(shell("trash", "list").stdout)[-1]
    done = shell("restore", "a", "--pass", version)
    assert done.returncode == 0
    assert "nothing was changed" in done.stdout


def test_a_profile_that_is_busy_or_a_place_that_is_taken_refuses(shell: Shell) -> None:
    shell.profile()
    pass_id = replaced(shell, a=b"old")
    with profile_lock(shell.cwd / "state", "models"):
        assert shell("restore", "a").returncode == 5
        assert shell("undo", pass_id, "--yes").returncode == 5
        assert shell("undo", pass_id, "--dry-run").returncode == 0
    assert content(shell, "a") == b"new old"
    (shell.files / "a").unlink()
    (shell.files / "a").mkdir()
    done = shell("restore", "a")
    assert done.returncode == 1
    assert "a was not put back: a folder of that name stands here" in done.stderr


def test_a_download_profile_is_told_what_becomes_of_it(shell: Shell) -> None:
    shell.profile()
    replaced(shell, a=b"old")
    shell.profile(direction="download")
    done = shell("restore", "a")
    assert "it stays here, and the bucket is left as it is" in done.stdout
    shell("reconcile")
    assert content(shell, "a") == b"old"
    shell.profile(direction="download", conflict="remote-wins")
    shell("restore", "a")
    assert "attention" in shell("restore", "a").stdout
    shell("reconcile")
    assert content(shell, "a") == b"new old"


# -- undo ------------------------------------------------------------------------------------------


def test_an_undo_shows_its_plan_does_it_and_says_how_to_take_it_back(shell: Shell) -> None:
    shell.profile()
    pass_id = replaced(shell, a=b"1", b=b"2", c=b"3")
    (shell.files / "b").unlink()
    (shell.files / "c").write_bytes(b"an hour of work")
    dry = shell("undo", pass_id, "--dry-run")
    assert dry.returncode == 0
    assert "put back   a  (5 bytes -> 1 byte)" in dry.stdout
    assert "put back   b  (deleted since -> 1 byte)" in dry.stdout
    assert "skip       c  (15 bytes -> 1 byte; edited since)" in dry.stdout
    assert "newly created, if any, are not removed" in dry.stdout
    assert content(shell, "a") == b"new 1"
    done = shell("undo", pass_id, "--yes")
    assert done.returncode == 1, "c is not as it was"
    assert "models: 2 put back, 1 skipped" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("  the next `reconcile` carries this")
    assert [content(shell, key) for key in "abc"] == [b"1", b"2", b"an hour of work"]
    taking_back = re.search(r"to take that back: ubiops-file-sync undo (\S+)", done.stdout)
    assert taking_back is not None
    assert shell("undo", taking_back[1], "--yes").returncode == 0
    assert content(shell, "a") == b"new 1"
    forced = shell("undo", pass_id, "--yes", "--force", "--json")
    told = json.loads(forced.stdout)
    assert forced.returncode == told["exit_code"] == 0
    assert told["counts"] == {"put-back": 2, "as-then": 1}
    assert [step["fate"] for step in told["keys"]] == ["put-back", "as-then", "put-back"]
    assert told["keys"][2]["now"]["size"] == 15
    assert PASS.fullmatch(told["kept_under"])
    assert "3 uploaded" in shell("reconcile").stdout
    assert bucket(shell) == {"data/a": b"1", "data/b": b"2", "data/c": b"3"}
    assert "nothing to do" in shell("reconcile").stdout
    nothing = shell("undo", pass_id, "--yes")
    assert nothing.returncode == 0
    assert nothing.stdout.endswith("nothing was changed\n")


def test_without_a_terminal_an_undo_wants_to_be_sure(shell: Shell) -> None:
    shell.profile()
    pass_id = replaced(shell, a=b"1")
    for words in ((), ("--json",)):
        done = shell("undo", pass_id, *words, stdin=subprocess.DEVNULL)
        assert done.returncode == 2
        assert "give --yes" in done.stderr
    assert content(shell, "a") == b"new 1"


@pytest.mark.parametrize(("answer", "code", "expected"), [("n", 1, b"new 1"), ("y", 0, b"1")])
def test_on_a_terminal_it_asks(shell: Shell, answer: str, code: int, expected: bytes) -> None:
    shell.profile()
    pass_id = replaced(shell, a=b"1")
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "undo", pass_id],
        cwd=shell.cwd,
        env=environment(shell),
        stdin=terminal,
        stdout=subprocess.PIPE,
        text=True,
    )
    os.close(terminal)
    os.write(controller, f"{answer}\n".encode())
    told, _ = process.communicate(timeout=60)
    os.close(controller)
    assert "Put them back? [y/N]" in told
    assert process.returncode == code
    assert content(shell, "a") == expected


def test_an_unknown_pass_is_answered_by_the_known_ones(shell: Shell) -> None:
    shell.profile()
    empty = shell("undo", "20200101T000000Z-000000", "--yes")
    assert (empty.returncode, "nothing to put back" in empty.stderr) == (2, True)
    first = replaced(shell, a=b"1")
    second = replaced(shell, a=b"2")
    for unknown in ("20200101T000000Z-000000", "..", "x\x1b[31m"):
        done = shell("undo", unknown, "--yes")
        assert done.returncode == 2
        assert PASS.findall(done.stderr)[-2:] == [second, first]
        assert "\x1b" not in done.stderr


def test_links_planted_in_the_trash_lead_nowhere(shell: Shell, tmp_path: Path) -> None:
    shell.profile(trash="{keep_days: 0}")
    pass_id = replaced(shell, a=b"1")
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "file").write_bytes(b"not for the bucket")
    (shell.files / TRASH / pass_id / "b").symlink_to(secret)
    (shell.files / TRASH / pass_id / "c").symlink_to(secret / "file")
    assert "1 version," in shell("trash", "list").stdout
    for key in ("b/file", "c"):
        assert shell("restore", key).returncode == 2
        assert shell("restore", key, "--to", "copy").returncode == 2
    assert shell("undo", pass_id, "--yes").returncode == 0
    assert sorted(path.name for path in shell.files.iterdir()) == [".ubiops-sync", "a"]
    time.sleep(1.1)  # ids of passes have whole seconds, and the undo's own must be past
    assert shell("reconcile").returncode == 0
    assert list((shell.files / TRASH).iterdir()) == []
    assert (secret / "file").read_bytes() == b"not for the bucket"


def test_a_trash_that_is_a_link_is_refused(shell: Shell, tmp_path: Path) -> None:
    shell.profile()
    (tmp_path / "outside").mkdir()
    (shell.files / ".ubiops-sync").mkdir()
    (shell.files / TRASH).symlink_to(tmp_path / "outside")
    done = shell("trash", "list")
    assert done.returncode == 1
    assert "is a file or a link, not a folder" in done.stderr


@pytest.mark.parametrize("seed", range(4))
def test_an_undo_killed_at_any_moment_is_done_by_running_it_again(shell: Shell, seed: int) -> None:
    shell.profile()
    contents = {f"f{n:03}": b"%d " % n * 40_000 for n in range(60)}
    pass_id = replaced(shell, **contents)
    process = subprocess.Popen(
        [*COMMAND, "undo", pass_id, "--yes"],
        cwd=shell.cwd,
        env=environment(shell),
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(random.Random(seed).random() * 0.2)
    process.kill()
    process.communicate()
    trash = shell.files / TRASH
    for key, old in contents.items():
        assert content(shell, key) in {old, b"new " + old}
        kept = {content(shell, key), *(path.read_bytes() for path in trash.glob(f"*/{key}"))}
        assert kept == {old, b"new " + old}
    assert shell("undo", pass_id, "--yes").returncode == 0
    assert {key: content(shell, key) for key in contents} == contents
    assert list((shell.files / ".ubiops-sync/tmp").iterdir()) == []
    assert "--allow everything-changed" in shell("reconcile").stderr
    assert shell("reconcile", "--allow", "everything-changed").returncode == 0
    assert bucket(shell) == {f"data/{key}": old for key, old in contents.items()}
