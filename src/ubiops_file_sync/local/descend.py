"""Ways down from an open root that follow no symbolic link (invariant I7).

Every path is opened component by component with O_NOFOLLOW, from the descriptor of the root: no
key, and no directory that is swapped for a link meanwhile, can lead a read or a write out of it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from contextlib import suppress
from functools import lru_cache
from io import FileIO

from ubiops_file_sync import keys
from ubiops_file_sync.errors import KeyFailure
from ubiops_file_sync.local.scan import local_entry
from ubiops_file_sync.model import LocalEntry

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""O_NONBLOCK, so that a pipe that took a file's place does not hold the pass for ever."""

NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
"""What a file system says that has no hard links (FAT, some network shares), or no more."""

_ODD_PARTS = {"", ".", ".."}
_ODD = "a part of the name is empty, '.' or '..'"


# Classes and no generators, for every small file goes through several of them.
class open_parent:  # noqa: N801  is called like a function
    """The open directory that `key` stands in, and its name there, during the block.

    Raises what `open_directory` raises.
    """

    __slots__ = ("_create", "_fd", "_key", "_root_fd")

    def __init__(self, root_fd: int, key: str, *, create: bool) -> None:
        self._root_fd = root_fd
        self._key = key
        self._create = create

    def __enter__(self) -> tuple[int, str]:
        folder, slash, name = self._key.rpartition("/")
        if name in _ODD_PARTS or (slash and not folder):
            raise KeyFailure(_ODD)
        mode = 0o700 if self._key.startswith(keys.CONTROL_DIR + "/") else 0o777
        self._fd = open_below(self._root_fd, folder, create=self._create, mode=mode)
        return self._fd, name

    def __exit__(self, *_exc: object) -> None:
        os.close(self._fd)


class open_directory:  # noqa: N801  is called like a function
    """The open directory `folder` (``""``: the root) during the block, made if asked for.

    Raises `KeyFailure` if a file or a link stands on the way, FileNotFoundError if there is none.
    """

    __slots__ = ("_create", "_fd", "_folder", "_mode", "_root_fd")

    def __init__(
        self, root_fd: int, folder: str, *, create: bool = False, mode: int = 0o777
    ) -> None:
        self._root_fd = root_fd
        self._folder = folder
        self._create = create
        self._mode = mode

    def __enter__(self) -> int:
        self._fd = open_below(self._root_fd, self._folder, create=self._create, mode=self._mode)
        return self._fd

    def __exit__(self, *_exc: object) -> None:
        os.close(self._fd)


def open_below(root_fd: int, folder: str, *, create: bool, mode: int) -> int:
    """The same, for the caller to close."""
    if not folder:
        return os.dup(root_fd)
    above = root_fd
    for part in folder.split("/"):
        try:
            fd = _descend(above, part, create=create, mode=mode)
        finally:
            if above != root_fd:
                os.close(above)
        above = fd
    return fd


def _descend(fd: int, name: str, *, create: bool, mode: int) -> int:
    if name in _ODD_PARTS:
        raise KeyFailure(_ODD)
    try:
        return os.open(name, DIRECTORY, dir_fd=fd)
    except FileNotFoundError:
        if not create:
            raise
    except OSError as error:
        if error.errno in {errno.ENOTDIR, errno.ELOOP}:
            raise KeyFailure(
                f"{name!r} on the way to it is a file or a link, not a folder; rename one of them"
            ) from None
        raise
    with suppress(FileExistsError):
        os.mkdir(name, mode, dir_fd=fd)
    return os.open(name, DIRECTORY, dir_fd=fd)


def look(parent_fd: int, name: str, key: str) -> LocalEntry | None:
    """The regular file `name` as the entry of `key`; None: there is none.

    Raises `KeyFailure` if something other than a regular file stands there.
    """
    try:
        status = os.stat(name, dir_fd=parent_fd, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(status.st_mode):
        raise KeyFailure("a folder of that name stands here; rename or remove one of the two")
    if not stat.S_ISREG(status.st_mode):
        raise KeyFailure("a link, pipe or device of that name stands here; rename or remove it")
    return local_entry(key, status)


def take_after(fd: int, old: os.stat_result) -> None:
    """Give a new version the permissions and, where this user may, the owner of an old one."""
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        try:
            os.fchown(fd, old.st_uid, old.st_gid)
        except OSError as error:
            # EINVAL: an owner that this user namespace has no number for, as in a container.
            if error.errno not in {errno.EPERM, errno.EINVAL}:
                raise
    os.fchmod(fd, permissions(old.st_mode))


def permissions(mode: int) -> int:
    """What may be kept: never set-user-ID, since another user's content may bring another owner."""
    return mode & 0o777


def file_of(fd: int, mode: str) -> FileIO:
    """What `open` makes without a buffer, and without asking whether it is a terminal."""
    try:
        return FileIO(fd, mode)
    except BaseException:
        os.close(fd)  # It has become a directory, say.
        raise


def create_unique(dir_fd: int, stem: str) -> tuple[str, int]:
    """A new file whose name begins with `stem`: that name, and its descriptor."""
    name = f"{stem}.{os.urandom(8).hex()}"
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return name, os.open(name, flags, 0o666, dir_fd=dir_fd)


def rename_new(old: str, old_fd: int, new: str, new_fd: int, taken: str) -> None:
    """Rename to a name that must be free, or else raise `KeyFailure(taken)`."""
    try:
        rename_no_replace(old, old_fd, new, new_fd)
    except FileExistsError:
        raise KeyFailure(taken) from None
    except OSError as error:
        if error.errno not in _NO_SUCH_RENAME:
            raise
    else:
        return
    try:
        # A link fails where a rename would overwrite a file that came meanwhile.
        os.link(old, new, src_dir_fd=old_fd, dst_dir_fd=new_fd, follow_symlinks=False)
    except FileExistsError:
        raise KeyFailure(taken) from None
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        os.rename(old, new, src_dir_fd=old_fd, dst_dir_fd=new_fd)
    else:
        os.unlink(old, dir_fd=old_fd)


_NO_SUCH_RENAME = {errno.ENOSYS, errno.EINVAL}
"""What an old kernel or C library says to `renameat2`, and a file system that lacks it (NFS)."""
_RENAME_NOREPLACE = 1
"""From `linux/fs.h`; see renameat2(2)."""


def rename_no_replace(old: str, old_fd: int, new: str, new_fd: int) -> None:
    """Rename in one step, where nothing may stand at `new`; Python has no name for it."""
    try:
        renameat2 = _c_library().renameat2
    except AttributeError:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from None
    if renameat2(old_fd, os.fsencode(old), new_fd, os.fsencode(new), _RENAME_NOREPLACE):
        trouble = ctypes.get_errno()
        raise OSError(trouble, os.strerror(trouble), old)


@lru_cache(maxsize=1)
def _c_library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
