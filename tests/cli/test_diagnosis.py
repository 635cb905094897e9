"""`doctor`: each thing that may keep a profile from its work is found, and has its remedy."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Shell
from service.processes import Place
from ubiops_file_sync.emulator import BucketServer, Role
from ubiops_file_sync.store import profile_lock

WEEK_S = 7 * 86_400


def tree(folder: Path) -> dict[str, object]:
    return {
        str(path.relative_to(folder)): path.is_file()
        and (path.stat().st_mode, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
    }


def found(told: dict[str, Any], check: str, profile: str | None = "models") -> list[dict[str, Any]]:
    return [one for one in told["findings"] if (one["check"], one["profile"]) == (check, profile)]


def only(told: dict[str, Any], check: str, profile: str | None = "models") -> dict[str, Any]:
    [one] = found(told, check, profile)
    return one


def test_all_is_well_in_five_calls_and_nothing_is_left_of_the_look(shell: Shell) -> None:
    shell.profile()
    (shell.files / "mine.txt").write_bytes(b"1")
    shell.server.put_object("data/theirs.txt", b"2")
    shell.server.quota.limit = 300
    before = tree(shell.cwd), shell.server.objects()
    shell.server.reset_calls()
    done = shell("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert (tree(shell.cwd), shell.server.objects()) == before
    assert shell.server.calls.api_count == 5
    lines = done.stdout.splitlines()
    assert lines[-1].endswith(" ok, 0 warnings, 0 problems; 5 API calls")
    assert "models:" in lines
    for start in (
        "configuration: ",
        "state: ",
        "service: none runs",
        "token: environment variable UBIOPS_API_TOKEN",
        "bucket: demo/default (amazon_s3) keeps its files; there are files in data/",
        "role: the token may read, write and delete (as files-writer)",
        "clock: as UbiOps has it",
        "quota: 29",
        "directory: ",
        "disk: ",
        "file system: ",
        "state: no pass yet",
    ):
        assert any(line.startswith(f"  ok       {start}") for line in lines), start


def test_a_program_is_told_the_same(shell: Shell) -> None:
    shell.profile()
    told = shell.json("doctor")
    assert (told["version"], told["exit_code"], told["api_calls"]) == (1, 0, 5)
    assert only(told, "role") == {
        "check": "role",
        "level": "ok",
        "words": "the token may read, write and delete (as files-writer): enough for direction "
        "two-way, deletions none",
        "remedy": "",
        "exit_code": 0,
        "profile": "models",
    }


def test_profiles_that_share_bucket_and_token_cost_no_more_calls(shell: Shell) -> None:
    shell.profiles(a="{local_dir: files, bucket_dir: a}", b="{local_dir: other, bucket_dir: b}")
    told = shell.json("doctor")
    assert (told["exit_code"], told["api_calls"]) == (0, 5)
    assert "of which no two meet" in only(told, "configuration", None)["words"]
    assert only(told, "role", "b")["level"] == "ok"
    assert not found(shell.json("doctor", "b"), "role", "a")


@pytest.mark.parametrize(
    ("role", "settings", "code", "words", "remedy"),
    [
        (Role.WRITER, {"deletions": "both"}, 0, "may read, write and delete", ""),
        (Role.WRITER, {"direction": "download"}, 0, "may read, write and delete", "only read"),
        (Role.READER, {"direction": "download"}, 0, "may read, and not write", ""),
        (Role.READER, {"direction": "download", "deletions": "both"}, 0, "(as files-reader)", ""),
        (Role.READER, {}, 3, "may not write, and 'direction: two-way' needs", "files-writer"),
        (Role.READER, {"direction": "upload"}, 3, "may not write", "'direction: download'"),
        (Role.RESTRICTED_READER, {"direction": "download"}, 3, "may not list", "files-reader"),
    ],
)
def test_the_role_is_found_by_asking_and_held_against_the_profile(
    shell: Shell, role: Role, settings: dict[str, str], code: int, words: str, remedy: str
) -> None:
    shell.server.tokens["other-token"] = role
    shell.env["UBIOPS_API_TOKEN"] = "other-token"
    shell.profile(**settings)
    told = shell.json("doctor")
    assert told["exit_code"] == code
    one = found(told, "role")[0]
    assert words in one["words"]
    assert (remedy in one["remedy"]) is True
    assert not remedy or one["remedy"]
    assert shell.server.objects() == {}


def test_deleting_needs_a_right_of_its_own(shell: Shell) -> None:
    shell.server.tokens["other-token"] = Role.READER
    shell.env["UBIOPS_API_TOKEN"] = "other-token"
    shell.profile(deletions="to_bucket")
    done = shell("doctor")
    assert done.returncode == 3
    assert "may not delete, and 'deletions: to_bucket' needs that" in done.stdout
    assert "so: give it the role files-writer, or set 'deletions: none'" in done.stdout


def test_a_token_that_nobody_knows(shell: Shell) -> None:
    shell.profile()
    shell.env["UBIOPS_API_TOKEN"] = "nobodys-token"
    done = shell("doctor")
    assert done.returncode == 3
    assert "problem  UbiOps: UbiOps at http://127.0.0.1" in done.stdout
    assert "does not know the token (environment variable UBIOPS_API_TOKEN)" in done.stdout
    assert "so: check that it is complete, not expired" in done.stdout
    assert "nobodys-token" not in done.stdout + done.stderr
    # What is on this machine is looked at all the same.
    assert "directory: " in done.stdout


def test_a_bucket_that_is_not_there_and_a_host_that_is_not(shell: Shell) -> None:
    shell.profile(bucket="nope")
    done = shell("doctor")
    assert done.returncode == 3
    assert "there is no bucket 'nope' in project 'demo'" in done.stdout
    shell.profile(api_host="http://127.0.0.1:1")
    done = shell("doctor")
    assert done.returncode == 3
    assert "no connection to http://127.0.0.1:1" in done.stdout


def test_no_token_and_no_configuration(shell: Shell) -> None:
    path = shell.profile()
    del shell.env["UBIOPS_API_TOKEN"]
    done = shell("doctor")
    assert done.returncode == 78
    assert "problem  token: environment variable UBIOPS_API_TOKEN is not set" in done.stdout
    shell.config("profiles: {models: {local_dir: files}}\n")
    done = shell("doctor")
    assert done.returncode == 78
    assert f"problem  configuration: {path}:1: profiles.models.project: is missing" in done.stdout
    assert "so: add it here or under defaults" in done.stdout
    path.unlink()
    done = shell("doctor")
    assert done.returncode == 78
    assert "so: ubiops-file-sync init" in done.stdout


def test_profiles_that_meet_are_told(shell: Shell) -> None:
    shell.profiles(a="{local_dir: files, bucket_dir: a}", b="{local_dir: files, bucket_dir: b}")
    done = shell("doctor")
    assert done.returncode == 78
    assert "its local_dir is that of profile 'a'" in done.stdout


def test_clocks_that_are_apart(shell: Shell) -> None:
    shell.profile()
    shell.server.clock.offset_s = 20
    assert "behind that of UbiOps; passes reckon" in only(shell.json("doctor"), "clock")["words"]
    shell.server.clock.offset_s = -3600
    one = only(shell.json("doctor"), "clock")
    assert one["level"] == "warning"
    assert "ahead of that of UbiOps, more than max_skew" in one["words"]
    assert "timedatectl set-ntp true" in one["remedy"]


def test_a_quota_that_others_use_up(shell: Shell) -> None:
    shell.profile()
    shell.server.quota.limit = 60
    shell.server.reset_calls()
    for _ in range(50):
        shell.server.quota.take("127.0.0.1")
    one = only(shell.json("doctor"), "quota")
    assert one["level"] == "warning"
    assert " of 60 API calls left" in one["words"]
    assert "other programs behind this address" in one["remedy"]


def test_a_ttl_is_told_and_held_against_refresh_before(shell: Shell) -> None:
    shell.profile()
    shell.server.set_ttl(4 * WEEK_S)
    assert "removes files 28 d after" in only(shell.json("doctor"), "bucket")["words"]
    shell.profile(refresh_before="28d")
    one = only(shell.json("doctor"), "bucket")
    assert (one["level"], "each pass sends every file again" in one["words"]) == ("warning", True)


def test_a_directory_that_is_not_there(shell: Shell) -> None:
    shell.profile(local_dir="new")
    assert "the first pass makes it" in only(shell.json("doctor"), "directory")["words"]
    for settings in ({"local_dir": "a/b"}, {"local_dir": "new", "direction": "upload"}):
        shell.profile(**settings)
        told = shell.json("doctor")
        one = only(told, "directory")
        assert (told["exit_code"], one["level"]) == (1, "problem")
        assert one["remedy"] == f"mkdir -p {shell.cwd / settings['local_dir']}"
    assert not (shell.cwd / "new").exists()


def test_a_directory_that_is_a_file(shell: Shell) -> None:
    (shell.cwd / "file").write_text("")
    shell.profile(local_dir="file")
    done = shell("doctor")
    assert done.returncode == 1
    assert "problem  directory: `local_dir`" in done.stdout


@contextmanager
def mounted(place: Path, *words: str) -> Iterator[Path]:
    """A small file system of the test's own."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can make a file system")
    place.mkdir(exist_ok=True)
    done = subprocess.run(["mount", *words, str(place)], check=False, capture_output=True)
    if done.returncode != 0:
        pytest.skip("mounting is not allowed here")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_file_system_that_is_read_only_in_memory_and_full(shell: Shell) -> None:
    with mounted(shell.cwd / "small", "-t", "tmpfs", "-o", "size=256k,nr_inodes=40", "tmpfs"):
        shell.profile(local_dir="small", min_free="1MiB")
        told = shell.json("doctor")
        assert told["exit_code"] == 1
        assert "less than min_free" in only(told, "disk")["words"]
        assert "in memory (tmpfs)" in found(told, "file system")[0]["words"]
        shell.profile(local_dir="small")
        assert "more files only" in only(shell.json("doctor"), "disk")["words"]
        (shell.cwd / "small" / "big").write_bytes(bytes(250 * 1024))
        assert "nearly full" in only(shell.json("doctor"), "disk")["words"]
        subprocess.run(["mount", "-o", "remount,ro", str(shell.cwd / "small")], check=True)
        told = shell.json("doctor")
        assert told["exit_code"] == 1
        assert only(told, "directory")["level"] == "problem"
        assert "is mounted read-only" in found(told, "file system")[0]["words"]
        shell.profile(local_dir="small", direction="upload")
        assert only(shell.json("doctor"), "directory")["level"] == "ok"


