"""To import the package costs nothing, and reads nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from library.programs import SAME_PACKAGE

HEAVY = {
    "pydantic",
    "ubiops",
    "pycurl",
    "msgspec",
    "yaml",
    "rich",
    "tenacity",
    "sqlite3",
    "logging",
    "threading",
    "importlib.metadata",
}


def imported_by(code: str) -> set[str]:
    """Every module that Python imports for `code`, over what it does for nothing."""

    def names(of: str) -> set[str]:
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-c", of],
            env={"PYTHONPATH": SAME_PACKAGE},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()[1:]}

    return names(code) - names("import typing")


def test_the_package_imports_nothing_of_its_own_or_of_others() -> None:
    assert imported_by("import ubiops_file_sync") == {"__future__", "ubiops_file_sync"}


@pytest.mark.parametrize("name", ["SyncError", "Verb", "Report"])
def test_plain_names_bring_no_package_of_others(name: str) -> None:
    found = imported_by(f"from ubiops_file_sync import {name}")
    assert found & HEAVY == set()


@pytest.mark.parametrize("module", ["downloader", "uploader", "watcher", "sync"])
def test_the_functions_load_the_sdk_once_it_is_needed(module: str) -> None:
    """It takes longer than all the rest, and a program that only imports need not wait for it."""
    found = imported_by(f"import ubiops_file_sync.{module}")
    assert "ubiops" not in found
    assert not any(name.startswith("ubiops.") for name in found)


def test_importing_reads_no_variable_and_no_file_of_ours() -> None:
    code = (
        "import os, sys, pathlib\n"
        "asked = []\n"
        "class Watched(dict):\n"
        "    def get(self, name, default=None):\n"
        "        asked.append(name); return super().get(name, default)\n"
        "    def __getitem__(self, name):\n"
        "        asked.append(name); return super().__getitem__(name)\n"
        "os.environ = Watched(os.environ)\n"
        "from ubiops_file_sync import *\n"
        "import ubiops_file_sync.sync\n"
        "ours = [one for one in asked if 'UBIOPS' in one or 'BUCKET' in one or 'SYNC' in one]\n"
        "assert ours == [], ours\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": SAME_PACKAGE},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
