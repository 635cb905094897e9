"""`explain`: why the next pass does with one file what it does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ubiops_file_sync.cli.output import say, say_json
from ubiops_file_sync.cli.turns import settings_of

if TYPE_CHECKING:
    from ubiops_file_sync.explain import Explanation

_WIDTH = 20


@click.command(
    short_help="Say why the next pass does with a file what it does.",
    epilog="""\b
Examples:
  ubiops-file-sync explain weights/model.bin
  ubiops-file-sync explain ./model.bin --profile models
  ubiops-file-sync explain ubiops-file://default/models/weights/model.bin
""",
)
@click.argument("key")
@click.option("--profile", "name", help="The profile, where several may be meant.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def explain(config: Path | None, key: str, *, name: str | None, as_json: bool) -> None:
    """Say what both sides hold of KEY, which rules apply, and what the next pass does.

    KEY is a key of a profile, a path on disk below its `local_dir`, or the address of an object,
    ubiops-file://BUCKET/FULL/KEY. Changes nothing, and asks the bucket once or twice.
    """
    from ubiops_file_sync.addresses import find_address
    from ubiops_file_sync.explain import Explainer

    settings = settings_of(config)
    profiles = settings.select(() if name is None else (name,))
    address = find_address(key, profiles, Path.cwd())
    told = Explainer(settings.state_dir, os.environ).explain(address)
    if as_json:
        say_json(_document(told))
        return
    for line in _lines(told):
        say(line)


def _lines(told: Explanation) -> Iterator[str]:
    from ubiops_file_sync.phrases import printable

    address, verdict = told.address, told.verdict
    yield f"{address.profile.name}: {printable(address.key)}"
    yield _row("on disk", printable(address.path))
    yield _row("in UbiOps", printable(address.uri))
    yield ""
    yield from _sides(told)
    if told.asked:
        yield ""
        yield "What is asked, in this order:"
        for asked in told.asked:
            yield f"  {asked.question} {asked.answer.upper()}: {asked.because}"
    yield ""
    yield f"Verdict: {verdict.text}."
    yield _row("because", verdict.because)
    for sentence in verdict.besides:
        yield f"  {printable(sentence)}"
    for note in told.notes:
        yield f"  Mind that {note}."
    if verdict.go_on:
        yield f"  {verdict.go_on[0].upper()}{verdict.go_on[1:]}"


def _sides(told: Explanation) -> Iterator[str]:
    from ubiops_file_sync.model import LocalEntry, Unknown
    from ubiops_file_sync.phrases import moment_ns, moment_us, size_words

    local, remote, row = told.local, told.remote, told.row
    if isinstance(local, LocalEntry):
        yield _row("here now", f"{size_words(local.size)}, changed at {moment_ns(local.mtime_ns)}")
    elif isinstance(local, Unknown):
        yield _row("here now", f"not known: {local.reason}")
    else:
        yield _row("here now", "nothing" if told.remote_asked else "not looked at")
    if remote is not None:
        stored = moment_us(remote.created_us)
        yield _row("in the bucket now", f"{size_words(remote.size)}, stored at {stored}")
    else:
        yield _row("in the bucket now", "nothing" if told.remote_asked else "not asked")
    if row is not None and row.base is not None:
        base = row.base
        yield _row(
            "when last in step",
            f"{size_words(base.size)}, changed here at {moment_ns(base.mtime_ns)}, stored in the "
            f"bucket at {moment_us(base.created_us)}",
        )
    elif told.remote_asked:
        yield _row("when last in step", "never, as far as this machine recorded")
    if row is not None and row.intent is not None:
        began = moment_us(row.intent.started_us)
        end = "whose end is not known" if row.intent.finished_us is None else "not yet confirmed"
        yield _row("an upload", f"of {size_words(row.intent.size)}, begun at {began}, {end}")


def _row(name: str, words: str) -> str:
    return f"  {name + ':':<{_WIDTH}}{words}"


def _document(told: Explanation) -> dict[str, Any]:
    from ubiops_file_sync.model import LocalEntry, Unknown
    from ubiops_file_sync.report import JSON_VERSION

    local, row, verdict, decision = told.local, told.row, told.verdict, told.decision
    return {
        "version": JSON_VERSION,
        "exit_code": 0,
        "profile": told.address.profile.name,
        "key": told.address.key,
        "path": told.address.path,
        "uri": told.address.uri,
        "local": local._asdict() if isinstance(local, LocalEntry) else None,
        "local_unknown": local.reason if isinstance(local, Unknown) else None,
        "remote": told.remote and told.remote._asdict(),
        "remote_asked": told.remote_asked,
        "baseline": row and row.base and row.base._asdict(),
        "unconfirmed_upload": row and row.intent and row.intent._asdict(),
        "asked": [
            {"question": asked.question, "answer": asked.answer, "because": asked.because}
            for asked in told.asked
        ],
        "verdict": {
            "verb": decision and decision.verb,
            "reason": decision and decision.reason.name.lower(),
            "loser": decision and decision.loser,
            "compare_first": decision.compare if decision else False,
            "text": verdict.text,
            "because": verdict.because,
            "besides": list(verdict.besides),
            "go_on": verdict.go_on,
        },
        "notes": list(told.notes),
        "api_calls": told.api_calls,
    }
