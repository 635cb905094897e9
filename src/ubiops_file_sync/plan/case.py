"""One key as a decision sees it: what is known of it, and the questions that may be asked. Pure.

`decide` is the only place that knows which question comes after which. Each question is a method
here, so that `explain` can listen to a decision and tell what was asked and answered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from ubiops_file_sync.model import (
    BaselineEntry,
    ConflictPolicy,
    Deletions,
    Direction,
    Expired,
    Intent,
    LocalEntry,
    RemoteEntry,
)
from ubiops_file_sync.plan.intents import (
    is_just_sent,
    is_later_edit,
    may_be_ours,
    recognise,
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


class State(Enum):
    """One side against its baseline."""

    ABSENT = "absent, and never in step"
    NEW = "present, and never in step"
    MISSING = "absent, but in step once"
    UNCHANGED = "as it was when last in step"
    CHANGED = "other than when last in step"

    __hash__ = object.__hash__
    """Enum's own goes by the name, and the table is asked once a key."""


class Newer(Enum):
    """Which of two versions is the newer one, and how that is told."""

    LOCAL_LATER = "it was changed later"
    REMOTE_LATER = "it was stored later"
    TIE = "both times are the same, and a tie goes to the bucket"
    LOCAL_ODD = "the local time is impossible (at 1970, or over a day ahead) and tells nothing"
    REMOTE_ODD = "the bucket's time is impossible (at 1970, or over a day ahead) and tells nothing"

    @property
    def is_local(self) -> bool:
        """Whether it is the local one."""
        return self in {Newer.LOCAL_LATER, Newer.REMOTE_ODD}


