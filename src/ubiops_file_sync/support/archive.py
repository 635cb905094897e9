"""A bundle as a file: written whole or not at all, private, and read with care."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from ubiops_file_sync.errors import UsageError
from ubiops_file_sync.support.shapes import Record

FORMAT = "ubiops-file-sync support 1"
"""The comment of the zip file."""
DECISIONS = "decisions.json"

_PRIVATE = 0o600
_LARGEST_BYTES = 16 << 20
"""Of one file in a bundle that is read; ours are far smaller."""
_PACKED = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_UNREADABLE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError)
"""What reading a zip file, and JSON, raises; nested too deeply, it is a RuntimeError."""


def write_bundle(path: Path, files: Iterable[tuple[str, str]]) -> None:
    """Write the files, by name and text, into a new zip file that only its owner may read.

    Raises `UsageError` if something stands at `path`, or it cannot be written; nothing is left of
    it then.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE)
    except FileExistsError:
        raise UsageError(f"{path} is there already; name another file") from None
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        with (
            os.fdopen(fd, "w+b") as file,
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        ):
            archive.comment = FORMAT.encode()
            for name, text in files:
                info = zipfile.ZipInfo(name)
                info.external_attr = (0o100000 | _PRIVATE) << 16
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, text.encode(errors="backslashreplace"))
    except BaseException as error:
        with suppress(OSError):
            path.unlink()
        if isinstance(error, OSError):
            raise _unwritable(path, error) from error
        raise


def read_decisions(path: Path) -> Iterator[Record]:
    """The decisions of a bundle. Raises `UsageError` for a file that is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.comment.decode(errors="replace") != FORMAT:
                raise _no_bundle(path)
            for info in archive.infolist():
                if info.filename.endswith(f"/{DECISIONS}"):
                    if info.file_size > _LARGEST_BYTES or info.compress_type not in _PACKED:
                        raise _no_bundle(path)
                    yield from msgspec.json.decode(archive.read(info), type=list[Record])
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({(error.strerror or '').lower()})") from error
    except _UNREADABLE as error:
        raise _no_bundle(path) from error


def _no_bundle(path: Path) -> UsageError:
    return UsageError(
        f"{path} is no support bundle that this version reads; it is the zip file that "
        "'ubiops-file-sync support-bundle' writes"
    )


def _unwritable(path: Path, error: OSError) -> UsageError:
    return UsageError(
        f"{path} cannot be written ({(error.strerror or str(error)).lower()}); name a file "
        "elsewhere"
    )
