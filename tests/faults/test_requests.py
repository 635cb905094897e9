"""Each fault of each request: the right exit code, a clear message, nothing lost, healed."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.requests import GRIDS, REQUESTS, TROUBLES, Case, cases, reason
from faults.stage import Stage, Told, assert_says, staged
from ubiops_file_sync.emulator import Fault, Operation

_SIGNS = {"put": "sign_upload", "put_part": "sign_part", "get_blob": "sign_download"}
_CASES = cases()


@pytest.mark.parametrize("case", _CASES, ids=[case.id for case in _CASES])
def test_a_fault_costs_nothing(case: Case, tmp_path: Path) -> None:
    is_timeout = case.trouble.kind.startswith("hang")
    tries = 2 if is_timeout and case.lasts else 5
    with staged(tmp_path, case.provider, gives_up=is_timeout, tries=tries) as stage:
        case.request.scene(stage)
        fault = _order(stage, case)
        told = stage("reconcile")
        assert stage.world.server.faults.fired(fault) >= 1, told.text
        _assert_told(case, told)
        stage.assert_nothing_lost()
        _assert_others_done(stage, case)
        stage.world.server.faults.clear()
        stage.world.server.limits.url_lifetime_s = 900
        stage.assert_heals()


def _order(stage: Stage, case: Case) -> Fault:
    faults, times = stage.world.server.faults, None if case.lasts else 1
    if case.trouble.name != "expired":
        return faults.add(case.trouble.fault(case.request, times))
    # One after the other, so that the URLs of other files are good.
    stage.set(workers=1)
    limits, sign = stage.world.server.limits, _SIGNS[case.request.operation]

    def lasting(seconds: float) -> None:
        limits.url_lifetime_s = seconds

    outdated = Fault(sign, "latency", times, key="target", seconds=0, meanwhile=lambda: lasting(-1))
    faults.add(outdated)
    faults.add(Fault(sign, "latency", None, seconds=0, meanwhile=lambda: lasting(900)))
    return outdated


def _assert_told(case: Case, told: Told) -> None:
    assert told.exit_code == case.exit_code, told.text
    if not case.lasts and "*" in case.mark:
        assert "problem" not in told.text
        assert "note" not in told.text, told.text
    elif case.exit_code == 3:
        assert_says(told, case.trouble.says, "profile 'p'")
    elif case.exit_code == 1:
        assert_says(told, f"target: .*({case.trouble.says})", "1 file failed", "next")
    elif case.mark in {"0*", "0n"}:
        assert_says(told, f"note: .*({case.trouble.says})")


def _assert_others_done(stage: Stage, case: Case) -> None:
    """No fault of one key keeps another from its turn (I12)."""
    if case.exit_code == 3 or case.request.key is None:
        return
    local, remote = stage.world.local(), stage.world.remote()
    assert local.get("good") == remote.get("good")


def test_every_fault_of_every_request_is_there_or_has_its_reason() -> None:
    seen: list[str] = []
    for grid in GRIDS:
        names = [name for name, _ in grid.cells()]
        assert names == list(TROUBLES), grid.title
        for name, marks in grid.cells():
            assert len(marks) == len(grid.requests), (grid.title, name)
            for request, mark in zip(grid.requests, marks, strict=True):
                why = reason(name, REQUESTS[request])
                assert (why is not None) == (mark == "-"), (request, name)
        seen.extend(grid.requests)
    assert seen == list(REQUESTS)


def test_every_request_that_a_pass_may_make_is_in_the_table() -> None:
    never = {"status", "user", "head_blob", "unknown", "projects_list", "project_get"}
    never |= {"buckets_list", "bucket_create", "bucket_update", "bucket_delete"}
    assert {request.operation for request in REQUESTS.values()} == set(Operation) - never


def test_a_fault_that_cannot_be_is_not_tried() -> None:
    tried = {(case.request.name, case.trouble.name) for case in _CASES}
    assert all(reason(trouble, REQUESTS[request]) is None for request, trouble in tried)
