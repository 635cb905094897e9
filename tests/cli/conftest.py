"""The command as a user runs it: a process of its own, with a file or variables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import ubiops_file_sync
from no_secrets import watch
from ubiops_file_sync.emulator import BucketServer

COMMAND = [sys.executable, "-m", "ubiops_file_sync"]
SAME_PACKAGE = str(Path(ubiops_file_sync.__file__).parents[1])
"""Where the package was imported from: the command that runs is then of the same tree."""


@dataclass
class Shell:
    """A working directory with a folder `files`, and the environment of its commands."""

    server: BucketServer
    cwd: Path
    env: dict[str, str] = field(default_factory=dict)

    @property
    def files(self) -> Path:
        return self.cwd / "files"

    def __call__(self, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run the command to its end; no token and no signature is in what it says (I9)."""
        ended = subprocess.run(
            [*COMMAND, *words],
            cwd=self.cwd,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": SAME_PACKAGE,
                "HOME": str(self.cwd),
                **self.env,
            },
            text=True,
            capture_output=True,
            timeout=60,
            check=False,
            **options,
        )
        assert not watch.tells(f"{ended.stdout}{ended.stderr}")
        return ended

    def json(self, *words: str) -> Any:
        """Run the command, and read what it printed."""
        return json.loads(self(*words, "--json").stdout)

    def config(self, text: str) -> Path:
        """Write the configuration that is found without being named."""
        path = self.cwd / "ubiops-file-sync.yaml"
        path.write_text(text)
        path.chmod(0o600)
        return path

    def profile(self, **settings: object) -> Path:
        """Write a configuration of one profile, `models`."""
        given = {
            "local_dir": "files",
            "project": self.server.project,
            "bucket_dir": "data",
            "settle": 0,
            **settings,
        }
        lines = "".join(f"    {name}: {value}\n" for name, value in given.items())
        return self.config(
            f"version: 1\napi_host: {self.server.api_host}\nstate_dir: state\n"
            f"profiles:\n  models:\n{lines}"
        )

    def profiles(self, **places: str) -> None:
        """Write a configuration of several profiles, each a YAML mapping, with folder `other`."""
        lines = "".join(f"  {name}: {place}\n" for name, place in places.items())
        self.config(
            f"version: 1\napi_host: {self.server.api_host}\nstate_dir: state\n"
            f"defaults: {{project: demo, settle: 0}}\nprofiles:\n{lines}"
        )
        (self.cwd / "other").mkdir()


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    (tmp_path / "work" / "files").mkdir(parents=True)
    with BucketServer(tmp_path / "server", rate_limit=None) as server:
        yield Shell(server, tmp_path / "work", {"UBIOPS_API_TOKEN": server.token})
