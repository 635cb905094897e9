"""What another user may read and write, by the permissions of files and of the folders on the way.

Access control lists are not looked at: what they grant is missed, so that an answer may be too
careful.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

_READ, _WRITE, _ENTER = 4, 2, 1


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine, or one that is yet to be made and so owns nothing."""

    uid: int | None
    gids: frozenset[int]

    @classmethod
    def named(cls, name: str) -> Account:
        """The user of that name, whether there is one or not."""
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            return cls(None, frozenset())
        groups = {group.gr_gid for group in grp.getgrall() if name in group.gr_mem}
        return cls(found.pw_uid, frozenset(groups | {found.pw_gid}))

    def first_barrier_to(self, path: Path) -> Path | None:
        """The first folder on the way that this user may not enter, else the file or folder itself
        if it may not be read; None: it may be read, or nothing is there."""
        real = Path(os.path.realpath(path))
        for folder in reversed(real.parents):
            if not self.may(folder, _ENTER):
                return folder
        wanted = _READ | _ENTER if real.is_dir() else _READ
        return None if self.may(real, wanted) else real

    def may_write_below(self, folder: Path) -> bool:
        """Whether this user may make files in a folder that is there."""
        return self.first_barrier_to(folder) is None and self.may(
            Path(os.path.realpath(folder)), _WRITE
        )

    def may(self, path: Path, wanted: int) -> bool:
        """Whether this user has all the rights of `wanted` (4 read, 2 write, 1 enter).

        True too for what is not there, which is told elsewhere.
        """
        try:
            status = path.stat()
        except OSError:
            return True
        if self.uid == 0:
            return True
        mode = stat.S_IMODE(status.st_mode)
        if status.st_uid == self.uid:
            mode >>= 6
        elif status.st_gid in self.gids:
            mode >>= 3
        return mode & wanted == wanted
