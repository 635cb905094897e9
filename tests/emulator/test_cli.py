"""The official command line tool, unchanged but for the place of its configuration file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from emulator.conftest import MakeClient
from ubiops_file_sync.emulator import BucketServer

# The tool keeps its configuration beside its own code, where a test has no business.
RUNNER = """
import os, sys
from ubiops_cli import utils

load = utils.Config.load

def load_elsewhere(self):
    self.config_file = os.environ["UBIOPS_CLI_CONFIG_FILE"]
    load(self)

utils.Config.load = load_elsewhere

from ubiops_cli.main import main
main()
"""


class Ubiops:
    """Runs `ubiops`, signed in to a server."""

    def __init__(self, server: BucketServer, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "UBIOPS_CLI_CONFIG_FILE": str(folder / "config")}
        self.environment["NO_COLOR"] = "1"
        self("signin", "--token", "-p", f"Token {server.token}", "--api", server.api_host)

    def __call__(self, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-c", RUNNER, *arguments],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def run(make_client: MakeClient, tmp_path: Path) -> Ubiops:
    folder = tmp_path / "work"
    folder.mkdir()
    return Ubiops(make_client(provider="azure_blob_storage").server, folder)


def test_files(run: Ubiops) -> None:
    (run.folder / "source.txt").write_text("content")
    name = "deep/with space #1.txt"
    assert run("files", "upload", "-f", "source.txt", name, "-pb", "false").strip() == (
        f"ubiops-file://default/{name}"
    )
    listed = json.loads(run("files", "list", "-fmt", "json"))
    assert [item["file"] for item in listed["files"]] == [name]
    assert name in run("files", "list")
    shown = json.loads(run("files", "get", name, "-fmt", "json"))
    assert (shown["file"], shown["size"]) == (name, 7)
    run("files", "download", name, "-o", "target.txt", "-q")
    assert (run.folder / "target.txt").read_text() == "content"
    assert "successfully deleted" in run("files", "delete", name, "-y")
    assert "404" in run("files", "get", name, code=1)


def test_buckets(run: Ubiops) -> None:
    made = run("buckets", "create", "new", "-p", "amazon_s3", "-lb", "a:b", "-fmt", "json")
    assert json.loads(made)["name"] == "new"
    listed = json.loads(run("buckets", "list", "-fmt", "json"))
    assert [bucket["name"] for bucket in listed] == ["default", "new"]
    shown = json.loads(run("buckets", "get", "new", "-fmt", "json"))
    assert (shown["provider"], shown["labels"]) == ("amazon_s3", {"a": "b"})
    assert "already exists" in run("buckets", "create", "new", code=1)
