"""Commands that are run after a pass: `on_change` and `on_failure`.

A hook gets the report of the pass as JSON on its standard input, and in its environment what it was
run for. It is run without a shell, in the service's working directory, and as the service's user.
Whatever becomes of it, the pass has ended as it has ended.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import IO, Any

from ubiops_file_sync.errors import ProfileLocked
from ubiops_file_sync.model import Verb
from ubiops_file_sync.redact import holds_secret

_log = logging.getLogger(__name__)

_KEPT_BYTES = 4096
_READ_BYTES = 65_536
_LOOK_S = 0.05
_LAST_WORDS_S = 1.0
"""What is waited for output that is still on its way when the command has ended."""

_OF_THE_SERVICE = (
    "CREDENTIALS_DIRECTORY",
    "JOURNAL_STREAM",
    "LISTEN_FDS",
    "LISTEN_PID",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
)
"""What systemd told the service alone."""
_MOVES = (Verb.UPLOAD, Verb.DOWNLOAD, Verb.DELETE_LOCAL, Verb.DELETE_REMOTE)


class Event(StrEnum):
    """Why a hook is run."""

    CHANGE = "change"
    """A pass changed a file on a side."""
    FAILURE = "failure"
    """A pass failed, wholly or for some keys."""


def events_of(exit_code: int, done: Mapping[Verb, int]) -> tuple[Event, ...]:
    """What a pass calls for, in the order in which the hooks are run.

    Every pass that failed is a failure, not only the first of several: whoever wants to hear of it
    once has the exit code of each in hand, and a hook that is run again and again is harder to
    miss than one that was run while nobody looked. A pass that found another one at work is none,
    since that other one will tell. A change is a file that travelled or was deleted; what only the
    record learnt (equal files, vanished ones) changed nothing that anybody can see. A pass may be
    both.
    """
    found = []
    if any(done.get(verb) for verb in _MOVES):
        found.append(Event.CHANGE)
    if exit_code not in {0, ProfileLocked.exit_code}:
        found.append(Event.FAILURE)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a hook is run for."""

    event: Event
    profile: str
    exit_code: int
    """Of the pass."""


@dataclass(frozen=True, slots=True)
class HookEnd:
    """How a hook ended."""

    exit_code: int | None
    """None: it could not be started, or was killed by us; negative: by that signal."""
    seconds: float
    output: str
    """The end of what it wrote to standard output and error, 4 KiB at most."""

    @property
    def is_good(self) -> bool:
        """Whether it did what it was to do."""
        return self.exit_code == 0


def run_hook(
    command: tuple[str, ...],
    document: Mapping[str, Any],
    occasion: Occasion,
    timeout_s: float,
    *,
    env: Mapping[str, str],
    without: Collection[str] = (),
    stopping: threading.Event | None = None,
) -> HookEnd:
    """Run a hook to its end, with `document` on its input; never raises for what becomes of it.

    After `timeout_s`, or once `stopping` is set, it is killed with all that it started, but for
    what made itself a session of its own. What it writes is logged line by line, the last 4 KiB of
    it. It gets `env` without the variables named by `without` (those of tokens), without any that
    holds a token that is known, and without what systemd told the service alone.
    """
    began = time.monotonic()
    name = f"profile {occasion.profile!r}: the on_{occasion.event} hook {command[0]}"
    try:
        code, output = _run(
            command,
            json.dumps(document).encode(),
            _environment(env, without, occasion),
            timeout_s,
            stopping or threading.Event(),
        )
        trouble = _trouble(code)
    except (OSError, ValueError) as error:
        code, output = None, ""
        words = (getattr(error, "strerror", None) or str(error)).lower()
        trouble = f"could not be run ({words}); give its whole path, and make it executable"
    except _Killed as killed:
        code, output, trouble = None, killed.output, killed.words
    end = HookEnd(code, time.monotonic() - began, output)
    extra = {
        "profile": occasion.profile,
        "event": occasion.event.value,
        "seconds": round(end.seconds, 3),
    }
    for line in end.output.splitlines():
        level = logging.INFO if end.is_good else logging.WARNING
        _log.log(level, "%s: %s", name, line, extra=extra)
    if trouble:
        _log.error("%s %s", name, trouble, extra=extra)
    else:
        _log.info("%s ended well after %.1f s", name, end.seconds, extra=extra)
    return end


