"""`doctor`: what may keep profiles from their work, and whether UbiOps is what it is taken for."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ubiops_file_sync.cli import turns
from ubiops_file_sync.cli.output import loudness, say, say_json
from ubiops_file_sync.cli.owner import act_as_owner
from ubiops_file_sync.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from ubiops_file_sync.config import Profile
    from ubiops_file_sync.contract import Examination
    from ubiops_file_sync.doctor import Finding


@click.command(
    epilog="""\b
Examples:
  ubiops-file-sync doctor
  ubiops-file-sync doctor models --json
  ubiops-file-sync doctor --contract
  ubiops-file-sync doctor --contract models --prefix scratch/contract/

\b
Exit codes: 0 nothing is a problem (warnings may be), 1 something is, 3 UbiOps, the token or its
role, 78 the configuration. With --contract: 0 every belief holds or is covered, 1 one is not.
"""
)
@click.argument("profiles", nargs=-1)
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
    profiles: tuple[str, ...],
    *,
    contract: bool,
    prefix: str | None,
    as_json: bool,
) -> None:
    """Look for what may keep PROFILES (default: all) from their work; each finding with a remedy.

    The configuration, the token and its role, the bucket, the clocks, the quota, the directory and
    its file system, the state, the service. Changes nothing, and costs 5 API calls a bucket.
    """
    if not contract:
        if prefix is not None:
            raise UsageError("--prefix goes with --contract; without it nothing is made anywhere")
        _diagnose(config, profiles, as_json=as_json)
    _examine(config, profiles, prefix, as_json=as_json)


def _diagnose(config: Path | None, profiles: tuple[str, ...], *, as_json: bool) -> NoReturn:
    """Print a diagnosis, and end with its exit code."""
    from ubiops_file_sync.config import load_settings
    from ubiops_file_sync.doctor import Doctor, Level, exit_code_of, of_no_configuration

    doctor = None
    findings: list[Finding] = []
    turns.open_log()
    try:
        settings = load_settings(config)
    except ConfigError as error:
        coming = iter(of_no_configuration(error))
    else:
        act_as_owner(settings, os.environ)
        doctor = Doctor(settings, settings.select(profiles), os.environ)
        coming = doctor.findings()
    told: set[str] = set()
    for finding in coming:
        findings.append(finding)
        if as_json or (loudness.quiet and finding.level is Level.OK):
            continue
        if finding.profile and finding.profile not in told:
            say(f"{finding.profile}:")
            told.add(finding.profile)
        for line in finding_lines(finding):
            say(line)
    code, api_calls = exit_code_of(findings), doctor.api_calls if doctor else 0
    if as_json:
        say_json(diagnosis_json(findings, code, api_calls))
    elif not loudness.quiet:
        say(_summary(findings, api_calls))
    sys.exit(code)


def finding_lines(finding: Finding) -> Iterator[str]:
    """A finding as people read it: a line, and one with its remedy."""
    from ubiops_file_sync.phrases import printable

    first, *more = finding.words.splitlines() or [""]
    yield f"  {finding.level:<7}  {finding.check}: {printable(first)}"
    for line in more:
        yield f"           {printable(line)}"
    if finding.remedy:
        yield f"{'so':>9}: {printable(finding.remedy)}"


def diagnosis_json(findings: list[Finding], exit_code: int, api_calls: int) -> dict[str, Any]:
    """A diagnosis as programs read it."""
    from dataclasses import asdict

    from ubiops_file_sync.report import JSON_VERSION

    return {
        "version": JSON_VERSION,
        "exit_code": exit_code,
        "api_calls": api_calls,
        "findings": [asdict(finding) for finding in findings],
    }


def _summary(findings: list[Finding], api_calls: int) -> str:
    from ubiops_file_sync.phrases import counted

    levels = Counter(finding.level.value for finding in findings)
    parts = [f"{levels['ok']} ok", counted(levels["warning"], "warning")]
    parts += [counted(levels["problem"], "problem")]
    return f"{', '.join(parts)}; {counted(api_calls, 'API call')}"


def _examine(
    config: Path | None, profiles: tuple[str, ...], prefix: str | None, *, as_json: bool
) -> NoReturn:
    """Hold what the program believes against one bucket, and end with the exit code."""
    settings = turns.settings_of(config)
    selected = settings.select(profiles)
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
    from ubiops_file_sync.phrases import printable

    def tell_left(name: str) -> None:
        click.echo(f"{profile.name}: could not be removed: {printable(name)}", err=True)

    with raw_bucket(profile, os.environ) as (raw, place):
        return examine(raw, place, prefix or scratch_prefix(), tell_left)


_HEAD = ("belief", "what was found", "holds?")


def _lines(profile: str, told: Examination) -> Iterator[str]:
    from ubiops_file_sync.contract import Holds
    from ubiops_file_sync.phrases import printable

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
