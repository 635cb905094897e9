"""The local walk: every regular file below a root, in key order."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter, itemgetter
from typing import NamedTuple, Protocol, cast

from ubiops_file_sync.errors import KeyFailure
from ubiops_file_sync.keys import CONTROL_DIR, IGNORE_FILE
from ubiops_file_sync.local.ignore import read_ignore_file
from ubiops_file_sync.local.links import GOES_ROUND, Links, is_above
from ubiops_file_sync.model import FolderRules, LocalBlock, LocalEntry, LocalItem, Unknown
from ubiops_file_sync.system_errors import remedy_for, words_of

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

_VANISHED = "it was removed or renamed while the folder was read; the next pass looks again"

_NO_DIRECTORY = {errno.ENOTDIR, errno.ELOOP}
"""What is said where a directory is wanted and a file or a link stands."""

_MAX_NS = 2**63 - 1

_KIND_BITS = 12
_REGULAR = stat.S_IFREG >> _KIND_BITS
_ENTRIES = 500
"""Of a directory, that are looked at together."""

_NAME = attrgetter("name")
_KEY = itemgetter(0)
"""The key of whatever the walk tells."""

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
    for block in walk(root_fd, Wanted()):
        for item in block:
            if not isinstance(item, FolderRules):
                yield item


def walk(root_fd: int, wanted: Wanted) -> Iterator[LocalBlock]:
    """What is wanted of all that is below the open directory `root_fd`, sorted by key, in blocks.

    A block is what stands in one directory, up to the next directory in it. Each directory is
    sorted with its sub-directories taken as ``name/``, which makes the whole
    walk come in key order while only one directory a level is in memory. Directories are opened
    by descriptor without following links, so the walk cannot be led out of the root. What cannot
    be read comes as `Unknown`, never as nothing; what is below a hidden folder comes not at all,
    since the same filter hides it from the merge. Raises OSError if the root itself cannot be
    read, `KeyFailure` if its ignore file cannot.
    """
    # Opened anew, since a duplicate would share its position with every other walk of the root.
    stack = [_Level(os.open(".", _DIRECTORY, dir_fd=root_fd))]
    hides = _nothing if wanted.filter is None else wanted.filter.hides
    try:
        _fill(stack[0], "", wanted, [])
        while stack:
            level = stack[-1]
            block = level.next_block(hides)
            if block:
                yield block
            folder = level.next_folder()
            if folder is None:
                stack.pop()
                os.close(level.fd)
            elif not hides(folder):
                below = _open_below(stack, folder, wanted)
                if isinstance(below, Unknown):
                    yield [below]
                else:
                    stack.append(below)
    finally:
        for level in stack:
            os.close(level.fd)


def _nothing(_key: str) -> bool:
    return False


class _Folder(NamedTuple):
    """A directory that is still to be walked."""

    key: str
    """With a slash behind it."""


class _Level:
    """An open directory, and how far the walk has come in it."""

    __slots__ = ("_at", "_children", "_folders", "_has_unknown", "fd")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._children: Sequence[LocalItem | _Folder] = ()
        self._at = 0
        self._folders: list[int] = []
        self._has_unknown = False

    def holds(self, children: Sequence[LocalItem | _Folder], *, all_files: bool) -> None:
        """These are in it, in key order; `all_files`: but for its rules, all of them are files."""
        self._children = children
        if not all_files:
            at_odd = [at for at, child in enumerate(children) if type(child) is not LocalEntry]
            self._has_unknown = any(isinstance(children[at], Unknown) for at in at_odd)
            self._folders = [at for at in at_odd if type(children[at]) is _Folder][::-1]

    def next_block(self, hides: Callable[[str], bool]) -> LocalBlock:
        """What comes before the next sub-directory."""
        begin, end = self._at, self._folders[-1] if self._folders else len(self._children)
        self._at = end
        whole = end - begin == len(self._children)
        block = cast("LocalBlock", self._children if whole else self._children[begin:end])
        if self._has_unknown:
            return [one for one in block if not (isinstance(one, Unknown) and hides(one.key))]
        return block

    def next_folder(self) -> str | None:
        """The key of the sub-directory that comes next; None: there is none any more."""
        if not self._folders:
            return None
        self._at = self._folders.pop() + 1
        return self._children[self._at - 1].key


def _open_below(stack: list[_Level], prefix: str, wanted: Wanted) -> _Level | Unknown:
    try:
        level = _Level(_open_folder(stack, prefix, wanted))
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
        _fill(level, prefix, wanted, [above.fd for above in stack])
    except OSError as error:
        os.close(level.fd)
        return Unknown(prefix, _unreadable(error), is_problem=True)
    except KeyFailure as failure:
        os.close(level.fd)
        return Unknown(prefix, f"{failure}; nothing below it was touched", is_problem=True)
    return level


def _open_folder(stack: list[_Level], prefix: str, wanted: Wanted) -> int:
    parent_fd = stack[-1].fd
    name = prefix[:-1].rpartition("/")[2]
    try:
        return os.open(name, _DIRECTORY, dir_fd=parent_fd)
    except OSError as error:
        if wanted.links is None or error.errno not in _NO_DIRECTORY:
            raise
    with wanted.links.opened(prefix[:-1]) as (real_fd, real_name):
        fd = os.open(real_name, _DIRECTORY, dir_fd=real_fd)
    if is_above(os.fstat(fd), (above.fd for above in stack)):
        # Every circle leads through a folder that the walk is in, so this ends them all.
        os.close(fd)
        raise KeyFailure(GOES_ROUND)
    return fd


_Follow = Callable[[str], Iterator["LocalItem | _Folder"]]
"""What is told of a link, by its key."""


def _fill(level: _Level, prefix: str, wanted: Wanted, above: list[int]) -> None:
    """Read a directory into its level, and have what it says of itself heeded."""
    follow: _Follow = _leave_link
    if wanted.links is not None:
        follow = partial(_look_through, links=wanted.links, open_fds=[*above, level.fd])
    children, has_rules, all_files = _read(level.fd, prefix, follow)
    has_rules = has_rules and wanted.filter is not None
    ready_key = prefix + (wanted.ready_file or "/")
    is_ready = wanted.ready_file is not None and any(
        isinstance(child, LocalEntry) and child.key == ready_key for child in children
    )
    if has_rules or is_ready:
        rules = FolderRules(prefix, _ignore_lines(level.fd) if has_rules else (), is_ready)
        _enter(rules, wanted)
        children.insert(0, rules)
    level.holds(children, all_files=all_files)


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


def _read(fd: int, prefix: str, follow: _Follow) -> tuple[list[LocalItem | _Folder], bool, bool]:
    """What is in a directory, in key order; whether there is an ignore file; whether all are files.

    Most directories hold nothing but files, and are read many entries at a time, since what is done
    once a file costs a pass over a million of them a second for each microsecond.
    """
    with os.scandir(fd) as entries:
        left = sorted(entries, key=_NAME, reverse=True)
    children: list[LocalItem | _Folder] = []
    has_rules, all_files = False, True
    while left:
        # Let go of, once they are told: an entry keeps what the system said of it.
        some = left[: -_ENTRIES - 1 : -1]
        del left[-_ENTRIES:]
        names = [entry.name for entry in some]
        has_rules = has_rules or IGNORE_FILE in names
        files = _plain_files(some, names, prefix)
        if files is not None:
            children += files
        else:
            all_files = False
            for entry in some:
                children += _look(entry, prefix, follow)
    if not all_files:
        children.sort(key=_KEY)  # A folder sorts as `name/`.
    return children, has_rules, all_files


def _plain_files(
    entries: Sequence[os.DirEntry[str]], names: list[str], prefix: str
) -> list[LocalEntry] | None:
    """The entries of files; None: one of them is something else, or not as usual.

    An entry is made without the detour through its class's own way of being called.
    """
    try:
        statuses = [entry.stat(follow_symlinks=False) for entry in entries]
        "".join(names).encode()
    except (OSError, UnicodeEncodeError):
        return None
    times = [status.st_mtime_ns for status in statuses]
    kinds = {status.st_mode >> _KIND_BITS for status in statuses}
    if kinds != {_REGULAR} or max(times) > _MAX_NS or min(times) < -_MAX_NS:
        return None
    new = tuple.__new__
    return [
        new(LocalEntry, (prefix + name, status.st_size, mtime_ns))
        for name, status, mtime_ns in zip(names, statuses, times, strict=True)
    ]


def _look(entry: os.DirEntry[str], prefix: str, follow: _Follow) -> Iterator[LocalItem | _Folder]:
    """What there is to tell of one entry, whatever it is."""
    key = prefix + entry.name
    if not _is_utf8(entry.name):
        # Under its own name, which no key in the bucket can have: a printable one might be another
        # file's.
        yield Unknown(key, _NOT_UTF8, is_problem=True)
        return
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError as error:
        yield from _not_told(key, entry, error)
        return
    if stat.S_ISDIR(status.st_mode):
        yield from _below(key, entry.name)
    elif stat.S_ISREG(status.st_mode):
        yield local_entry(key, status)
    elif stat.S_ISLNK(status.st_mode):
        yield from follow(key) if entry.name != CONTROL_DIR else _leave_link(key)
    else:
        yield Unknown(key, _SPECIAL, is_problem=False)


def _not_told(key: str, entry: os.DirEntry[str], error: OSError) -> Iterator[LocalItem | _Folder]:
    """What has a name, but no status."""
    try:
        is_folder = entry.is_dir(follow_symlinks=False)
    except OSError:  # Not every file system says without being asked for the status.
        is_folder = False
    if is_folder:
        yield from _below(key, entry.name)  # To open it will tell what is wrong.
    elif not isinstance(error, FileNotFoundError):
        yield Unknown(key, _unreadable(error), is_problem=True)
        yield Unknown(key + "/", _unreadable(error), is_problem=False)
    # Else it was deleted meanwhile, and is as missing as if we had come later.


def _below(key: str, name: str) -> Iterator[_Folder]:
    if name != CONTROL_DIR:
        yield _Folder(key + "/")


def _leave_link(key: str) -> Iterator[LocalItem | _Folder]:
    yield from _unknown_link(key, _SYMLINK, is_problem=False)


def _look_through(key: str, links: Links, open_fds: list[int]) -> Iterator[LocalItem | _Folder]:
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
            yield _Folder(key + "/")
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


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unreadable(error: OSError) -> str:
    remedy = remedy_for(error, "check its permissions")
    return f"it cannot be read ({words_of(error)}), so nothing at or below it was touched; {remedy}"
