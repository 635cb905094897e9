"""`status`: how each profile is doing."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ubiops_file_sync.cli import turns
from ubiops_file_sync.cli.output import say

if TYPE_CHECKING:
    from ubiops_file_sync.config import Profile


@click.command(
    epilog="""\b
Examples:
  ubiops-file-sync status
  ubiops-file-sync status models --json

\b
Exit codes: 0 the status could be told, whatever it is, and those of the other commands.
"""
)
@click.argument("profiles", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def status(config: Path | None, profiles: tuple[str, ...], *, as_json: bool) -> None:
    """Show how PROFILES (default: all) are doing: in step or not, and what to look at.

    As of the last pass: asks nothing of UbiOps and looks at no files.
    """
    settings = turns.settings_of(config)

    def turn(profile: Profile) -> dict[str, Any]:
        from ubiops_file_sync.status import read_status, status_json, status_lines

        told = read_status(profile, settings.state_dir, time.time_ns() // 1000)
        if not as_json:
            for line in status_lines(told):
                say(line)
        return status_json(told) | {"exit_code": 0}

    documents = turns.take_turns(settings.select(profiles), turn, as_json=as_json)
    turns.end(documents, turns.worst_of(documents), as_json=as_json)
