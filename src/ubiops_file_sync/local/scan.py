"""The local walk: every regular file below a root, in key order."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from ubiops_file_sync.keys import CONTROL_DIR
from ubiops_file_sync.model import LocalEntry, Unknown

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

_VANISHED = "it was removed or renamed while the folder was read; the next pass looks again"

_MAX_NS = 2**63 - 1

_NOT_UTF8 = "the name is not valid UTF-8, which the bucket needs; rename the file"
_SYMLINK = "it is a symbolic link, and links are not followed; nothing was changed at or below it"
_SPECIAL = "it is neither a file nor a directory (a socket, pipe or device); it was left alone"


def scan(root_fd: int) -> Iterator[LocalEntry | Unknown]:
    """Every regular file below the open directory `root_fd`, sorted by key.

    Each directory is sorted with its sub-directories taken as ``name/``, which makes the whole
    walk come in key order while only one directory a level is in memory. Directories are opened
    by descriptor without following links, so the walk cannot be led out of the root. What cannot
    be read comes as `Unknown`, never as nothing. Raises OSError if the root itself cannot be read.
    """
    # Opened anew, since a duplicate would share its position with every other walk of the root.
    stack: list[_Children] = [(os.open(".", _DIRECTORY, dir_fd=root_fd), [])]
    try:
        stack[0] = _children(stack[0][0], "")
        while stack:
            fd, children = stack[-1]
            if not children:
                stack.pop()
                os.close(fd)
                continue
            child = children.pop()
            if not isinstance(child, str):
                yield child
                continue
            below = _open_below(fd, child)
            if isinstance(below, Unknown):
                yield below
            else:
                stack.append(below)
    finally:
        for fd, _ in stack:
            os.close(fd)


_Children = tuple[int, list["LocalEntry | Unknown | str"]]
"""An open directory and what it holds, last first; a str is the key of a directory plus ``/``."""


def _open_below(parent_fd: int, prefix: str) -> _Children | Unknown:
    name = prefix[:-1].rpartition("/")[2]
    try:
        fd = os.open(name, _DIRECTORY, dir_fd=parent_fd)
    except FileNotFoundError:
        # Not missing: it may have been moved to where this walk has been already.
        return Unknown(prefix, _VANISHED, is_problem=False)
    except OSError as error:
        return Unknown(prefix, _unreadable(error), is_problem=True)
    try:
        return _children(fd, prefix)
    except OSError as error:
        os.close(fd)
        return Unknown(prefix, _unreadable(error), is_problem=True)


def _children(fd: int, prefix: str) -> _Children:
    found: list[LocalEntry | Unknown | str] = []
    with os.scandir(fd) as entries:
        for entry in entries:
            found.extend(_look(entry, prefix))
    # Reversed, so that the next one is taken from the end of the list at no cost.
    found.sort(key=_sort_key, reverse=True)
    return fd, found


def _look(entry: os.DirEntry[str], prefix: str) -> Iterator[LocalEntry | Unknown | str]:
    key = prefix + entry.name
    if not entry.name.isprintable() and not _is_utf8(entry.name):
        # Under its own name, which no key in the bucket can have: a printable one might be another
        # file's.
        yield Unknown(key, _NOT_UTF8, is_problem=True)
        return
    try:
        if entry.is_dir(follow_symlinks=False):
            if entry.name != CONTROL_DIR:
                yield key + "/"
            return
        status = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return  # Deleted while we were looking: it is as missing as if we had come later.
    except OSError as error:
        yield Unknown(key, _unreadable(error), is_problem=True)
        # Not every file system says without being asked whether it is a directory.
        yield Unknown(key + "/", _unreadable(error), is_problem=False)
        return
    if stat.S_ISREG(status.st_mode):
        yield local_entry(key, status)
    elif stat.S_ISLNK(status.st_mode):
        # It may have been a file or a directory when it was last in step.
        yield Unknown(key, _SYMLINK, is_problem=False)
        yield Unknown(key + "/", _SYMLINK, is_problem=False)
    else:
        yield Unknown(key, _SPECIAL, is_problem=False)


def local_entry(key: str, status: os.stat_result) -> LocalEntry:
    """The entry of a regular file.

    File systems hold times beyond what 64 bits of nanoseconds do (after the year 2262); such a
    time tells nothing anyway (design section 4), so it is cut to what the store takes.
    """
    mtime_ns = max(-_MAX_NS, min(status.st_mtime_ns, _MAX_NS))
    return LocalEntry(key, status.st_size, mtime_ns)


def _sort_key(child: LocalEntry | Unknown | str) -> str:
    return child if isinstance(child, str) else child.key


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unreadable(error: OSError) -> str:
    return (
        f"it cannot be read ({error.strerror}), so nothing at or below it was touched; "
        "check its permissions"
    )
