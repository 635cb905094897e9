"""`verify`: whether both sides hold the same."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ubiops_file_sync.cli import turns
from ubiops_file_sync.cli.output import loudness, say, talk

if TYPE_CHECKING:
    from ubiops_file_sync.config import Profile
    from ubiops_file_sync.model import Pace
    from ubiops_file_sync.verify import Verification


@click.command(
    short_help="Compare both sides with what was in step.",
    epilog="""\b
Examples:
  ubiops-file-sync verify
  ubiops-file-sync verify models --content

\b
Exit codes: 0 all verified, 1 something differs, and those of the other commands.
""",
)
@click.argument("profiles", nargs=-1)
@click.option(
    "--content",
    is_flag=True,
    help="Also compare the content of files whose sizes agree: one API call a file. Where the "
    "storage provider tells a hash, and it is that of the local file, nothing is downloaded; else "
    "the object is downloaded and hashed, and nothing of it is kept.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def verify(config: Path | None, profiles: tuple[str, ...], *, content: bool, as_json: bool) -> None:
    """Compare both sides of PROFILES (default: all enabled) with what was last in step.

    Changes nothing. Without --content by sizes and times, at one API call for 1,000 files.
    """
    settings = turns.settings_of(config)

    def turn(profile: Profile) -> dict[str, Any]:
        told = _verified(profile, settings.state_dir, content=content)
        if not as_json:
            for line in _lines(told):
                say(line)
        return _document(told)

    documents = turns.take_turns(settings.select_to_run(profiles), turn, as_json=as_json)
    turns.end(documents, turns.worst_of(documents), as_json=as_json)


def _verified(profile: Profile, state_dir: Path, *, content: bool) -> Verification:
    from ubiops_file_sync.phrases import minutes_words
    from ubiops_file_sync.terminal import progress_for
    from ubiops_file_sync.verify import Verifier

    def foretell(calls: int, pace: Pace | None) -> None:
        words = f"to compare the content of {calls:,} files takes {calls:,} API calls more"
        if pace is not None:
            minutes = minutes_words(max(1, -(-calls // pace.a_minute)))
            words += f", about {minutes} at {pace.a_minute:,} a minute"
        talk(f"{profile.name}: {words}")

    progress = progress_for(sys.stderr, quiet=loudness.quiet)
    verifier = Verifier(profile, state_dir, os.environ, progress)
    return verifier.verify(content=content, foretell=foretell)


_WORDS = {
    "in_step": "in step",
    "damaged": "DAMAGED",
    "differs": "differing",
    "only_here": "only here",
    "only_in_bucket": "only in the bucket",
    "unknown": "not known",
}


_BY_RECORD = "by sizes and times"


def _lines(told: Verification) -> Iterator[str]:
    from ubiops_file_sync.phrases import counted, duration_words, printable
    from ubiops_file_sync.plan import Finding
    from ubiops_file_sync.report import MOST_LINES

    counts = ", ".join(
        f"{told.counts[finding]:,} {_WORDS[finding]}" for finding in Finding if told.counts[finding]
    )
    if loudness.quiet and not told.exit_code:
        return
    yield f"{told.profile}: {counts or 'nothing on either side'}"
    shown = told.found if loudness.verbose else told.found[:MOST_LINES]
    for one in shown:
        yield f"  {_WORDS[one.finding]}: {printable(one.key)}: {printable(one.why)}"
    more = told.counts.total() - told.counts[Finding.IN_STEP] - len(shown)
    if more:
        hint = "; -v shows more of them" if len(shown) < len(told.found) else ""
        yield f"  and {more:,} more{hint}"
    if loudness.quiet:
        return
    if told.times_only:
        yield f"  {told.times_only:,} of those in step have other times than recorded"
    if told.hidden:
        yield f"  {told.hidden:,} hidden by filters, and not looked at"
    how = f"by content ({counted(told.compared, 'file')})" if told.by_content else _BY_RECORD
    calls = counted(sum(told.api_calls.values()), "API call")
    yield f"  compared {how}; {calls}, {duration_words(told.seconds)}"


def _document(told: Verification) -> dict[str, Any]:
    from ubiops_file_sync.plan import Finding

    return {
        "profile": told.profile,
        "exit_code": told.exit_code,
        "by_content": told.by_content,
        "counts": {finding: told.counts[finding] for finding in Finding},
        "compared": told.compared,
        "times_only": told.times_only,
        "hidden": told.hidden,
        "bytes_down": told.bytes_down,
        "found": [asdict(discrepancy) for discrepancy in told.found],
        "api_calls": told.api_calls,
        "seconds": round(told.seconds, 3),
    }
