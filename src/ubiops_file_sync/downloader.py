"""From the bucket into the folder: one file, or all. The engine is `reconcile.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ubiops_file_sync import keys
from ubiops_file_sync.bucket import Bucket
from ubiops_file_sync.classic import OneWay
from ubiops_file_sync.errors import KeyFailure, RemoteUnreachable, UsageError
from ubiops_file_sync.model import Direction, Report
from ubiops_file_sync.progress import Progress

if TYPE_CHECKING:
    import ubiops


def download_file(remote_file: ubiops.FileItem, *, progress: Progress | None = None) -> Report:
    """Bring one file of the bucket into the folder. Returns what was done: nothing, if it is here.

    `remote_file.file` is relative to `BUCKET_DIR`, or a full key. An item of a listing, which has a
    `time_created`, has a full key. An item without one may have either: a name that begins with
    `BUCKET_DIR` and could be both is what is there, and an error if both are. `progress` is told of
    what happens, in this thread.

    Raises `SyncError`: `UsageError` if there is no such object, `FilesFailed` if it could not be
    brought over; an earlier version here is untouched then.
    """
    passes = OneWay.of_environment(Direction.DOWNLOAD).at_once()
    named = _name_of(remote_file)
    key = _key_of(remote_file, named, passes)
    report = passes.run(() if key is None else (key,), progress)
    if key is not None and not report.planned.remote_files:
        passes.require_bucket()
        raise _not_found(passes, [key])
    return report


def download_from_bucket(*, progress: Progress | None = None) -> Report:
    """Bring every file below `BUCKET_DIR` into the folder. Returns what was done.

    Files that are here as they are in the bucket do not travel; those that are only here stay.
    `progress` is told of what happens, in this thread.

    Raises `SyncError`: `FilesFailed` at the end if some could not be brought over.
    """
    return OneWay.of_environment(Direction.DOWNLOAD).run(progress=progress)


def _name_of(remote_file: ubiops.FileItem) -> str:
    named = getattr(remote_file, "file", None)
    if not isinstance(named, str) or not named:
        raise UsageError(
            "download_file takes an item of a listing, or ubiops.FileItem(file=...) with the name "
            f"of a file, and was given {type(remote_file).__name__}"
            f"{' without one' if hasattr(remote_file, 'file') else ''}"
        )
    return named


def _key_of(remote_file: ubiops.FileItem, named: str, passes: OneWay) -> str | None:
    """The key that is meant; None: a folder's placeholder, which says nothing that a folder holds.

    Whatever is fetched for a key goes to the one place that the key has, so that no mistake here
    can put a file where another one belongs.
    """
    prefix = passes.profile.prefix
    meant = [named]
    if prefix and named.startswith(prefix):
        full = named.removeprefix(prefix)
        is_listed = getattr(remote_file, "time_created", None) is not None
        meant = [full] if is_listed else [named, full]
    if keys.is_folder_marker(meant[-1], getattr(remote_file, "size", None) or 0):
        return None
    meant = [key for key in meant if keys.refusal(key) is None]
    if not meant:
        raise UsageError(f"{named!r} is the name of no file: {keys.refusal(named)}")
    return meant[0] if len(meant) == 1 else _the_one_there(meant, passes)


def _the_one_there(meant: list[str], passes: OneWay) -> str:
    with passes.bucket() as bucket:
        there = [key for key in meant if _is_there(bucket, key)]
    if len(there) == 1:
        return there[0]
    if not there:
        passes.require_bucket()
        raise _not_found(passes, meant)
    prefix = passes.profile.prefix
    relative, full = (prefix + key for key in meant)
    raise UsageError(
        f"{meant[0]!r} may be one of two objects of the bucket that are both there: {relative!r} "
        f"(relative to BUCKET_DIR) and {full!r} (in full). Give {relative!r} for the first; the "
        "item of a listing, with its time_created, for the second"
    )


def _is_there(bucket: Bucket, key: str) -> bool:
    try:
        return bucket.get(key) is not None
    except KeyFailure as failure:
        raise RemoteUnreachable(str(failure).partition("; the next")[0]) from failure


def _not_found(passes: OneWay, meant: list[str]) -> UsageError:
    profile = passes.profile
    names = " nor ".join(repr(profile.prefix + key) for key in meant)
    neither = "neither " if len(meant) > 1 else "no "
    return UsageError(
        f"there is {neither}{names} in bucket {profile.bucket!r} of project {profile.project!r}; "
        "the name of a file is relative to BUCKET_DIR, or a full key of a listing"
    )
