"""A listing that fails, or is odd, or changes under the pass, never looks like deletions (I12)."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.world import standing
from faults.listings import FAILURES, ODDITIES, PAGES, prepare, three_a_page
from faults.stage import assert_says, staged
from ubiops_file_sync.emulator import Behaviour, Fault


@pytest.mark.parametrize("page", range(PAGES))
@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("lasts", [False, True], ids=["once", "lasts"])
def test_a_page_that_fails(name: str, page: int, *, lasts: bool, tmp_path: Path) -> None:
    kind, code, body = FAILURES[name]
    is_timeout = kind == "hang"
    tries = 2 if is_timeout else 5
    with staged(tmp_path, gives_up=is_timeout, tries=tries) as stage, three_a_page():
        prepare(stage)
        fault = Fault(
            "list", kind, times=None if lasts else 1, page=page, code=code, body=body, length=30
        )
        stage.world.server.faults.add(fault)
        before = standing(stage.world), stage.world.server.objects()
        told = stage("reconcile")
        assert stage.world.server.faults.fired(fault) >= (tries if lasts else 1)
        assert told.exit_code == (3 if lasts else 0), told.text
        if lasts:
            assert_says(told, "profile 'p': .*Nothing was changed; run it again")
            assert (standing(stage.world), stage.world.server.objects()) == before
        stage.assert_nothing_lost()
        stage.world.server.faults.clear()
        stage.assert_heals()


@pytest.mark.parametrize("name", ODDITIES)
def test_an_odd_listing(name: str, tmp_path: Path) -> None:
    odd = ODDITIES[name]
    with staged(tmp_path) as stage, three_a_page():
        prepare(stage)
        odd.happens(stage)
        told = stage("reconcile")
        assert told.exit_code == odd.exit_code, told.text
        assert_says(told, odd.says)
        stage.assert_nothing_lost()
        stage.world.server.faults.clear()
        stage.world.server.behaviour = Behaviour()
        stage.assert_heals()
