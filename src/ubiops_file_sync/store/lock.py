"""One pass at a time over a profile: a lock that cannot go stale."""

from __future__ import annotations

import fcntl
import os
import re
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ubiops_file_sync.errors import ConfigError, ProfileLocked
from ubiops_file_sync.system_errors import remedy_for, words_of

_FLOCK = "hhqqi0q"
"""`struct flock`: type, whence, start, length (0: all of the file), process (of no use here)."""
_PROCESS = re.compile(r"process (\d+)\b", re.ASCII)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a profile."""

    words: str
    """As people read it, such as `process 123 since 2026-11-23 04:20:15 UTC`."""
    process: int | None
    """Its number; None: not told."""


def find_holder(state_dir: Path, profile: str) -> Holder | None:
    """Who holds the profile; None: nobody, or it cannot be told. Nothing is held or written.

    To ask flock is to take the lock for an instant, in which a pass that begins would find it
    taken. So whoever holds it holds another kind besides, which can be asked about: a lock of the
    open file (`F_OFD_GETLK`; it is there wherever SQLite's locks are). Unlike that of a process
    it does not end when another thread opens and closes the file, and one's own shows too.
    """
    try:
        fd = os.open(state_dir / f"{profile}.lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        told = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, _flock(fcntl.F_WRLCK))
        if struct.unpack(_FLOCK, told)[0] == fcntl.F_UNLCK:
            return None
        words = _words(fd)
    except OSError:
        return None
    finally:
        os.close(fd)
    process = _PROCESS.match(words)
    return Holder(words, None if process is None else int(process[1]))


@contextmanager
def profile_lock(state_dir: Path, profile: str) -> Iterator[None]:
    """Hold the profile for the length of the block. Raises `ProfileLocked`: who holds it."""

    def busy(holder: str) -> ProfileLocked:
        return ProfileLocked(
            f"profile {profile!r} is being reconciled already, by {holder}; wait for it to end, or "
            "stop it, and run this again"
        )

    with _held(state_dir, profile, busy, f"profile {profile!r}: cannot write its state"):
        yield


@contextmanager
def service_lock(state_dir: Path) -> Iterator[None]:
    """Be the one service over a state folder. Raises `ProfileLocked`: who is it already."""

    def busy(holder: str) -> ProfileLocked:
        return ProfileLocked(
            f"a service is running already over {state_dir}: {holder}; stop it first, or give this "
            "one another `state_dir`"
        )

    # No profile is called so: their names begin with a letter or a digit.
    with _held(state_dir, ".service", busy, "cannot write the state"):
        yield


@contextmanager
def _held(
    state_dir: Path, name: str, busy: Callable[[str], ProfileLocked], trouble: str
) -> Iterator[None]:
    """Hold a lock for the length of the block.

    It is the kernel's (flock) and ends with the process, however that ends; the text in the file is
    only there to be shown. At the end of the block it is given back, and not just closed: a child
    that the program forked meanwhile has the file open too, and would keep it for as long as it
    lives.
    """
    holder = os.getpid()
    path = state_dir / f"{name}.lock"
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        remedy = remedy_for(error, "set `state_dir` to a folder that this user may write to")
        raise ConfigError(f"{trouble} below {state_dir} ({words_of(error)}); {remedy}") from error
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise busy(_words(fd)) from None
        since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        with suppress(OSError):  # A full disk; the lock itself needs no room.
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"process {os.getpid()} since {since}\n".encode(), 0)
        with suppress(OSError):
            # Without it nobody can tell that it is held, and it is held all the same.
            fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _flock(fcntl.F_WRLCK))
        yield
    finally:
        if os.getpid() == holder:  # What a child does must not end it.
            _give_back(fd)
        os.close(fd)


def _give_back(fd: int) -> None:
    """Let go of both locks, if they are held, for all who have the file open."""
    with suppress(OSError):
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _flock(fcntl.F_UNLCK))
    fcntl.flock(fd, fcntl.LOCK_UN)


def _words(fd: int) -> str:
    return os.pread(fd, 200, 0).decode(errors="replace").strip() or "another process"


def _flock(kind: int) -> bytes:
    return struct.pack(_FLOCK, kind, os.SEEK_SET, 0, 0, 0)
