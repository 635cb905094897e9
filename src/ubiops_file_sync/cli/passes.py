"""`reconcile` and `plan`: passes over profiles, done or only shown."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import click

from ubiops_file_sync.cli.output import bug_words, say
from ubiops_file_sync.errors import SyncError

EXIT_SOMETHING_TO_DO = 10

_ALLOW = click.option(
    "--allow",
    multiple=True,
    metavar="GUARD",
    help="Let this pass go on where the named guard would halt it; the halt's message names it.",
)


@click.command(
    epilog="""\b
Examples:
  ubiops-file-sync reconcile
  ubiops-file-sync reconcile models datasets
  ubiops-file-sync reconcile --dry-run
"""
)
@click.argument("profiles", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Change nothing; show what would be done.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@_ALLOW
@click.pass_obj
def reconcile(
    config: Path | None,
    profiles: tuple[str, ...],
    *,
    allow: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Bring PROFILES (default: all) in step: one pass over each."""
    _each_profile(config, profiles, allow, as_json=as_json, dry_run=dry_run)


@click.command(
    epilog="""\b
Examples:
  ubiops-file-sync plan
  ubiops-file-sync plan models --detailed-exitcode
"""
)
@click.argument("profiles", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 10 if there is something to do.")
@_ALLOW
@click.pass_obj
def plan(
    config: Path | None,
    profiles: tuple[str, ...],
    *,
    allow: tuple[str, ...],
    as_json: bool,
    detailed_exitcode: bool,
) -> None:
    """Show what a pass over PROFILES (default: all) would do, and why. Changes nothing."""
    _each_profile(
        config, profiles, allow, as_json=as_json, dry_run=True, detailed_exitcode=detailed_exitcode
    )


def _each_profile(
    config: Path | None,
    names: tuple[str, ...],
    allow: tuple[str, ...],
    *,
    as_json: bool,
    dry_run: bool,
    detailed_exitcode: bool = False,
) -> None:
    """Run or plan each profile; one that fails does not keep the others from their turn."""
    from ubiops_file_sync import report
    from ubiops_file_sync.config import load_settings

    settings = load_settings(config)
    for warning in settings.warnings:
        click.echo(f"warning: {warning}", err=True)
    documents: list[dict[str, Any]] = []
    codes: list[int] = []
    something_to_do = False
    for profile in settings.select(names):
        try:
            turn = _Turn(profile, settings.state_dir, allow, as_json=as_json)
            document = turn.planned() if dry_run else turn.reconciled()
            something_to_do = something_to_do or bool(document["planned"])
        except SyncError as error:
            document = _failed(profile.name, str(error), error.exit_code, as_json=as_json)
        except Exception as error:  # noqa: BLE001  a bug, and the next profile has its turn
            document = _failed(profile.name, bug_words(error), 1, as_json=as_json)
        documents.append(document)
        codes.append(document["exit_code"])
    code = report.worst_exit_code(codes)
    if detailed_exitcode and code == 0 and something_to_do:
        code = EXIT_SOMETHING_TO_DO
    if as_json:
        document = {"version": report.JSON_VERSION, "exit_code": code, "profiles": documents}
        say(json.dumps(document, indent=2))
    sys.exit(code)


def _failed(profile: str, message: str, exit_code: int, *, as_json: bool) -> dict[str, Any]:
    if not as_json:
        click.echo(f"error: {message}", err=True)
    return {"profile": profile, "error": message, "exit_code": exit_code}


class _Turn:
    """One profile's turn: run it, and say how it went unless JSON was asked for."""

    def __init__(
        self, profile: Any, state_dir: Path, allow: tuple[str, ...], *, as_json: bool
    ) -> None:
        from ubiops_file_sync.reconcile import Reconciler
        from ubiops_file_sync.terminal import progress_for

        self._profile = profile
        self._as_json = as_json
        self._reconciler = Reconciler(
            profile, state_dir, env=os.environ, progress=progress_for(sys.stderr), allow=allow
        )

    def reconciled(self) -> dict[str, Any]:
        from ubiops_file_sync import report

        done = self._reconciler.run()
        if not self._as_json:
            for line in report.report_lines(done):
                say(line)
        return report.report_json(done)

    def planned(self) -> dict[str, Any]:
        from ubiops_file_sync import report

        profile = self._profile
        with self._reconciler.plan() as (found, told):
            document = report.report_json(told)
            if self._as_json:
                document["actions"] = [report.action_json(a) for a in found.spool.actions()]
                return document
            place = f"{profile.project}/{profile.bucket}/{profile.prefix}"
            say(f"{profile.name}: {profile.local_dir} and {place}")
            for action in found.spool.actions():
                say(report.action_line(action))
            for line in report.problem_lines(told):
                say(line)
            for line in report.plan_lines(told):
                say(line)
        return document
