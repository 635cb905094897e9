"""`support-bundle` as a user types it: private, without secrets, and to be replayed."""

from __future__ import annotations

import io
import json
import re
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Shell
from no_secrets import watch
from ubiops_file_sync.emulator import Fault

SECRET = "3f786850e387550fdab836ed7e6dc881de23001b"


def texts(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def document(path: Path, name: str) -> Any:
    return json.loads(texts(path)[name])


@pytest.fixture
def troubled(shell: Shell) -> Shell:
    """A profile whose last pass could not take one file, with a log and a hook."""
    path = shell.profile(on_failure="curl https://hooks.example.com/very-secret")
    path.write_text(path.read_text() + "log: {file: log/sync.log}\n")
    (shell.files / "weights").mkdir()
    (shell.files / "weights" / "mine.bin").write_bytes(b"the content of a file")
    shell.server.put_object("data/weights/theirs.bin", b"the content of another")
    shell.server.put_object("data/a//odd", b"1")
    shell.server.faults.add(Fault("sign_upload", "status", code=400, times=None))
    assert shell("reconcile").returncode == 1
    shell.server.faults.clear()
    return shell


def test_it_holds_what_somebody_needs_and_only_its_owner_may_read_it(troubled: Shell) -> None:
    done = troubled("support-bundle", "for-them.zip")
    assert (done.returncode, done.stdout) == (0, "for-them.zip\n"), done.stderr
    path = troubled.cwd / "for-them.zip"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    files = texts(path)
    assert set(files) == {
        "README.txt",
        "versions.json",
        "configuration.yaml",
        "doctor.json",
        "service.json",
        "log.txt",
        "journal.txt",
        "profiles/models/decisions.json",
        "profiles/models/undecided.json",
        "profiles/models/status.json",
        "profiles/models/history.json",
    }
    assert document(path, "versions.json")["packages"]["pydantic"]
    assert "# ubiops-file-sync.yaml:" in files["configuration.yaml"]
    [history] = document(path, "profiles/models/history.json")
    assert history["exit_code"] == 1
    assert document(path, "profiles/models/status.json")["is_in_step"] is False
    assert {"role", "directory", "state"} <= {one["check"] for one in document(path, "doctor.json")}
    assert "models" in files["log.txt"]
    [record] = document(path, "profiles/models/decisions.json")
    assert (record["key"], record["verdict"]["reason"]) == ("weights/mine.bin", "new_local")
    assert record["local"]["size"] == len(b"the content of a file")
    [undecided] = document(path, "profiles/models/undecided.json")
    assert undecided["key"] == "a//odd"


def test_no_secret_and_no_content_is_in_it(troubled: Shell) -> None:
    log = troubled.cwd / "log" / "sync.log"
    with log.open("a") as file:
        file.write("PUT https://bucket.example.com/k?X-Amz-Signature=abcdef0123456789&x=1\n")
        file.write(f"somebody wrote {troubled.server.token} here\n")
    troubled("support-bundle", "for-them.zip", "--key", "weights/theirs.bin")
    for name, text in texts(troubled.cwd / "for-them.zip").items():
        assert not watch.tells(text), name
        assert "abcdef0123456789" not in text, name
        assert "very-secret" not in text, name
        assert "the content of" not in text, name


def test_its_decisions_are_made_again(troubled: Shell) -> None:
    troubled("support-bundle", "for-them.zip", "--key", "weights/theirs.bin")
    troubled.server.stop()
    elsewhere = troubled.cwd / "elsewhere"
    elsewhere.mkdir()
    path = troubled.cwd / "for-them.zip"
    done = troubled("support-bundle", "--replay", str(path))
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("models: weights/theirs.bin: ")
    assert "  made again: the same" in lines
    assert lines[-1] == "2 the same, 0 different"
    troubled.server.start()


def test_a_decision_that_comes_out_otherwise_is_shown(troubled: Shell) -> None:
    troubled("support-bundle", "for-them.zip")
    path, forged = troubled.cwd / "for-them.zip", troubled.cwd / "forged.zip"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(forged, "w") as new:
        new.comment = old.comment
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b'"new_local"', b'"changed_local"'))
    done = troubled("support-bundle", "--replay", "forged.zip")
    assert done.returncode == 1
    assert "made again: reason: was 'changed_local', is 'new_local'" in done.stdout
    assert done.stdout.splitlines()[-1] == "0 the same, 1 different"


