"""Whatever befalls local files: nothing lost, said in words, and healed by the next good pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.files import (
    CHANGES,
    ERRORS,
    MOMENT_REASONS,
    MOMENTS,
    SECRET,
    STEP_REASONS,
    STEPS,
    change,
    outside_of,
    undo,
)
from faults.stage import assert_says, staged

_CASES = [
    (step, error, mark)
    for step in STEPS
    for error, mark in zip(ERRORS, STEPS[step].marks.split(), strict=True)
    if mark != "-"
]


@pytest.mark.parametrize(("step", "error", "mark"), _CASES)
def test_what_the_operating_system_refuses(
    step: str, error: str, mark: str, tmp_path: Path
) -> None:
    doing, (number, says) = STEPS[step], ERRORS[error]
    with staged(tmp_path) as stage:
        doing.scene(stage)
        with doing.failing(stage, number) as hits:
            told = stage("reconcile")
        assert hits
        assert told.exit_code == int(mark), told.text
        named = f"profile '{doing.key}': .*" if mark == "4" else f"{doing.key}: .*"
        assert_says(told, f"{named}{says}")
        stage.assert_nothing_lost()
        if mark == "1" and not doing.of_all:
            assert stage.world.local()["good"] == stage.world.remote()["good"]
        stage.assert_heals()


def test_every_step_has_every_error_or_a_reason() -> None:
    for step in STEPS.values():
        marks = dict(zip(ERRORS, step.marks.split(), strict=True))
        assert all(mark != "-" or error in STEP_REASONS for error, mark in marks.items())


_HAPPENINGS = [
    (moment, become, int(mark))
    for moment in MOMENTS
    for become, mark in zip(CHANGES, MOMENTS[moment].marks.split(), strict=True)
    if mark != "-"
]


@pytest.mark.parametrize(("moment", "become", "code"), _HAPPENINGS)
def test_what_somebody_else_does_meanwhile(
    moment: str, become: str, code: int, tmp_path: Path
) -> None:
    when = MOMENTS[moment]
    with staged(tmp_path) as stage:
        outside = outside_of(stage)
        when.scene(stage)
        with when.happening(stage, lambda: change(stage, when.place, become)) as hits:
            told = stage("reconcile")
        assert hits, told.text
        assert told.exit_code == code, told.text
        if code:
            assert_says(told, f"{when.place}: .*({when.says})")
        stage.assert_nothing_lost()
        assert stage.world.local()["good"] == stage.world.remote()["good"]
        assert SECRET not in stage.world.remote().values()
        assert [SECRET] not in stage.world.trash().values()
        undo(stage, when.place)
        stage.world.server.faults.clear()
        stage.assert_heals()
        assert outside.read_bytes() == SECRET


def test_every_moment_has_every_change_or_a_reason() -> None:
    for moment in MOMENTS.values():
        marks = dict(zip(CHANGES, moment.marks.split(), strict=True))
        left_out = {(moment.name, become) for become in CHANGES if marks[become] == "-"}
        assert left_out == {one for one in MOMENT_REASONS if one[0] == moment.name}
