"""What can go wrong with a whole pass; each class carries its exit code (design section 7).

Trouble with one key is not here: that is a `Problem` in the report, and the pass goes on. Every
message says what happened, what it concerns and what to do, and none carries a token or a signed
URL (invariant I9).
"""

from __future__ import annotations

from typing import ClassVar

EXIT_INTERRUPTED = 130
"""The exit code of what a person broke off (Ctrl-C)."""


TRIED_AGAIN = "; the next pass tries again"
"""How messages end of what may be better by then."""


class SyncError(Exception):
    """A pass that could not be done."""

    exit_code: ClassVar[int] = 1


class UsageError(SyncError):
    """The command line asks for something that does not exist."""

    exit_code: ClassVar[int] = 2


class RemoteError(SyncError):
    """UbiOps could not be reached, or refused what was asked of it."""

    exit_code: ClassVar[int] = 3


class RemoteUnreachable(RemoteError):
    """No answer, or none but server errors, after every try."""


class AccessRefused(RemoteError):
    """The token is unknown, or its role does not allow what was asked."""


class NoSuchBucket(RemoteError):
    """The project or the bucket is not there."""


class SafetyHalt(SyncError):
    """A guard stopped the profile before anything was changed."""

    exit_code: ClassVar[int] = 4


class ProfileLocked(SyncError):
    """Another pass over the profile is under way."""

    exit_code: ClassVar[int] = 5


class Stopped(SyncError):
    """The pass was asked to end before it had done anything."""

    exit_code: ClassVar[int] = EXIT_INTERRUPTED


class ConfigError(SyncError):
    """The configuration cannot be used; the message lists everything that is wrong."""

    exit_code: ClassVar[int] = 78


class KeyFailure(Exception):
    """One action failed; its message becomes the `Problem` of its key."""


class Interrupted(KeyFailure):
    """One action was broken off, since the pass is being ended."""


class InTheWay(KeyFailure):
    """An object came under a key during the pass, and one that was to be new was not stored."""


class TransferLost(KeyFailure):
    """A transfer in parts cannot be gone on with: begin it anew."""


class RangesUnknown(TransferLost):
    """An object cannot be fetched in ranges: fetch it whole."""


class KeyUnreachable(KeyFailure):
    """One action got no good answer after every try; many of them in a row end the pass."""
