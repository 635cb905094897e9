"""`run`, and the commands that speak to a running service."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ubiops_file_sync.cli import turns
from ubiops_file_sync.cli.output import loudness, say
from ubiops_file_sync.errors import UsageError

if TYPE_CHECKING:
    from ubiops_file_sync.config import Settings


@click.command(
    short_help="Run profiles on their schedules, until stopped.",
    epilog="""\b
Examples:
  ubiops-file-sync run                 all enabled profiles, until Ctrl-C
  ubiops-file-sync run models          only this one
  ubiops-file-sync install-service     have systemd run it
""",
)
@click.argument("profiles", nargs=-1)
@click.pass_obj
def run(config: Path | None, profiles: tuple[str, ...]) -> None:
    """Run PROFILES (default: all enabled) on their schedules, until it is stopped.

    SIGTERM and Ctrl-C let the transfers under way end (`stop_timeout`); a second one breaks them
    off. SIGHUP reads the configuration again.
    """
    from ubiops_file_sync.config import environment_settings, find_config, load_settings
    from ubiops_file_sync.service.daemon import Daemon
    from ubiops_file_sync.service.heap import share_one_heap
    from ubiops_file_sync.service.notify import Notifier

    share_one_heap()
    notifier = Notifier.from_env(os.environ)
    settings = _as_loud(turns.settings_of(config))
    # Found now: a file that appears elsewhere must not take over at the next SIGHUP.
    found = find_config(config, os.environ, Path.cwd())
    load = (
        partial(environment_settings, os.environ, Path.cwd())
        if found is None
        else partial(load_settings, found)
    )
    Daemon(settings, lambda: _as_loud(load()), profiles, os.environ, notifier).run()


def _as_loud(settings: Settings) -> Settings:
    """The settings with the log as loud as the command line says."""
    from ubiops_file_sync.config import LogLevel

    if loudness.quiet == loudness.verbose:
        return settings
    level = LogLevel.WARNING if loudness.quiet else LogLevel.DEBUG
    return settings.model_copy(update={"log": settings.log.model_copy(update={"level": level})})


@click.command(
    short_help="Have the running service pass over one now.",
    epilog="\b\nExample:\n  ubiops-file-sync trigger models\n",
)
@click.argument("profile")
@click.pass_obj
def trigger(config: Path | None, profile: str) -> None:
    """Have the running service pass over PROFILE now, whatever its schedule says."""
    _tell(config, profile, {"command": "trigger"})


@click.command(
    short_help="Have the service leave a profile alone.",
    epilog="""\b
Examples:
  ubiops-file-sync pause models            until it is resumed, also after a restart
  ubiops-file-sync pause models --for 2h
""",
)
@click.argument("profile")
@click.option("--for", "duration", metavar="TIME", help="For so long, such as 30m, 2h, 7d.")
@click.pass_obj
def pause(config: Path | None, profile: str, *, duration: str | None) -> None:
    """Have the running service leave PROFILE alone; a pass under way goes on."""
    from ubiops_file_sync.config.quantities import parse_duration

    asked: dict[str, Any] = {"command": "pause"}
    if duration is not None:
        try:
            asked["seconds"] = parse_duration(duration)
        except ValueError as error:
            raise UsageError(f"--for {error}") from None
    _tell(config, profile, asked)


@click.command(
    short_help="Let the service go on with a profile.",
    epilog="\b\nExample:\n  ubiops-file-sync resume models\n",
)
@click.argument("profile")
@click.pass_obj
def resume(config: Path | None, profile: str) -> None:
    """Let the running service go on with PROFILE after a pause."""
    _tell(config, profile, {"command": "resume"})


@click.command(
    short_help="Have the service read its configuration again.",
    epilog="\b\nExample:\n  ubiops-file-sync reload\n",
)
@click.pass_obj
def reload(config: Path | None) -> None:
    """Have the running service read its configuration again.

    If that is not usable the old one goes on, and this says why. Profiles that did not change do
    not notice.
    """
    from ubiops_file_sync.service.control import ask_service

    # The state folder must be known to find the service; what is wrong with a new configuration
    # is told here already.
    settings = turns.settings_of(config)
    say(ask_service(settings.state_dir, {"command": "reload"})["said"])


def _tell(config: Path | None, profile: str, asked: dict[str, Any]) -> None:
    from ubiops_file_sync.service.control import ask_service

    settings = turns.settings_of(config)
    [found] = settings.select((profile,))
    answer = ask_service(settings.state_dir, {**asked, "profile": found.name})
    said = answer["said"]
    if answer.get("until"):
        from datetime import datetime

        until = datetime.fromisoformat(answer["until"]).astimezone(settings.zone(found))
        said = f"{said}, until {until:%Y-%m-%d %H:%M:%S %Z}"
    say(f"{found.name}: {said}")
