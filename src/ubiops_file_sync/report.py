"""What a pass did, or would do, as people and as programs read it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from ubiops_file_sync.model import Action, Loser, PlanSummary, Problem, Reason, Report, Verb
from ubiops_file_sync.outline import FolderShare, Outline
from ubiops_file_sync.phrases import (
    bytes_words,
    counted,
    duration_words,
    minutes_words,
    printable,
)

JSON_VERSION = 1

MOST_LINES = 50
"""Actions, or problems, that are shown one by one unless all of them are asked for."""
MOST_FOLDERS = 20
"""Folders that the outline of a plan names."""

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
_TRAVELS = {Verb.UPLOAD, Verb.DOWNLOAD}

_URGENCY = (0, 1, 5, 130, 3, 4, 2, 78)
"""Exit codes, from harmless to the one that needs a person."""


def worst_exit_code(codes: Iterable[int]) -> int:
    """The exit code of a run over several profiles: the most urgent of theirs."""
    return max(codes, key=_URGENCY.index, default=0)


def action_line(action: Action) -> str:
    """One action with its reason."""
    size = bytes_words(action.size_bytes) if action.verb in _TRAVELS else ""
    reason = _reason_words(action.reason, action.loser, compare=action.compare)
    return f"  {action.verb:<13}  {size:>11}  {printable(action.key)}  ({reason})"


def _reason_words(reason: Reason, loser: Loser, *, compare: bool) -> str:
    return f"{reason}{'; if the content differs' if compare else ''}{_LOSER[loser]}"


def outline_lines(outline: Outline) -> Iterator[str]:
    """A plan by reason and by folder, where its actions are too many to be read."""
    yield "  by reason:"
    most = max((len(f"{gist.files:,}") for gist in outline.gists), default=0)
    longest = max((len(_TO_DO[gist.verb]) for gist in outline.gists), default=0)
    for gist in outline.gists:
        size = bytes_words(gist.size_bytes) if gist.verb in _TRAVELS else ""
        reason = _reason_words(gist.reason, gist.loser, compare=gist.compare)
        yield f"    {gist.files:>{most},} {_TO_DO[gist.verb]:<{longest}}  {size:>11}  {reason}"
    below = f", below {printable(outline.shared)}" if outline.shared else ""
    yield f"  by folder{below}:"
    is_mixed = len({gist.verb for gist in outline.gists}) > 1
    widest = max((len(f"{share.files:,}") for share in outline.folders), default=0)
    for share in outline.folders:
        name = _folder_name(share, outline.shared)
        yield f"    {share.files:>{widest},}  {_folder_words(share, name, is_mixed=is_mixed)}"
    if outline.more_folders:
        size = bytes_words(outline.more_bytes)
        more = counted(outline.more_folders, "more folder")
        yield f"    {outline.more_files:>{widest},}  {size:>11}  in {more}"


def _folder_name(share: FolderShare, shared: str) -> str:
    name = printable(share.folder.removeprefix(shared))
    if not name:
        return "(in none of its folders)" if shared else "(in no folder)"
    return f"{name} (in none of its folders)" if share.is_flat else name


def _folder_words(share: FolderShare, name: str, *, is_mixed: bool) -> str:
    words = f"{bytes_words(share.size_bytes):>11}  {name}"
    return f"{words}  ({_counted(share.actions, _TO_DO)})" if is_mixed else words


def plan_lines(report: Report) -> Iterator[str]:
    """Totals of a plan."""
    summary = report.planned
    counts = _counted(summary.actions, _TO_DO)
    yield f"  {counts or 'nothing to do'}"
    yield from _left_lines(report)
    if report.problem_count:
        yield f"  {counted(report.problem_count, 'problem')}"
    for note in report.notes:
        yield f"  note: {note}"
    traffic = _traffic_words(summary.bytes_up, summary.bytes_down)
    yield f"  {traffic}; {forecast(summary)}" if traffic else f"  {forecast(summary)}"
    if report.halt is not None:
        yield f"  a pass would halt: {report.halt}"


def forecast(summary: PlanSummary) -> str:
    """How many API calls a pass takes, and how long the quota makes that last."""
    minutes, pace = summary.minutes, summary.pace
    words = f"a pass takes {counted(summary.api_calls, 'API call')} at most"
    if pace is None or not minutes:
        return words
    return (
        f"{words}, about {minutes_words(minutes)} at {pace.a_minute:,} a minute "
        f"(quota {pace.limit:,}, share {pace.share:g})"
    )


def report_lines(report: Report, most: int = MOST_LINES) -> Iterator[str]:
    """A finished pass, and everything that a person should look at; `most`: of each kind."""
    yield (
        f"{report.profile}: {_outcome_words(report)} (compared "
        f"{counted(report.planned.local_files, 'file')} here with "
        f"{report.planned.remote_files:,} in the bucket)"
    )
    if report.is_stopped:
        yield "  stopped before its end; the next pass goes on from there"
    yield from _left_lines(report)
    yield f"  {_cost_words(report)}"
    for key in report.extra_keys[:most]:
        yield f"  kept the losing version of a conflict as {printable(key)}"
    if len(report.extra_keys) > most:
        yield f"  and {len(report.extra_keys) - most:,} more of them"
    for note in report.notes:
        yield f"  note: {note}"
    yield from problem_lines(report, most)


def trouble_lines(report: Report, most: int = MOST_LINES) -> Iterator[str]:
    """Of a finished pass, or of a plan, only what went wrong; nothing, if all is well."""
    if report.halt is not None:
        yield f"{report.profile}: a pass would halt: {report.halt}"
    if report.problem_count:
        yield f"{report.profile}: {_failed_words(report)}"
        yield from problem_lines(report, most)


def summary_line(report: Report) -> str:
    """A finished pass in one line, for a log."""
    stopped = "stopped before its end; " if report.is_stopped else ""
    return f"{report.profile}: {stopped}{_outcome_words(report)}; {_cost_words(report)}"


def _outcome_words(report: Report) -> str:
    idle = "nothing was done" if report.is_stopped or report.problem_count else "nothing to do"
    words = done_words(report.done) or idle
    return f"{words}; {_failed_words(report)}" if report.problem_count else words


def _failed_words(report: Report) -> str:
    count = report.problem_count
    if report.dry_run:
        return f"{counted(count, 'file')} cannot be dealt with"
    is_one = count == 1
    return f"{counted(count, 'file')} failed and {'is' if is_one else 'are'} tried again next time"


def _cost_words(report: Report) -> str:
    traffic = _traffic_words(report.bytes_up, report.bytes_down)
    calls = counted(sum(report.api_calls.values()), "API call")
    spent = f"{calls}, {duration_words(report.seconds)}"
    return f"{traffic}, {spent}" if traffic else spent


def _traffic_words(bytes_up: int, bytes_down: int) -> str:
    """What travelled; empty: nothing."""
    if not bytes_up and not bytes_down:
        return ""
    return f"{bytes_words(bytes_up)} up, {bytes_words(bytes_down)} down"


def problem_lines(report: Report, most: int = MOST_LINES) -> Iterator[str]:
    """One line a problem, but no more than `most`."""
    for problem in report.problems[:most]:
        yield problem_line(problem)
    more = report.problem_count - min(len(report.problems), most)
    if more:
        hint = "; -v shows more of them" if len(report.problems) > most else ""
        yield f"  and {counted(more, 'more problem')}{hint}"


def problem_line(problem: Problem) -> str:
    """One problem with its key."""
    return f"  problem: {printable(problem.key)}: {printable(problem.message)}"


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