@dataclass(frozen=True, slots=True)
class Case:
    """All that one decision may look at. The public methods are the questions it may ask."""

    local: LocalEntry | None
    remote: RemoteEntry | None
    base: BaselineEntry | None
    intent: Intent | None
    """An upload that an earlier pass began, and of which nothing is seen in the baseline."""
    policy: Policy
    now_us: int
    """The local clock."""

    def local_state(self) -> State:
        """The local side against the baseline."""
        local, base = self.local, self.base
        if local is None:
            return State.ABSENT if base is None else State.MISSING
        if base is None:
            return State.NEW
        same = local.size == base.size and local.mtime_ns == base.mtime_ns
        return State.UNCHANGED if same else State.CHANGED

    def remote_state(self) -> State:
        """The bucket's side against the baseline."""
        remote, base = self.remote, self.base
        if remote is None:
            return State.ABSENT if base is None else State.MISSING
        if base is None:
            return State.NEW
        same = remote.size == base.size and remote.created_us == base.created_us
        return State.UNCHANGED if same else State.CHANGED

    def own_upload(self) -> BaselineEntry | None:
        """The baseline that the object would have as what an earlier pass surely sent."""
        if self.intent is None or self.remote is None:
            return None
        return recognise(self.intent, self.remote, self.base)

    def edited_after_own_upload(self) -> bool:
        """Whether the object may be what an earlier pass sent, and the file was edited since."""
        local, remote, intent = self.local, self.remote, self.intent
        if local is None or remote is None or intent is None:
            return False
        return may_be_ours(intent, remote) and is_later_edit(local, intent)

    def own_upload_does_not_show(self) -> bool:
        """Whether the bucket looks as it did before an upload of ours that surely ended well.

        Either it is slow to show it, or it left `time_created` as it was, or somebody deleted the
        object. An edit since, or anything else in the bucket, is looked at in the usual way.
        """
        intent = self.intent
        if intent is None or intent.finished_us is None:
            return False
        if self.local is not None and is_later_edit(self.local, intent):
            return False
        return self.remote is None or self.remote_state() is State.UNCHANGED

    def may_hold_what_was_sent(self) -> bool:
        """Whether the object may be the edit that was sent, under the time of the version before.

        Not where nothing was edited: then the version before is the same, and proves nothing.
        """
        intent, remote = self.intent, self.remote
        if remote is None or intent is None or self.local_state() is not State.CHANGED:
            return False
        return remote.size == intent.size

    def is_just_sent(self) -> bool:
        """Whether that upload ended so lately that the bucket may not show it yet."""
        if self.intent is None:
            return False
        return is_just_sent(self.intent, self.now_us - self.policy.skew_us)

    def may_upload(self) -> bool:
        """Whether the profile writes to the bucket."""
        return self.policy.direction is not Direction.DOWNLOAD

    def may_download(self) -> bool:
        """Whether the profile writes to the local side."""
        return self.policy.direction is not Direction.UPLOAD

    def deletes_in_bucket(self) -> bool:
        """Whether deletions here travel to the bucket."""
        return self.policy.deletions in {Deletions.TO_BUCKET, Deletions.BOTH}

    def deletes_here(self) -> bool:
        """Whether deletions in the bucket travel here."""
        return self.policy.deletions in {Deletions.TO_LOCAL, Deletions.BOTH}

    def leaves_expired(self) -> bool:
        """Whether what expired is to be left alone."""
        return self.policy.expired is Expired.LEAVE

    def has_expired(self) -> bool:
        """Whether the ttl explains that the object is gone (I3: expiry is never a deletion).

        Providers sweep by the day and not by the second, so the last stretch before the expiry
        counts as after it: taking a deletion for an expiry costs an upload, the other error costs
        a file.
        """
        left_us, ttl_us = self._us_to_expiry(), self.policy.ttl_us()
        if left_us is None or ttl_us is None:
            return False
        return left_us <= min(DAY_US, ttl_us // 7)

    def refresh_is_due(self) -> bool:
        """Whether the object is so near its expiry that it is to be sent again."""
        if self.policy.refresh_before_us is None:
            return False
        left_us = self._us_to_expiry()
        return left_us is not None and left_us <= self.policy.refresh_before_us

    def surely_equal(self) -> bool:
        """Whether two versions are the same without a look at their content.

        A download sets the mtime to time_created, so that one that nobody lived to record shows.
        """
        local, remote = self.local, self.remote
        if local is None or remote is None:
            return False
        return is_copy_of(local, remote) or local.size == remote.size == 0

    def one_size(self) -> bool:
        """Whether the two versions have one size, so that their content must be compared."""
        return (
            self.local is not None
            and self.remote is not None
            and self.local.size == self.remote.size
        )

    def settled_by(self) -> ConflictPolicy:
        """Who wins where two versions meet."""
        return self.policy.settles_conflicts_by

    def newer(self) -> Newer:
        """The newer of two versions, by two times on the local clock."""
        local, remote, now_us = self.local, self.remote, self.now_us
        if local is None or remote is None:  # pragma: no cover - the table never asks
            raise AssertionError("which is newer needs two versions")
        local_us, remote_us = local.mtime_ns // 1000, remote.created_us + self.policy.skew_us
        if not _tells_something(local_us, now_us):
            return Newer.LOCAL_ODD
        if not _tells_something(remote_us, now_us):
            return Newer.REMOTE_ODD
        if local_us == remote_us:
            return Newer.TIE
        return Newer.LOCAL_LATER if local_us > remote_us else Newer.REMOTE_LATER

    def _us_to_expiry(self) -> int | None:
        """Microseconds until the object that was in step expires; None: it never does."""
        ttl_us = self.policy.ttl_us()
        if ttl_us is None or self.base is None:
            return None
        server_now_us = self.now_us - self.policy.skew_us
        return self.base.created_us + ttl_us - server_now_us


def is_copy_of(local: LocalEntry, remote: RemoteEntry) -> bool:
    """Whether the file is as a download of the object leaves it: of its size, and its time."""
    return local.size == remote.size and local.mtime_ns // 1000 == remote.created_us


def _tells_something(time_us: int, now_us: int) -> bool:
    """Whether a time is believed: one at the epoch or more than a day ahead tells nothing."""
    return 0 < time_us <= now_us + DAY_US
