"""`status`: how each profile is doing."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ubiops_file_sync.cli import turns
from ubiops_file_sync.cli.output import loudness, say, warn

if TYPE_CHECKING:
    from ubiops_file_sync.config import Profile
    from ubiops_file_sync.status import Live


@click.command(
    short_help="Show how profiles are doing.",
    epilog="""\b
Examples:
  ubiops-file-sync status
  ubiops-file-sync status models --json

\b
Exit codes: 0 the status could be told, whatever it is, and those of the other commands.
""",
)
@click.argument("profiles", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def status(config: Path | None, profiles: tuple[str, ...], *, as_json: bool) -> None:
    """Show how PROFILES (default: all) are doing: in step or not, and what to look at.

    As of the last pass, and what a running service adds: when the next one is due, and what travels
    now. Asks nothing of UbiOps and looks at no files. With -q only those that are not in step.
    """
    settings = turns.settings_of(config)
    service = _service(settings.state_dir)
    is_told = not as_json and not loudness.quiet
    if service is not None and is_told:
        say(_service_words(service))

    def turn(profile: Profile) -> dict[str, Any]:
        from ubiops_file_sync.status import read_status, status_json, status_lines

        told = read_status(profile, settings.state_dir, time.time_ns() // 1000)
        live = None if service is None else _live(service, profile.name)
        if is_told or (not as_json and not told.is_in_step):
            for line in status_lines(told, live, settings.zone(profile)):
                say(line)
        return status_json(told, live) | {"exit_code": 0}

    documents = turns.take_turns(settings.select(profiles), turn, as_json=as_json)
    if service is None and is_told:
        say("no service is running over this state")
    about = {"service": service and {n: service[n] for n in service if n != "profiles"}}
    turns.end(documents, turns.worst_of(documents), as_json=as_json, **about)


def _service(state_dir: Path) -> dict[str, Any] | None:
    """What the service says that runs over the state folder; None: none does."""
    from ubiops_file_sync.errors import SyncError
    from ubiops_file_sync.service.control import NoService, ask_service

    try:
        return ask_service(state_dir, {"command": "status"})
    except NoService:
        return None
    except SyncError as error:
        warn(str(error))
        return None


def _live(service: dict[str, Any], profile: str) -> Live | None:
    from ubiops_file_sync.service.telling import live_from

    told = service.get("profiles", {}).get(profile)
    try:
        return None if told is None else live_from(told)
    except ValueError:
        warn("the service is of another version; restart it")
        return None


def _service_words(service: dict[str, Any]) -> str:
    since = datetime.fromisoformat(service["since"]).astimezone()
    words = f"service: process {service['process']} since {since:%Y-%m-%d %H:%M:%S %Z}"
    if service["is_stopping"]:
        words += ", stopping"
    if service["config_error"]:
        words += (
            f"\nthe changed configuration is not usable, and the old one goes on: "
            f"{service['config_error']}"
        )
    return words