def test_a_disk_that_is_mounted_below(shell: Shell) -> None:
    shell.profile()
    with mounted(shell.files / "inner", "-t", "tmpfs", "tmpfs"):
        one = found(shell.json("doctor"), "file system")[0]
    assert f"another disk is mounted at {shell.files / 'inner'}" in one["words"]


def test_a_file_system_with_coarse_times(shell: Shell) -> None:
    if shutil.which("mkfs.ext4") is None:
        pytest.skip("mkfs.ext4 is not installed")
    image = shell.cwd / "image"
    with image.open("wb") as file:
        file.truncate(8 << 20)
    # Without room for the fractions of a second.
    subprocess.run(["mkfs.ext4", "-q", "-I", "128", str(image)], check=True, capture_output=True)
    with mounted(shell.cwd / "old", "-o", "loop", str(image)):
        shell.profile(local_dir="old")
        one = found(shell.json("doctor"), "file system")[0]
        assert not (shell.cwd / "old" / ".ubiops-sync").exists()
    assert (one["level"], one["words"][:28]) == ("warning", "it keeps times to 1 s only: ")
    assert "set 'settle' to more than 1 s" in one["remedy"]


def test_a_marker_that_is_missing(shell: Shell) -> None:
    shell.profile(marker=".mounted")
    told = shell.json("doctor")
    one = only(told, "marker")
    assert (told["exit_code"], one["level"]) == (1, "problem")
    assert one["remedy"].endswith(f"touch {shell.files / '.mounted'}")
    (shell.files / ".mounted").touch()
    assert only(shell.json("doctor"), "marker")["level"] == "ok"


