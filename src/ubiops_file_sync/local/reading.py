"""A local file that is read, and must be the one that was planned for until all of it is."""

from __future__ import annotations

import os
import stat
from contextlib import AbstractContextManager
from typing import Self

from ubiops_file_sync.errors import KeyFailure
from ubiops_file_sync.local.descend import FILE, file_of, look
from ubiops_file_sync.local.scan import local_entry
from ubiops_file_sync.model import LocalEntry

_CHANGED_BEFORE = "the file changed before it was read; the next pass takes it"


class Reading:
    """The file's content during the block, if it is still the one that `entry` tells of.

    `KeyFailure` at the beginning or the end of the block if the file is another by then, and
    nothing that was read may be relied upon.
    """

    __slots__ = ("_is_all_read", "_place", "entry", "file")

    def __init__(self, place: AbstractContextManager[tuple[int, str]], entry: LocalEntry) -> None:
        """`place`: the open directory that the file stands in, and its name there."""
        self._place = place
        self.entry = entry
        self._is_all_read = False

    def __enter__(self) -> Self:
        with self._place as (parent_fd, name):
            try:
                # Looked at once it is open: to look before as well costs a small file 3 %.
                self.file = file_of(os.open(name, FILE, dir_fd=parent_fd), "rb")
            except OSError:
                self._say_what_stands_there(parent_fd, name)
                raise
            if not self._is_the_same():
                self.file.close()
                self._say_what_stands_there(parent_fd, name)
                raise KeyFailure(_CHANGED_BEFORE)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None and not self._is_all_read:
                self.check()
        finally:
            self.file.close()

    def check(self) -> None:
        """Raise `KeyFailure` if the file is no longer the one that was planned for."""
        if not self._is_the_same():
            raise KeyFailure("the file changed while it was read; the next pass takes it")

    def check_at_end(self) -> None:
        """The same, after which nothing more is read that is relied upon."""
        self.check()
        self._is_all_read = True

    def _is_the_same(self) -> bool:
        status = os.fstat(self.file.fileno())
        return local_entry(self.entry.key, status) == self.entry and stat.S_ISREG(status.st_mode)

    def _say_what_stands_there(self, parent_fd: int, name: str) -> None:
        """Raise `KeyFailure` if it is another file, or none."""
        if look(parent_fd, name, self.entry.key) != self.entry:
            raise KeyFailure(_CHANGED_BEFORE)