class _Killed(Exception):
    """The command was killed by us."""

    def __init__(self, words: str, output: str) -> None:
        super().__init__(words)
        self.words = words
        self.output = output


def _run(
    command: tuple[str, ...],
    document: bytes,
    env: dict[str, str],
    timeout_s: float,
    stopping: threading.Event,
) -> tuple[int, str]:
    # A file, not a pipe: a command that does not read it neither blocks nor breaks anything.
    with tempfile.TemporaryFile() as stdin:
        stdin.write(document)
        stdin.seek(0)
        process = subprocess.Popen(  # noqa: S603  the user's own command, without a shell
            command,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=env,
            start_new_session=True,
        )
    tail = _Tail(process.stdout)
    words = _wait(process, timeout_s, stopping)
    output = tail.text()
    if words is not None:
        raise _Killed(words, output)
    return process.returncode, output


def _wait(
    process: subprocess.Popen[bytes], timeout_s: float, stopping: threading.Event
) -> str | None:
    """Wait for the command to end; why it was killed, if it was."""
    deadline = time.monotonic() + timeout_s
    words = None
    try:
        while process.poll() is None and words is None:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                words = (
                    f"did not end within {timeout_s:g} s and was killed; let it do less, do its "
                    "work in the background, or set its timeout higher"
                )
            elif stopping.wait(min(_LOOK_S, left_s)):
                words = "was killed, since the service is being stopped"
    finally:
        if process.poll() is None:
            # Its number is its own as long as nobody has asked how it ended.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return words


class _Tail:
    """Reads a stream to its end in a thread of its own, and keeps the last of it.

    Something that the command left in the background may hold the stream open; that is read on, so
    that it never blocks, and waited for no longer than a moment.
    """

    def __init__(self, stream: IO[bytes] | None) -> None:
        assert stream is not None  # noqa: S101  it was asked for
        self._stream = stream
        self._blocks: deque[bytes] = deque()
        self._kept = 0
        self._thread = threading.Thread(target=self._read, name="hook-output", daemon=True)
        self._thread.start()

    def text(self) -> str:
        """The last of it, whole lines if it was cut."""
        self._thread.join(_LAST_WORDS_S)
        whole = b"".join(self._blocks.copy())
        kept = whole[-_KEPT_BYTES:]
        if len(kept) < len(whole):
            kept = kept.partition(b"\n")[2] or kept
        return kept.decode(errors="replace")

    def _read(self) -> None:
        with self._stream:
            while block := os.read(self._stream.fileno(), _READ_BYTES):
                self._blocks.append(block[-_KEPT_BYTES - 1 :])
                self._kept += len(self._blocks[-1])
                while self._kept - len(self._blocks[0]) > _KEPT_BYTES:
                    self._kept -= len(self._blocks.popleft())


def _environment(
    env: Mapping[str, str], without: Collection[str], occasion: Occasion
) -> dict[str, str]:
    hidden = {*without, *_OF_THE_SERVICE}
    kept = {
        name: text for name, text in env.items() if name not in hidden and not holds_secret(text)
    }
    return kept | {
        "UBIOPS_FILE_SYNC_EVENT": occasion.event.value,
        "UBIOPS_FILE_SYNC_PROFILE": occasion.profile,
        "UBIOPS_FILE_SYNC_EXIT_CODE": str(occasion.exit_code),
    }


def _trouble(code: int) -> str | None:
    if code == 0:
        return None
    how = f"exit code {code}" if code > 0 else f"signal {-code}"
    return f"ended with {how}; what it wrote is above. The pass itself is not concerned"
