"""Keeps local directories and UbiOps buckets in step.

Every name here is imported when it is first used, so that to import the package costs nothing. As
a library: docs/library.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ubiops_file_sync.bucket.retry import RetryPolicy
    from ubiops_file_sync.classic import FilesFailed
    from ubiops_file_sync.compare import Plan
    from ubiops_file_sync.config import Profile, Settings, load_settings
    from ubiops_file_sync.downloader import download_file, download_from_bucket
    from ubiops_file_sync.errors import (
        AccessRefused,
        ConfigError,
        NoSuchBucket,
        ProfileLocked,
        RemoteError,
        RemoteUnreachable,
        SafetyHalt,
        Stopped,
        SyncError,
        UsageError,
    )
    from ubiops_file_sync.model import (
        Action,
        ConflictPolicy,
        Deletions,
        Direction,
        Expired,
        Loser,
        Outcome,
        PlanSummary,
        Problem,
        Reason,
        Report,
        Symlinks,
        Verb,
    )
    from ubiops_file_sync.progress import Progress
    from ubiops_file_sync.reconcile import Reconciler
    from ubiops_file_sync.stop import Stop
    from ubiops_file_sync.sync import sync_and_watch
    from ubiops_file_sync.under_way import UnderWay
    from ubiops_file_sync.uploader import upload_file, upload_to_bucket
    from ubiops_file_sync.watcher import shutdown, watch_local_and_upload

__all__ = [
    "AccessRefused",
    "Action",
    "ConfigError",
    "ConflictPolicy",
    "Deletions",
    "Direction",
    "Expired",
    "FilesFailed",
    "Loser",
    "NoSuchBucket",
    "Outcome",
    "Plan",
    "PlanSummary",
    "Problem",
    "Profile",
    "ProfileLocked",
    "Progress",
    "Reason",
    "Reconciler",
    "RemoteError",
    "RemoteUnreachable",
    "Report",
    "RetryPolicy",
    "SafetyHalt",
    "Settings",
    "Stop",
    "Stopped",
    "Symlinks",
    "SyncError",
    "UnderWay",
    "UsageError",
    "Verb",
    "__version__",
    "download_file",
    "download_from_bucket",
    "load_settings",
    "shutdown",
    "sync_and_watch",
    "upload_file",
    "upload_to_bucket",
    "watch_local_and_upload",
]

_MODULES = {
    "bucket.retry": "RetryPolicy",
    "classic": "FilesFailed",
    "compare": "Plan",
    "config": "Profile Settings load_settings",
    "downloader": "download_file download_from_bucket",
    "errors": "AccessRefused ConfigError NoSuchBucket ProfileLocked RemoteError RemoteUnreachable "
    "SafetyHalt Stopped SyncError UsageError",
    "model": "Action ConflictPolicy Deletions Direction Expired Loser Outcome PlanSummary Problem "
    "Reason Report Symlinks Verb",
    "progress": "Progress",
    "reconcile": "Reconciler",
    "stop": "Stop",
    "sync": "sync_and_watch",
    "under_way": "UnderWay",
    "uploader": "upload_file upload_to_bucket",
    "watcher": "shutdown watch_local_and_upload",
}

if not TYPE_CHECKING:  # Else it would hide names that are not there from the type checker.

    def __getattr__(name: str) -> object:
        """One of the names above, from the module that has it (PEP 562)."""
        from importlib import import_module

        for module, names in _MODULES.items():
            if name in names.split():
                found = getattr(import_module(f"{__name__}.{module}"), name)
                globals()[name] = found  # The next look-up finds it at once.
                return found
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
