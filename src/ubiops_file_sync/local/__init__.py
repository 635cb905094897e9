"""The local side: the ordered walk, and safe reads and writes below the root."""

from ubiops_file_sync.local.scan import KeyFilter, Wanted, scan
from ubiops_file_sync.local.tree import LocalTree, Reading, Staged

__all__ = ["KeyFilter", "LocalTree", "Reading", "Staged", "Wanted", "scan"]
