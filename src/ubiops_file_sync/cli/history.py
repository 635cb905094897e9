"""`history`: the passes that are remembered."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ubiops_file_sync.cli import turns
from ubiops_file_sync.cli.output import say

if TYPE_CHECKING:
    from ubiops_file_sync.config import Profile, Settings

_LINES = 20


@click.command(
    short_help="Show the passes of late, and what came of them.",
    epilog="""\b
Examples:
  ubiops-file-sync history
  ubiops-file-sync history models --limit 100
  ubiops-file-sync history models --json
""",
)
@click.argument("profiles", nargs=-1)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=_LINES,
    show_default=True,
    metavar="N",
    help="Show the newest N. Passes in a row that did nothing, and of which the same is to be "
    "said, count and show as one; with --json each counts.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def history(config: Path | None, profiles: tuple[str, ...], *, limit: int, as_json: bool) -> None:
    """Show the passes over PROFILES (default: all), the newest last.

    Passes of every kind are remembered, whoever asked for them; dry runs are not. Asks nothing of
    UbiOps.
    """
    settings = turns.settings_of(config)

    def turn(profile: Profile) -> dict[str, Any]:
        return _told(profile, settings, limit, as_json=as_json)

    documents = turns.take_turns(settings.select(profiles), turn, as_json=as_json)
    turns.end(documents, turns.worst_of(documents), as_json=as_json)


def _told(profile: Profile, settings: Settings, limit: int, *, as_json: bool) -> dict[str, Any]:
    from ubiops_file_sync.chronicle import history_lines, past_json
    from ubiops_file_sync.status import read_history

    passes = read_history(profile, settings.state_dir)
    document: dict[str, Any] = {"profile": profile.name, "exit_code": 0}
    if as_json:
        newest = list(itertools.islice(passes, limit))
        return document | {"passes": [past_json(one) for one in reversed(newest)]}
    lines = history_lines(passes, limit, settings.zone(profile))
    say(f"{profile.name}: {'passes, the newest last' if lines else 'no pass is remembered'}")
    for line in lines:
        say(f"  {line}")
    return document
