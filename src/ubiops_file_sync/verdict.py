"""What the next pass does to one key, in words for who does not know the code. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ubiops_file_sync import keys
from ubiops_file_sync.model import Decision, LocalEntry, Loser, Reason, RemoteEntry, Verb


@dataclass(frozen=True, slots=True)
class Verdict:
    """The end of an explanation, each part a sentence or less."""

    text: str
    """What the next pass does."""
    because: str
    besides: tuple[str, ...] = ()
    """What else that means, and what does not happen."""
    go_on: str = ""
    """The command, or the change, that goes on from here."""


_DOES = {
    Verb.UPLOAD: "uploads it",
    Verb.DOWNLOAD: "downloads it",
    Verb.ADOPT: "moves nothing, and records that the two sides are in step",
    Verb.FORGET: "forgets that it ever was in step",
    Verb.DELETE_LOCAL: "moves the local file to the trash",
    Verb.DELETE_REMOTE: "downloads the object into the trash, and then deletes it in the bucket",
}

_BOTH_KEPT = "No version is lost: the one that loses is kept."
_NOT = {
    Reason.LOST_LOCAL: "It is not deleted in the bucket: for that, `deletions` must be to_bucket "
    "or both, and `direction` must let the profile write to the bucket.",
    Reason.LOST_REMOTE: "It is not deleted here: for that, `deletions` must be to_local or both, "
    "and `direction` must let the profile write here.",
    Reason.EDIT_BEATS_DELETE_LOCAL: "The deletion is not carried over: the edit may be the only "
    "copy of somebody's work.",
    Reason.EDIT_BEATS_DELETE_REMOTE: "The deletion is not carried over: the edit may be the only "
    "copy of somebody's work.",
    Reason.OTHER_DIRECTION: "It is not brought over, and nothing is deleted.",
    Reason.DESTINATION_NEWER: "The version on the side being written to is not overwritten.",
    Reason.EXPIRED: "The local file is not deleted: an expiry is nobody's wish.",
    Reason.EXPIRED_LEFT: "The local file is not deleted, and not sent again.",
    Reason.UNSEEN: "It is not sent again, nor deleted, for half a minute.",
    Reason.CONFLICT_LOCAL: _BOTH_KEPT,
    Reason.CONFLICT_REMOTE: _BOTH_KEPT,
    Reason.FIRST_MEETING_LOCAL: _BOTH_KEPT,
    Reason.FIRST_MEETING_REMOTE: _BOTH_KEPT,
    Reason.DESTINATION_CHANGED: _BOTH_KEPT,
}

_SETTING = {
    Reason.OTHER_DIRECTION: "to bring it over, set `direction: two-way` in the profile, and look "
    "at 'ubiops-file-sync plan {}'",
    Reason.DESTINATION_NEWER: "to let the source win, set `conflict: local-wins` (where it "
    "uploads) or `remote-wins` (where it downloads), and look at 'ubiops-file-sync plan {}'",
    Reason.EXPIRED_LEFT: "to send it again, set `expired: reupload` in the profile, and run "
    "'ubiops-file-sync reconcile {}'",
    Reason.IN_STEP: "to compare the content too: ubiops-file-sync verify {} --content",
}


def verdict_of(
    profile: str,
    key: str,
    decision: Decision,
    local: LocalEntry | None,
    remote: RemoteEntry | None,
) -> Verdict:
    """The verdict that a decision makes on a key that may be synchronised."""
    because = decision.reason.value
    besides = [_NOT[decision.reason]] if decision.reason in _NOT else []
    if decision.verb is None:
        is_in_step = decision.reason is Reason.IN_STEP
        does = "does nothing to it" if is_in_step else "leaves both sides as they are"
        go_on = _SETTING.get(decision.reason, "").format(profile)
        return Verdict(f"the next pass {does}", because, tuple(besides), go_on)
    if decision.compare:
        besides.insert(0, "First it compares the content: if that is equal, nothing travels.")
    besides.extend(_of_the_loser(key, decision, local, remote))
    command = "reconcile"
    if decision.verb in {Verb.DELETE_LOCAL, Verb.DELETE_REMOTE}:
        command = "plan"
    hint = {"reconcile": "to do it now", "plan": "to see all that a pass would delete"}[command]
    go_on = f"{hint}: ubiops-file-sync {command} {profile}"
    return Verdict(f"the next pass {_DOES[decision.verb]}", because, tuple(besides), go_on)


def _of_the_loser(
    key: str, decision: Decision, local: LocalEntry | None, remote: RemoteEntry | None
) -> list[str]:
    """What becomes of the version that is overwritten."""
    if decision.verb is Verb.UPLOAD and remote is not None:
        if decision.loser is Loser.TRASH:
            return ["The bucket's version goes to the trash here first."]
        if decision.loser is Loser.RENAME:
            name = keys.conflict_key(key, remote.created_us)
            return [f"The bucket's version is kept as {name}."]
        return ["It replaces the version in the bucket, which was in step before."]
    if decision.verb is Verb.DOWNLOAD and local is not None:
        if decision.loser is Loser.RENAME:
            name = keys.conflict_key(key, local.mtime_ns // 1000)
            return [f"The local version is kept as {name}, and goes to the trash besides."]
        return ["The local version goes to the trash first."]
    return []


def refused(profile: str, refusal: str) -> Verdict:
    """The verdict on a key that may not be synchronised."""
    return Verdict(
        "no pass ever transfers or deletes it",
        refusal,
        ("If such an object is in the bucket, each pass reports it as a problem.",),
        f"once it is renamed: ubiops-file-sync plan {profile}",
    )


def left_unknown(profile: str, reason: str) -> Verdict:
    """The verdict on a key of which the local side tells nothing."""
    return Verdict(
        "the next pass leaves both sides as they are",
        reason,
        ("What cannot be read is never taken for deleted.",),
        f"once that is mended: ubiops-file-sync plan {profile}",
    )


def never_seen(profile: str) -> Verdict:
    """The verdict on a key that is nowhere."""
    return Verdict(
        "the next pass does nothing",
        "neither side knows it, and it was never in step",
        ("Upper and lower case count, and so does every letter of a folder.",),
        f"all that differs now: ubiops-file-sync plan {profile}",
    )


def hidden(profile: str, because: str, *, was_in_step: bool) -> Verdict:
    """The verdict on a key that a filter hides from both sides."""
    besides = ["A filter never deletes: what is on either side stays as it is."]
    if was_in_step:
        besides.append("The next pass forgets that it was in step.")
    return Verdict(
        "no pass transfers or deletes it while it is hidden",
        because,
        tuple(besides),
        f"once the filter lets it through: ubiops-file-sync plan {profile}",
    )


def held_for_ready(profile: str, reason: Reason, ready_file: str) -> Verdict:
    """The verdict on a key that waits for the ready file of its folder, or is one."""
    return Verdict(
        "the next pass leaves both sides as they are",
        reason.value,
        (f"`ready_file` is {ready_file}: nothing new goes up from a folder before it has one.",),
        f"once {ready_file} stands in its folder: ubiops-file-sync reconcile {profile}",
    )
