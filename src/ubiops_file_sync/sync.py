"""The engine is `reconcile.py`; here is only the classic `sync_and_watch`."""

from __future__ import annotations

from ubiops_file_sync.downloader import download_from_bucket
from ubiops_file_sync.model import Report
from ubiops_file_sync.progress import Progress
from ubiops_file_sync.watcher import watch_local_and_upload


def sync_and_watch(interval_s: float = 2.0, *, progress: Progress | None = None) -> Report:
    """Bring every file of the bucket here, then begin to upload what changes here; returns at once
    after that, with what was downloaded.

    Raises what `download_from_bucket` does, `FilesFailed` among it: then nothing is watched, for a
    program that needs the files should not begin without them. Whoever can do without calls
    `watch_local_and_upload` next. The arguments are those of both.
    """
    report = download_from_bucket(progress=progress)
    watch_local_and_upload(interval_s, progress=progress)
    return report
