"""`completion`: what shells are told, and what bash makes of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.conftest import SAME_PACKAGE, Shell

PROGRAM = Path(sys.executable).with_name("ubiops-file-sync")
PROFILES = """\
version: 1
defaults: {project: demo}
profiles:
  models: {local_dir: files}
  mirror: {local_dir: other, bucket: other}
  results: {local_dir: third, bucket: third}
"""


def env(shell: Shell, **more: str) -> dict[str, str]:
    path = f"{PROGRAM.parent}:{os.environ['PATH']}"
    return {"PATH": path, "PYTHONPATH": SAME_PACKAGE, "HOME": str(shell.cwd), **more}


def completions(shell: Shell, *words: str) -> list[str]:
    """What the command answers to a shell that asks about the last of the words."""
    asked = " ".join(("ubiops-file-sync", *words))
    done = subprocess.run(
        [PROGRAM],
        cwd=shell.cwd,
        env=env(
            shell,
            _UBIOPS_FILE_SYNC_COMPLETE="bash_complete",
            COMP_WORDS=asked,
            COMP_CWORD=str(len(words)),
        ),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_the_script_says_how_to_install_it(shell: Shell, name: str) -> None:
    done = shell("completion", name)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"ubiops-file-sync completion {name} > ~/" in done.stdout
    assert "_UBIOPS_FILE_SYNC_COMPLETE" in done.stdout
    if name == "zsh":
        assert done.stdout.startswith("#compdef ubiops-file-sync\n")


def test_another_shell_is_refused(shell: Shell) -> None:
    done = shell("completion", "csh")
    assert done.returncode == 2
    assert "'bash', 'zsh', 'fish'" in done.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("plan", ""), ["models", "mirror", "results"]),
        (("plan", "m"), ["models", "mirror"]),
        (("plan", "models", "m"), ["mirror"]),
        (("trigger", "r"), ["results"]),
        (("doctor", "mi"), ["mirror"]),
        (("explain", "--profile", "mo"), ["models"]),
        (("recon",), ["reconcile"]),
        (("config", "s"), ["show"]),
        (("completion", "z"), ["zsh"]),
    ],
)
def test_commands_and_profiles_complete(
    shell: Shell, words: tuple[str, ...], expected: list[str]
) -> None:
    shell.config(PROFILES)
    assert completions(shell, *words) == expected


def test_the_file_that_the_line_names_is_the_one_that_counts(shell: Shell) -> None:
    shell.config(PROFILES)
    (shell.cwd / "other.yaml").write_text("profiles: {elsewhere: {local_dir: x, project: p}}\n")
    assert completions(shell, "--config", "other.yaml", "plan", "") == ["elsewhere"]


@pytest.mark.parametrize("text", ["profiles: [", "profiles: 5\n", "- a\n", ""])
def test_a_broken_file_completes_nothing_and_says_nothing(shell: Shell, text: str) -> None:
    shell.config(text)
    assert completions(shell, "plan", "") == []


def test_a_file_with_a_mistake_still_completes(shell: Shell) -> None:
    shell.config(PROFILES + "workers: 4\n")
    assert completions(shell, "plan", "re") == ["results"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes(shell: Shell) -> None:
    shell.config(PROFILES)
    script = (
        'eval "$(ubiops-file-sync completion bash)"\n'
        "COMP_WORDS=(ubiops-file-sync plan m) COMP_CWORD=2\n"
        "_ubiops_file_sync_completion ubiops-file-sync\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
        "complete -p ubiops-file-sync\n"
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        cwd=shell.cwd,
        env=env(shell),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[:2] == ["models", "mirror"]
    assert "-F _ubiops_file_sync_completion" in done.stdout
    assert done.stderr == ""
