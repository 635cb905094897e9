"""What is remembered: the baseline between passes, the plan within one. SQLite."""

from ubiops_file_sync.store.baseline import OTHER_PLACES, BaselineStore, Identity
from ubiops_file_sync.store.lock import profile_lock
from ubiops_file_sync.store.scratch import FolderSet, ListingSort, Spool

__all__ = [
    "OTHER_PLACES",
    "BaselineStore",
    "FolderSet",
    "Identity",
    "ListingSort",
    "Spool",
    "profile_lock",
]
