"""The values of a file as `Settings`, and pydantic's complaints in the user's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from ubiops_file_sync.config import fields
from ubiops_file_sync.config.faults import Fault, KeyPath, config_error, nearest, show_path
from ubiops_file_sync.config.models import (
    ONE_TOKEN_ONLY,
    TOKEN_SETTINGS,
    Profile,
    Settings,
    Trash,
    default_state_dir,
)
from ubiops_file_sync.config.overlap import exposed, overlaps
from ubiops_file_sync.config.yaml_source import Document

_Values = dict[str, Any]
_SHARED = ("bandwidth_limit", "quota_share")
"""Settings that a profile has, and that a file may only say for all of them."""
_PROFILE_SETTINGS = tuple(n for n in Profile.model_fields if n != "name" and n not in _SHARED)
_INNER = {"trash": tuple(Trash.model_fields)}
"""Settings that have settings of their own."""
_OF_THE_FILE = "is a setting of the whole file; move it to the left margin"
_EMPTY = "is empty; give it a value or remove the line"
HOST_VARIABLE = "UBIOPS_API_HOST"
_INHERITED = ("api_host", *_SHARED, *TOKEN_SETTINGS)
"""Settings that may stand at the top of the file for all profiles."""
_SHARED_TOKENS = {("token",), ("defaults", "token")}


class _Top(BaseModel):
    """The top of the file, without its profiles."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    api_host: fields.ApiHost = fields.DEFAULT_API_HOST
    token: fields.Token | None = None
    token_env: fields.VariableName | None = None
    token_file: fields.TokenPath | None = None
    state_dir: fields.LocalPath | None = None
    timezone: fields.TimeZone | None = None
    bandwidth_limit: fields.Rate | None = None
    quota_share: fields.Share = fields.DEFAULT_QUOTA_SHARE


_TOP_SETTINGS = ("version", *_Top.model_fields, "defaults", "profiles")


