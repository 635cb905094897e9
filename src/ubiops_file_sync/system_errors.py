"""What the operating system refuses, in words that say what to do."""

from __future__ import annotations

import errno

_REMEDIES = {
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room, or have this user's share of the disk raised",
    errno.EROFS: "see why its disk is mounted read-only",
    errno.EIO: "the disk may be failing: look at the kernel's log",
    errno.ESTALE: "its network file system has lost it: mount that anew",
    errno.EMFILE: "lower `workers`, or raise the limit (ulimit -n)",
    errno.ENFILE: "too many files are open on this machine: see which program holds them",
}


def words_of(error: OSError) -> str:
    """The system's own words, such as `no space left on device`; never a path."""
    return (error.strerror or type(error).__name__).lower()


def remedy_for(error: OSError, otherwise: str) -> str:
    """What to do about it; `otherwise` for what has no remedy of its own, such as permissions."""
    return _REMEDIES.get(error.errno or 0, otherwise)
