"""Writing a file to a place of the user's own choice, outside any root."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path

from ubiops_file_sync.errors import KeyFailure
from ubiops_file_sync.local.descend import create_unique, rename_new, take_after
from ubiops_file_sync.local.reading import Reading

_COPY_BYTES = 1 << 20


def export(reading: Reading, target: Path) -> None:
    """Write what is read to `target`, with its time and permissions.

    It comes there whole or not at all, and takes nobody's place: FileExistsError if anything stands
    there. A kill may leave a file `.ubiops-file-sync.*` beside it. Links on the way are followed,
    since the path is the user's own. OSError if the folder is missing or may not be written to,
    `KeyFailure` if what is read changes meanwhile.
    """
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        name, fd = create_unique(folder, ".ubiops-file-sync")
        try:
            with os.fdopen(fd, "wb") as sink:
                # First of all: what is private must not be readable even while it is written.
                take_after(fd, os.fstat(reading.file.fileno()))
                shutil.copyfileobj(reading.file, sink, _COPY_BYTES)
                sink.flush()
                reading.check_at_end()
                os.utime(fd, ns=(reading.entry.mtime_ns, reading.entry.mtime_ns))
                os.fsync(fd)
            try:
                rename_new(name, folder, target.name, folder, "taken")
            except KeyFailure:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target) from None
            os.fsync(folder)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)
    finally:
        os.close(folder)
