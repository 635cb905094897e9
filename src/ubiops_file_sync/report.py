"""What a pass did, or would do, as people and as programs read it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from rich.filesize import decimal

from ubiops_file_sync.model import Action, Loser, PlanSummary, Report, Verb

JSON_VERSION = 1

DONE = {
    Verb.UPLOAD: "uploaded",
    Verb.DOWNLOAD: "downloaded",
    Verb.ADOPT: "found equal",
    Verb.FORGET: "forgotten",
    Verb.DELETE_LOCAL: "deleted here",
    Verb.DELETE_REMOTE: "deleted in the bucket",
}
"""What was done, in words."""
_TO_DO = {
    Verb.UPLOAD: "to upload",
    Verb.DOWNLOAD: "to download",
    Verb.ADOPT: "to record as equal",
    Verb.FORGET: "to forget",
    Verb.DELETE_LOCAL: "to delete here",
    Verb.DELETE_REMOTE: "to delete in the bucket",
}
_LOSER = {
    Loser.NONE: "",
    Loser.TRASH: "; the other version goes to the trash",
    Loser.RENAME: "; the other version is kept beside it",
}

_URGENCY = (0, 1, 5, 130, 3, 4, 2, 78)
"""Exit codes, from harmless to the one that needs a person."""


def worst_exit_code(codes: Iterable[int]) -> int:
    """The exit code of a run over several profiles: the most urgent of theirs."""
    return max(codes, key=_URGENCY.index, default=0)


def printable(text: str) -> str:
    """A key as one line that cannot play tricks on a terminal."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode()
        for char in text
    )


def action_line(action: Action) -> str:
    """One action with its reason."""
    size = decimal(action.size_bytes) if action.verb in {Verb.UPLOAD, Verb.DOWNLOAD} else ""
    compare = "; if the content differs" if action.compare else ""
    return (
        f"  {action.verb:<13}  {size:>8}  {printable(action.key)}"
        f"  ({action.reason}{compare}{_LOSER[action.loser]})"
    )


def plan_lines(report: Report) -> Iterator[str]:
    """Totals of a plan."""
    summary, problem_count = report.planned, report.problem_count
    counts = _counted(summary.actions, _TO_DO)
    yield f"  {counts or 'nothing to do'}"
    yield from _left_lines(report)
    if problem_count:
        yield f"  {problem_count:,} {_noun(problem_count, 'problem')}"
    for note in report.notes:
        yield f"  note: {note}"
    yield (
        f"  {decimal(summary.bytes_up)} up, {decimal(summary.bytes_down)} down; {forecast(summary)}"
    )
    if report.halt is not None:
        yield f"  a pass would halt: {report.halt}"


def forecast(summary: PlanSummary) -> str:
    """How many API calls a pass takes, and how long the quota makes that last."""
    calls, minutes, pace = summary.api_calls, summary.minutes, summary.pace
    words = f"a pass takes {calls:,} API {_noun(calls, 'call')} at most"
    if pace is None or not minutes:
        return words
    return (
        f"{words}, about {minutes:,} {_noun(minutes, 'minute')} at {pace.a_minute:,} a minute "
        f"(quota {pace.limit:,}, share {pace.share:g})"
    )


def report_lines(report: Report) -> Iterator[str]:
    """Totals of a finished pass, and everything that a person should look at."""
    calls = sum(report.api_calls.values())
    counts = done_words(report.done)
    idle = "nothing was done" if report.is_stopped else "nothing to do"
    yield (
        f"{report.profile}: {counts or idle}"
        f" (compared {report.planned.local_files:,} {_noun(report.planned.local_files, 'file')} "
        f"here with {report.planned.remote_files:,} in the bucket)"
    )
    if report.is_stopped:
        yield "  stopped before its end; the next pass goes on from there"
    yield from _left_lines(report)
    yield (
        f"  {decimal(report.bytes_up)} up, {decimal(report.bytes_down)} down, "
        f"{calls:,} API {_noun(calls, 'call')}, {report.seconds:.1f} s"
    )
    for key in report.extra_keys:
        yield f"  kept the losing version of a conflict as {printable(key)}"
    for note in report.notes:
        yield f"  note: {note}"
    yield from problem_lines(report)


def summary_line(report: Report) -> str:
    """A finished pass in one line, for a log."""
    calls, problems = sum(report.api_calls.values()), report.problem_count
    counts = _counted(report.done, DONE)
    trouble = f"; {problems:,} {_noun(problems, 'problem')}, tried again" if problems else ""
    idle = "nothing was done" if report.is_stopped else "nothing to do"
    stopped = "stopped before its end; " if report.is_stopped else ""
    return (
        f"{report.profile}: {stopped}{counts or idle}; {decimal(report.bytes_up)} up, "
        f"{decimal(report.bytes_down)} down, {calls:,} API {_noun(calls, 'call')}, "
        f"{report.seconds:.1f} s{trouble}"
    )


def problem_lines(report: Report) -> Iterator[str]:
    """One line a problem."""
    for problem in report.problems:
        yield f"  problem: {printable(problem.key)}: {problem.message}"
    more = report.problem_count - len(report.problems)
    if more:
        yield f"  and {more:,} more problems"


def action_json(action: Action) -> dict[str, Any]:
    """One action, with what it expects to find."""
    return {
        "key": action.key,
        "verb": action.verb.value,
        "reason": action.reason.name.lower(),
        "reason_text": action.reason.value,
        "compare_first": action.compare,
        "loser": action.loser.value,
        "local": None if action.local is None else action.local._asdict(),
        "remote": None if action.remote is None else action.remote._asdict(),
    }


def report_json(report: Report) -> dict[str, Any]:
    """A whole report; `JSON_VERSION` changes when the meaning of a field does."""
    planned = report.planned
    return {
        "profile": report.profile,
        "pass_id": report.pass_id,
        "dry_run": report.dry_run,
        "exit_code": report.exit_code,
        "seconds": round(report.seconds, 3),
        "local_files": planned.local_files,
        "remote_files": planned.remote_files,
        "planned": dict(planned.actions),
        "planned_api_calls": planned.api_calls,
        "planned_minutes": planned.minutes,
        "quota": None if planned.pace is None else planned.pace._asdict(),
        "conflicts": planned.conflicts,
        "left": {reason.name.lower(): count for reason, count in planned.left.items()},
        "done": dict(report.done),
        "bytes_up": report.bytes_up,
        "bytes_down": report.bytes_down,
        "api_calls": report.api_calls,
        "api_answers": report.api_answers,
        "quota_left": report.quota_left,
        "in_step": report.in_step,
        "problems": [asdict(problem) for problem in report.problems],
        "problem_count": report.problem_count,
        "extra_keys": list(report.extra_keys),
        "notes": list(report.notes),
        "halt": report.halt,
        "stopped": report.is_stopped,
    }


def done_words(done: Mapping[Verb, int]) -> str:
    """What was done, by verb; empty: nothing."""
    return _counted(done, DONE)


def _counted(counts: Mapping[Verb, int], words: dict[Verb, str]) -> str:
    return ", ".join(f"{counts[verb]:,} {word}" for verb, word in words.items() if counts.get(verb))


def _left_lines(report: Report) -> Iterator[str]:
    """What differs and is meant to: by reason."""
    for reason, count in sorted(report.planned.left.items()):
        yield f"  {count:,} left as {'it is' if count == 1 else 'they are'}: {reason}"


def _noun(count: int, noun: str) -> str:
    return noun if count == 1 else f"{noun}s"
