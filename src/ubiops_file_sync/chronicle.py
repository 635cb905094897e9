"""Passes of the past, as people and as programs read them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import tzinfo
from typing import Any

from ubiops_file_sync.errors import SafetyHalt
from ubiops_file_sync.model import Reason
from ubiops_file_sync.past import Account, PastPass, Stage
from ubiops_file_sync.phrases import (
    bytes_words,
    counted,
    duration_words,
    moment_here,
    moment_us,
    printable,
)
from ubiops_file_sync.report import done_words

_CUT_OFF = "its end is not known: killed, or the machine stopped"
_PREAMBLE = re.compile(r"profile '[^']*': ")


def outcome_words(one: PastPass, *, reason: bool = True) -> str:
    """What came of a pass, in one line without its time; with the `reason` if it broke off."""
    if one.stage is Stage.UNDER_WAY:
        return "under way"
    if one.stage is Stage.CUT_OFF:
        return _CUT_OFF
    account = one.account
    did = done_words(account.done)
    if account.bytes_up or account.bytes_down:
        did += f" ({bytes_words(account.bytes_up)} up, {bytes_words(account.bytes_down)} down)"
    if account.error is not None:
        words = "halted" if one.exit_code == SafetyHalt.exit_code else "broken off"
        words = f"{did}, then {words}" if did else words
        return f"{words}: {_first_sentence(account.error)}" if reason else words
    failed = account.problem_count
    found = [did or ("nothing was done" if failed else "nothing to do")]
    if failed:
        found.append(f"{counted(failed, 'file')} failed")
    if account.left:
        found.append(f"{sum(account.left.values()):,} left as they are")
    if account.only is not None:
        found.append(f"only {counted(account.only, 'file')} looked at")
    return "; ".join(found)


def _first_sentence(error: str) -> str:
    """Of the message only what happened: the rest is what was to be done then."""
    return printable(_PREAMBLE.sub("", error, count=1).partition(". ")[0])


def left_lines(account: Account) -> Iterator[str]:
    """What differed and was meant to, by reason."""
    for name, count in sorted(account.left.items()):
        member = Reason.__members__.get(name.upper())
        words = name.replace("_", " ") if member is None else member.value
        yield f"{count:,} left as {'it is' if count == 1 else 'they are'}: {words}"


@dataclass(slots=True)
class _Run:
    """Passes one after the other of which the same is to be said."""

    newest: PastPass
    oldest: PastPass
    count: int
    words: str

    def takes(self, one: PastPass, words: str) -> bool:
        """Whether an older pass belongs to them. What was done is told pass by pass."""
        newest = self.newest
        return (
            one.stage is newest.stage is Stage.ENDED
            and (words, one.trigger) == (self.words, newest.trigger)
            and not one.account.done
        )


def history_lines(
    newest_first: Iterable[PastPass], most: int, zone: tzinfo | None = None
) -> list[str]:
    """The newest passes in `most` lines, the newest last, as in a log.

    Passes of which the same is to be said, since they did nothing, share a line. `zone`: of the
    times; None: the machine's.
    """
    runs: list[_Run] = []
    for one in newest_first:
        words = outcome_words(one)
        if runs and runs[-1].takes(one, words):
            runs[-1].oldest = one
            runs[-1].count += 1
        elif len(runs) == most:
            break
        else:
            runs.append(_Run(one, one, 1, words))
    return [_line(run, zone) for run in reversed(runs)]


def _line(run: _Run, zone: tzinfo | None) -> str:
    one = run.oldest
    began = moment_here(one.began_us, zone)
    if run.count == 1:
        ended = one.stage is Stage.ENDED
        took = duration_words(one.account.seconds) if ended else "-"
        return f"{began}  {took:>12}  {one.trigger:<7}  {run.words}"
    last = moment_here(run.newest.began_us, zone)
    return f"{began}  {run.count:>5,} passes  {one.trigger:<7}  {run.words}; the last at {last}"


def past_json(one: PastPass) -> dict[str, Any]:
    """A pass as programs read it; the names are those of a report."""
    account = one.account
    return {
        "pass_id": one.pass_id,
        "stage": one.stage.value,
        "trigger": one.trigger.value,
        "process": one.process,
        "began": iso(one.began_us),
        "ended": None if one.ended_us is None else iso(one.ended_us),
        "exit_code": one.exit_code,
        "outcome": outcome_words(one),
        "error": account.error,
        "seconds": account.seconds,
        "only": account.only,
        "local_files": account.local_files,
        "remote_files": account.remote_files,
        "in_step": account.in_step,
        "quota": None if account.pace is None else account.pace._asdict(),
        "conflicts": account.conflicts,
        "left": account.left,
        "done": dict(account.done),
        "bytes_up": account.bytes_up,
        "bytes_down": account.bytes_down,
        "api_calls": account.api_calls,
        "problems": [asdict(problem) for problem in one.problems],
        "problem_count": account.problem_count,
        "extra_keys": list(account.kept),
        "extra_key_count": account.kept_count,
        "notes": list(account.notes),
    }


def iso(time_us: int) -> str:
    """A time as ISO 8601 has it, UTC."""
    return moment_us(time_us).replace(" UTC", "Z").replace(" ", "T")
