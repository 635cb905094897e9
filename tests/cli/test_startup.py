"""What a command loads: a command that does little costs little (benchmarks/, `startup`)."""

from __future__ import annotations

import subprocess

import pytest

from cli.conftest import Shell

HEAVY = {"ubiops", "requests", "urllib3", "prometheus_client", "starlette", "uvicorn", "hypothesis"}
SETTINGS = {"pydantic", "yaml", "sqlite3"}


def _loaded(done: subprocess.CompletedProcess[str]) -> set[str]:
    """Top-level packages, of what `-X importtime` tells."""
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


@pytest.fixture
def loaded_by(shell: Shell) -> Shell:
    shell.profile()
    shell("reconcile")
    shell.env["PYTHONPROFILEIMPORTTIME"] = "1"
    return shell


def test_help_reads_no_settings(loaded_by: Shell) -> None:
    for words in (["--help"], ["reconcile", "--help"], ["--version"]):
        assert not _loaded(loaded_by(*words)) & (HEAVY | SETTINGS)


@pytest.mark.parametrize("command", ["reconcile", "plan", "status", "history", "verify"])
def test_what_a_pass_has_learnt_no_other_command_learns(loaded_by: Shell, command: str) -> None:
    done = loaded_by(command)
    assert done.returncode == 0
    loaded = _loaded(done)
    assert "pydantic" in loaded
    assert not loaded & HEAVY