def test_names_are_hashed_if_wanted(troubled: Shell) -> None:
    path = troubled.cwd / "ubiops-file-sync.yaml"
    path.write_text(path.read_text().replace("    settle: 0", "    settle: 0\n    exclude: [hush]"))
    done = troubled("support-bundle", "for-them.zip", "--hash-names", "--key", "weights/theirs.bin")
    assert done.returncode == 0, done.stderr
    files = texts(troubled.cwd / "for-them.zip")
    assert not {"log.txt", "journal.txt"} & set(files)
    for name, text in files.items():
        for word in ("weights", "mine.bin", "theirs", "odd", "hush"):
            assert word not in text, (name, word)
    decisions = json.loads(files["profiles/models/decisions.json"])
    folders = {record["key"].split("/")[0] for record in decisions}
    assert len(folders) == 1
    assert re.fullmatch("[0-9a-f]{12}", folders.pop())
    replayed = troubled("support-bundle", "--replay", "for-them.zip")
    assert replayed.stdout.splitlines()[-1] == "2 the same, 0 different"


def test_it_is_written_while_nothing_works(shell: Shell) -> None:
    shell.profile()
    shell.server.stop()
    done = shell("support-bundle", "a.zip", "--key", "x")
    assert done.returncode == 0, done.stderr
    assert "no connection" in texts(shell.cwd / "a.zip")["profiles/models/undecided.json"]
    shell.config(f"token: {SECRET}\nprofiles: {{a: {{locl_dir: x}}}}\n")
    done = shell("support-bundle", "b.zip")
    assert done.returncode == 0, done.stderr
    files = texts(shell.cwd / "b.zip")
    assert "did you mean local_dir?" in files["configuration-error.txt"]
    assert SECRET not in "".join(files.values())
    shell.server.start()


def test_nothing_is_overwritten_and_the_name_has_the_time(shell: Shell) -> None:
    shell.profile()
    (shell.cwd / "there.zip").write_text("mine")
    done = shell("support-bundle", "there.zip")
    assert (done.returncode, "is there already" in done.stderr) == (2, True)
    assert (shell.cwd / "there.zip").read_text() == "mine"
    done = shell("support-bundle", "no-such-folder/x.zip")
    assert (done.returncode, "cannot be written" in done.stderr) == (2, True)
    done = shell("support-bundle")
    assert re.fullmatch(r"ubiops-file-sync-support-\d{8}T\d{6}Z\.zip\n", done.stdout)
    assert (shell.cwd / done.stdout.strip()).is_file()


def a_zip(content: bytes, packed: int = zipfile.ZIP_STORED) -> bytes:
    """A bundle whose decisions are these bytes."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", packed) as archive:
        archive.comment = b"ubiops-file-sync support 1"
        archive.writestr("profiles/models/decisions.json", content)
    return whole.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK nonsense",
        b"{}",
        a_zip(b"\xff"),
        a_zip(b"[" * 100_000),
        a_zip(b"[]", zipfile.ZIP_BZIP2),
    ],
)
def test_what_is_no_bundle_is_refused(shell: Shell, content: bytes) -> None:
    (shell.cwd / "x.zip").write_bytes(content)
    done = shell("support-bundle", "--replay", "x.zip")
    assert done.returncode == 2
    assert "is no support bundle" in done.stderr
    done = shell("support-bundle", "--replay", "none.zip")
    assert (done.returncode, "cannot be read" in done.stderr) == (2, True)


def test_a_bundle_with_anything_else_in_it_is_refused(troubled: Shell) -> None:
    troubled("support-bundle", "for-them.zip")
    forged = troubled.cwd / "forged.zip"
    with zipfile.ZipFile(troubled.cwd / "for-them.zip") as old, zipfile.ZipFile(forged, "w") as new:
        new.comment = old.comment
        text = old.read("profiles/models/decisions.json").replace(b'"size": 21', b'"size": 1e99')
        new.writestr("profiles/models/decisions.json", text)
    done = troubled("support-bundle", "--replay", "forged.zip")
    assert (done.returncode, "is no support bundle" in done.stderr) == (2, True)


def test_replay_goes_with_nothing_else(shell: Shell) -> None:
    done = shell("support-bundle", "a.zip", "--replay", "b.zip")
    assert (done.returncode, "give it the bundle alone" in done.stderr) == (2, True)
