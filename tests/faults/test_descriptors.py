"""With too few open files: a real limit, from so few that nothing works to enough."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.conftest import SAME_PACKAGE
from faults.stage import Stage, Told, assert_says, staged
from no_secrets import watch

_TESTS = Path(__file__).parents[1]
_ENOUGH = 256
_SAYS = r"too many open files|ulimit -n"


class Limited:
    """The process that runs the commands."""

    def __init__(self, stage: Stage, process: subprocess.Popen[str]) -> None:
        self._config = str(stage._config())
        self._process = process

    def __call__(self, limit: int, *words: str) -> Told:
        """Run a command with so many open files."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"words": ["--config", self._config, *words], "limit": limit}
        print(json.dumps(order), file=self._process.stdin, flush=True)
        told = Told(*json.loads(self._process.stdout.readline()))
        assert not watch.tells(told.text), told.text
        assert "Traceback" not in told.text, told.text
        assert "a bug in" not in told.text, told.text
        return told


@contextmanager
def limited(stage: Stage) -> Iterator[Limited]:
    """Such a process, in which all modules are loaded already."""
    with subprocess.Popen(
        [sys.executable, "-m", "faults.descriptors"],
        env={
            "PYTHONPATH": f"{_TESTS}:{SAME_PACKAGE}",
            "UBIOPS_API_TOKEN": stage.world.server.token,
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        run = Limited(stage, process)
        assert run(_ENOUGH, "reconcile").exit_code == 0
        yield run
        assert process.stdin is not None
        process.stdin.close()


@pytest.mark.parametrize("first", [4, 6])
def test_with_too_few_open_files(first: int, tmp_path: Path) -> None:
    codes = []
    with staged(tmp_path) as stage:
        stage.set(deletions="both", workers=4)
        stage.in_step(**{"folder/deep/in step": b"1", "to edit": b"0"})
        with limited(stage) as run:
            for limit in (*range(first, 40, 4), _ENOUGH):
                _something_to_do(stage, limit)
                told = run(limit, "reconcile")
                codes.append(told.exit_code)
                stage.assert_nothing_lost()
                if told.exit_code:
                    assert_says(told, _SAYS)
            assert run(_ENOUGH, "reconcile").exit_code == 0
            assert stage.world.local() == stage.world.remote()
            assert run(_ENOUGH, "plan", "--detailed-exitcode").exit_code == 0
    assert codes[0], "that few were enough, and nothing was tried"
    assert codes[-1] == 0


def _something_to_do(stage: Stage, n: int) -> None:
    for count in range(4):
        stage.edit(f"up/{n}/{count}", f"up {n} {count}".encode())
        stage.store(f"down/{n}/{count}", f"down {n} {count}".encode())
    stage.edit("to edit", f"edited {n}".encode())
    stage.precious.discard(f"edited {n}".encode())
