"""What the page on operating it says of names is so."""

from __future__ import annotations

import re
from pathlib import Path

from ubiops_file_sync.metrics import Metrics

PAGE = (Path(__file__).parents[2] / "docs/operating.md").read_text()


def test_it_names_every_metric_and_no_other() -> None:
    told = {
        re.sub(r"_(total|info)$", "", name)
        for name in re.findall(r"`(ubiops_file_sync_\w+)\{", PAGE)
    }
    there = {metric.name for metric in Metrics()._of_passes.collect()}
    assert told == there
