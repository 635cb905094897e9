"""The trash of one root: every version that a pass replaced or deleted, by pass and key.

`.ubiops-sync/trash/PASS/KEY`. It is read and tidied by descriptors and follows no link, whatever
was put there; folders whose names are no pass's are none of its business.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, Self

from ubiops_file_sync import keys
from ubiops_file_sync.errors import KeyFailure
from ubiops_file_sync.local.descend import DIRECTORY, look, open_directory, open_parent
from ubiops_file_sync.local.scan import scan
from ubiops_file_sync.model import LocalEntry, Problem, Unknown
from ubiops_file_sync.pass_id import begun_at

TRASH_DIR = f"{keys.CONTROL_DIR}/trash"


def trash_place(pass_id: str, key: str) -> str:
    """Where a pass puts its version of `key`, as a path below the root."""
    return f"{TRASH_DIR}/{pass_id}/{key}"


class Version(NamedTuple):
    """One version of a key in the trash."""

    pass_id: str
    """The pass that replaced or deleted it; its name tells when."""
    key: str
    size: int
    """Bytes."""
    mtime_ns: int
    """When the version itself was last changed, nanoseconds since the epoch."""

    @property
    def entry(self) -> LocalEntry:
        """The file that holds it, for `LocalTree` to read."""
        return LocalEntry(trash_place(self.pass_id, self.key), self.size, self.mtime_ns)


@dataclass(frozen=True, slots=True)
class Retention:
    """Which passes may go from the trash."""

    now: datetime
    keep_days: int
    max_size: int
    """Bytes that may stay."""
    current: str
    """The pass whose own versions stay in any case."""

    def is_over(self, pass_id: str) -> bool:
        """Whether the time of a pass's versions is over."""
        begun = begun_at(pass_id)
        return begun is not None and self.now - begun >= timedelta(days=self.keep_days)


_COUNTED = re.compile(r"([0-9]{1,19}) ([0-9TZa-f-]*) ([0-9a-f]{64})", re.ASCII)


class Counted(NamedTuple):
    """What the trash held when it was last tidied, so that it need not be counted again.

    What a pass put there does not change once the pass has ended, unless somebody takes from it by
    hand; so this is how much there may be, and never a reason to remove anything.
    """

    at_most: int
    """Bytes."""
    newest: str
    """The newest pass among those counted; empty: there was none."""
    names: str
    """A digest of the names of all of them."""

    @classmethod
    def of(cls, at_most: int, passes: Iterable[str]) -> Self:
        """That so many bytes are in the folders of these passes, oldest first."""
        names = list(passes)
        return cls(at_most, names[-1] if names else "", _digest(names))

    @classmethod
    def told_by(cls, text: str | None) -> Self:
        """What `text` kept; that of an empty trash if it is none of ours."""
        told = _COUNTED.fullmatch(text or "")
        return cls.of(0, []) if told is None else cls(int(told[1]), told[2], told[3])

    @property
    def text(self) -> str:
        """What `told_by` reads."""
        return f"{self.at_most} {self.newest} {self.names}"

    def as_far_as_of(self, passes: Iterable[str]) -> Self:
        """This, if it is of all of these passes up to the newest; else that of an empty trash."""
        is_of_them = _digest(name for name in passes if name <= self.newest) == self.names
        return self if is_of_them else self.of(0, [])


