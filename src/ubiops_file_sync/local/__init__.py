"""The local side: the ordered walk, and safe reads and writes below the root."""

from ubiops_file_sync.local.export import export
from ubiops_file_sync.local.reading import Reading
from ubiops_file_sync.local.scan import KeyFilter, Wanted, scan, walk
from ubiops_file_sync.local.staging import Staged
from ubiops_file_sync.local.trash import Counted, Retention, Trash, Version
from ubiops_file_sync.local.tree import LocalTree, unreadable_root

__all__ = [
    "Counted",
    "KeyFilter",
    "LocalTree",
    "Reading",
    "Retention",
    "Staged",
    "Trash",
    "Version",
    "Wanted",
    "export",
    "scan",
    "unreadable_root",
    "walk",
]
