"""Killed before and after every durable boundary, a pass ends where an undisturbed one does.

By default some points of each history; `--crash-points all` takes every one.
"""

from __future__ import annotations

import pytest

from crash.campaign import Campaign, Stand, die_again, sample_of
from crash.histories import HISTORIES

SAMPLE = 7
"""Points of each history, unless all are asked for."""


@pytest.mark.parametrize("number", range(HISTORIES))
def test_killed_at_a_boundary_it_ends_where_an_undisturbed_run_ends(
    stand: Stand, number: int, request: pytest.FixtureRequest
) -> None:
    campaign = Campaign.of(number, stand)
    points = campaign.points
    if request.config.getoption("--crash-points") == "sample":
        points = sample_of(points, number, SAMPLE)
    failures = []
    for point, again in die_again(points):
        try:
            campaign.kill_at(point, again=again)
        except AssertionError as error:
            failures.append(
                f"killed {point.when} {point.boundary}{' and again' if again else ''}: {error}"
            )
    campaign.close()
    assert not failures, "\n".join([f"history {number}: {len(failures)} points", *failures[:20]])
