"""The local walk: every regular file below a root, in key order."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from ubiops_file_sync.errors import KeyFailure
from ubiops_file_sync.keys import CONTROL_DIR, IGNORE_FILE
from ubiops_file_sync.local.ignore import read_ignore_file
from ubiops_file_sync.local.links import GOES_ROUND, Links, is_above
from ubiops_file_sync.model import FolderRules, LocalEntry, LocalItem, Unknown
from ubiops_file_sync.system_errors import remedy_for, words_of

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

_VANISHED = "it was removed or renamed while the folder was read; the next pass looks again"

_NO_DIRECTORY = {errno.ENOTDIR, errno.ELOOP}
"""What is said where a directory is wanted and a file or a link stands."""

_MAX_NS = 2**63 - 1

_NOT_UTF8 = "the name is not valid UTF-8, which the bucket needs; rename the file"
_SYMLINK = (
    "it is a symbolic link, and links are not followed (`symlinks: follow` would); nothing was "
    "changed at or below it"
)
_SPECIAL = (
    "it is neither a file nor a directory (a socket, pipe or device), which no bucket takes; it "
    "was left alone"
)


class KeyFilter(Protocol):
    """What need not be walked. Asked in key order, folders with a slash behind their names."""

    def enter(self, rules: FolderRules) -> None:
        """Heed what a folder says of itself; ValueError if its ignore file is malformed."""

    def hides(self, key: str) -> bool:
        """Whether nothing is to be told of `key`."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a walk is to tell of."""

    filter: KeyFilter | None = None
    """None: everything, and ignore files are files like any others."""
    ready_file: str | None = None
    """Name of the file that makes a folder ready."""
    links: Links | None = None
    """The way through links, to follow them; None: they are not followed."""


def scan(root_fd: int) -> Iterator[LocalEntry | Unknown]:
    """Every regular file below the open directory `root_fd`, sorted by key; see `walk`.

    Ignore files are files like any others.
    """
    for item in walk(root_fd, Wanted()):
        if not isinstance(item, FolderRules):
            yield item


def walk(root_fd: int, wanted: Wanted) -> Iterator[LocalItem]:
    """What is wanted of all that is below the open directory `root_fd`, sorted by key.

    Each directory is sorted with its sub-directories taken as ``name/``, which makes the whole
    walk come in key order while only one directory a level is in memory. Directories are opened
    by descriptor without following links, so the walk cannot be led out of the root. What cannot
    be read comes as `Unknown`, never as nothing; what is below a hidden folder comes not at all,
    since the same filter hides it from the merge. Raises OSError if the root itself cannot be
    read, `KeyFailure` if its ignore file cannot.
    """
    # Opened anew, since a duplicate would share its position with every other walk of the root.
    stack: list[_Children] = [(os.open(".", _DIRECTORY, dir_fd=root_fd), [])]
    hides = _nothing if wanted.filter is None else wanted.filter.hides
    try:
        stack[0] = _children(stack[0][0], "", wanted, [])
        while stack:
            fd, children = stack[-1]
            if not children:
                stack.pop()
                os.close(fd)
                continue
            child = children.pop()
            if isinstance(child, str):
                if hides(child):
                    continue
                below = _open_below(stack, child, wanted)
                if not isinstance(below, Unknown):
                    stack.append(below)
                    continue
                child = below
            elif isinstance(child, Unknown) and hides(child.key):
                continue
            yield child
    finally:
        for fd, _ in stack:
            os.close(fd)


def _nothing(_key: str) -> bool:
    return False


_Children = tuple[int, list["LocalItem | str"]]
"""An open directory and what it holds, last first; a str is the key of a directory plus ``/``."""


def _open_below(stack: list[_Children], prefix: str, wanted: Wanted) -> _Children | Unknown:
    try:
        fd = _open_folder(stack, prefix, wanted)
    except KeyFailure as failure:
        return Unknown(prefix, str(failure), is_problem=True)
    except FileNotFoundError:
        # Not missing: it may have been moved to where this walk has been already.
        return Unknown(prefix, _VANISHED, is_problem=False)
    except OSError as error:
        # It was a directory when the one above it was read, and is a file or a link by now.
        if error.errno in _NO_DIRECTORY:
            return Unknown(prefix, _VANISHED, is_problem=False)
        return Unknown(prefix, _unreadable(error), is_problem=True)
    try:
        return _children(fd, prefix, wanted, [above for above, _ in stack])
    except OSError as error:
        os.close(fd)
        return Unknown(prefix, _unreadable(error), is_problem=True)
    except KeyFailure as failure:
        os.close(fd)
        return Unknown(prefix, f"{failure}; nothing below it was touched", is_problem=True)


