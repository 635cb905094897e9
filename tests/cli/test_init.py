"""`init`: on a terminal, as a person meets it; and without one, as scripts do."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jsonschema
import pexpect
import pytest

from cli.conftest import COMMAND, SAME_PACKAGE, Shell
from config.conftest import as_an_editor_reads
from no_secrets import watch
from ubiops_file_sync.config import load_settings
from ubiops_file_sync.config.schema import file_schema
from ubiops_file_sync.emulator import Role
from ubiops_file_sync.model import Direction

TOKEN = "5f786850e387550fdab836ed7e6dc881de23001b"


@pytest.fixture
def fresh(shell: Shell) -> Shell:
    """A user who has a token in mind, and nothing on the disk but a folder."""
    del shell.env["UBIOPS_API_TOKEN"]
    shell.server.tokens[TOKEN] = Role.WRITER
    watch.tokens.add(TOKEN)
    shell.env["UBIOPS_API_HOST"] = shell.server.api_host
    return shell


class Terminal:
    """A person at a terminal, who waits for each question before the answer."""

    def __init__(self, child: pexpect.spawn[str]) -> None:
        self._child = child
        self.shown = ""

    def see(self, words: str) -> None:
        """Wait until these words are there."""
        self._child.expect(re.escape(words), timeout=30)
        self.shown += f"{self._child.before}{self._child.after}"

    def answer(self, question: str, answer: str = "") -> None:
        """Answer the next question, by Enter alone if with nothing."""
        self.see(question)
        self._child.sendline(answer)

    def press(self, key: str) -> None:
        """Press Ctrl and a key."""
        self._child.sendcontrol(key)

    def end(self) -> int:
        """Read on to the end; the exit code."""
        self._child.expect(pexpect.EOF, timeout=30)
        self.shown += self._child.before or ""
        self._child.close()
        assert not watch.tells(self.shown), self.shown
        return int(self._child.exitstatus or 0)


@contextmanager
def terminal(shell: Shell, *words: str) -> Iterator[Terminal]:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": SAME_PACKAGE, "HOME": str(shell.cwd)}
    child = pexpect.spawn(
        COMMAND[0],
        [*COMMAND[1:], *words],
        cwd=str(shell.cwd),
        env={**env, **shell.env, "TERM": "dumb"},
        encoding="utf-8",
        dimensions=(50, 200),
        echo=False,
    )
    try:
        yield Terminal(child)
    finally:
        child.close(force=True)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_five_minutes_from_nothing_to_files_in_step(fresh: Shell) -> None:
    fresh.server.put_object("data/theirs.txt", b"2")
    (fresh.files / "mine.txt").write_bytes(b"1")
    with terminal(fresh, "init") as person:
        person.answer(f"Address of UbiOps [{fresh.server.api_host}]:")
        person.answer("Token of a service user (not shown):", TOKEN)
        person.see("UbiOps knows it; it sees 1 project")
        person.see("1) demo")
        person.answer("Project [demo]:")
        person.see("1) default")
        person.answer("Bucket [default]:")
        person.see("the token may read, write and delete (as files-writer)")
        person.answer("Which way do files travel? [two-way]:")
        person.answer("Folder in the bucket (empty: the whole bucket)", "data/")
        person.see("there are files in it already")
        person.answer("Directory on this machine:", "files")
        person.see("1 file or folders are in it already")
        person.answer("Name of the profile [files]:", "models")
        person.answer(f"Write {fresh.cwd}/ubiops-file-sync.yaml? [Y/n]:")
        assert person.end() == 0, person.shown
    assert "ubiops-file-sync plan models " in person.shown
    assert "ubiops-file-sync reconcile models " in person.shown
    assert "ubiops-file-sync install-service" in person.shown
    path = fresh.cwd / "ubiops-file-sync.yaml"
    token = fresh.cwd / "ubiops-file-sync.token"
    assert (mode(path), mode(token), token.read_text()) == (0o600, 0o600, f"{TOKEN}\n")
    text = path.read_text()
    assert TOKEN not in text
    assert text.startswith("# yaml-language-server: $schema=./ubiops-file-sync.schema.json\n")
    assert (fresh.cwd / "ubiops-file-sync.schema.json").is_file()
    jsonschema.validate(as_an_editor_reads(text), file_schema())
    # What the last words say works as it is, without any variable.
    assert fresh("check-config").returncode == 0
    assert fresh("reconcile", "models").returncode == 0
    assert fresh.server.read_object("data/mine.txt") == b"1"
    assert (fresh.files / "theirs.txt").read_bytes() == b"2"


def test_each_wrong_answer_is_told_at_once_and_asked_again(fresh: Shell) -> None:
    fresh.server.create_bucket("archive")
    (fresh.cwd / "a-file").touch()
    with terminal(fresh, "init") as person:
        person.answer("Address of UbiOps", "http://127.0.0.1:1")
        person.see("no connection to http://127.0.0.1:1/v2.1")
        person.answer("Address of UbiOps", f"{fresh.server.origin}/elsewhere/v2.1")
        person.answer("Token of a service user", TOKEN)
        person.see("is no UbiOps API; check the address")
        person.answer("Address of UbiOps")
        person.answer("Token of a service user", "0" * 40)
        person.see("does not know this token. Check that it is complete")
        person.answer("Token of a service user", f"Token {TOKEN}")
        person.answer("Project [demo]:", "dmeo")
        person.see("this token sees no project 'dmeo'; did you mean 'demo'? there is demo")
        person.answer("Project [demo]:", "1")
        person.answer("Bucket [default]:", "default2")
        person.see("project 'demo' has no bucket 'default2'; did you mean 'default'?")
        person.answer("Bucket [default]:", "archive")
        person.answer("Which way do files travel?", "sideways")
        person.see("choose one of two-way, download, upload")
        person.answer("Which way do files travel?", "3")
        person.answer("Folder in the bucket", "../x")
        person.see("has an empty part, '.' or '..' in it")
        person.answer("Folder in the bucket")
        person.see("nothing is in it yet")
        person.answer("Directory on this machine:", "a-file")
        person.see("a-file is no folder")
        person.answer("Directory on this machine:", "new")
        person.see("new does not exist; make it: mkdir ")
        person.answer("Directory on this machine:", "files")
        person.answer("Name of the profile [files]:", "my profile")
        person.see("a profile's name becomes a file name")
        person.answer("Name of the profile [files]:")
        person.answer("Write ")
        assert person.end() == 0, person.shown
    profile = load_settings(fresh.cwd / "ubiops-file-sync.yaml", {}).profiles["files"]
    assert (profile.bucket, profile.direction) == ("archive", Direction.UPLOAD)


def test_a_token_that_may_only_read_is_for_downloads(fresh: Shell) -> None:
    fresh.server.tokens[TOKEN] = Role.READER
    with terminal(fresh, "init", "--local-dir", "a/b/c", "--bucket-dir", "") as person:
        person.answer("Address of UbiOps")
        person.answer("Token of a service user", TOKEN)
        person.answer("Project [demo]:")
        person.answer("Bucket [default]:")
        person.see("may read, and not write (as files-reader)")
        person.answer("Which way do files travel? [download]:", "two-way")
        person.see("the token may not write to the bucket, which two-way needs")
        person.answer("Which way do files travel? [download]:")
        person.answer(f"{fresh.cwd}/a/b does not exist. Make it? [Y/n]:")
        person.see("the first pass makes it")
        person.answer("Name of the profile [c]:")
        person.answer("Write ")
        assert person.end() == 0, person.shown
    assert (fresh.cwd / "a" / "b").is_dir()
    assert not (fresh.cwd / "a" / "b" / "c").exists()


def test_a_token_that_may_not_list_is_told_what_it_needs(fresh: Shell) -> None:
    fresh.server.tokens[TOKEN] = Role.RESTRICTED_READER
    (fresh.cwd / "token").write_text(TOKEN)
    done = fresh("init", "--token-file", "token", "--local-dir", "files")
    assert done.returncode == 3
    assert "--bucket: the token may fetch files by name, and not list them" in done.stderr
    assert "give it the role files-reader" in done.stderr
    assert sorted(path.name for path in fresh.cwd.iterdir()) == ["files", "token"]


@pytest.mark.parametrize("key", ["c", "d"])
def test_broken_off_it_leaves_nothing(fresh: Shell, key: str) -> None:
    with terminal(fresh, "init") as person:
        person.answer("Address of UbiOps")
        person.answer("Token of a service user", TOKEN)
        person.see("Project [demo]:")
        person.press(key)
        assert person.end() == 130
    assert "broken off; nothing was written" in person.shown
    assert [path.name for path in fresh.cwd.iterdir()] == ["files"]


def test_a_last_no_leaves_nothing(fresh: Shell) -> None:
    fresh.env["UBIOPS_API_TOKEN"] = TOKEN
    with terminal(fresh, "init", "--local-dir", "files", "--bucket-dir", "data") as person:
        person.answer("Address of UbiOps")
        person.answer("The variable UBIOPS_API_TOKEN holds a token. Use it? [Y/n]:")
        person.answer("Project [demo]:")
        person.answer("Bucket [default]:")
        person.answer("Which way")
        person.answer("Name of the profile")
        person.answer("Write ", "n")
        assert person.end() == 130
    assert "nothing was written" in person.shown
    assert [path.name for path in fresh.cwd.iterdir()] == ["files"]


def flags(**more: str) -> list[str]:
    given = {"local-dir": "files", "bucket-dir": "data", **more}
    return [word for name, value in given.items() for word in (f"--{name}", value)]


def test_without_a_terminal_options_and_variables_are_enough(fresh: Shell) -> None:
    fresh.env["UBIOPS_API_TOKEN"] = TOKEN
    done = fresh("init", *flags())
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "The token stays in the variable UBIOPS_API_TOKEN" in done.stdout
    path = fresh.cwd / "ubiops-file-sync.yaml"
    assert mode(path) == 0o600
    assert "# The token is read from the variable UBIOPS_API_TOKEN." in path.read_text()
    assert not (fresh.cwd / "ubiops-file-sync.token").exists()
    del fresh.env["UBIOPS_API_HOST"]
    profile = load_settings(path, {}).profiles["files"]
    assert profile.api_host == fresh.server.api_host, "a service has no such variable"
    assert (profile.project, profile.bucket, profile.bucket_dir) == ("demo", "default", "data")
    assert fresh("plan", "files").returncode == 0


def test_another_variable_and_a_file_elsewhere(fresh: Shell) -> None:
    fresh.env["MY_TOKEN"] = TOKEN
    target = fresh.cwd / "config" / "deep" / "sync.yaml"
    done = fresh("init", str(target), *flags(**{"token-env": "MY_TOKEN", "name": "models"}))
    assert done.returncode == 0, done.stderr
    assert load_settings(target, {}).profiles["models"].token_env == "MY_TOKEN"
    assert mode(target.parent) == 0o700
    [line] = [line for line in done.stdout.splitlines() if " plan " in line]
    assert f"ubiops-file-sync --config {target} plan models" in line
    (fresh.cwd / "secret").write_text(f"Token {TOKEN}\n")
    done = fresh("--config", "other.yaml", "init", *flags(**{"token-file": "secret"}))
    assert done.returncode == 0, done.stderr
    assert "token_file: secret " in (fresh.cwd / "other.yaml").read_text()
    assert fresh("--config", "other.yaml", "plan").returncode == 0


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ((), 2, "these are needed: a token (the variable UBIOPS_API_TOKEN, --token-env NAME or"),
        ((), 2, "--local-dir DIR"),
        (("--token-env", "NOWHERE", "--local-dir", "files"), 2, "NOWHERE is not set here"),
        (("--token-file", "none", "--local-dir", "files"), 2, "put the token into it first"),
        (("--token-env", "WRONG", "--local-dir", "files"), 3, "--token-env: UbiOps at http"),
        (("--token-env", "GOOD", *flags(project="typo")), 3, "--project: this token sees no"),
        (("--token-env", "GOOD", *flags(bucket="typo")), 3, "--bucket: project 'demo' has no"),
        (("--token-env", "GOOD", *flags(**{"local-dir": "a/b"})), 2, "--local-dir: "),
        (("--token-env", "GOOD", *flags(host="http://127.0.0.1:1")), 3, "--host: no connection"),
        (("--token-env", "GOOD", *flags(host="ftp://x")), 2, "--host: the address is not an http"),
        (("--token-env", "GOOD", *flags(name="a/b")), 78, "--name: a profile's name becomes"),
        (("--token", TOKEN), 2, "No such option: --token"),
    ],
)
def test_without_a_terminal_the_option_that_is_wrong_is_named(
    fresh: Shell, words: tuple[str, ...], code: int, message: str
) -> None:
    fresh.env |= {"GOOD": TOKEN, "WRONG": "0" * 40}
    done = fresh("init", *words)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert [path.name for path in fresh.cwd.iterdir()] == ["files"]


def test_several_projects_need_a_word(fresh: Shell) -> None:
    fresh.env["UBIOPS_API_TOKEN"] = TOKEN
    fresh.server.create_bucket("default", project="other")
    done = fresh("init", *flags())
    assert done.returncode == 2
    assert (
        "--project is needed, for there is nobody to ask; choose one of demo, other" in done.stderr
    )
    assert fresh("init", *flags(project="other")).returncode == 0


def test_yes_asks_nothing_even_at_a_terminal(fresh: Shell) -> None:
    fresh.env["UBIOPS_API_TOKEN"] = TOKEN
    with terminal(fresh, "init", "--yes", *flags()) as person:
        assert person.end() == 0, person.shown
    assert "[Y/n]" not in person.shown


def test_a_file_that_is_there_is_never_overwritten_without_force(fresh: Shell) -> None:
    fresh.env["UBIOPS_API_TOKEN"] = TOKEN
    path = fresh.config("precious: yes\n")
    done = fresh("init", *flags())
    assert done.returncode == 2
    assert "--add adds a profile to it, --force replaces it" in done.stderr
    assert path.read_text() == "precious: yes\n"
    done = fresh("init", "--force", *flags())
    assert done.returncode == 0, done.stderr
    [kept] = fresh.cwd.glob("ubiops-file-sync.yaml.*")
    assert kept.read_text() == "precious: yes\n"
    assert fresh("check-config").returncode == 0


COMMENTED = """\
# My own words.
version: 1
api_host: {host}
token_env: MY_TOKEN
profiles:
  first:                 # the first
    local_dir: files
    project: demo
    bucket_dir: data
    # and its last comment