def test_a_state_that_is_damaged_is_found_before_a_pass_meets_it(shell: Shell) -> None:
    shell.profile()
    for number in range(400):
        (shell.files / f"a-file-with-a-rather-long-name-{number}").write_bytes(b"1")
    assert shell("reconcile").returncode == 0
    assert "whole; 400 files in step" in only(shell.json("doctor"), "state")["words"]
    path = shell.cwd / "state" / "models.sqlite"
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(os.urandom(8192))
    damaged = path.read_bytes()
    told = shell.json("doctor")
    one = only(told, "state")
    assert (one["level"], told["exit_code"] in {1, 78}) == ("problem", True)
    assert "the next pass then compares both sides by content" in one["words"] + one["remedy"]
    assert path.read_bytes() == damaged
    path.rename(path.with_suffix(".damaged"))
    assert shell("reconcile").returncode == 0


def test_a_state_of_other_places(shell: Shell) -> None:
    shell.profile()
    (shell.files / "a").write_bytes(b"1")
    shell("reconcile")
    shell.profile(bucket_dir="elsewhere")
    told = shell.json("doctor")
    one = only(told, "state")
    assert (told["exit_code"], one["level"]) == (1, "problem")
    assert "--allow other-places" in one["remedy"]


def test_a_state_folder_that_others_may_read_and_one_that_is_a_file(shell: Shell) -> None:
    shell.profile()
    shell("reconcile")
    state = shell.cwd / "state"
    state.chmod(0o755)
    one = only(shell.json("doctor"), "state", None)
    assert (one["level"], one["remedy"]) == ("warning", f"chmod 700 {state}")
    shutil.rmtree(state)
    state.write_text("")
    told = shell.json("doctor")
    assert told["exit_code"] == 1
    assert "cannot be read (not a directory)" in only(told, "state", None)["words"]


