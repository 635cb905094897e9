"""Where the value of each setting comes from, in words for whoever wonders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ubiops_file_sync.config.check import HOST_VARIABLE, inherit
from ubiops_file_sync.config.environment import OVERWRITE_VARIABLE, VARIABLES
from ubiops_file_sync.config.faults import KeyPath
from ubiops_file_sync.config.levels import INHERITED, SHARED
from ubiops_file_sync.config.load import read_document
from ubiops_file_sync.config.yaml_source import Document


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one value comes from."""

    words: str
    line: int | None = None
    """Of the file; None: it is not from there."""


BUILT_IN = Origin("built in")

Places = dict[str, dict[str, Origin]]
"""Of each setting of a level, and of each of its own settings (empty: of itself), the place."""


@dataclass(frozen=True, slots=True)
class Origins:
    """The places of all settings of a configuration."""

    top: Places = field(default_factory=dict)
    profiles: dict[str, Places] = field(default_factory=dict)

    def of(self, profile: str | None, setting: str, inner: str = "") -> Origin:
        """The place of a profile's setting, or of one of the whole file; of one within it."""
        level = self.top if profile is None or setting in SHARED else self.profiles[profile]
        return level.get(setting, {}).get(inner, BUILT_IN)


def file_origins(path: Path, env: Mapping[str, str]) -> Origins:
    """The origins of a file that can be used. Raises ConfigError if it cannot be read."""
    return _FileOrigins(read_document(path, env), path.name).all(env)


def environment_origins(env: Mapping[str, str]) -> Origins:
    """The origins of what variables alone say."""
    places = {name: {"": Origin(f"variable {of}")} for of, name in VARIABLES.items() if env.get(of)}
    if env.get(OVERWRITE_VARIABLE):
        places["conflict"] = {"": Origin(f"variable {OVERWRITE_VARIABLE}")}
    return Origins(_of_the_state(env) | places, {"default": places})


@dataclass(frozen=True, slots=True)
class _FileOrigins:
    document: Document
    name: str

    def all(self, env: Mapping[str, str]) -> Origins:
        data = _section(self.document.data)
        top, defaults = self._level((), ""), self._level(("defaults",), ", the defaults")
        shared = {name: top[name] for name in INHERITED if name in top}
        if "api_host" not in shared | defaults and env.get(HOST_VARIABLE, "").strip():
            shared["api_host"] = {"": Origin(f"variable {HOST_VARIABLE}")}
        # By the very rule by which the values are inherited.
        inherited = inherit(shared, defaults)
        profiles = {
            name: inherit(inherited, self._level(("profiles", name), ""))
            for name in _section(data.get("profiles"))
        }
        return Origins(_of_the_state(env) | top, profiles)

    def _level(self, path: KeyPath, note: str) -> Places:
        section: object = self.document.data
        for key in path:
            section = _section(section).get(key)
        return {
            name: {"": self._place((*path, name), note)}
            | {inner: self._place((*path, name, inner), note) for inner in _section(value)}
            for name, value in _section(section).items()
        }

    def _place(self, path: KeyPath, note: str) -> Origin:
        by = ", with variables" if path in self.document.expanded else ""
        line = self.document.line(path)
        return Origin(f"{self.name}:{line}{note}{by}", line)


def _section(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _of_the_state(env: Mapping[str, str]) -> Places:
    """Variables that say where state is kept, for those who do not."""
    for variable in ("STATE_DIRECTORY", "XDG_STATE_HOME"):
        if env.get(variable):
            return {"state_dir": {"": Origin(f"variable {variable}")}}
    return {}
