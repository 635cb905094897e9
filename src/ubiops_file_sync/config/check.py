"""The values of a file as `Settings`, and everything that is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ubiops_file_sync.config.addresses import normalise_api_host, sends_token_in_clear
from ubiops_file_sync.config.complaints import EMPTY, OF_THE_FILE, in_words
from ubiops_file_sync.config.faults import Fault, KeyPath, config_error, show_path
from ubiops_file_sync.config.levels import (
    EITHER,
    INHERITED,
    INNER,
    PROFILE_SETTINGS,
    SHARED,
    TOP_SETTINGS,
    Top,
)
from ubiops_file_sync.config.models import Profile, Settings, default_state_dir
from ubiops_file_sync.config.overlap import exposed, overlaps
from ubiops_file_sync.config.service import Metrics, Service
from ubiops_file_sync.config.yaml_source import Document

_Values = dict[str, Any]
HOST_VARIABLE = "UBIOPS_API_HOST"
"""Names the host for a file that names none."""
_SHARED_TOKENS = {("token",), ("defaults", "token")}


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
        shared = {name: top[name] for name in INHERITED if name in top}
        if "api_host" not in shared | defaults:
            shared |= self._usual_host(env)
        inherited = inherit(shared, defaults)
        profiles = {
            name: self._check_profile(values, inherited, ("profiles", name), name)
            for name, values in own.items()
        }
        if self._has_no_profiles():
            self._fault(("profiles",), "there are none; add one with local_dir and project")
        checked = {name: profile for name, profile in profiles.items() if profile is not None}
        for name, message in overlaps(checked):
            self._fault(("profiles", name), message)
        state_dir = None
        if head is not None:
            state_dir = head.state_dir or default_state_dir(env, self._path)
        for message in exposed(checked, self._private(state_dir, head, checked)):
            self._fault((), message)
        if self._faults or head is None or state_dir is None:
            raise config_error(str(self._path), self._faults)
        return Settings(
            state_dir=state_dir,
            profiles=checked,
            source=str(self._path),
            warnings=(
                *self._token_warnings(),
                *cleartext_warnings(checked),
                *self._metrics_warnings(head.metrics),
            ),
            **{name: getattr(head, name) for name in Service.model_fields},
        )

    def _usual_host(self, env: Mapping[str, str]) -> _Values:
        """`$UBIOPS_API_HOST`, for a file that names no host for all of its profiles.

        Else the token of a private installation, set up by variables, would go to the public one.
        """
        host = env.get(HOST_VARIABLE, "").strip()
        if not host:
            return {}
        try:
            return {"api_host": normalise_api_host(host)}
        except ValueError as error:
            self._fault(("api_host",), f"the variable {HOST_VARIABLE} {error}")
            return {}

    def _private(
        self, state_dir: Path | None, head: Top | None, profiles: Mapping[str, Profile]
    ) -> dict[Path, str]:
        """What must not get into a bucket: the state, token files, a file with a token, and what
        each pass changes, which would keep all passes busy with it."""
        private = {} if state_dir is None else {state_dir: "state folder"}
        if head is not None and head.log.file is not None:
            private[head.log.file] = "log file"
        if head is not None and head.metrics is not None and head.metrics.textfile is not None:
            private[head.metrics.textfile] = "metrics file"
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

    def _check_top(self, top: _Values) -> Top | None:
        version = top.get("version", 1)
        if isinstance(version, bool) or version != 1:
            self._fault(("version",), "this program reads version 1 only; write 'version: 1'")
        rest = {name: top[name] for name in top if name not in {"version", "defaults", "profiles"}}
        self._check_own(rest, ())
        try:
            return Top.model_validate(rest, context={"base": self._path.parent})
        except ValidationError as error:
            complaints = error.errors(include_url=False)
        self._complain(complaints, (), TOP_SETTINGS, rest)
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
        for shared in own.keys() & SHARED:
            self._fault((*path, shared), OF_THE_FILE)
        own = {setting: value for setting, value in own.items() if setting not in SHARED}
        values = inherit(inherited, own) | {"name": "defaults" if name is None else name}
        try:
            return Profile.model_validate(values, context={"base": self._path.parent})
        except ValidationError as error:
            complaints = error.errors(include_url=False)
        if name is None:
            complaints = [complaint for complaint in complaints if complaint["type"] != "missing"]
        self._complain(complaints, path, PROFILE_SETTINGS, own)
        return None

    def _check_own(self, own: _Values, path: KeyPath) -> None:
        """What pydantic lets pass: settings without a value, and two of which one is too many."""
        for key, value in own.items():
            self._check_empty(value, (*path, key))
            if key in INNER and isinstance(value, dict):
                for inner in value:
                    self._check_empty(value[inner], (*path, key, inner))
        for names, complaint, remedy in EITHER:
            given = [name for name in own if name in names]
            if len(given) > 1:
                self._fault((*path, given[-1]), f"{complaint}; {remedy}")

    def _check_empty(self, value: object, path: KeyPath) -> None:
        if value is None and path not in self._document.unreadable:
            self._fault(path, EMPTY)

    def _complain(
        self, complaints: list[ErrorDetails], path: KeyPath, known: tuple[str, ...], own: _Values
    ) -> None:
        for complaint in complaints:
            if not complaint["loc"]:
                continue  # one setting too many, which is told with its line elsewhere
            key = str(complaint["loc"][0])
            place = path if key == "name" else (*path, *map(str, complaint["loc"]))
            is_ours = key in own or key == "name" or complaint["type"] == "missing"
            if is_ours and place not in self._document.unreadable:
                inner = INNER.get(key) if len(complaint["loc"]) > 1 else None
                self._fault(place, in_words(complaint, place[-1], inner or known))

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

    def _metrics_warnings(self, metrics: Metrics | None) -> Iterator[str]:
        if metrics is None or metrics.listen is None or metrics.listen.is_private:
            return
        path = ("metrics", "listen")
        yield (
            f"{self._path}:{self._document.line(path)}: {show_path(path)}: anyone who can reach "
            "this machine may read the metrics, which name projects, buckets and profiles; listen "
            "at 127.0.0.1, or let a firewall see to it"
        )


def inherit(above: _Values, own: _Values) -> _Values:
    """Own settings over those above; one of `EITHER` replaces whichever of them is above."""
    replaced = {name for names, *_ in EITHER if not own.keys().isdisjoint(names) for name in names}
    return {name: value for name, value in above.items() if name not in replaced} | own


def cleartext_warnings(profiles: Mapping[str, Profile]) -> list[str]:
    """A warning for each address to which a token would travel unencrypted."""
    hosts = dict.fromkeys(profile.api_host for profile in profiles.values())
    return [
        f"{host}: the token travels unencrypted to this address; use https"
        for host in hosts
        if sends_token_in_clear(host)
    ]
