"""How many calls a pass takes, and what the quota makes of them."""

from __future__ import annotations

import pytest

from ubiops_file_sync.model import Pace, PlanSummary
from ubiops_file_sync.report import forecast

PACE = Pace(limit=300, share=0.9, a_minute=270)


@pytest.mark.parametrize(
    ("calls", "pace", "minutes", "words"),
    [
        (1, PACE, 0, "1 API call at most"),
        (269, PACE, 0, "269 API calls at most"),
        (
            270,
            PACE,
            1,
            "270 API calls at most, about 1 min at 270 a minute (quota 300, share 0.9)",
        ),
        (
            4120,
            PACE,
            15,
            "4,120 API calls at most, about 15 min at 270 a minute (quota 300, share 0.9)",
        ),
        (
            10_000,
            Pace(2400, 0.5, 1200),
            8,
            "10,000 API calls at most, about 8 min at 1,200 a minute (quota 2,400, share 0.5)",
        ),
        (4120, None, None, "4,120 API calls at most"),
    ],
)
def test_minutes_are_told_where_there_is_one(
    calls: int, pace: Pace | None, minutes: int | None, words: str
) -> None:
    summary = PlanSummary(pages=1, transfer_calls=calls - 1, pace=pace)
    assert (summary.api_calls, summary.minutes) == (calls, minutes)
    assert forecast(summary) == f"a pass takes {words}"
