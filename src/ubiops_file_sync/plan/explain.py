"""A decision and every question that led to it, in words. Pure.

The words stand here and the branches in `decide`: a case that listens goes through the very same
decision, and writes down what it is asked and what it answers. No rule is told a second time.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ubiops_file_sync.model import BaselineEntry, ConflictPolicy, Decision
from ubiops_file_sync.phrases import moment_ns, moment_us, size_words, span_us
from ubiops_file_sync.plan.case import Case, Newer, State
from ubiops_file_sync.plan.decide import judge


@dataclass(frozen=True, slots=True)
class Asked:
    """One rule that a decision asked about a key."""

    question: str
    answer: str
    """`yes`, `no`, or which of several."""
    because: str
    """What the answer rests on."""


def explain_decision(case: Case) -> tuple[Decision, tuple[Asked, ...]]:
    """The verdict on `case`, and what was asked for it, in the order of asking."""
    listening = _Listening(
        case.local, case.remote, case.base, case.intent, case.policy, case.now_us
    )
    decision = judge(listening)
    return decision, tuple(listening.asked.values())


_STATE_ANSWER = {
    State.ABSENT: "no",
    State.NEW: "yes",
    State.MISSING: "yes",
    State.UNCHANGED: "no",
    State.CHANGED: "yes",
}


@dataclass(frozen=True)
class _Listening(Case):
    """A case that writes down the questions that it is asked; each once, and its last answer."""

    asked: dict[str, Asked] = field(default_factory=dict)

    def _heard(self, question: str, answer: str | bool, because: str) -> None:  # noqa: FBT001
        words = answer if isinstance(answer, str) else "yes" if answer else "no"
        self.asked[question] = Asked(question, words, because)

    def local_state(self) -> State:
        state = super().local_state()
        now = self.local and (self.local.size, self.local.mtime_ns)
        then = self.base and (self.base.size, self.base.mtime_ns)
        self._heard(_QUESTION_HERE[state], _STATE_ANSWER[state], _against(state, then, now, "here"))
        return state

    def remote_state(self) -> State:
        state = super().remote_state()
        now = self.remote and (self.remote.size, self.remote.created_us * 1000)
        then = self.base and (self.base.size, self.base.created_us * 1000)
        because = _against(state, then, now, "in the bucket")
        self._heard(_QUESTION_THERE[state], _STATE_ANSWER[state], because)
        return state

    def own_upload(self) -> BaselineEntry | None:
        ours = super().own_upload()
        if self.intent is not None and self.remote is not None:
            began = moment_us(self.intent.started_us)
            if self.intent.finished_us is None:
                because = f"an upload of {size_words(self.intent.size)} was begun at {began}, and "
                because += "no pass lived to see it end"
            else:
                because = f"{size_words(self.intent.size)} were sent from {began} to "
                because += moment_us(self.intent.finished_us)
            stored = f"; the object was stored at {moment_us(self.remote.created_us)}, "
            because += stored + size_words(self.remote.size)
            question = "is the object surely what an earlier pass of this profile sent?"
            self._heard(question, ours is not None, because)
        return ours

    def own_upload_does_not_show(self) -> bool:
        unseen = super().own_upload_does_not_show()
        if self.intent is not None and self.intent.finished_us is not None:
            because = f"{size_words(self.intent.size)} were sent until "
            because += moment_us(self.intent.finished_us)
            because += "; the bucket looks as before" if unseen else "; one side changed since"
            self._heard("is the last upload still to show in the bucket?", unseen, because)
        return unseen

    def may_hold_what_was_sent(self) -> bool:
        may = super().may_hold_what_was_sent()
        because = (
            "both have one size, so only the content tells whether it does"
            if may
            else "one of the two is not there, or their sizes differ"
        )
        self._heard("may the object hold what was sent, under its old time?", may, because)
        return may

    def is_just_sent(self) -> bool:
        lately = super().is_just_sent()
        if self.intent is not None and self.intent.finished_us is not None:
            because = f"that upload ended at {moment_us(self.intent.finished_us)}"
            self._heard("may the bucket still need time to show it?", lately, because)
        return lately

    def edited_after_own_upload(self) -> bool:
        edited = super().edited_after_own_upload()
        because = (
            "its size or time is another than when that upload began, and the object may be it"
            if edited
            else "either the file is as that upload found it, or the object cannot be that upload"
        )
        self._heard("was the file edited after that upload began?", edited, because)
        return edited

    def may_upload(self) -> bool:
        may = super().may_upload()
        self._heard("may this profile write to the bucket?", may, self._direction())
        return may

    def may_download(self) -> bool:
        may = super().may_download()
        self._heard("may this profile write here?", may, self._direction())
        return may

    def deletes_in_bucket(self) -> bool:
        travels = super().deletes_in_bucket()
        self._heard("do deletions here travel to the bucket?", travels, self._deletions())
        return travels

    def deletes_here(self) -> bool:
        travels = super().deletes_here()
        self._heard("do deletions in the bucket travel here?", travels, self._deletions())
        return travels

    def leaves_expired(self) -> bool:
        leaves = super().leaves_expired()
        because = f"`expired` is {self.policy.expired}"
        self._heard("does an object that expired stay away?", leaves, because)
        return leaves

    def has_expired(self) -> bool:
        expired = super().has_expired()
        question = "did the bucket's ttl take the object, rather than a person?"
        self._heard(question, expired, self._expiry())
        return expired

    def refresh_is_due(self) -> bool:
        due = super().refresh_is_due()
        before = span_us(self.policy.refresh_before_us or 0)
        because = f"`refresh_before` is {before}; {self._expiry()}"
        self._heard("is the object about to expire?", due, because)
        return due

    def surely_equal(self) -> bool:
        equal = super().surely_equal()
        because = (
            "both are empty, or the local time is that of the object, which a download sets"
            if equal
            else "size and times do not prove it"
        )
        self._heard("are the two surely the same version?", equal, because)
        return equal

    def one_size(self) -> bool:
        one = super().one_size()
        because = (
            "so their content is compared first, and if it is equal nothing travels"
            if one
            else "so their content differs"
        )
        self._heard("have the two versions one size?", one, because)
        return one

    def settled_by(self) -> ConflictPolicy:
        policy = super().settled_by()
        because = f"`conflict` is {self.policy.conflict}"
        if policy is not self.policy.conflict:
            because += (
                f", but the clocks are {span_us(self.policy.skew_us)} apart, more than `max_skew` "
                f"({span_us(self.policy.max_skew_us)}), so which is newer cannot be told"
            )
        self._heard("what settles which version wins?", policy.value, because)
        return policy

    def newer(self) -> Newer:
        newer = super().newer()
        who = "the local file" if newer.is_local else "the bucket's version"
        self._heard("which version is the newer one?", who, f"{newer.value}; {self._times()}")
        return newer

    def _times(self) -> str:
        here = moment_ns(self.local.mtime_ns) if self.local else "-"
        there = moment_us(self.remote.created_us) if self.remote else "-"
        return (
            f"changed here at {here}, stored in the bucket at {there}{_skew(self.policy.skew_us)}"
        )

    def _direction(self) -> str:
        return f"`direction` is {self.policy.direction}"

    def _deletions(self) -> str:
        return f"`deletions` is {self.policy.deletions}"

    def _expiry(self) -> str:
        ttl_us = self.policy.ttl_us()
        if ttl_us is None or self.base is None:
            return "the bucket has no ttl"
        stored, expires = self.base.created_us, self.base.created_us + ttl_us
        return (
            f"stored at {moment_us(stored)} with a ttl of {span_us(ttl_us)}, it expires at "
            f"{moment_us(expires)}, sooner or later by a day at most"
        )


_QUESTION_HERE = {
    State.ABSENT: "is it here?",
    State.NEW: "is it new here?",
    State.MISSING: "did it vanish here since the two sides were last in step?",
    State.UNCHANGED: "did it change here since the two sides were last in step?",
    State.CHANGED: "did it change here since the two sides were last in step?",
}
_QUESTION_THERE = {
    State.ABSENT: "is it in the bucket?",
    State.NEW: "is it new in the bucket?",
    State.MISSING: "did it vanish from the bucket since the two sides were last in step?",
    State.UNCHANGED: "did it change in the bucket since the two sides were last in step?",
    State.CHANGED: "did it change in the bucket since the two sides were last in step?",
}


def _against(
    state: State, then: tuple[int, int] | None, now: tuple[int, int] | None, side: str
) -> str:
    """What a side says now, against what it said when last in step."""
    if then is None or now is None:
        return {
            State.ABSENT: f"nothing is known of it {side}",
            State.NEW: "no pass recorded that the two sides were in step",
        }.get(state, f"it was in step once, and nothing is {side} any more")
    return changes(then, now) or "size and time are as recorded"


def changes(then: tuple[int, int], now: tuple[int, int]) -> str:
    """How two pairs of size and time (ns) differ, in words; empty: they do not."""
    told = []
    if then[0] != now[0]:
        told.append(f"the size was {size_words(then[0])}, is {size_words(now[0])}")
    if then[1] != now[1]:
        told.append(f"the time was {moment_ns(then[1])}, is {moment_ns(now[1])}")
    return " and ".join(told)


def _skew(skew_us: int) -> str:
    if not skew_us:
        return ""
    ahead = "ahead of" if skew_us > 0 else "behind"
    return f" (this machine's clock is {span_us(skew_us)} {ahead} the bucket's, which is reckoned)"
