"""What a configuration needs beyond itself: its tokens, and the programs that it names."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ubiops_file_sync.config.models import DEFAULT_TOKEN_ENV, Profile, Settings
from ubiops_file_sync.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Need:
    """Something that is not there."""

    profile: str
    setting: str
    message: str
    """What is wrong, and after a semicolon what to do."""
    may_be_elsewhere: bool
    """Whoever runs the passes may have it all the same: another environment, another user."""


def unmet_needs(settings: Settings, env: Mapping[str, str]) -> Iterator[Need]:
    """What is missing here and now, by profile. No message has a token in it."""
    for profile in settings.profiles.values():
        trouble = token_trouble(profile, env)
        if trouble is not None:
            yield trouble
        for setting in ("on_failure", "on_change"):
            command: tuple[str, ...] = getattr(profile, setting)
            if command and shutil.which(command[0], path=env.get("PATH")) is None:
                message = (
                    f"there is no program {command[0]} that this user may run; correct the name, "
                    "or install it"
                )
                yield Need(profile.name, setting, message, may_be_elsewhere=True)


def token_trouble(profile: Profile, env: Mapping[str, str]) -> Need | None:
    """Why the profile's token cannot be read; None: it can."""
    try:
        profile.read_token(env)
    except ConfigError as error:
        is_unset = profile.token_file is None and not env.get(
            profile.token_env or DEFAULT_TOKEN_ENV
        )
        return Need(
            profile.name,
            "token_env" if profile.token_file is None else "token_file",
            str(error).removeprefix(f"profile {profile.name!r}: "),
            may_be_elsewhere=is_unset or isinstance(error.__cause__, PermissionError),
        )
    return None