def _open_folder(stack: list[_Children], prefix: str, wanted: Wanted) -> int:
    parent_fd = stack[-1][0]
    name = prefix[:-1].rpartition("/")[2]
    try:
        return os.open(name, _DIRECTORY, dir_fd=parent_fd)
    except OSError as error:
        if wanted.links is None or error.errno not in _NO_DIRECTORY:
            raise
    with wanted.links.opened(prefix[:-1]) as (real_fd, real_name):
        fd = os.open(real_name, _DIRECTORY, dir_fd=real_fd)
    if is_above(os.fstat(fd), (above for above, _ in stack)):
        # Every circle leads through a folder that the walk is in, so this ends them all.
        os.close(fd)
        raise KeyFailure(GOES_ROUND)
    return fd


def _children(fd: int, prefix: str, wanted: Wanted, above: list[int]) -> _Children:
    found: list[LocalItem | str] = []
    has_rules = False
    follow: _Follow = _leave_link
    if wanted.links is not None:
        follow = partial(_look_through, links=wanted.links, open_fds=[*above, fd])
    with os.scandir(fd) as entries:
        for entry in entries:
            found.extend(_look(entry, prefix, follow))
            has_rules = has_rules or entry.name == IGNORE_FILE
    has_rules = has_rules and wanted.filter is not None
    # Reversed, so that the next one is taken from the end of the list at no cost.
    found.sort(key=_sort_key, reverse=True)
    ready_key = prefix + (wanted.ready_file or "/")
    is_ready = wanted.ready_file is not None and any(
        isinstance(child, LocalEntry) and child.key == ready_key for child in found
    )
    if has_rules or is_ready:
        rules = FolderRules(prefix, _ignore_lines(fd) if has_rules else (), is_ready)
        _enter(rules, wanted)
        found.append(rules)
    return fd, found


def _ignore_lines(fd: int) -> tuple[str, ...]:
    try:
        return read_ignore_file(fd)
    except FileNotFoundError:
        # It was listed: an editor may be about to put its new version there.
        raise KeyFailure(f"{IGNORE_FILE} vanished while the folder was read") from None


def _enter(rules: FolderRules, wanted: Wanted) -> None:
    if wanted.filter is None:
        return
    try:
        wanted.filter.enter(rules)
    except ValueError as error:
        raise KeyFailure(f"{IGNORE_FILE}: {error}; correct or remove that line") from error


_Follow = Callable[[str], Iterator["LocalItem | str"]]
"""What is told of a link, by its key."""


def _look(entry: os.DirEntry[str], prefix: str, follow: _Follow) -> Iterator[LocalItem | str]:
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
        yield from follow(key) if entry.name != CONTROL_DIR else _leave_link(key)
    elif stat.S_ISDIR(status.st_mode):  # It was none when the folder was read.
        yield Unknown(key, _VANISHED, is_problem=False)
        yield Unknown(key + "/", _VANISHED, is_problem=False)
    else:
        yield Unknown(key, _SPECIAL, is_problem=False)


def _leave_link(key: str) -> Iterator[LocalItem | str]:
    yield from _unknown_link(key, _SYMLINK, is_problem=False)


def _look_through(key: str, links: Links, open_fds: list[int]) -> Iterator[LocalItem | str]:
    """What a link leads to, under the link's own key."""
    try:
        status = _status_through(key, links, open_fds)
    except FileNotFoundError:
        # Not missing: a folder on the way to it may be a link that leads elsewhere by now.
        yield from _unknown_link(key, _VANISHED, is_problem=False)
    except KeyFailure as failure:
        yield from _unknown_link(key, str(failure), is_problem=True)
    except OSError as error:
        yield from _unknown_link(key, _unreadable(error), is_problem=True)
    else:
        if stat.S_ISDIR(status.st_mode):
            yield key + "/"
        elif stat.S_ISREG(status.st_mode):
            yield local_entry(key, status)
        else:
            yield Unknown(key, _SPECIAL, is_problem=False)


def _status_through(key: str, links: Links, open_fds: list[int]) -> os.stat_result:
    with links.opened(key) as (fd, name):
        status = os.stat(name, dir_fd=fd, follow_symlinks=False)
    if stat.S_ISDIR(status.st_mode) and is_above(status, open_fds):
        raise KeyFailure(GOES_ROUND)
    return status


def _unknown_link(key: str, reason: str, *, is_problem: bool) -> Iterator[Unknown]:
    """It may have been a file or a directory when it was last in step."""
    yield Unknown(key, reason, is_problem=is_problem)
    yield Unknown(key + "/", reason, is_problem=False)


def local_entry(key: str, status: os.stat_result) -> LocalEntry:
    """The entry of a regular file.

    File systems hold times beyond what 64 bits of nanoseconds do (after the year 2262); such a
    time tells nothing anyway (design section 4), so it is cut to what the store takes.
    """
    mtime_ns = max(-_MAX_NS, min(status.st_mtime_ns, _MAX_NS))
    return LocalEntry(key, status.st_size, mtime_ns)


def _sort_key(child: LocalItem | str) -> str:
    return child if isinstance(child, str) else child.key


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unreadable(error: OSError) -> str:
    remedy = remedy_for(error, "check its permissions")
    return f"it cannot be read ({words_of(error)}), so nothing at or below it was touched; {remedy}"
