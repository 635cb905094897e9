"""Whatever befalls the state: nothing lost, said in words, and healed as the words say."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from faults.stage import assert_says, staged
from faults.state import DAMAGES, as_told, path_of_state, prepare


@pytest.mark.parametrize("name", DAMAGES)
def test_what_befalls_the_state(name: str, tmp_path: Path) -> None:
    damage = DAMAGES[name]
    with staged(tmp_path) as stage:
        prepare(stage)
        with damage.happening(stage):
            told = stage("reconcile")
        assert told.exit_code == damage.exit_code, told.text
        assert_says(told, damage.says)
        stage.assert_nothing_lost()
        stage.world.server.faults.clear()
        damage.mend(stage, told)
        stage.assert_heals()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """As many states are damaged at random as `--damages` says."""
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(metafunc.config.getoption("--damages")))


def test_bytes_that_are_others_anywhere_in_it(seed: int, tmp_path: Path) -> None:
    """SQLite notices or it does not; files are lost in neither case."""
    chance = random.Random(seed)
    with staged(tmp_path) as stage:
        prepare(stage)
        path = path_of_state(stage)
        content = bytearray(path.read_bytes())
        for _ in range(chance.choice((1, 3, 30))):
            at, length = chance.randrange(len(content)), chance.choice((1, 8, 200))
            content[at : at + length] = chance.randbytes(length)
        path.write_bytes(content)
        for question in ("plan", "status", "history"):
            assert stage(question).exit_code in {0, 1, 4, 78}
        told = stage("reconcile")
        assert told.exit_code in {0, 1, 4, 78}, told.text
        stage.assert_nothing_lost()
        if told.exit_code:
            assert_says(told, "is damaged|belongs to other places|newer version")
            if "is damaged" in told.text:
                as_told(stage, told)
            else:
                path.unlink()
        stage.assert_heals()
