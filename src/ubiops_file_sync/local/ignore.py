"""Reading ignore files. One that cannot be read is never taken for one that is not there."""

from __future__ import annotations

import errno
import os
import stat

from ubiops_file_sync.errors import KeyFailure
from ubiops_file_sync.keys import IGNORE_FILE
from ubiops_file_sync.system_errors import words_of

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""O_NONBLOCK, so that a pipe of that name does not hold the walk for ever."""

_MAX_BYTES = 1 << 20


def read_ignore_file(folder_fd: int) -> tuple[str, ...]:
    """The lines of the ignore file in an open folder.

    Raises `KeyFailure` with what is wrong with it, FileNotFoundError if it is gone.
    """
    content = _read(folder_fd)
    if len(content) > _MAX_BYTES:
        raise KeyFailure(f"{IGNORE_FILE} is larger than {_MAX_BYTES >> 20} MiB")
    try:
        # Editors on Windows begin a file with a byte order mark, which is no part of a pattern.
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise KeyFailure(f"{IGNORE_FILE} is not UTF-8 text; save it as UTF-8") from None
    return tuple(line.removesuffix("\r") for line in text.split("\n"))


def _read(folder_fd: int) -> bytes:
    try:
        fd = os.open(IGNORE_FILE, _FLAGS, dir_fd=folder_fd)
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise KeyFailure(f"{IGNORE_FILE} is a link; put the file itself there") from None
        raise KeyFailure(f"{IGNORE_FILE} cannot be read ({words_of(error)})") from error
    try:
        return _whole(fd)
    except OSError as error:
        raise KeyFailure(f"{IGNORE_FILE} cannot be read ({words_of(error)})") from error
    finally:
        os.close(fd)


def _whole(fd: int) -> bytes:
    before = os.fstat(fd)
    if not stat.S_ISREG(before.st_mode):
        raise KeyFailure(f"{IGNORE_FILE} is not a file")
    content = b""
    while block := os.read(fd, _MAX_BYTES + 1 - len(content)):
        content += block
    after = os.fstat(fd)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        # Half of it might leave in sight what the other half hides.
        raise KeyFailure(f"{IGNORE_FILE} changed while it was read")
    return content