def test_a_state_of_another_name_that_is_about_the_same_directory(shell: Shell) -> None:
    path = shell.profile()
    (shell.files / "a").write_bytes(b"1")
    shell("reconcile")
    path.write_text(path.read_text().replace("  models:", "  renamed:"))
    warned, named = found(shell.json("doctor"), "state", None)[1:]
    assert "a state 'models'" in warned["words"]
    assert "about the directory of profile 'renamed'" in warned["words"]
    assert warned["remedy"].endswith(f"rm {shell.cwd / 'state' / 'models.sqlite'}")
    assert "1 state of other configurations" in named["words"]


def test_a_pass_under_way_is_left_in_peace(shell: Shell) -> None:
    shell.profile()
    shell("reconcile")
    with profile_lock(shell.cwd / "state", "models"):
        told = shell.json("doctor")
    assert f"in use by process {os.getpid()}" in only(told, "state")["words"]
    assert "nothing was tried out beside it" in only(told, "file system")["words"]


def test_a_pass_that_was_cut_short_is_told(shell: Shell) -> None:
    shell.profile()
    (shell.files / "a").write_bytes(b"1")
    shell("reconcile")
    path = shell.cwd / "state" / "models.sqlite"
    script = (
        "import os, sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None); "
        "db.execute('PRAGMA cache_spill = 1'); db.execute('PRAGMA cache_size = 1'); "
        "db.execute('BEGIN'); db.execute('CREATE TABLE big (x)'); "
        "[db.execute('INSERT INTO big VALUES (randomblob(4000))') for _ in range(50)]; os._exit(9)"
    )
    subprocess.run(["python3", "-c", script, str(path)], check=False)
    assert path.with_name("models.sqlite-journal").exists()
    told = shell.json("doctor")
    assert "a pass was cut short" in only(told, "state")["words"]
    assert path.with_name("models.sqlite-journal").exists(), "a look changes nothing"
    with closing(sqlite3.connect(path)) as db:
        assert not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'big'").fetchall()


def systemctl(shell: Shell, **answers: int) -> None:
    """A systemd whose unit is as the test wants it: no machine's real one is changed for a test."""
    folder = shell.cwd / "bin"
    folder.mkdir(exist_ok=True)
    cases = "".join(
        f"  *{name.replace('_', '-')}*) exit {code};;\n" for name, code in answers.items()
    )
    program = folder / "systemctl"
    program.write_text(f'#!/bin/sh\ncase "$*" in\n  *--user*) exit 1;;\n{cases}esac\nexit 1\n')
    program.chmod(0o755)
    shell.env["PATH"] = f"{folder}:{os.environ['PATH']}"


def test_a_service_that_is_enabled_and_does_not_run(shell: Shell) -> None:
    shell.profile()
    systemctl(shell, is_enabled=0, is_active=3)
    told = shell.json("doctor")
    one = only(told, "service", None)
    assert (told["exit_code"], one["level"]) == (1, "problem")
    assert "systemctl status ubiops-file-sync.service" in one["remedy"]
    systemctl(shell, is_enabled=0, is_active=0)
    one = only(shell.json("doctor"), "service", None)
    assert "another configuration or state folder" in one["remedy"]


def test_a_profile_that_a_timer_runs_needs_no_service(shell: Shell) -> None:
    shell.profile()
    systemctl(shell, **{"models.timer": 0})
    one = only(shell.json("doctor"), "service", None)
    assert (one["level"], one["words"]) == ("ok", "none runs over this state; timers run models")


def test_a_service_that_runs_and_does_not_run_everything(tmp_path: Path) -> None:
    with BucketServer(tmp_path / "server", rate_limit=None) as server:
        place = Place(server, tmp_path)
        place.configure(p={}, q={}, r={"enabled": False})
        with place.service("p") as service:
            service.hears("READY=1")
            done = place.command("doctor")
            assert done.returncode == 0, done.stdout
            assert f"ok       service: process {service.process.pid} since " in done.stdout
            assert "warning  service: it does not run profile q" in done.stdout
            assert "profile r" not in done.stdout
            assert place.command("pause", "p").returncode == 0
            assert "so: ubiops-file-sync resume p" in place.command("doctor").stdout


def test_prefix_is_for_the_contract_alone(shell: Shell) -> None:
    shell.profile()
    done = shell("doctor", "--prefix", "x")
    assert (done.returncode, "--prefix goes with --contract" in done.stderr) == (2, True)