# Something else.
log: {{level: debug}}
"""


def test_a_profile_is_added_and_every_line_stays(fresh: Shell) -> None:
    fresh.env["MY_TOKEN"] = TOKEN
    before = COMMENTED.format(host=fresh.server.api_host)
    path = fresh.config(before)
    path.chmod(0o640)
    (fresh.cwd / "other").mkdir()
    done = fresh("init", "--add", "--local-dir", "other", "--bucket-dir", "other")
    assert done.returncode == 0, done.stderr
    after = path.read_text().splitlines()
    lines = iter(after)
    assert all(line in lines for line in before.splitlines()), "in their order"
    assert after.index("# Something else.") > after.index("    # and its last comment") + 5
    settings = load_settings(path, {})
    assert list(settings.profiles) == ["first", "other"]
    assert settings.profiles["other"].token_env == "MY_TOKEN"
    assert mode(path) == 0o640
    assert fresh("plan", "other").returncode == 0
    done = fresh("init", "--add", "--local-dir", "other/x", "--bucket-dir", "x")
    assert done.returncode == 78
    assert "--local-dir: its local_dir is that of profile 'other', or one of" in done.stderr
    done = fresh("init", "--add", "--local-dir", "third", "--bucket-dir", "data/x")
    assert done.returncode == 78
    assert "--bucket-dir: its place in the bucket is that of profile 'first'" in done.stderr
    done = fresh(
        "init", "--add", *flags(**{"local-dir": "third", "bucket-dir": "t"}), "--name", "first"
    )
    assert (done.returncode, "there is a profile 'first'" in done.stderr) == (2, True)
    assert path.read_text().splitlines() == after


def test_at_a_terminal_one_is_asked_whether_to_add(fresh: Shell) -> None:
    fresh.env["MY_TOKEN"] = TOKEN
    path = fresh.config(COMMENTED.format(host=fresh.server.api_host))
    with terminal(fresh, "init", "--local-dir", "more", "--bucket-dir", "more") as person:
        person.answer("is there already. Add one more profile to it? [Y/n]:")
        person.see("the token is that of")
        person.answer("Project [demo]:")
        person.answer("Bucket [default]:")
        person.answer("Which way do files travel? [two-way]:", "download")
        person.answer("Name of the profile [more]:")
        person.answer("Write ")
        assert person.end() == 0, person.shown
    assert list(load_settings(path, {}).profiles) == ["first", "more"]
    with terminal(fresh, "init") as person:
        person.answer("Add one more profile to it?", "n")
        assert person.end() == 2


@pytest.mark.parametrize(
    "text",
    [
        "profiles: {first: {local_dir: files, project: demo}}\n",
        "x: &x {first: {local_dir: files, project: demo}}\nprofiles: *x\n",
    ],
)
def test_a_file_that_only_a_person_can_add_to_is_left_alone(fresh: Shell, text: str) -> None:
    fresh.env["UBIOPS_API_TOKEN"] = TOKEN
    path = fresh.config(text)
    done = fresh("init", "--add", "--local-dir", "other", "--bucket-dir", "other")
    assert done.returncode in {2, 78}
    assert path.read_text() == text


def test_a_broken_file_is_not_added_to(fresh: Shell) -> None:
    path = fresh.config("profiles: {first: {locl_dir: files}}\n")
    done = fresh("init", "--add", *flags())
    assert (done.returncode, "did you mean local_dir?" in done.stderr) == (78, True)
    assert path.read_text() == "profiles: {first: {locl_dir: files}}\n"
    path.unlink()
    done = fresh("init", "--add", *flags())
    assert (done.returncode, "leave out --add" in done.stderr) == (2, True)


def test_a_directory_that_another_configuration_has_is_refused(fresh: Shell) -> None:
    fresh.env["UBIOPS_API_TOKEN"] = TOKEN
    elsewhere = fresh.cwd / ".config" / "ubiops-file-sync" / "config.yaml"
    elsewhere.parent.mkdir(parents=True)
    elsewhere.write_text(
        f"api_host: {fresh.server.api_host}\n"
        f"profiles: {{files: {{local_dir: {fresh.files}, project: x}}}}\n"
    )
    done = fresh("init", *flags())
    assert done.returncode == 78
    assert "its local_dir is that of profile 'files'" in done.stderr
    assert f"(it is in {elsewhere})" in done.stderr


def test_a_token_within_the_directory_is_refused(fresh: Shell) -> None:
    (fresh.files / "token").write_text(TOKEN)
    done = fresh("init", *flags(**{"token-file": "files/token"}))
    assert done.returncode == 78
    assert "lies below the local_dir" in done.stderr
    assert not (fresh.cwd / "ubiops-file-sync.yaml").exists()


def test_names_that_need_quotes_come_out_as_they_went_in(fresh: Shell) -> None:
    fresh.env["UBIOPS_API_TOKEN"] = TOKEN
    odd = fresh.cwd / "an: odd #name ${HOME} 'x'"
    odd.mkdir()
    done = fresh("init", *flags(**{"local-dir": str(odd), "bucket-dir": "yes", "name": "2024"}))
    assert done.returncode == 0, done.stderr
    profile = load_settings(fresh.cwd / "ubiops-file-sync.yaml", {}).profiles["2024"]
    assert (profile.local_dir, profile.bucket_dir) == (odd, "yes")


def test_in_a_git_repository_the_token_is_kept_out_of_it(fresh: Shell) -> None:
    (fresh.cwd / ".git").mkdir()
    with terminal(fresh, "init", *flags()) as person:
        person.answer("Address of UbiOps")
        person.answer("Token of a service user", TOKEN)
        person.answer("Project")
        person.answer("Bucket")
        person.answer("Which way")
        person.answer("Name of the profile")
        person.answer("Write ")
        assert person.end() == 0
    assert f"echo ubiops-file-sync.token >> {fresh.cwd}/.gitignore" in person.shown