def _digest(names: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


_NOTHING = Counted.of(0, [])


@dataclass(slots=True)
class Pruned:
    """What tidying the trash did."""

    passes: list[str] = field(default_factory=list)
    """Passes whose versions are gone, oldest first."""
    left: int = 0
    """Files and folders that should have gone and could not."""
    first: Problem | None = None
    """The first of those; its key is a path below the root."""
    counted: Counted = field(default=_NOTHING, compare=False)
    """What is left."""

    def take(self, problem: Problem) -> None:
        """Heed something that could not be removed."""
        self.left += 1
        self.first = self.first or problem


class Trash:
    """The trash below an open root.

    Reading needs no lock. Where there is no trash, it is empty; `KeyFailure` if a link or a file
    stands in its place, OSError if it cannot be read.
    """

    def __init__(self, root_fd: int) -> None:
        """`root_fd` stays the caller's."""
        self._root_fd = root_fd

    def passes(self) -> list[str]:
        """The passes that have a folder in the trash, newest first."""
        try:
            with open_directory(self._root_fd, TRASH_DIR) as fd, os.scandir(fd) as entries:
                found = [
                    entry.name
                    for entry in entries
                    if begun_at(entry.name) and entry.is_dir(follow_symlinks=False)
                ]
        except FileNotFoundError:
            return []
        return sorted(found, reverse=True)

    def versions(self, pass_id: str) -> Iterator[Version | Unknown]:
        """What one pass replaced or deleted, in key order; links are passed over.

        What cannot be read comes as `Unknown`. Nothing, if the pass has no folder (any more).
        """
        if begun_at(pass_id) is None:
            return
        try:
            with open_directory(self._root_fd, _folder(pass_id)) as fd:
                for found in scan(fd):
                    if isinstance(found, LocalEntry):
                        yield Version(pass_id, *found)
                    elif found.is_problem:
                        yield found
        except FileNotFoundError:
            return
        except OSError as error:
            # Perhaps another user's; it must not hide the other passes.
            reason = f"the trash of pass {pass_id} cannot be read ({_words(error)})"
            yield Unknown("", f"{reason}; check its permissions", is_problem=True)

    def find(self, pass_id: str, key: str) -> Version | None:
        """The version of `key` that a pass replaced or deleted; None: it did neither."""
        place = trash_place(pass_id, key)
        if begun_at(pass_id) is None or keys.refusal(key) is not None:
            return None
        # A folder of that name, or a file on the way, is another key's.
        with suppress(FileNotFoundError, KeyFailure):
            with open_parent(self._root_fd, place, create=False) as (parent_fd, name):
                found = look(parent_fd, name, key)
            return None if found is None else Version(pass_id, *found)
        return None

    def history(self, key: str) -> Iterator[Version]:
        """Every version of `key` in the trash, newest first."""
        for pass_id in self.passes():
            version = self.find(pass_id, key)
            if version is not None:
                yield version

    def prune(self, retention: Retention, counted: Counted = _NOTHING) -> Pruned:
        """Remove the passes whose time is over, then the oldest until few enough bytes are left.

        `counted`: what was left the last time, so that only what came since is counted as long as
        it all has room. A version that cannot be removed stays and is told of. The profile's lock
        must be held. Bytes are counted by the files' sizes, so a version that still shares its
        bytes with a file below the root counts in full.
        """
        pruned = Pruned()
        try:
            self._prune(retention, counted, pruned)
        except (KeyFailure, OSError) as error:
            pruned.take(Problem(TRASH_DIR, _words(error)))
        if pruned.left:
            pruned.counted = _NOTHING  # The next pass is to look at all of it.
        return pruned

    def _prune(self, retention: Retention, counted: Counted, pruned: Pruned) -> None:
        names = self.passes()[::-1]
        known = counted.as_far_as_of(names)
        staying: list[str] = []
        for name in names:
            if name != retention.current and retention.is_over(name):
                self._remove(name, pruned)
            else:
                staying.append(name)
        sizes = {name: self._size(name) for name in staying if name > known.newest}
        at_most = known.at_most + sum(sizes.values())
        if at_most > retention.max_size:
            # Only what is there now says what has to go.
            sizes = {name: sizes.get(name) or self._size(name) for name in staying}
            at_most = sum(sizes.values())
            for name in staying[:]:
                if at_most > retention.max_size and sizes[name] and name != retention.current:
                    at_most -= sizes[name]
                    self._remove(name, pruned)
                    staying.remove(name)
        pruned.counted = Counted.of(at_most, staying)

    def _size(self, pass_id: str) -> int:
        """Bytes of a pass's versions, as far as they can be read."""
        found = self.versions(pass_id)
        return sum(version.size for version in found if isinstance(version, Version))

    def _remove(self, pass_id: str, pruned: Pruned) -> None:
        before = pruned.left
        with open_directory(self._root_fd, TRASH_DIR) as trash_fd:
            for problem in _remove_folder(trash_fd, pass_id):
                pruned.take(problem)
        if pruned.left == before:
            pruned.passes.append(pass_id)


class _Folder(NamedTuple):
    """An open folder that is being emptied."""

    fd: int
    place: str
    """Its path below the trash."""
    names: list[str]
    """What is still in it."""


def _remove_folder(trash_fd: int, name: str) -> Iterator[Problem]:
    """Remove a folder and all that is below it, and tell what could not be removed.

    A link is removed like a file, and what it leads to is not touched. A stack and no recursion:
    folders may be nested deeper than Python's calls.
    """
    stack = [_Folder(os.dup(trash_fd), "", [name])]
    try:
        while stack:
            folder = stack[-1]
            child = folder.names.pop() if folder.names else None
            place = folder.place + (child or "")
            try:
                if child is None:
                    os.close(stack.pop().fd)
                    _remove_emptied(stack, folder)
                elif _is_folder(folder.fd, child):
                    stack.append(_open_folder(folder, child))
                else:
                    os.unlink(child, dir_fd=folder.fd)
            except FileNotFoundError:
                pass  # Somebody else removed it.
            except OSError as error:
                yield Problem(f"{TRASH_DIR}/{place}".rstrip("/"), _words(error))
    finally:
        for folder in stack:
            os.close(folder.fd)


def _is_folder(fd: int, name: str) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode)


def _open_folder(above: _Folder, name: str) -> _Folder:
    fd = os.open(name, DIRECTORY, dir_fd=above.fd)
    try:
        return _Folder(fd, f"{above.place}{name}/", os.listdir(fd))  # noqa: PTH208  a descriptor
    except OSError:
        os.close(fd)
        raise


def _remove_emptied(stack: list[_Folder], folder: _Folder) -> None:
    if not stack:
        return  # That was the trash itself.
    name = folder.place[:-1].rpartition("/")[2]
    try:
        os.rmdir(name, dir_fd=stack[-1].fd)
    except OSError as error:
        # What is left in it has been told of.
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
            raise


def _folder(pass_id: str) -> str:
    return f"{TRASH_DIR}/{pass_id}"


def _words(error: KeyFailure | OSError) -> str:
    return str(error) if isinstance(error, KeyFailure) else (error.strerror or str(error)).lower()
