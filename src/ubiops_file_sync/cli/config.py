"""`check-config`, `config show`, `schema`: what a configuration says, before anything is done."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ubiops_file_sync.cli.output import complain, say, say_json, warn
from ubiops_file_sync.errors import ConfigError

if TYPE_CHECKING:
    from ubiops_file_sync.config import Profile, Settings
    from ubiops_file_sync.config.needs import Need
    from ubiops_file_sync.config.origin import Origins


@click.command(
    "check-config",
    epilog="""\b
Examples:
  ubiops-file-sync check-config
  ubiops-file-sync --config /etc/ubiops-file-sync/config.yaml check-config --json

\b
Exit codes: 0 it can be used, 78 it cannot.
""",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def check_config(config: Path | None, *, as_json: bool) -> None:
    """Say everything that is wrong with the configuration, each with its line and its remedy.

    Reads the tokens too, and asks nothing of UbiOps: that is what 'doctor' does.
    """
    document = _checked(config)
    if as_json:
        say_json(document)
    else:
        for line in _lines(document):
            say(line)
    for one in document["problems"]:
        complain(_located(one))
    for one in document["warnings"]:
        warn(_located(one))
    sys.exit(document["exit_code"])


@click.group()
def config() -> None:
    """Look at the configuration."""


@config.command(
    epilog="""\b
Examples:
  ubiops-file-sync config show --origin
  ubiops-file-sync config show --redacted > to-show-around.yaml
"""
)
@click.option("--origin", is_flag=True, help="Say where each value comes from.")
@click.option(
    "--redacted",
    "for_strangers",
    is_flag=True,
    help="Hide also what commands (on_failure, on_change) are given; tokens never show.",
)
@click.pass_obj
def show(config: Path | None, *, origin: bool, for_strangers: bool) -> None:
    """Print what holds for each profile: the file, its defaults, variables, and what is built in.

    It is YAML, and without its tokens the configuration itself.
    """
    from ubiops_file_sync.cli.turns import settings_of
    from ubiops_file_sync.config.show import settings_lines

    settings = settings_of(config)
    origins = origins_of(config) if origin else None
    for line in settings_lines(settings, origins, for_strangers=for_strangers):
        say(line)


@click.command(epilog="\b\nExample:\n  ubiops-file-sync schema > ubiops-file-sync.schema.json\n")
def schema() -> None:
    """Print the JSON schema of the configuration, for editors.

    A file whose first line is '# yaml-language-server: $schema=PATH' is completed and checked by
    editors that know the YAML language server.
    """
    from ubiops_file_sync.config.schema import file_schema

    say(json.dumps(file_schema(), indent=2, ensure_ascii=False))


def origins_of(config: Path | None) -> Origins:
    """Where the values come from, of the configuration that commands read."""
    from ubiops_file_sync.config import find_config
    from ubiops_file_sync.config.origin import environment_origins, file_origins

    found = find_config(config, os.environ, Path.cwd())
    return environment_origins(os.environ) if found is None else file_origins(found, os.environ)


def _checked(config: Path | None) -> dict[str, Any]:
    """What is found out, as programs read it."""
    from ubiops_file_sync.config import load_settings
    from ubiops_file_sync.config.faults import BadConfiguration
    from ubiops_file_sync.report import JSON_VERSION

    document: dict[str, Any] = {"version": JSON_VERSION, "exit_code": 0, "source": None}
    document |= {"state_dir": None, "problems": [], "warnings": [], "profiles": []}
    try:
        settings = load_settings(config)
    except BadConfiguration as error:
        document["source"] = error.source
        document["problems"] = [
            _remark(error.source, fault.line, fault.setting, fault.message)
            for fault in error.faults
        ]
    except ConfigError as error:
        document["problems"] = [_remark(None, None, "", str(error))]
    else:
        document |= {"source": settings.source, "state_dir": str(settings.state_dir)}
        document["profiles"] = [_profile(settings, one) for one in settings.profiles.values()]
        document["warnings"] = [_remark(None, None, "", one) for one in settings.warnings]
        _add_needs(document, settings, origins_of(config))
    document["exit_code"] = ConfigError.exit_code if document["problems"] else 0
    return document


def _add_needs(document: dict[str, Any], settings: Settings, origins: Origins) -> None:
    from ubiops_file_sync.config.needs import unmet_needs

    alike: dict[tuple[int | None, Need], list[str]] = {}
    for need in unmet_needs(settings, os.environ):
        line = origins.of(need.profile, need.setting).line
        alike.setdefault((line, replace(need, profile="")), []).append(need.profile)
    for (line, need), profiles in alike.items():
        # What several inherit is told once.
        whose = f"profiles.{profiles[0]}." if len(profiles) == 1 else ""
        remark = _remark(settings.source, line, f"{whose}{need.setting}", need.message)
        document["warnings" if need.may_be_elsewhere else "problems"].append(remark)


def _remark(source: str | None, line: int | None, setting: str, message: str) -> dict[str, Any]:
    wrong, _, fix = message.partition("; ")
    return {"file": source, "line": line, "setting": setting, "what": wrong, "fix": fix}


def _profile(settings: Settings, profile: Profile) -> dict[str, Any]:
    """One profile, and when its next pass would be if a service started now."""
    from ubiops_file_sync.schedule.due import Clocks

    now = Clocks(datetime.now(UTC), time.monotonic())
    tick = settings.timing(profile).from_now(now, chance=0.0).at
    return {
        "profile": profile.name,
        "enabled": profile.enabled,
        "local_dir": str(profile.local_dir),
        "project": profile.project,
        "bucket": profile.bucket,
        "prefix": profile.prefix,
        "direction": profile.direction.value,
        "schedule": profile.schedule if profile.every is None else None,
        "every_s": profile.every,
        "jitter_s": profile.jitter,
        "next_tick": tick.astimezone(settings.zone(profile)).isoformat()
        if profile.enabled
        else None,
    }


def _lines(document: dict[str, Any]) -> Iterator[str]:
    from ubiops_file_sync.phrases import counted

    if document["source"] is None:
        return
    if not document["profiles"]:
        yield f"{document['source']}: {counted(len(document['problems']), 'problem')}"
        return
    verdict = "it cannot be used" if document["problems"] else "it can be used"
    yield f"{document['source']}: {counted(len(document['profiles']), 'profile')}; {verdict}"
    for one in document["profiles"]:
        yield f"{one['profile']}: {one['local_dir']} and " + _place(one)
        yield f"  {one['direction']}, {_timing(one)}"
    yield f"state: {document['state_dir']}"


def _place(one: dict[str, Any]) -> str:
    return f"{one['project']}/{one['bucket']}/{one['prefix']}"


def _timing(one: dict[str, Any]) -> str:
    from ubiops_file_sync.config.quantities import duration_text

    if one["every_s"] is not None:
        words = f"every {duration_text(one['every_s'])}"
    else:
        words = f"schedule '{one['schedule']}'"
    if one["next_tick"] is None:
        return f"{words}; not enabled, so a service leaves it out"
    when = datetime.fromisoformat(one["next_tick"])
    jitter = f", up to {duration_text(one['jitter_s'])} later" if one["jitter_s"] else ""
    return f"{words}; next tick {when:%Y-%m-%d %H:%M:%S %z}{jitter}"


def _located(one: dict[str, Any]) -> str:
    place = one["file"] or ""
    if one["line"] is not None:
        place = f"{place}:{one['line']}"
    words = "; ".join(part for part in (one["what"], one["fix"]) if part)
    return ": ".join(part for part in (place, one["setting"], words) if part)