class FileCheck:
    """One look at one file. `settings` gives what it says, or raises everything that is wrong."""

    def __init__(self, document: Document, path: Path, *, is_private: bool) -> None:
        self._document = document
        self._path = path
        self._is_private = is_private
        """Whether no other user may read the file."""
        self._faults = list(document.faults)

    def settings(self, env: Mapping[str, str]) -> Settings:
        """What the file says. Raises ConfigError with every fault of the file."""
        top = self._mapping(self._document.data, ())
        defaults = self._mapping(top.get("defaults"), ("defaults",))
        own = self._profile_values(top)
        head = self._check_top(top)
        # On its own, so that each mistake in it is told once and at its own line.
        self._check_profile(defaults, {}, ("defaults",))
        shared = {name: top[name] for name in _INHERITED if name in top}
        if "api_host" not in shared | defaults:
            shared |= self._usual_host(env)
        inherited = _inherit(shared, defaults)
        profiles = {
            name: self._check_profile(values, inherited, ("profiles", name), name)
            for name, values in own.items()
        }
        if self._has_no_profiles():
            self._fault(("profiles",), "there are none; add one with local_dir and project")
        checked = {name: profile for name, profile in profiles.items() if profile is not None}
        for name, message in overlaps(checked):
            self._fault(("profiles", name), message)
        state_dir = None if head is None else head.state_dir or default_state_dir(env)
        for message in exposed(checked, self._private(state_dir, checked)):
            self._fault((), message)
        if self._faults or head is None or state_dir is None:
            raise config_error(str(self._path), self._faults)
        return Settings(
            state_dir=state_dir,
            timezone=head.timezone,
            profiles=checked,
            source=str(self._path),
            warnings=(*self._token_warnings(), *cleartext_warnings(checked)),
        )

    def _usual_host(self, env: Mapping[str, str]) -> _Values:
        """`$UBIOPS_API_HOST`, for a file that names no host for all of its profiles.

        Else the token of a private installation, set up by variables, would go to the public one.
        """
        host = env.get(HOST_VARIABLE, "").strip()
        if not host:
            return {}
        try:
            return {"api_host": fields.normalise_api_host(host)}
        except ValueError as error:
            self._fault(("api_host",), f"the variable {HOST_VARIABLE} {error}")
            return {}

    def _private(self, state_dir: Path | None, profiles: Mapping[str, Profile]) -> dict[Path, str]:
        """What must not get into a bucket: the state, token files, and a file with a token."""
        private = {} if state_dir is None else {state_dir: "state folder"}
        if any(self._literal_tokens()):
            private[self._path] = "configuration with its token"
        for profile in profiles.values():
            if profile.token_file is not None:
                private[profile.token_file] = "token file"
        return private

    def _fault(self, path: KeyPath, message: str) -> None:
        self._faults.append(Fault(path, message, self._document.line(path)))

    def _mapping(self, value: object, path: KeyPath) -> _Values:
        """The section's values; a section with nothing below its name has none."""
        if isinstance(value, dict):
            return value
        if value is not None:
            self._fault(path, "must hold 'key: value' lines; see the example configurations")
        return {}

    def _has_no_profiles(self) -> bool:
        data = self._document.data
        is_readable = ("profiles",) not in self._document.unreadable
        return isinstance(data, dict) and not data.get("profiles") and is_readable

    def _profile_values(self, top: _Values) -> dict[str, _Values]:
        profiles = self._mapping(top.get("profiles"), ("profiles",))
        return {
            name: self._mapping(values, ("profiles", name)) for name, values in profiles.items()
        }

    def _check_top(self, top: _Values) -> _Top | None:
        version = top.get("version", 1)
        if isinstance(version, bool) or version != 1:
            self._fault(("version",), "this program reads version 1 only; write 'version: 1'")
        rest = {name: top[name] for name in top if name not in {"version", "defaults", "profiles"}}
        self._check_own(rest, ())
        try:
            return _Top.model_validate(rest, context={"base": self._path.parent})
        except ValidationError as error:
            complaints = error.errors(include_url=False)
        self._complain(complaints, (), _TOP_SETTINGS, rest)
        return None

    def _check_profile(
        self, own: _Values, inherited: _Values, path: KeyPath, name: str | None = None
    ) -> Profile | None:
        """The profile; None if it has faults. Without a name: the defaults, which may lack some.

        What is inherited was checked where it stands, so that only own settings, and those that
        stand nowhere, are complained of.
        """
        self._check_own(own, path)
        if "name" in own:
            self._fault((*path, "name"), "is no setting; a profile's name is the key it is under")
        for shared in own.keys() & _SHARED:
            self._fault((*path, shared), _OF_THE_FILE)
        own = {setting: value for setting, value in own.items() if setting not in _SHARED}
        values = _inherit(inherited, own) | {"name": "defaults" if name is None else name}
        try:
            return Profile.model_validate(values, context={"base": self._path.parent})
        except ValidationError as error:
            complaints = error.errors(include_url=False)
        if name is None:
            complaints = [complaint for complaint in complaints if complaint["type"] != "missing"]
        self._complain(complaints, path, _PROFILE_SETTINGS, own)
        return None

    def _check_own(self, own: _Values, path: KeyPath) -> None:
        """What pydantic lets pass: settings without a value, and tokens beside each other."""
        for key in own:
            if own[key] is None and (*path, key) not in self._document.unreadable:
                self._fault((*path, key), _EMPTY)
        given = [name for name in own if name in TOKEN_SETTINGS]
        if len(given) > 1:
            self._fault((*path, given[-1]), f"is one token too many; {ONE_TOKEN_ONLY}")

    def _complain(
        self, complaints: list[ErrorDetails], path: KeyPath, known: tuple[str, ...], own: _Values
    ) -> None:
        for complaint in complaints:
            if not complaint["loc"]:
                continue  # the count of tokens, which is told with its line elsewhere
            key = str(complaint["loc"][0])
            place = path if key == "name" else (*path, *map(str, complaint["loc"]))
            is_ours = key in own or key == "name" or complaint["type"] == "missing"
            if is_ours and place not in self._document.unreadable:
                inner = _INNER.get(key) if len(complaint["loc"]) > 1 else None
                self._fault(place, _in_words(complaint, place[-1], inner or known))

    def _literal_tokens(self) -> Iterator[KeyPath]:
        """Where the file itself holds a token, and does not just name a variable."""
        for path in self._document.lines:
            is_profile = path[:1] == ("profiles",) and len(path) == 3
            is_token = path[-1] == "token" and (is_profile or path in _SHARED_TOKENS)
            if is_token and path not in self._document.references:
                yield path

    def _token_warnings(self) -> Iterator[str]:
        if self._is_private:
            return
        for path in self._literal_tokens():
            yield (
                f"{self._path}:{self._document.line(path)}: {show_path(path)}: other users may "
                "read this file and the token in it; run 'chmod 600' on it, or use token_file"
            )


