"""A folder of its own for each test, and configurations that are real files in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ubiops_file_sync.config import Settings, load_settings
from ubiops_file_sync.config.schema import file_schema
from ubiops_file_sync.config.yaml_source import read_yaml
from ubiops_file_sync.errors import ConfigError


@lru_cache(maxsize=1)
def _schema() -> dict[str, Any]:
    return file_schema()


def as_an_editor_reads(text: str) -> Any:
    """The plain values of a file, with its variables as they are written."""
    return read_yaml(text.replace("${", "$${"), {}).data


@dataclass(frozen=True)
class ConfigFile:
    """A configuration on disk, private to its user like a careful person's."""

    path: Path

    def load(self, env: Mapping[str, str] | None = None) -> Settings:
        """What the program reads; nor may an editor mark anything in it."""
        settings = load_settings(self.path, env or {}, self.path.parent)
        if "<<" not in (text := self.path.read_text("utf-8-sig")):
            jsonschema.validate(as_an_editor_reads(text), _schema())
        return settings

    def refusal(self, env: Mapping[str, str] | None = None) -> list[str]:
        """The lines of the error, with the path cut to `FILE`."""
        with pytest.raises(ConfigError) as caught:
            self.load(env)
        error = caught.value
        assert error.exit_code == 78
        # The parsers' exceptions quote the file; a traceback shows what hangs on to an error.
        assert error.__cause__ is None
        assert error.__context__ is None
        return str(error).replace(str(self.path), "FILE").splitlines()


WriteConfig = Callable[[str | bytes], ConfigFile]


@pytest.fixture
def write_config(tmp_path: Path) -> WriteConfig:
    def write(content: str | bytes) -> ConfigFile:
        path = tmp_path / "config.yaml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(0o600)
        return ConfigFile(path)

    return write
