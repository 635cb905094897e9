"""How a profile is doing, as people and as programs read it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, tzinfo
from typing import Any

from ubiops_file_sync.chronicle import (
    iso,
    left_lines,
    outcome_words,
    past_json,
)
from ubiops_file_sync.errors import SafetyHalt
from ubiops_file_sync.model import Direction, Unfinished
from ubiops_file_sync.past import PastPass, Stage, Trigger
from ubiops_file_sync.phrases import (
    bytes_words,
    counted,
    duration_words,
    moment_here,
    printable,
    rate_words,
    span_us,
)
from ubiops_file_sync.status.facts import SOON_DAYS, Live, ProfileStatus, TransferLine

_BY = {
    Trigger.SERVICE: "by the service",
    Trigger.COMMAND: "by a command",
    Trigger.LIBRARY: "by a program",
    Trigger.APPLY: "of a saved plan",
}
_WAY = {Direction.UPLOAD: "up", Direction.DOWNLOAD: "down"}


def status_lines(
    status: ProfileStatus, live: Live | None = None, zone: tzinfo | None = None
) -> Iterator[str]:
    """One profile, the most telling first. `zone`: of the times; None: the machine's."""
    words = _Words(status, zone)
    yield f"{status.name}: {_headline(status)}"
    yield f"  {status.local_dir} and {status.project}/{status.bucket}/{status.prefix}"
    for lines in (words.passes(), words.live(live), words.trouble(), words.files()):
        for line in lines:
            yield f"  {line}"


def _headline(status: ProfileStatus) -> str:
    last = status.last
    if status.is_of_other_places:
        return "its state belongs to other places, so a pass would halt"
    if last is None:
        return "no pass yet"
    if status.is_in_step:
        return "in step"
    if last.exit_code == 0:
        return f"in step, but for {sum(last.account.left.values()):,} left as they are"
    if last.account.problem_count and last.account.error is None:
        return f"NOT in step: {counted(last.account.problem_count, 'file')} failed"
    return f"NOT in step: the last pass {_broken_off(last)}"


def _broken_off(one: PastPass) -> str:
    if one.stage is Stage.CUT_OFF:
        return "did not come to its end"
    return "halted" if one.exit_code == SafetyHalt.exit_code else "was broken off"


class _Words:
    """The lines of a status, by what they are about."""

    def __init__(self, status: ProfileStatus, zone: tzinfo | None) -> None:
        self._status = status
        self._zone = zone

    def passes(self) -> Iterator[str]:
        """The last pass, the last good one, and one that is under way."""
        status = self._status
        last = status.last
        if last is not None:
            took = f", in {duration_words(last.account.seconds)}"
            how = f"{_BY[last.trigger]}{took if last.stage is Stage.ENDED else ''}"
            yield f"last pass {self._when(last)}, {how}: {outcome_words(last, reason=False)}"
            if last is not status.last_success:
                good = status.last_success
                words = "none that is remembered" if good is None else self._when(good)
                yield f"last pass that went well: {words}"
        if status.under_way is not None:
            one = status.under_way
            began = f"since {self._moment(one.began_us)}, {self._ago(one.began_us)}"
            yield f"a pass is under way {began}: {_BY[one.trigger]}, process {one.process}"
        elif status.held_by is not None:
            yield f"held by {printable(status.held_by)}: a pass that begins, or a restore"

    def live(self, live: Live | None) -> Iterator[str]:
        """What the service adds."""
        if live is None:
            return
        if live.is_paused:
            until = live.paused_until
            when = "until it is resumed" if until is None else f"until {self._moment(_us(until))}"
            yield f"paused {when}"
        if live.backing_off is not None:
            yield f"backing off: {live.backing_off}"
        if live.is_wanted:
            yield "a pass is asked for, and begins as soon as it can"
        if live.next_due is not None:
            due_us = _us(live.next_due)
            in_us = due_us - self._status.asked_us
            when = f"in {span_us(in_us)}" if in_us > 0 else "due now"
            yield f"next pass at {self._moment(due_us)}, {when}"
        for transfer in live.transfers:
            yield _transfer_line(transfer)
        if live.quota_left is not None:
            yield f"{live.quota_left:,} API calls left of this minute's"

    def trouble(self) -> Iterator[str]:
        """What a person should look at."""
        status = self._status
        if status.last is not None:
            account = status.last.account
            if account.error is not None:
                yield f"error: {printable(account.error)}"
            for problem in status.last.problems:
                yield f"problem: {printable(problem.key)}: {printable(problem.message)}"
            more = account.problem_count - len(status.last.problems)
            if more:
                yield f"and {counted(more, 'more problem')}"
            yield from left_lines(account)
            for note in account.notes:
                yield f"note: {printable(note)}"
        for key in status.conflicts:
            yield f"kept the losing version of a conflict as {printable(key)}"
        more = status.conflict_count - len(status.conflicts)
        if more:
            yield f"and {more:,} more of them"

    def files(self) -> Iterator[str]:
        """How many there are, which travel in parts, which expire, and what limits them."""
        status = self._status
        yield f"{counted(status.in_step_count, 'file')} in step"
        for one in status.unfinished:
            yield f"to go on with: {_unfinished_words(one)}"
        if status.last is not None:
            yield self._expiry()
        if status.pace is not None:
            limit, share, a_minute = status.pace
            yield f"at most {a_minute:,} API calls a minute (quota {limit:,}, share {share:g})"

    def _expiry(self) -> str:
        status = self._status
        expiry = status.expiry
        if not status.is_ttl_known:
            return "expiry: not known, since no pass had to ask for the bucket's ttl"
        if expiry is None:
            return "expiry: none, the bucket keeps its files"
        if expiry.first_us is None:
            return f"expiry: {span_us(expiry.ttl_us)} after a file is stored"
        first = self._moment(expiry.first_us)
        soon = counted(expiry.soon_count, "file") if expiry.soon_count else "none"
        return f"expiry: {soon} within {SOON_DAYS} days; the first at {first}"

    def _when(self, one: PastPass) -> str:
        time_us = one.began_us if one.ended_us is None else one.ended_us
        return f"{self._ago(time_us)}, at {self._moment(time_us)}"

    def _ago(self, time_us: int) -> str:
        return f"{span_us(self._status.asked_us - time_us)} ago"

    def _moment(self, time_us: int) -> str:
        return moment_here(time_us, self._zone)


