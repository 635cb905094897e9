"""When the next pass of a profile is due. Pure: no I/O, and no clock but what is passed in.

`Cron` and `Every` say which moments a schedule has (`cron.py`, with the rules for clock changes),
`Timing` which of them the next pass takes, and `Due` how long that is from now (`due.py`, with
what the caller must do).
"""

from ubiops_file_sync.schedule.cron import Cron
from ubiops_file_sync.schedule.due import LONGEST_SLEEP_S, Clocks, Due, sleep_s
from ubiops_file_sync.schedule.timing import Every, Timing

__all__ = ["LONGEST_SLEEP_S", "Clocks", "Cron", "Due", "Every", "Timing", "sleep_s"]
