"""The decision table of design section 4: one key, three views of it, one verdict. Pure.

Each side is compared with its own past, never with the other side's clock: `time_created` is when
an object was *stored*, so right after our own upload the remote always looks newer.
Times are compared across sides in one place only, `_local_is_newer`, where both changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from ubiops_file_sync.model import (
    BaselineEntry,
    ConflictPolicy,
    Decision,
    Direction,
    LocalEntry,
    Loser,
    Reason,
    RemoteEntry,
    Verb,
)

DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Policy:
    """What a profile wants, as far as deciding goes."""

    direction: Direction = Direction.TWO_WAY
    conflict: ConflictPolicy = ConflictPolicy.NEWER_WINS
    skew_us: int = 0
    """How far the local clock is ahead of the bucket's, in microseconds."""


class _State(Enum):
    """One side against its baseline."""

    ABSENT = "absent, and never in step"
    NEW = "present, and never in step"
    MISSING = "absent, but in step once"
    UNCHANGED = "as it was when last in step"
    CHANGED = "other than when last in step"


@dataclass(frozen=True, slots=True)
class _Case:
    """All that one decision may look at."""

    local: LocalEntry | None
    remote: RemoteEntry | None
    policy: Policy
    now_us: int


def decide(
    local: LocalEntry | None,
    remote: RemoteEntry | None,
    base: BaselineEntry | None,
    policy: Policy,
    now_us: int,
) -> Decision:
    """The verdict on one key.

    At least one of the three entries is not None, and all that are given carry the same key.
    `now_us` is the local clock in microseconds since the epoch.
    """
    case = _Case(local, remote, policy, now_us)
    return _TABLE[_local_state(local, base), _remote_state(remote, base)](case)


def _local_state(local: LocalEntry | None, base: BaselineEntry | None) -> _State:
    if local is None:
        return _State.ABSENT if base is None else _State.MISSING
    if base is None:
        return _State.NEW
    same = local.size == base.size and local.mtime_ns == base.mtime_ns
    return _State.UNCHANGED if same else _State.CHANGED


def _remote_state(remote: RemoteEntry | None, base: BaselineEntry | None) -> _State:
    if remote is None:
        return _State.ABSENT if base is None else _State.MISSING
    if base is None:
        return _State.NEW
    same = remote.size == base.size and remote.created_us == base.created_us
    return _State.UNCHANGED if same else _State.CHANGED


def _push(reason: Reason) -> Callable[[_Case], Decision]:
    """Upload, unless the profile only downloads."""

    def verdict(case: _Case) -> Decision:
        if case.policy.direction is Direction.DOWNLOAD:
            return Decision(None, Reason.OTHER_DIRECTION)
        return Decision(Verb.UPLOAD, reason)

    return verdict


def _pull(reason: Reason) -> Callable[[_Case], Decision]:
    """Download, unless the profile only uploads."""

    def verdict(case: _Case) -> Decision:
        if case.policy.direction is Direction.UPLOAD:
            return Decision(None, Reason.OTHER_DIRECTION)
        return Decision(Verb.DOWNLOAD, reason)

    return verdict


def _local_alone_changed(case: _Case) -> Decision:
    if case.policy.direction is Direction.DOWNLOAD:
        return _contest(case, Reason.DESTINATION_CHANGED, Reason.DESTINATION_CHANGED)
    # Even if its mtime is old: `cp -p` of an earlier version is a change like any other.
    return Decision(Verb.UPLOAD, Reason.CHANGED_LOCAL)


def _remote_alone_changed(case: _Case) -> Decision:
    if case.policy.direction is Direction.UPLOAD:
        return _contest(case, Reason.DESTINATION_CHANGED, Reason.DESTINATION_CHANGED)
    return Decision(Verb.DOWNLOAD, Reason.CHANGED_REMOTE)


def _first_meeting(case: _Case) -> Decision:
    return _contest(case, Reason.FIRST_MEETING_LOCAL, Reason.FIRST_MEETING_REMOTE)


