"""What a person at a terminal sees, and what a pipe gets: the same words without the picture."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import pytest

from cli.conftest import COMMAND, SAME_PACKAGE, Shell
from ubiops_file_sync.emulator import Fault

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass
class Seen:
    """What a command wrote to a terminal, and to the pipe beside it."""

    code: int
    stdout: str
    stderr: str

    @property
    def frames(self) -> list[str]:
        """The pictures, line by line, without their escapes."""
        return [ESCAPE.sub("", line).strip() for line in re.split(r"[\r\n]+", self.stderr)]


def at_terminal(
    shell: Shell,
    *words: str,
    columns: int = 80,
    stdout_too: bool = False,
    env: Mapping[str, str] = MappingProxyType({}),
) -> Seen:
    """Run a command with a terminal as its standard error, or as both of its outputs."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    blocks: list[bytes] = []

    def read() -> None:
        while True:
            try:
                block = os.read(leader, 65_536)
            except OSError:
                return  # The other end is closed.
            if not block:
                return
            blocks.append(block)

    reader = threading.Thread(target=read)
    reader.start()
    done = subprocess.run(
        [*COMMAND, *words],
        cwd=shell.cwd,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": SAME_PACKAGE,
            "PYTHONIOENCODING": "utf-8",
            "HOME": str(shell.cwd),
            "TERM": "xterm",
            **shell.env,
            **env,
        },
        stdout=follower if stdout_too else subprocess.PIPE,
        stderr=follower,
        timeout=60,
        check=False,
    )
    os.close(follower)
    reader.join(60)
    os.close(leader)
    seen = b"".join(blocks).decode()
    return Seen(done.returncode, (done.stdout or b"").decode(), seen)


@pytest.fixture
def slow(shell: Shell) -> Shell:
    """A pass that is worth a picture: two seconds for one file of four mebibytes."""
    path = shell.profile()
    path.write_text(f"bandwidth_limit: 2MiB/s\n{path.read_text()}")
    (shell.files / "weights-\u6a21\u578b\x1b[31m.bin").write_bytes(b"x" * (4 << 20))
    for n in range(20):
        (shell.files / f"f{n}").write_bytes(b"1")
    return shell


def test_a_bar_shows_files_bytes_speed_and_what_travels(slow: Shell) -> None:
    seen = at_terminal(slow, "reconcile")
    assert seen.code == 0
    assert seen.stdout.startswith("models: 21 uploaded (compared ")
    assert "\x1b" not in seen.stdout
    frames = seen.frames
    assert any(re.fullmatch(r"models [━─]{40} +\d+ %", line) for line in frames)
    told = r"\d+ of 21 files · [\d.]+ (KiB|MiB) of 4.0 MiB · [\d.]+ (KiB|MiB)/s"
    assert any(re.match(told, line) for line in frames)
    moving = r"↑ weights-模型\\x1b\[31m.bin +[\d.]+ (KiB|MiB) of 4.0 MiB"
    assert any(re.match(moving, line) for line in frames)


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_it_fits(slow: Shell, columns: int) -> None:
    seen = at_terminal(slow, "reconcile", columns=columns)
    assert seen.code == 0
    assert any(line.startswith("models ━") for line in seen.frames)
    assert max(map(len, seen.frames)) < columns
    assert "\x1b[31m.bin" not in seen.stderr


def test_a_pass_that_is_over_soon_is_not_worth_a_picture(shell: Shell) -> None:
    shell.profile()
    seen = at_terminal(shell, "reconcile")
    assert (seen.code, seen.stderr) == (0, "")


def test_the_terminal_is_left_as_it_was(slow: Shell) -> None:
    """The last that is written clears the picture, and the cursor shows."""
    seen = at_terminal(slow, "reconcile")
    assert seen.stderr.rfind("\x1b[?25h") > seen.stderr.rfind("\x1b[?25l")
    assert "\x1b[2K" in seen.stderr[seen.stderr.rfind("files ·") :]


@pytest.mark.parametrize("words", [["-q", "reconcile"], ["reconcile", "--quiet"]])
def test_to_be_quiet_is_to_show_nothing(slow: Shell, words: list[str]) -> None:
    seen = at_terminal(slow, *words)
    assert (seen.code, seen.stdout, seen.stderr) == (0, "", "")


def test_a_warning_stands_above_the_picture(slow: Shell) -> None:
    slow.server.faults.add(Fault("list", "status", times=1, code=503))
    seen = at_terminal(slow, "reconcile", columns=200)
    assert seen.code == 0
    (line,) = [line for line in seen.frames if line.startswith("warning: models: list: ")]
    assert "answered 503" in line


def test_that_it_waits_for_the_quota_is_said(shell: Shell) -> None:
    shell.profile()
    shell.server.quota.limit = 20
    shell.server.quota.window_s = 6.0
    for n in range(20):
        (shell.files / f"f{n:02}").write_bytes(b"1")
    seen = at_terminal(shell, "reconcile")
    assert seen.code == 0
    assert any(re.search(r"waiting \d s for the API's quota", line) for line in seen.frames)


def test_a_dumb_terminal_gets_lines(slow: Shell) -> None:
    seen = at_terminal(slow, "reconcile", env={"TERM": "dumb"})
    assert (seen.code, seen.stderr) == (0, "")


def test_colours_are_for_terminals_and_for_who_wants_them(shell: Shell) -> None:
    shell.profile()
    (shell.files / "a").write_bytes(b"1")
    piped = shell("plan").stdout
    assert "\x1b" not in piped
    seen = at_terminal(shell, "plan", stdout_too=True)
    assert "\x1b[32mupload\x1b[0m" in seen.stderr
    assert ESCAPE.sub("", seen.stderr).replace("\r\n", "\n") == piped
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert (
            at_terminal(shell, "plan", stdout_too=True, env=env).stderr.replace("\r", "") == piped
        )
    assert "\x1b" not in at_terminal(shell, "plan", "--json", stdout_too=True).stderr


def test_an_error_is_coloured_too(shell: Shell) -> None:
    shell.profile(bucket="typo")
    assert "\x1b[1m\x1b[31merror\x1b[0m: " in at_terminal(shell, "reconcile").stderr
