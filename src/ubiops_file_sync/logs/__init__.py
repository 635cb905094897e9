"""What the program says of its work: to the journal, a terminal, or a file that is rotated.

The rest of the package logs with `logging.getLogger(__name__)`, puts what a program may want to
know into `extra=` (`profile`, `pass_id`, `key`, `bytes`, `seconds`, …) and knows nothing of this.
`set_up` is for the command line alone.
"""

from ubiops_file_sync.logs.configured import open_log_of_command, open_log_of_service
from ubiops_file_sync.logs.outcomes import LogOutcomes
from ubiops_file_sync.logs.root import set_up, tear_down
from ubiops_file_sync.logs.wanted import LogFile, LogFormat, Stderr

__all__ = [
    "LogFile",
    "LogFormat",
    "LogOutcomes",
    "Stderr",
    "open_log_of_command",
    "open_log_of_service",
    "set_up",
    "tear_down",
]