def _both_changed(case: _Case) -> Decision:
    return _contest(case, Reason.CONFLICT_LOCAL, Reason.CONFLICT_REMOTE)


def _contest(case: _Case, if_local: Reason, if_remote: Reason) -> Decision:
    """Both sides hold a version of their own: adopt if equal, else one wins by the policy."""
    local, remote, policy = case.local, case.remote, case.policy
    if local is None or remote is None:  # pragma: no cover - the table never asks
        raise AssertionError("a contest needs two versions")
    one_size = local.size == remote.size
    if one_size and (local.size == 0 or local.mtime_ns // 1000 == remote.created_us):
        # A download sets the mtime to time_created, so this is one that nobody lived to record.
        return Decision(Verb.ADOPT, Reason.RECORDED_LATE)
    verb = Verb.UPLOAD if _local_wins(case, local, remote) else Verb.DOWNLOAD
    if verb is Verb.UPLOAD and policy.direction is Direction.DOWNLOAD:
        return Decision(None, Reason.DESTINATION_NEWER)
    if verb is Verb.DOWNLOAD and policy.direction is Direction.UPLOAD:
        return Decision(None, Reason.DESTINATION_NEWER)
    loser = Loser.RENAME if policy.conflict is ConflictPolicy.KEEP_BOTH else Loser.TRASH
    reason = if_local if verb is Verb.UPLOAD else if_remote
    return Decision(verb, reason, loser, compare=one_size)


def _local_wins(case: _Case, local: LocalEntry, remote: RemoteEntry) -> bool:
    policy = case.policy
    if policy.conflict is ConflictPolicy.LOCAL_WINS:
        return True
    if policy.conflict is ConflictPolicy.REMOTE_WINS:
        return False
    if policy.conflict is ConflictPolicy.KEEP_BOTH and policy.direction is not Direction.TWO_WAY:
        # Nothing is lost by a rename, so the source's version takes the name.
        return policy.direction is Direction.UPLOAD
    return _local_is_newer(local.mtime_ns // 1000, remote.created_us + policy.skew_us, case.now_us)


def _local_is_newer(local_us: int, remote_us: int, now_us: int) -> bool:
    """Newer by two times on the local clock; a tie goes to the remote.

    A time at the epoch or more than a day ahead tells nothing: the other side is then newer.
    """
    if not _tells_something(local_us, now_us):
        return False
    if not _tells_something(remote_us, now_us):
        return True
    return local_us > remote_us


def _tells_something(time_us: int, now_us: int) -> bool:
    return 0 < time_us <= now_us + DAY_US


def _in_step(_case: _Case) -> Decision:
    return Decision(None, Reason.IN_STEP)


def _forget(_case: _Case) -> Decision:
    return Decision(Verb.FORGET, Reason.GONE)


_TABLE: dict[tuple[_State, _State], Callable[[_Case], Decision]] = {
    # (local, remote)
    (_State.NEW, _State.ABSENT): _push(Reason.NEW_LOCAL),
    (_State.ABSENT, _State.NEW): _pull(Reason.NEW_REMOTE),
    (_State.NEW, _State.NEW): _first_meeting,
    (_State.UNCHANGED, _State.UNCHANGED): _in_step,
    (_State.CHANGED, _State.UNCHANGED): _local_alone_changed,
    (_State.UNCHANGED, _State.CHANGED): _remote_alone_changed,
    (_State.CHANGED, _State.CHANGED): _both_changed,
    (_State.MISSING, _State.UNCHANGED): _pull(Reason.LOST_LOCAL),
    (_State.UNCHANGED, _State.MISSING): _push(Reason.LOST_REMOTE),
    (_State.MISSING, _State.CHANGED): _pull(Reason.EDIT_BEATS_DELETE_REMOTE),
    (_State.CHANGED, _State.MISSING): _push(Reason.EDIT_BEATS_DELETE_LOCAL),
    (_State.MISSING, _State.MISSING): _forget,
}
