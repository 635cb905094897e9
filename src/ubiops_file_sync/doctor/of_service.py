"""The service: whether systemd has it, whether it runs, and whether it runs what is configured."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

from ubiops_file_sync import __version__
from ubiops_file_sync.config import Settings
from ubiops_file_sync.doctor.finding import Finding, ok, problem, warning
from ubiops_file_sync.errors import SyncError
from ubiops_file_sync.service.control import NoService, ask_service
from ubiops_file_sync.service.units import SERVICE, TIMER

_CHECK = "service"
_SCOPES = {"the machine's": [], "this user's": ["--user"]}
_TIMEOUT_S = 10


def of_service(settings: Settings) -> Iterator[Finding]:
    """The findings about it."""
    enabled = [whose for whose, options in _SCOPES.items() if _systemd(*options, "is-enabled")]
    try:
        told = ask_service(settings.state_dir, {"command": "status"})
    except NoService:
        yield _none(settings, enabled)
        return
    except SyncError as error:
        yield warning(_CHECK, str(error), "ask as the user whose service it is")
        return
    yield _running(told, enabled)
    yield from _of_its_profiles(settings, told)


def _none(settings: Settings, enabled: list[str]) -> Finding:
    if not enabled:
        timed = [name for name in settings.profiles if _has_timer(name)]
        if timed:
            return ok(_CHECK, f"none runs over this state; timers run {', '.join(timed)}")
        return ok(
            _CHECK,
            "none runs over this state, and none is installed: passes run when somebody, or cron, "
            "runs them",
            "to have them on schedule: ubiops-file-sync install-service, or ubiops-file-sync run",
        )
    user = "--user " if enabled == ["this user's"] else ""
    if any(_systemd(*_SCOPES[whose], "is-active") for whose in enabled):
        return warning(
            _CHECK,
            f"{enabled[0]} {SERVICE} runs, but not over {settings.state_dir}",
            "it has another configuration or state folder: compare with "
            f"'systemctl {user}cat {SERVICE}', and name its file with --config",
        )
    return problem(
        _CHECK,
        f"{enabled[0]} {SERVICE} is enabled, and does not run",
        f"see why: systemctl {user}status {SERVICE}; then: systemctl {user}start {SERVICE}",
    )


def _running(told: dict[str, Any], enabled: list[str]) -> Finding:
    words = f"process {told.get('process')} since {told.get('since')}"
    if told.get("version") != __version__:
        return warning(
            _CHECK,
            f"{words} is of version {told.get('version')}, and this is {__version__}",
            f"restart it: systemctl restart {SERVICE}",
        )
    if told.get("config_error"):
        return problem(
            _CHECK,
            f"{words} goes on with its old configuration; the changed one is not usable",
            "see what is wrong: ubiops-file-sync check-config; then: ubiops-file-sync reload",
        )
    if not enabled and shutil.which("systemctl"):
        words += "; systemd would not start it again after a restart of the machine"
        return ok(_CHECK, words, "to have it do so: ubiops-file-sync install-service")
    return ok(_CHECK, words)


def _of_its_profiles(settings: Settings, told: dict[str, Any]) -> Iterator[Finding]:
    there: dict[str, dict[str, Any]] = told.get("profiles") or {}
    for profile in settings.profiles.values():
        one = there.get(profile.name)
        if one is None:
            if profile.enabled:
                yield warning(
                    _CHECK,
                    f"it does not run profile {profile.name}",
                    "ubiops-file-sync reload; or it was started with other profiles only",
                )
        elif one.get("failures"):
            yield warning(
                _CHECK,
                f"the last {one['failures']} passes over {profile.name} failed",
                f"see why: ubiops-file-sync status {profile.name}",
            )
        elif one.get("is_paused"):
            yield warning(
                _CHECK,
                f"{profile.name} is paused",
                f"ubiops-file-sync resume {profile.name}",
            )


def _has_timer(profile: str) -> bool:
    timer = TIMER.replace("@", f"@{profile}")
    return any(_systemd(*options, "is-enabled", unit=timer) for options in _SCOPES.values())


def _systemd(*words: str, unit: str = SERVICE) -> bool:
    """What systemd answers about a unit; no, where there is no systemd."""
    program = shutil.which("systemctl")
    if program is None:
        return False
    try:
        done = subprocess.run(  # noqa: S603  words of our own
            [program, *words, "--quiet", unit],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
