"""The profile `default` from environment variables alone (design section 8)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ubiops_file_sync.config.check import cleartext_warnings
from ubiops_file_sync.config.faults import Fault, config_error
from ubiops_file_sync.config.fields import clean_token
from ubiops_file_sync.config.models import (
    DEFAULT_TOKEN_ENV,
    Profile,
    Settings,
    default_state_dir,
)
from ubiops_file_sync.config.overlap import exposed
from ubiops_file_sync.config.tokens import credential_file
from ubiops_file_sync.model import ConflictPolicy

SOURCE = "environment variables"
"""What `Settings.source` says of settings that came from here."""

_TRUE = frozenset({"true", "1", "t", "y", "yes"})
_FALSE = frozenset({"false", "0", "f", "n", "no"})
OVERWRITE_VARIABLE = "OVERWRITE_NEWER_FILES"
VARIABLES = {
    "LOCAL_SYNC_DIR": "local_dir",
    "BUCKET_PROJECT_NAME": "project",
    "BUCKET_NAME": "bucket",
    "BUCKET_DIR": "bucket_dir",
    "UBIOPS_API_HOST": "api_host",
    "UBIOPS_QUOTA_SHARE": "quota_share",
}
_SERVICE = frozenset({"UBIOPS_API_HOST", "UBIOPS_QUOTA_SHARE"})
"""Those that speak of UbiOps, and not of a profile."""
LOOKED_AT = (*VARIABLES, OVERWRITE_VARIABLE, "STATE_DIRECTORY", "XDG_STATE_HOME", "HOME")
"""All that `environment_settings` looks at but for the token, which is read anew for each pass."""
_MEANING = {
    "LOCAL_SYNC_DIR": "the folder on this machine",
    "BUCKET_PROJECT_NAME": "the UbiOps project",
    "BUCKET_NAME": "the bucket, such as default",
    "BUCKET_DIR": "the folder in the bucket (empty: the whole bucket)",
    DEFAULT_TOKEN_ENV: "the service user's token",
}


def speaks_of_a_profile(env: Mapping[str, str]) -> bool:
    """Whether the variables mean to describe a profile.

    The token, the API's address and the quota's share alone do not.
    """
    return any(env.get(name) for name in VARIABLES if name not in _SERVICE)


def newer_files_are_preserved(env: Mapping[str, str]) -> bool:
    """What `OVERWRITE_NEWER_FILES` asks for, though its name reads the other way round.

    - `true`, `1`, `t`, `y`, `yes`: newer files are *preserved*; the newer one wins.
    - `false`, `0`, `f`, `n`, `no`: the side being written to is always *overwritten*.
    - unset or empty: as `true`, for that never loses the newer file.

    Case does not matter. Raises ValueError for any other word.
    """
    word = env.get(OVERWRITE_VARIABLE, "").strip().lower()
    if word in _FALSE:
        return False
    if word and word not in _TRUE:
        raise ValueError(
            "is neither true (newer files are preserved) nor false (the side being written to is "
            "always overwritten); set it to one of them"
        )
    return True


def environment_settings(env: Mapping[str, str], cwd: Path) -> Settings:
    """Settings with the one profile `default`; a relative folder is below `cwd`.

    Where the side being written to is always overwritten, the bucket wins, for a two-way pass
    writes to both. Raises ConfigError with every variable that is missing or wrong, and for a
    folder that holds the state: it would go into the bucket.
    """
    values = {field: env[name] for name, field in VARIABLES.items() if _is_given(env, name)}
    is_token_delivered = credential_file(DEFAULT_TOKEN_ENV, env) is not None
    faults = [
        Fault((name,), f"is not set; set it to {meaning}")
        for name, meaning in _MEANING.items()
        if not _is_given(env, name) and not (name == DEFAULT_TOKEN_ENV and is_token_delivered)
    ]
    faults.extend(_wrong_words(env))
    try:
        profile = Profile.model_validate({"name": "default", **values}, context={"base": cwd})
    except ValidationError as error:
        faults.extend(_wrong_fields(error))
    if faults:
        raise config_error(SOURCE, faults)
    if not newer_files_are_preserved(env):
        profile = profile.model_copy(update={"conflict": ConflictPolicy.REMOTE_WINS})
    profiles = {profile.name: profile}
    state_dir = default_state_dir(env)
    faults = [
        Fault(("LOCAL_SYNC_DIR",), message)
        for message in exposed(profiles, {state_dir: "state folder"})
    ]
    if faults:
        raise config_error(SOURCE, faults)
    return Settings(
        state_dir=state_dir,
        profiles=profiles,
        source=SOURCE,
        warnings=tuple(cleartext_warnings(profiles)),
    )


def _is_given(env: Mapping[str, str], name: str) -> bool:
    """Empty is as good as unset, but for `BUCKET_DIR`: there it is the bucket's root."""
    return name in env and (name == "BUCKET_DIR" or bool(env[name].strip()))


def _wrong_words(env: Mapping[str, str]) -> list[Fault]:
    faults: list[Fault] = []
    try:
        newer_files_are_preserved(env)
    except ValueError as error:
        faults.append(Fault((OVERWRITE_VARIABLE,), str(error)))
    if _is_given(env, DEFAULT_TOKEN_ENV) and credential_file(DEFAULT_TOKEN_ENV, env) is None:
        try:
            clean_token(env[DEFAULT_TOKEN_ENV])
        except ValueError as error:
            faults.append(Fault((DEFAULT_TOKEN_ENV,), str(error)))
    return faults


def _reason(complaint: ErrorDetails) -> str:
    if complaint["type"] == "value_error":
        return str(complaint["ctx"]["error"])
    # Nothing else is left that text can fail at.
    return "is not UTF-8 text; set it to plain text"


def _wrong_fields(error: ValidationError) -> list[Fault]:
    """What is wrong with the values; what is missing is told elsewhere, by its meaning."""
    variables = {field: name for name, field in VARIABLES.items()}
    return [
        Fault((variables[str(complaint["loc"][0])],), _reason(complaint))
        for complaint in error.errors(include_url=False)
        if complaint["type"] != "missing"
    ]
