"""What is remembered: the baseline between passes, the plan within one. SQLite."""

from ubiops_file_sync.store.baseline import (
    BUCKET_TTL,
    NO_TTL,
    OTHER_PLACES,
    BaselineStore,
)
from ubiops_file_sync.store.history import PassHistory
from ubiops_file_sync.store.lock import Holder, find_holder, profile_lock, service_lock
from ubiops_file_sync.store.scratch import FolderSet, ListingSort, Spool, scratch_space
from ubiops_file_sync.store.state_file import Identity
from ubiops_file_sync.store.unsent import UnsentFiles

__all__ = [
    "BUCKET_TTL",
    "NO_TTL",
    "OTHER_PLACES",
    "BaselineStore",
    "FolderSet",
    "Holder",
    "Identity",
    "ListingSort",
    "PassHistory",
    "Spool",
    "UnsentFiles",
    "find_holder",
    "profile_lock",
    "scratch_space",
    "service_lock",
]
