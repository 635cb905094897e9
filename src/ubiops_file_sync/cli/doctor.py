"""`doctor`: whether the service is what the program takes it for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ubiops_file_sync.cli import turns
from ubiops_file_sync.cli.output import say
from ubiops_file_sync.errors import UsageError

if TYPE_CHECKING:
    from ubiops_file_sync.config import Profile
    from ubiops_file_sync.contract import Examination


@click.command(
    epilog="""\b
Examples:
  ubiops-file-sync doctor --contract
  ubiops-file-sync doctor --contract models --prefix scratch/contract/

\b
Exit codes: 0 every belief holds or is covered, 1 one is not, and those of the other commands.
"""
)
@click.argument("profile", required=False)
@click.option(
    "--contract",
    is_flag=True,
    help="Hold what the program believes of the service against the bucket of PROFILE, in some 45 "
    "API calls and 5 MiB. It makes a few files below a prefix of their own, and deletes them.",
)
@click.option(
    "--prefix",
    metavar="P",
    help="Make them below P, where nothing may be. Default: .ubiops-file-sync-contract-RANDOM/, at "
    "the root of the bucket.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def doctor(
    config: Path | None,
    profile: str | None,
    *,
    contract: bool,
    prefix: str | None,
    as_json: bool,
) -> None:
    """Look for what may keep PROFILE (needed if there are several) from its work.

    For now that is one thing: --contract.
    """
    if not contract:
        raise UsageError(
            "doctor looks at one thing for now, and wants to be told so: "
            "ubiops-file-sync doctor --contract"
        )
    settings = turns.settings_of(config)
    selected = settings.select((profile,) if profile else ())
    if len(selected) != 1:
        names = ", ".join(one.name for one in selected)
        raise UsageError(f"doctor --contract looks at one bucket; name one of {names}")

    def turn(one: Profile) -> dict[str, Any]:
        told = _examined(one, prefix)
        if not as_json:
            for line in _lines(one.name, told):
                say(line)
        return _document(one.name, told)

    documents = turns.take_turns(selected, turn, as_json=as_json)
    turns.end(documents, turns.worst_of(documents), as_json=as_json)


def _examined(profile: Profile, prefix: str | None) -> Examination:
    from ubiops_file_sync.contract import examine, raw_bucket, scratch_prefix
    from ubiops_file_sync.report import printable

    def tell_left(name: str) -> None:
        click.echo(f"{profile.name}: could not be removed: {printable(name)}", err=True)

    with raw_bucket(profile, os.environ) as (raw, place):
        return examine(raw, place, prefix or scratch_prefix(), tell_left)


_HEAD = ("belief", "what was found", "holds?")


def _lines(profile: str, told: Examination) -> Iterator[str]:
    from ubiops_file_sync.contract import Holds
    from ubiops_file_sync.report import printable

    rows = [
        (belief.words, printable(found.words), found.holds.value) for belief, found in told.findings
    ]
    widths = [max(len(row[column]) for row in (_HEAD, *rows)) for column in (0, 1)]

    def line(row: tuple[str, str, str]) -> str:
        return f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}"

    yield line(_HEAD)
    for (belief, found), row in zip(told.findings, rows, strict=True):
        yield line(row)
        if found.holds in {Holds.NO, Holds.COVERED}:
            yield f"  so: {belief.otherwise}"
    counts = {holds: sum(found.holds is holds for _, found in told.findings) for holds in Holds}
    summary = ", ".join(f"{count} {holds}" for holds, count in counts.items() if count)
    left = f"{len(told.left)} files are left in" if told.left else "nothing is left in"
    yield f"{profile}: {summary}; {told.api_calls} API calls; {left} {printable(told.prefix)}"


def _document(profile: str, told: Examination) -> dict[str, Any]:
    return {
        "profile": profile,
        "exit_code": told.exit_code,
        "prefix": told.prefix,
        "provider": told.provider,
        "beliefs": [
            {
                "name": belief.name,
                "belief": belief.words,
                "found": found.words,
                "holds": found.holds.name.lower(),
                "otherwise": belief.otherwise,
            }
            for belief, found in told.findings
        ],
        "left": list(told.left),
        "api_calls": told.api_calls,
    }
