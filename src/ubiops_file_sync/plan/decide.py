"""The decision table of design section 4: one key, three views of it, one verdict. Pure.

Each side is compared with its own past, never with the other side's clock: `time_created` is when
an object was *stored*, so right after our own upload the remote always looks newer.
Times are compared across sides in one place only, `Case.newer`, where both changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ubiops_file_sync.model import (
    BaselineEntry,
    ConflictPolicy,
    Decision,
    LocalEntry,
    Loser,
    Reason,
    RemoteEntry,
    Verb,
)
from ubiops_file_sync.plan.case import Case, Policy, State

# Made once: a pass may come to the same verdict a million times.
_ADOPTED = Decision(Verb.ADOPT, Reason.RECORDED_LATE)
_LEFT_IN_STEP = Decision(None, Reason.IN_STEP)


def decide(
    local: LocalEntry | None,
    remote: RemoteEntry | None,
    base: BaselineEntry | None,
    policy: Policy,
    now_us: int,
) -> Decision:
    """The verdict on one key that no earlier pass began to upload.

    At least one of the three entries is not None, and all that are given carry the same key.
    `now_us` is the local clock in microseconds since the epoch.
    """
    return judge(Case(local, remote, base, None, policy, now_us))


def judge(case: Case) -> Decision:
    """The verdict on one key."""
    if case.intent is None:
        return _by_table(case)
    if case.own_upload() is None and case.own_upload_does_not_show():
        return _unseen(case)
    return _after_crash(case) if case.remote is not None else _by_table(case)


def _by_table(case: Case) -> Decision:
    return _TABLE[case.local_state(), case.remote_state()](case)


def _after_crash(case: Case) -> Decision:
    """The verdict on a key that an earlier pass began to upload."""
    ours = case.own_upload()
    if ours is None and case.edited_after_own_upload() and case.may_upload():
        # What we sent is older than this edit, whatever the policy says of conflicts; and since
        # it may be somebody else's after all, it is kept.
        return Decision(Verb.UPLOAD, Reason.CHANGED_LOCAL, Loser.TRASH)
    decision = _by_table(replace(case, base=ours or case.base))
    if ours is not None:
        late = decision.reason is Reason.IN_STEP
        return _ADOPTED if late else decision
    return _compared(case, decision)


def _compared(case: Case, decision: Decision) -> Decision:
    """The verdict on an object that may be what was sent: not without a look at its content.

    Else what was only sent again, and is as it was here, would be fetched for nothing; and where
    the profile may not fetch, it would pass for somebody else's version for ever.
    """
    if not case.one_size():
        return decision
    if decision.verb is Verb.DOWNLOAD:
        return replace(decision, compare=True)
    if decision.reason is Reason.DESTINATION_NEWER:
        return Decision(Verb.ADOPT, Reason.RECORDED_LATE, compare=True)
    return decision


def _unseen(case: Case) -> Decision:
    """The verdict on a key of which an upload ended well, and nothing of it shows in the bucket."""
    in_question = case.may_hold_what_was_sent()
    if case.is_just_sent():
        return Decision(Verb.ADOPT if in_question else None, Reason.UNSEEN, compare=in_question)
    decision = _by_table(case)
    if in_question and decision.verb is Verb.UPLOAD:
        # Without a look it would be sent again in every pass, where `time_created` stays.
        return replace(decision, loser=Loser.TRASH, compare=True)
    return decision


def _push(reason: Reason) -> Callable[[Case], Decision]:
    """Upload, unless the profile only downloads."""

    def verdict(case: Case) -> Decision:
        if not case.may_upload():
            return Decision(None, Reason.OTHER_DIRECTION)
        return Decision(Verb.UPLOAD, reason)

    return verdict


def _pull(reason: Reason) -> Callable[[Case], Decision]:
    """Download, unless the profile only uploads."""

    def verdict(case: Case) -> Decision:
        if not case.may_download():
            return Decision(None, Reason.OTHER_DIRECTION)
        return Decision(Verb.DOWNLOAD, reason)

    return verdict


def _local_alone_changed(case: Case) -> Decision:
    if not case.may_upload():
        return _contest(case, Reason.DESTINATION_CHANGED, Reason.DESTINATION_CHANGED)
    if case.surely_equal():
        # Most likely fetched again by a pass that did not live to record it. But an edit of the
        # same size may bear that time too, where clocks tell whole seconds; so it is looked at.
        return Decision(Verb.UPLOAD, Reason.CHANGED_LOCAL, compare=True)
    # Even if its mtime is old: `cp -p` of an earlier version is a change like any other.
    return Decision(Verb.UPLOAD, Reason.CHANGED_LOCAL)


def _remote_alone_changed(case: Case) -> Decision:
    if not case.may_download():
        return _contest(case, Reason.DESTINATION_CHANGED, Reason.DESTINATION_CHANGED)
    return Decision(Verb.DOWNLOAD, Reason.CHANGED_REMOTE)


def _first_meeting(case: Case) -> Decision:
    return _contest(case, Reason.FIRST_MEETING_LOCAL, Reason.FIRST_MEETING_REMOTE)


def _both_changed(case: Case) -> Decision:
    return _contest(case, Reason.CONFLICT_LOCAL, Reason.CONFLICT_REMOTE)


def _contest(case: Case, if_local: Reason, if_remote: Reason) -> Decision:
    """Both sides hold a version of their own: adopt if equal, else one wins by the policy."""
    if case.surely_equal():
        return _ADOPTED
    verb = Verb.UPLOAD if _local_wins(case) else Verb.DOWNLOAD
    if not (case.may_upload() if verb is Verb.UPLOAD else case.may_download()):
        return Decision(None, Reason.DESTINATION_NEWER)
    keep_both = case.settled_by() is ConflictPolicy.KEEP_BOTH
    loser = Loser.RENAME if keep_both else Loser.TRASH
    reason = if_local if verb is Verb.UPLOAD else if_remote
    return Decision(verb, reason, loser, compare=case.one_size())


def _local_wins(case: Case) -> bool:
    settled_by = case.settled_by()
    if settled_by is ConflictPolicy.LOCAL_WINS:
        return True
    if settled_by is ConflictPolicy.REMOTE_WINS:
        return False
    if settled_by is ConflictPolicy.KEEP_BOTH:
        # Nothing is lost by a rename, so in a one-way profile the source's version takes the name.
        if not case.may_download():
            return True
        if not case.may_upload():
            return False
    return case.newer().is_local


def _in_step(case: Case) -> Decision:
    if case.policy.refresh_before_us is not None and case.refresh_is_due():
        return _push(Reason.REFRESH)(case)
    return _LEFT_IN_STEP


def _local_vanished(case: Case) -> Decision:
    if case.deletes_in_bucket() and case.may_upload():
        return Decision(Verb.DELETE_REMOTE, Reason.DELETED_LOCAL)
    return _pull(Reason.LOST_LOCAL)(case)


def _remote_vanished(case: Case) -> Decision:
    carried = case.deletes_here() and case.may_download()
    leaves = case.leaves_expired()
    # The ttl is asked only where the answer makes a difference.
    if (carried or leaves) and case.has_expired():
        if leaves:
            return Decision(None, Reason.EXPIRED_LEFT)
        return _push(Reason.EXPIRED)(case)
    if carried:
        return Decision(Verb.DELETE_LOCAL, Reason.DELETED_REMOTE)
    return _push(Reason.LOST_REMOTE)(case)


def _forget(_case: Case) -> Decision:
    return Decision(Verb.FORGET, Reason.GONE)


_TABLE: dict[tuple[State, State], Callable[[Case], Decision]] = {
    # (local, remote)
    (State.NEW, State.ABSENT): _push(Reason.NEW_LOCAL),
    (State.ABSENT, State.NEW): _pull(Reason.NEW_REMOTE),
    (State.NEW, State.NEW): _first_meeting,
    (State.UNCHANGED, State.UNCHANGED): _in_step,
    (State.CHANGED, State.UNCHANGED): _local_alone_changed,
    (State.UNCHANGED, State.CHANGED): _remote_alone_changed,
    (State.CHANGED, State.CHANGED): _both_changed,
    (State.MISSING, State.UNCHANGED): _local_vanished,
    (State.UNCHANGED, State.MISSING): _remote_vanished,
    (State.MISSING, State.CHANGED): _pull(Reason.EDIT_BEATS_DELETE_REMOTE),
    (State.CHANGED, State.MISSING): _push(Reason.EDIT_BEATS_DELETE_LOCAL),
    (State.MISSING, State.MISSING): _forget,
}
