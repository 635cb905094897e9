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
    Deletions,
    Direction,
    Expired,
    LocalEntry,
    Loser,
    Reason,
    RemoteEntry,
    Verb,
)

DAY_US = 86_400_000_000


def _no_ttl() -> int | None:
    return None


@dataclass(frozen=True, slots=True)
class Policy:
    """What a profile wants, as far as deciding goes."""

    direction: Direction = Direction.TWO_WAY
    conflict: ConflictPolicy = ConflictPolicy.NEWER_WINS
    deletions: Deletions = Deletions.NONE
    expired: Expired = Expired.REUPLOAD
    ttl_us: Callable[[], int | None] = _no_ttl
    """The bucket's ttl in microseconds; None: it has none. Asked only where a rule needs it,
    since the answer costs an API call."""
    refresh_before_us: int | None = None
    """How long before its expiry an object is sent again; None: never."""
    skew_us: int = 0
    """How far the local clock is ahead of the bucket's, in microseconds."""
    max_skew_us: int = 600_000_000
    """Skew beyond which the two clocks are not compared: newer-wins then keeps both versions."""

    @property
    def settles_conflicts_by(self) -> ConflictPolicy:
        """The conflict policy as the clocks allow it."""
        if self.conflict is ConflictPolicy.NEWER_WINS and abs(self.skew_us) > self.max_skew_us:
            return ConflictPolicy.KEEP_BOTH
        return self.conflict


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
    base: BaselineEntry | None
    policy: Policy
    now_us: int

    def us_to_expiry(self) -> int | None:
        """Microseconds until the object that was in step expires; None: it never does."""
        ttl_us = self.policy.ttl_us()
        if ttl_us is None or self.base is None:
            return None
        server_now_us = self.now_us - self.policy.skew_us
        return self.base.created_us + ttl_us - server_now_us


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
    case = _Case(local, remote, base, policy, now_us)
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
    keep_both = policy.settles_conflicts_by is ConflictPolicy.KEEP_BOTH
    loser = Loser.RENAME if keep_both else Loser.TRASH
    reason = if_local if verb is Verb.UPLOAD else if_remote
    return Decision(verb, reason, loser, compare=one_size)


def _local_wins(case: _Case, local: LocalEntry, remote: RemoteEntry) -> bool:
    policy = case.policy
    settled_by = policy.settles_conflicts_by
    if settled_by is ConflictPolicy.LOCAL_WINS:
        return True
    if settled_by is ConflictPolicy.REMOTE_WINS:
        return False
    if settled_by is ConflictPolicy.KEEP_BOTH and policy.direction is not Direction.TWO_WAY:
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


def _in_step(case: _Case) -> Decision:
    refresh_us = case.policy.refresh_before_us
    if refresh_us is not None:
        left_us = case.us_to_expiry()
        if left_us is not None and left_us <= refresh_us:
            return _push(Reason.REFRESH)(case)
    return Decision(None, Reason.IN_STEP)


def _local_vanished(case: _Case) -> Decision:
    carried = case.policy.deletions in {Deletions.TO_BUCKET, Deletions.BOTH}
    if carried and case.policy.direction is not Direction.DOWNLOAD:
        return Decision(Verb.DELETE_REMOTE, Reason.DELETED_LOCAL)
    return _pull(Reason.LOST_LOCAL)(case)


def _remote_vanished(case: _Case) -> Decision:
    carried = case.policy.deletions in {Deletions.TO_LOCAL, Deletions.BOTH}
    carried = carried and case.policy.direction is not Direction.UPLOAD
    leaves = case.policy.expired is Expired.LEAVE
    # The ttl is asked only where the answer makes a difference.
    if (carried or leaves) and _has_expired(case):
        if leaves:
            return Decision(None, Reason.EXPIRED_LEFT)
        return _push(Reason.EXPIRED)(case)
    if carried:
        return Decision(Verb.DELETE_LOCAL, Reason.DELETED_REMOTE)
    return _push(Reason.LOST_REMOTE)(case)


def _has_expired(case: _Case) -> bool:
    """Whether the ttl explains that the object is gone (I3: expiry never deletes a local file).

    Providers sweep by the day and not by the second, so the last stretch before the expiry counts
    as after it: taking a deletion for an expiry costs an upload, the other error costs a file.
    """
    left_us = case.us_to_expiry()
    ttl_us = case.policy.ttl_us()
    if left_us is None or ttl_us is None:
        return False
    return left_us <= min(DAY_US, ttl_us // 7)


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
    (_State.MISSING, _State.UNCHANGED): _local_vanished,
    (_State.UNCHANGED, _State.MISSING): _remote_vanished,
    (_State.MISSING, _State.CHANGED): _pull(Reason.EDIT_BEATS_DELETE_REMOTE),
    (_State.CHANGED, _State.MISSING): _push(Reason.EDIT_BEATS_DELETE_LOCAL),
    (_State.MISSING, _State.MISSING): _forget,
}
