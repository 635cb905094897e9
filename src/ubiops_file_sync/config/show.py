"""A configuration as the program understands it: YAML that may be read again, without tokens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from ubiops_file_sync.config.levels import INNER, SHARED
from ubiops_file_sync.config.models import DEFAULT_TOKEN_ENV, Profile, Settings
from ubiops_file_sync.config.origin import Origins
from ubiops_file_sync.config.service import Service
from ubiops_file_sync.redact import HIDDEN, redacted

_COMMANDS = ("on_failure", "on_change")
_NAMES = ("include", "exclude", "ready_file", "marker")
_INDENT = "  "


def settings_lines(
    settings: Settings,
    origins: Origins | None,
    *,
    for_strangers: bool,
    without_names: bool = False,
) -> Iterator[str]:
    """The lines of the whole; with `origins`, each tells where its value comes from.

    No token is in them. `for_strangers`: nor what commands are given, which may be a secret too.
    `without_names`: nor names and patterns of files in the bucket.
    """
    hidden = (*(_COMMANDS if for_strangers else ()), *(_NAMES if without_names else ()))
    shown = _Shown(origins, hidden)
    yield f"# {redacted(settings.source)}, as the program reads it; tokens are not shown"
    yield "version: 1"
    first = next(iter(settings.profiles.values()))
    top = settings.model_dump(mode="json", include={"state_dir", *Service.model_fields})
    top |= first.model_dump(mode="json", include=set(SHARED))
    yield from shown.level(None, top, "")
    yield "profiles:"
    for name, profile in settings.profiles.items():
        yield f"{_INDENT}{scalar(name)}:"
        yield from shown.level(name, _effective(profile), _INDENT * 2)


def _effective(profile: Profile) -> dict[str, Any]:
    """The profile's settings, of those that exclude each other the one that counts."""
    values = profile.model_dump(mode="json", exclude={"name", *SHARED})
    if profile.every is not None:
        del values["schedule"]
    token = {name: values.pop(name) for name in ("token", "token_file", "token_env")}
    if profile.token is not None:
        return values | {"token": HIDDEN}
    if profile.token_file is not None:
        return values | {"token_file": token["token_file"]}
    return values | {"token_env": profile.token_env or DEFAULT_TOKEN_ENV}


class _Shown:
    def __init__(self, origins: Origins | None, hidden: tuple[str, ...]) -> None:
        self._origins = origins
        self._hidden = hidden

    def level(self, profile: str | None, values: dict[str, Any], indent: str) -> Iterator[str]:
        """The settings of a level; those that have no value as comments."""
        for name, value in values.items():
            if name in INNER and value is not None:
                yield f"{indent}{name}:"
                for inner, one in value.items():
                    place = self._place(profile, name, inner)
                    yield _line(f"{indent}{_INDENT}", inner, one, place)
            else:
                shown = _without_secrets(name, value) if name in self._hidden else value
                yield _line(indent, name, shown, self._place(profile, name))

    def _place(self, profile: str | None, name: str, inner: str = "") -> str | None:
        return None if self._origins is None else self._origins.of(profile, name, inner).words


def _without_secrets(name: str, value: Any) -> Any:
    """Of a command only the program; of anything else, whether it is set."""
    if isinstance(value, list):
        kept = 1 if name in _COMMANDS else 0
        return [*value[:kept], *(HIDDEN for _ in value[kept:])]
    return value and HIDDEN


def _line(indent: str, name: str, value: object, place: str | None) -> str:
    if value is None:
        return f"{indent}# {name}: not set"
    line = f"{indent}{name}: {redacted(scalar(value))}"
    return line if place is None else f"{line:<48}  # {place}"


def scalar(value: object) -> str:
    """A value on one line, as YAML has it and `read_yaml` reads it."""
    text = yaml.safe_dump(value, default_flow_style=True, width=1 << 20, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...").replace("${", "$${")