def _transfer_line(one: TransferLine) -> str:
    speed = "" if one.bytes_per_s is None else f", {rate_words(one.bytes_per_s)}"
    trouble = (
        "" if one.last_error is None else f"; the last try failed: {printable(one.last_error)}"
    )
    done, size = bytes_words(one.done_bytes), bytes_words(one.size_bytes)
    return f"{_WAY[one.way]}: {printable(one.key)}, {done} of {size}{speed}{trouble}"


def _unfinished_words(one: Unfinished) -> str:
    parts = -(-one.size // one.part_bytes)
    return (
        f"{printable(one.key)}, {bytes_words(one.size)} {_WAY[one.direction]}, "
        f"{len(one.parts):,} of {counted(parts, 'part')}"
    )


def status_json(status: ProfileStatus, live: Live | None = None) -> dict[str, Any]:
    """One profile as programs read it; times as ISO 8601, UTC."""
    expiry, good = status.expiry, status.last_success
    return {
        "profile": status.name,
        "local_dir": status.local_dir,
        "project": status.project,
        "bucket": status.bucket,
        "prefix": status.prefix,
        "asked": iso(status.asked_us),
        "is_in_step": status.is_in_step,
        "is_of_other_places": status.is_of_other_places,
        "last": None if status.last is None else past_json(status.last),
        "last_success": None if good is None or good.ended_us is None else iso(good.ended_us),
        "under_way": None if status.under_way is None else past_json(status.under_way),
        "held_by": status.held_by,
        "in_step": status.in_step_count,
        "conflicts": list(status.conflicts),
        "conflict_count": status.conflict_count,
        "is_ttl_known": status.is_ttl_known,
        "expiry": expiry
        and {
            "ttl_s": expiry.ttl_us // 1_000_000,
            "first": None if expiry.first_us is None else iso(expiry.first_us),
            "within_days": SOON_DAYS,
            "count": expiry.soon_count,
        },
        "quota": None if status.pace is None else status.pace._asdict(),
        "unfinished": [_unfinished_json(one) for one in status.unfinished],
        "live": None if live is None else _live_json(live),
    }


def _unfinished_json(one: Unfinished) -> dict[str, Any]:
    return {
        "key": one.key,
        "way": one.direction.value,
        "size_bytes": one.size,
        "part_bytes": one.part_bytes,
        "parts_done": len(one.parts),
        "started": iso(one.started_us),
    }


def _live_json(live: Live) -> dict[str, Any]:
    return {
        "next_due": None if live.next_due is None else iso(_us(live.next_due)),
        "is_wanted": live.is_wanted,
        "quota_left": live.quota_left,
        "is_paused": live.is_paused,
        "paused_until": None if live.paused_until is None else iso(_us(live.paused_until)),
        "backing_off": live.backing_off,
        "transfers": [asdict(one) for one in live.transfers],
    }


def _us(when: datetime) -> int:
    since = when.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
