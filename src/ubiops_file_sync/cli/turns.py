"""Several profiles, one after the other: one that fails does not keep the others from theirs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ubiops_file_sync.cli.output import bug_words, complain, loudness, say_json, warn
from ubiops_file_sync.cli.owner import act_as_owner
from ubiops_file_sync.errors import SyncError

if TYPE_CHECKING:
    from ubiops_file_sync.config import Log, Profile, Settings


def settings_of(config: Path | None) -> Settings:
    """The settings, once their warnings were told and the log has a place. Raises `ConfigError`.

    From then on root acts as the user of the system's service, if it is that one's configuration.
    """
    from ubiops_file_sync.config import load_settings

    _open_log()
    settings = load_settings(config)
    for warning in settings.warnings:
        warn(warning)
    act_as_owner(settings, os.environ)
    return settings


def log_passes(settings: Settings) -> None:
    """Send what passes do to the log file as well, if there is one. Raises `ConfigError`."""
    if settings.log.file is not None:
        _open_log(settings.log)


def _open_log(log: Log | None = None) -> None:
    from ubiops_file_sync.logs import open_log_of_command

    open_log_of_command(log, quiet=loudness.quiet, verbose=loudness.verbose)


def take_turns(
    profiles: Iterable[Profile], turn: Callable[[Profile], dict[str, Any]], *, as_json: bool
) -> list[dict[str, Any]]:
    """What `turn` says of each profile; each has an `exit_code`, and an `error` if it failed."""
    documents = []
    for profile in profiles:
        try:
            documents.append(turn(profile))
        except SyncError as error:
            failed = _failed(profile.name, str(error), error.exit_code, as_json=as_json)
            documents.append(failed)
        except Exception as error:  # noqa: BLE001  a bug, and the next profile has its turn
            documents.append(_failed(profile.name, bug_words(error), 1, as_json=as_json))
    return documents


def worst_of(documents: Iterable[dict[str, Any]]) -> int:
    """The exit code of them all."""
    from ubiops_file_sync.report import worst_exit_code

    return worst_exit_code(document["exit_code"] for document in documents)


def end(documents: list[dict[str, Any]], code: int, *, as_json: bool, **about: object) -> NoReturn:
    """End the command with `code`, and with one JSON document if that was asked for.

    `about`: what the document says besides the profiles.
    """
    from ubiops_file_sync.report import JSON_VERSION

    if as_json:
        whole = {"version": JSON_VERSION, "exit_code": code, **about, "profiles": documents}
        say_json(whole)
    sys.exit(code)


def _failed(profile: str, message: str, exit_code: int, *, as_json: bool) -> dict[str, Any]:
    if not as_json:
        complain(message)
    return {"profile": profile, "error": message, "exit_code": exit_code}
