"""From the folder into the bucket: one file, or all. The engine is `reconcile.py`."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ubiops_file_sync import keys
from ubiops_file_sync.classic import FilesFailed, OneWay
from ubiops_file_sync.errors import UsageError
from ubiops_file_sync.model import Direction, Report
from ubiops_file_sync.progress import Progress


def upload_file(local_path: Path, *, progress: Progress | None = None) -> Report:
    """Bring one file of the folder into the bucket. Returns what was done: nothing, if it is there.

    `local_path` is absolute and below the folder (`LOCAL_SYNC_DIR`), or relative to the folder, or
    relative to the working directory and below the folder. A relative path that names two files of
    the folder is an error. The caller has finished writing the file: nothing waits for it to come
    to rest. `progress` is told of what happens, in this thread.

    Raises `SyncError`: `UsageError` if the path names no file below the folder, `FilesFailed` if it
    could not be brought over; the bucket's version is untouched then.
    """
    passes = OneWay.of_environment(Direction.UPLOAD).at_once()
    key = _key_of(os.fspath(local_path), passes.profile.local_dir)
    try:
        return passes.run((key,), progress)
    except FilesFailed:
        passes.require_bucket()
        raise


def upload_to_bucket(*, progress: Progress | None = None) -> Report:
    """Bring every file below the folder into the bucket, below `BUCKET_DIR`. Returns what was done.

    Files that are there as they are here do not travel; those that are only there stay. A file that
    was written a moment ago is waited for until it has come to rest. `progress` is told of what
    happens, in this thread.

    Raises `SyncError`: `FilesFailed` at the end if some could not be brought over.
    """
    return OneWay.of_environment(Direction.UPLOAD).run(progress=progress)


def _key_of(path: str, root: Path) -> str:
    """The key of the file that `path` means."""
    meant = dict.fromkeys(_keys_of(path, root))
    there = [key for key in meant if _is_there(root, key)]
    if len(there) > 1:
        first, second = (str(root / key) for key in there)
        raise UsageError(
            f"{path!r} may be one of two files that are both there: {first} (relative to "
            f"LOCAL_SYNC_DIR) and {second} (relative to the working directory). Give an absolute "
            "path"
        )
    if not there:
        raise _not_found(path, root, list(meant))
    key = there[0]
    if not key or stat.S_ISDIR((root / key).lstat().st_mode):
        raise UsageError(
            f"{root / key} is a folder; name a file, or send all with upload_to_bucket()"
        )
    refusal = keys.refusal(key)
    if refusal is not None:
        raise UsageError(f"{root / key} cannot be uploaded: {refusal}")
    return key


def _keys_of(path: str, root: Path) -> Iterator[str]:
    """The keys that `path` may mean, the likeliest first; with links taken as they are named.

    The root itself may be reached through links, since a working directory is told without.
    """
    starts = [str(root)] if path.startswith("/") else [str(root), os.getcwd()]  # noqa: PTH109
    for start in starts:
        whole = os.path.normpath(os.path.join(start, path))  # noqa: PTH118  `..` is text here
        for top in dict.fromkeys((str(root), os.path.realpath(root))):
            if whole == top or whole.startswith(top.rstrip("/") + "/"):
                yield whole[len(top) :].lstrip("/")
                break


def _is_there(root: Path, key: str) -> bool:
    return os.path.lexists(root / key)


def _not_found(path: str, root: Path, meant: list[str]) -> UsageError:
    if not meant:
        return UsageError(
            f"{path!r} is not below {root} (LOCAL_SYNC_DIR), and nothing else is uploaded"
        )
    places = " nor ".join(str(root / key) for key in meant)
    return UsageError(
        f"there is {'neither' if len(meant) > 1 else 'no'} {places}; a path is absolute, or "
        "relative to LOCAL_SYNC_DIR or to the working directory, and below LOCAL_SYNC_DIR"
    )
