"""Every way in which a bucket may be another than we believe it to be."""

from __future__ import annotations

from ubiops_file_sync.emulator import Behaviour

BEHAVIOURS = {
    "unsorted": Behaviour(unsorted=True),
    "short-pages": Behaviour(short_pages=True),
    "repeated-items": Behaviour(repeat_item_between_pages=True),
    "small-limit": Behaviour(max_limit=100),
    "milliseconds": Behaviour(time_precision="ms"),
    "whole-seconds": Behaviour(time_precision="s"),
    "offset": Behaviour(time_suffix="+00:00"),
    "time-kept": Behaviour(keep_time_on_overwrite=True),
    "slow": Behaviour(slow_visibility_s=3600),
    "all": Behaviour(
        unsorted=True,
        short_pages=True,
        repeat_item_between_pages=True,
        max_limit=100,
        time_precision="s",
        time_suffix="+00:00",
        slow_visibility_s=3600,
    ),
}
"""By the names that `--behaviour` takes. `all` goes without `time-kept`, which cannot be together
with whole seconds: then nothing would tell two versions of one size apart."""
