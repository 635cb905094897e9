"""How a profile is doing, from what its state remembers, and from what only a service knows.

Nothing is asked of UbiOps, and nothing is written; a pass that is under way does not notice.
"""

from ubiops_file_sync.status.facts import (
    SOON_DAYS,
    Expiry,
    Live,
    ProfileStatus,
    TransferLine,
)
from ubiops_file_sync.status.read import read_history, read_status
from ubiops_file_sync.status.words import status_json, status_lines

__all__ = [
    "SOON_DAYS",
    "Expiry",
    "Live",
    "ProfileStatus",
    "TransferLine",
    "read_history",
    "read_status",
    "status_json",
    "status_lines",
]