def _inherit(above: _Values, own: _Values) -> _Values:
    """Own settings over those above; a token setting replaces whichever one is above."""
    has_token = any(name in own for name in TOKEN_SETTINGS)
    kept = {n: v for n, v in above.items() if not (has_token and n in TOKEN_SETTINGS)}
    return kept | own


def cleartext_warnings(profiles: Mapping[str, Profile]) -> list[str]:
    """A warning for each address to which a token would travel unencrypted."""
    hosts = dict.fromkeys(profile.api_host for profile in profiles.values())
    return [
        f"{host}: the token travels unencrypted to this address; use https"
        for host in hosts
        if fields.sends_token_in_clear(host)
    ]


_LINES_WANTED = "must hold 'key: value' lines; see the example configurations"
_BY_KIND = {
    "greater_than_equal": "is too small; write at least {ge}",
    "less_than_equal": "is too large; write at most {le}",
    "tuple_type": "must be a list; write '- ' before each item, or [a, b]",
    "model_type": _LINES_WANTED,
    "dict_type": _LINES_WANTED,
    "int_type": "must be a whole number; write it without quotes",
}


def _in_words(complaint: ErrorDetails, key: str, known: tuple[str, ...]) -> str:
    """What is wrong and what to do. Looks at the input's type, and never repeats its value."""
    kind, context = complaint["type"], complaint.get("ctx", {})
    value: object = complaint["input"]
    if kind == "missing":
        return "is missing; add it here or under defaults"
    if kind == "extra_forbidden":
        return _unknown_setting(key, known)
    if value is None:
        return _EMPTY
    if kind == "value_error":
        return str(context["error"])
    if kind == "enum":
        close = nearest(value, _words(context["expected"])) if isinstance(value, str) else None
        hint = f"; did you mean {close}?" if close else "; choose one of them"
        return f"must be {context['expected']}{hint}"
    if kind in _BY_KIND:
        return _BY_KIND[kind].format_map(context)
    return _wrong_type(value)


def _words(expected: str) -> list[str]:
    return expected.replace("'", "").replace(" or ", ", ").split(", ")


def _unknown_setting(key: str, known: tuple[str, ...]) -> str:
    close = nearest(key, known)
    if key in _PROFILE_SETTINGS:
        return "is a setting of profiles; move it under defaults or a profile"
    if key in _TOP_SETTINGS:
        return _OF_THE_FILE
    for outer, inner in _INNER.items():
        if key in inner:
            return f"is a setting of {outer}; move it below '{outer}:'"
    if close is not None:
        return f"is no setting; did you mean {close}?"
    return f"is no setting; use one of {', '.join(known)}"


def _wrong_type(value: object) -> str:
    if isinstance(value, bool):
        return "is true or false to YAML; put the word in quotes"
    if isinstance(value, int | float):
        return "is a number to YAML; put it in quotes"
    if isinstance(value, dict | list):
        return "must be one value, not a list or a mapping; write it on one line"
    return "is not usable here; see the example configurations"
