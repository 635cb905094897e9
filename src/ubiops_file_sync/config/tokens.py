"""Where a token comes from, and reading it: a variable, a credential of systemd, or a file.

No message holds a token (invariant I9).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from ubiops_file_sync.config import fields
from ubiops_file_sync.errors import ConfigError

CREDENTIALS_VARIABLE = "CREDENTIALS_DIRECTORY"
"""Where systemd says in which folder the credentials of a unit are."""

_MAX_FILE_BYTES = 65_536


def credential_file(name: str, env: Mapping[str, str]) -> Path | None:
    """The file in which systemd (`LoadCredential=`) delivered a credential; None: it did not."""
    folder = env.get(CREDENTIALS_VARIABLE)
    if not folder:
        return None
    path = Path(folder, name)
    # One that is there and cannot be read is no reason to take another token instead.
    return path if os.path.lexists(path) else None


def source_words(variable: str, file: Path | None, env: Mapping[str, str]) -> str:
    """Where a token comes from that is not in the configuration, as messages say it."""
    if file is not None:
        return f"token file {file}"
    if credential_file(variable, env) is not None:
        return f"systemd credential {variable}"
    return f"environment variable {variable}"


def read_token(profile: str, variable: str, file: Path | None, env: Mapping[str, str]) -> SecretStr:
    """The bare token, without `Token `: of the file, else of a credential, else of the variable.

    Raises ConfigError, naming the profile and where it was looked for.
    """
    place = f"profile {profile!r}: {source_words(variable, file, env)}"
    path = file if file is not None else credential_file(variable, env)
    text = env.get(variable) if path is None else _read(place, path)
    if text is None:
        raise ConfigError(
            f"{place} is not set; {_how_to_give(variable, env)}, "
            "or name another place with token_env or token_file"
        )
    try:
        return SecretStr(fields.clean_token(text))
    except ValueError as error:
        trouble = str(error)
    raise ConfigError(f"{place} {trouble}")


def _how_to_give(variable: str, env: Mapping[str, str]) -> str:
    if env.get(CREDENTIALS_VARIABLE):
        return f"have the unit deliver the token (LoadCredential={variable}:FILE), set the variable"
    return "set it to the service user's token"


def _read(place: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            # Bounded, and one byte more than fits, so that a wrong path ends here.
            content = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"{place} cannot be read ({error.strerror}); "
            "create it, readable by this user, with nothing but the token in it"
        ) from error
    # Bytes that are no ASCII become letters that no token has, and are refused as such.
    return content.decode("utf-8", errors="replace")
