"""One pass at a time over a profile: a lock that cannot go stale."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from ubiops_file_sync.errors import ConfigError, ProfileLocked


@contextmanager
def profile_lock(state_dir: Path, profile: str) -> Iterator[None]:
    """Hold the profile for the length of the block.

    Raises `ProfileLocked`, which says who holds it. The lock is the kernel's (flock) and ends
    with the process, however that ends; the text in the file is only there to be shown.
    """
    path = state_dir / f"{profile}.lock"
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(
            f"profile {profile!r}: cannot write its state below {state_dir} ({error.strerror}); "
            "set `state_dir` to a folder that this user may write to"
        ) from error
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(fd, 200, 0).decode(errors="replace").strip()
            raise ProfileLocked(
                f"profile {profile!r} is being reconciled already, by {holder or 'another process'}"
                "; wait for it to end, or stop it, and run this again"
            ) from None
        since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        with suppress(OSError):  # A full disk; the lock itself needs no room.
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"process {os.getpid()} since {since}\n".encode(), 0)
        yield
    finally:
        os.close(fd)
