"""Files being written, in the control directory: none is seen under its name before it is whole."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import BinaryIO

from ubiops_file_sync import keys
from ubiops_file_sync.errors import KeyFailure
from ubiops_file_sync.local.descend import create_unique, file_of, open_below, open_directory

TMP_DIR = f"{keys.CONTROL_DIR}/tmp"  # noqa: S108  below the root, and private

_AGAIN = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(slots=True)
class Staged:
    """A file being written in the control directory; the caller may write, seek and truncate."""

    name: str
    """Name inside `TMP_DIR`."""
    folder_fd: int
    """That folder."""
    file: BinaryIO
    is_moved: bool = False
    """It has another name, outside of `TMP_DIR`."""
    is_kept: bool = False
    """It stays for the next pass to go on with, if it is not committed."""


class Staging:
    """The files that one pass stages below one root. Thread-safe, but for `close`."""

    def __init__(self, root_fd: int, owner: str, pass_id: str) -> None:
        self._root_fd = root_fd
        self._owner = owner
        self._pass_id = pass_id
        self._fds: list[int] = []
        """`TMP_DIR`, as it was opened last; those before it are used by who has them."""

    def close(self) -> None:
        """Nothing is staged any more."""
        while self._fds:
            os.close(self._fds.pop())

    @contextmanager
    def file(self, earlier: str | None = None) -> Iterator[Staged]:
        """A file in the control directory; it is gone after the block unless committed or kept.

        The one named `earlier`, which an earlier pass kept, if it still stands; else a new one.
        """
        folder_fd = self._fds[-1] if self._fds else self._open()
        try:
            name, fd = self._made(folder_fd, earlier)
        except FileNotFoundError:  # Somebody has removed it since it was opened.
            folder_fd = self._open()
            name, fd = self._made(folder_fd, earlier)
        with file_of(fd, "r+b") as file:
            staged = Staged(name, folder_fd, file)
            try:
                yield staged
            finally:
                if not (staged.is_kept or staged.is_moved):
                    with suppress(FileNotFoundError):
                        os.unlink(name, dir_fd=folder_fd)

    def _open(self) -> int:
        """Open `TMP_DIR` for the rest of the pass, since every download wants it."""
        fd = open_below(self._root_fd, TMP_DIR, create=True, mode=0o700)
        self._fds.append(fd)
        return fd

    def _made(self, folder_fd: int, earlier: str | None) -> tuple[str, int]:
        # A name with a slash is none that was ever given here, and might lead anywhere (I7).
        if earlier is not None and "/" not in earlier:
            with suppress(FileNotFoundError):
                return earlier, os.open(earlier, _AGAIN, dir_fd=folder_fd)
        # The kernel applies the umask to this mode; the directory around it is private.
        return create_unique(folder_fd, f"{self._owner}.{self._pass_id}")

    def sweep(self, kept: Collection[str]) -> None:
        """Remove what killed passes of this profile left half-written, but for `kept`.

        What cannot be removed is left: those who need the control directory will say why.
        """
        with suppress(OSError, KeyFailure), open_directory(self._root_fd, TMP_DIR) as fd:
            for name in os.listdir(fd):  # noqa: PTH208  a descriptor, not a path
                # A profile's name may have dots, and so begin with another's.
                if name.rsplit(".", 2)[0] == self._owner and name not in kept:
                    os.unlink(name, dir_fd=fd)
