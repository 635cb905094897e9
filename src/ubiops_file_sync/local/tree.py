"""Safe reads and writes below one root (invariants I1, I6 and I7).

Every path is opened by `local.descend`, from the descriptor of the root that the pass holds, so
that neither a key nor a link leads out of the root.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Self

from ubiops_file_sync import keys
from ubiops_file_sync.courtesy import stepping_aside
from ubiops_file_sync.errors import KeyFailure, SafetyHalt
from ubiops_file_sync.local.descend import (
    DIRECTORY,
    NO_LINKS,
    look,
    open_directory,
    open_parent,
    rename_new,
    take_after,
)
from ubiops_file_sync.local.ignore import read_ignore_file
from ubiops_file_sync.local.links import Links
from ubiops_file_sync.local.names import (
    folds_case,
    require_own_folders,
    require_own_name,
    stands_under,
)
from ubiops_file_sync.local.reading import Reading
from ubiops_file_sync.local.scan import Wanted, local_entry, scan, walk
from ubiops_file_sync.local.staging import TMP_DIR, Staged, Staging
from ubiops_file_sync.local.trash import Trash, trash_place
from ubiops_file_sync.model import FolderRules, LocalBlock, LocalEntry, LocalItem, Symlinks, Unknown
from ubiops_file_sync.system_errors import remedy_for, words_of

_COPY_BYTES = 1 << 20


def unreadable_root(profile: str, root: Path, error: OSError) -> SafetyHalt:
    """What is raised where the root itself cannot be read: nothing can be told of any file."""
    remedy = remedy_for(error, "make it a folder that this user may read")
    return SafetyHalt(
        f"profile {profile!r}: `local_dir` {root} cannot be read ({words_of(error)}). Nothing was "
        f"changed; {remedy}, and run it again"
    )


class LocalTree:
    """One local root for the length of a pass.

    Safe for use by several threads at once. `owner` (the profile's name) marks the files that are
    staged, so that `sweep` can remove those that a killed pass of the same profile left behind.
    """

    def __init__(
        self, root: Path, owner: str, pass_id: str, *, symlinks: Symlinks = Symlinks.SKIP
    ) -> None:
        """Open `root`; OSError if it is no directory that can be read.

        Under `Symlinks.FOLLOW` files are found and read through links within the root; they are
        never written or removed through one.
        """
        self.root = root
        self._owner = owner
        self._pass_id = pass_id
        # The root itself may be a link: that is the user's own choice of place.
        self._root_fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._staging = Staging(self._root_fd, owner, pass_id)
        self._case_is_folded: bool | None = None
        self._links = Links.below(root, self._root_fd) if symlinks is Symlinks.FOLLOW else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._staging.close()
        os.close(self._root_fd)

    @property
    def trash(self) -> Trash:
        """What passes over this root replaced or deleted; usable while the tree is open."""
        return Trash(self._root_fd)

    def scan(self) -> Iterator[LocalEntry | Unknown]:
        """Every regular file below the root, in key order; see `local.scan.scan`.

        Raises `SafetyHalt` if the root itself cannot be read.
        """
        try:
            yield from scan(self._root_fd)
        except OSError as error:
            raise unreadable_root(self._owner, self.root, error) from error

    def walk(self, wanted: Wanted) -> Iterator[LocalItem]:
        """What is wanted of all that is below the root, in key order; see `walk_blocks`."""
        for block in self.walk_blocks(wanted):
            yield from block

    def walk_blocks(self, wanted: Wanted) -> Iterator[LocalBlock]:
        """What is wanted of all that is below the root, in key order; see `local.scan.walk`.

        Raises `SafetyHalt` if the root, or the ignore file at it, cannot be read.
        """
        try:
            yield from walk(self._root_fd, replace(wanted, links=self._links))
        except KeyFailure as failure:
            raise self.halt(failure) from failure
        except OSError as error:
            raise unreadable_root(self._owner, self.root, error) from error

    def halt(self, failure: KeyFailure) -> SafetyHalt:
        """What is raised where what is wrong at the root itself concerns every file below it."""
        return SafetyHalt(
            f"profile {self._owner!r}: in `local_dir` {self.root}, {failure}. Nothing was "
            "changed; mend that, and run it again"
        )

    def rules_of(self, folder: str, ready_file: str | None) -> FolderRules | None:
        """What a folder (``""``: the root; else with a slash behind it) says of itself, as a walk
        would tell it; None: nothing, or there is no such folder.

        Raises `KeyFailure` if its ignore file cannot be used, or if something other than a folder
        stands there.
        """
        lines: tuple[str, ...] = ()
        try:
            with self._folder(folder) as fd, suppress(FileNotFoundError):
                lines = read_ignore_file(fd)
        except FileNotFoundError:
            return None
        is_ready = ready_file is not None and self._is_file(folder + ready_file)
        return FolderRules(folder, lines, is_ready) if lines or is_ready else None

    def _is_file(self, key: str) -> bool:
        with suppress(KeyFailure, OSError):
            return self.look(key) is not None
        return False

    @contextmanager
    def _folder(self, folder: str) -> Iterator[int]:
        """An open folder, reached through links if they are followed."""
        if self._links is None or not folder:
            with self._directory(folder.removesuffix("/")) as fd:
                yield fd
            return
        with self._links.opened(folder.removesuffix("/")) as (parent_fd, name):
            fd = os.open(name, DIRECTORY, dir_fd=parent_fd)
        try:
            yield fd
        finally:
            os.close(fd)

    def holds_files(self) -> bool:
        """Whether there is any file below the root, whatever a filter says of it."""
        return any(isinstance(item, LocalEntry) for item in self.scan())

    def is_writable(self) -> bool:
        """Whether this user may make files at the root."""
        return os.access(".", os.W_OK | os.X_OK, dir_fd=self._root_fd, effective_ids=True)

    def look(self, key: str) -> LocalEntry | None:
        """The file as it is now; None: there is none.

        Raises `KeyFailure` if something other than a regular file stands there, or on the way.
        """
        try:
            with self._readable(key) as (parent_fd, name):
                found = look(parent_fd, name, key)
                if found is not None and self._folds_case() and not stands_under(parent_fd, name):
                    return None  # It is another key's.
                return found
        except FileNotFoundError:
            return None

    def reading(self, entry: LocalEntry) -> Reading:
        """The file's content, if it is still the one that `entry` tells of."""
        return Reading(self._readable(entry.key), entry)

    def staging(self, earlier: str | None = None) -> AbstractContextManager[Staged]:
        """A file in the control directory; see `local.staging.Staging.file`."""
        return self._staging.file(earlier)

    def commit(
        self, staged: Staged, key: str, expected: LocalEntry | None, mtime_ns: int
    ) -> LocalEntry:
        """Put a staged file at `key`, and what stood there into the trash. Returns the new entry.

        The data are on disk before the name is. `expected` is what the plan saw at `key`: if
        anything else stands there just before the rename, `KeyFailure`, and nothing is changed.
        The race that remains is a write between that look and the rename, some microseconds;
        what it wrote then stands in the trash, since the old file is linked there, not copied.
        Only a file that is renamed to `key` between the last two system calls is not seen.
        """
        fd = staged.file.fileno()
        os.utime(fd, ns=(mtime_ns, mtime_ns))
        with self._parent(key, create=True) as (parent_fd, name):
            if expected is not None:
                _dress_as(fd, parent_fd, name)
            _flush(fd)
            self._require(parent_fd, name, key, expected)
            if expected is not None:
                self._link_to_trash(parent_fd, name, key)
                os.rename(staged.name, name, src_dir_fd=staged.folder_fd, dst_dir_fd=parent_fd)
            else:
                _rename_new(staged, name, parent_fd)
        staged.is_moved = True
        # Read back: a file system may keep times more coarsely than it was told.
        status = os.fstat(fd)
        return local_entry(key, status)

    def check_place(self, key: str, expected: LocalEntry | None) -> None:
        """Raise `KeyFailure` if `commit` would refuse `key` as things stand.

        Asked before anything is fetched for it: what cannot be written today cannot be tomorrow
        either, and is not to be fetched in every pass.
        """
        with suppress(FileNotFoundError), self._parent(key, create=False) as (parent_fd, name):
            self._require(parent_fd, name, key, expected)

    def remove(self, entry: LocalEntry) -> None:
        """Move a file into this pass's trash, if it is still as `entry` tells; else `KeyFailure`.

        The race that remains is a write between that look and the removal, some microseconds; what
        it wrote stands in the trash, unless it put a new file under the name by a rename.
        """
        with self._parent(entry.key, create=False) as (parent_fd, name):
            if look(parent_fd, name, entry.key) != entry:
                raise KeyFailure("the local file changed during the pass; the next one takes it")
            self._link_to_trash(parent_fd, name, entry.key)
            with suppress(FileNotFoundError):
                # Gone already where the file system has no links, and the trash took it by rename.
                os.unlink(name, dir_fd=parent_fd)

    def free_bytes(self) -> int:
        """What this user may still write to the root's file system. Raises `SafetyHalt`."""
        try:
            status = os.fstatvfs(self._root_fd)
        except OSError as error:
            raise unreadable_root(self._owner, self.root, error) from error
        return status.f_bavail * status.f_frsize

    def keep_in_trash(self, staged: Staged, key: str) -> None:
        """Put a staged file into this pass's trash, under `key`.

        It is durable there, name and all: the caller is about to overwrite the only other copy.
        """
        _flush(staged.file.fileno())
        place = self._trash_place(key)
        with self._parent(place, create=True) as (trash_fd, name):
            taken = _taken_in_trash(place)
            rename_new(staged.name, staged.folder_fd, name, trash_fd, taken)
        staged.is_moved = True
        for folder in keys.parent_chain(place):
            with self._directory(folder) as fd:
                _flush(fd)

    def copy_name(self, entry: LocalEntry, new_key: str) -> bool:
        """Give the file a second name, `new_key`, beside its own; False: that name is taken.

        A link, so that it costs nothing; a copy where the file system has no links.
        """
        with (
            self._parent(entry.key, create=False) as (parent_fd, name),
            self._parent(new_key, create=True) as (new_fd, new_name),
        ):
            if look(parent_fd, name, entry.key) != entry:
                raise KeyFailure("the local file changed during the pass; the next one takes it")
            try:
                os.link(
                    name, new_name, src_dir_fd=parent_fd, dst_dir_fd=new_fd, follow_symlinks=False
                )
            except FileExistsError:
                # Perhaps it is the name, or the copy, that a killed pass gave it.
                with suppress(KeyFailure):
                    found = self.look(new_key)
                    return found is not None and self.same_content(entry, found)
                return False
            except OSError as error:
                if error.errno not in NO_LINKS:
                    raise
                self.copy(entry, new_key, None, entry.mtime_ns)
        return True

    def copy(
        self, entry: LocalEntry, new_key: str, expected: LocalEntry | None, mtime_ns: int
    ) -> LocalEntry:
        """Put a copy of a file at `new_key`, as `commit` would; returns the new entry.

        A copy and not a link: whoever writes into one of the two must not change the other.
        """
        with self.staging() as staged, self.reading(entry) as reading:
            with open(staged.file.fileno(), "wb", closefd=False) as sink:
                shutil.copyfileobj(reading.file, sink, _COPY_BYTES)
            reading.check()
            take_after(staged.file.fileno(), os.fstat(reading.file.fileno()))
            return self.commit(staged, new_key, expected, mtime_ns)

    def same_content(self, one: LocalEntry, other: LocalEntry) -> bool:
        """Whether two files hold the same bytes. `KeyFailure` if either is another by now."""
        if one.size != other.size:
            return False
        with self.reading(one) as mine, self.reading(other) as theirs:
            if os.path.sameopenfile(mine.file.fileno(), theirs.file.fileno()):
                return True
            while block := mine.file.read(_COPY_BYTES):
                if theirs.file.read(_COPY_BYTES) != block:
                    return False
        return True

    def holds(self, entry: LocalEntry, staged: Staged) -> bool:
        """Whether a file holds the same bytes as a staged one; see `same_content`."""
        status = os.fstat(staged.file.fileno())
        return self.same_content(entry, local_entry(f"{TMP_DIR}/{staged.name}", status))

    def flush(self, changed: Iterable[str]) -> None:
        """Make the names of the given keys durable, and of every directory above them.

        Asked for before the baseline records them: a name that a power failure takes back would
        otherwise look like a file that its user deleted (invariant I1).
        """
        # Each folder once, for many keys are of one.
        own = {key[: key.rfind("/") + 1] for key in changed}
        names = [name for folder in own for name in (folder, self._trash_place(folder))]
        for folder in {folder for name in names for folder in keys.parent_chain(name)}:
            # What was removed or replaced since is not what the keys tell of.
            with suppress(FileNotFoundError, KeyFailure), self._directory(folder) as fd:
                os.fsync(fd)

    def sweep(self, kept: Collection[str] = ()) -> None:
        """Remove what killed passes of this profile left half-written. Only under its lock.

        But not the staged files that are named in `kept`. What cannot be removed is left: those
        who need the control directory will say why.
        """
        self._staging.sweep(kept)

    def _trash_place(self, key: str) -> str:
        return trash_place(self._pass_id, key)

    def _link_to_trash(self, parent_fd: int, name: str, key: str) -> None:
        place = self._trash_place(key)
        with self._parent(place, create=True) as (trash_fd, trash_name):
            try:
                os.link(
                    name,
                    trash_name,
                    src_dir_fd=parent_fd,
                    dst_dir_fd=trash_fd,
                    follow_symlinks=False,
                )
            except FileExistsError:
                raise KeyFailure(_taken_in_trash(place)) from None
            except OSError as error:
                if error.errno not in NO_LINKS:
                    raise
                # The name is free for an instant.
                os.rename(name, trash_name, src_dir_fd=parent_fd, dst_dir_fd=trash_fd)

    def _require(self, parent_fd: int, name: str, key: str, expected: LocalEntry | None) -> None:
        """Raise `KeyFailure` unless just what is expected stands at `key`, and under its name."""
        if self._folds_case():
            require_own_folders(self._root_fd, key)
        try:
            if look(parent_fd, name, key) == expected:
                return
        except KeyFailure:
            require_own_name(parent_fd, name)
            raise
        require_own_name(parent_fd, name)
        raise KeyFailure("the local file changed during the pass; the next one takes it")

    def _folds_case(self) -> bool:
        """Whether the root's file system takes upper and lower case for one."""
        if self._case_is_folded is None:
            self._case_is_folded = folds_case(self._root_fd)
        return bool(self._case_is_folded)

    def _readable(self, key: str) -> AbstractContextManager[tuple[int, str]]:
        """Where to read `key`: what a link leads to, if links are followed."""
        if self._links is None or key.startswith(keys.CONTROL_DIR + "/"):
            return self._parent(key, create=False)
        return self._links.opened(key)

    def _parent(self, key: str, *, create: bool) -> AbstractContextManager[tuple[int, str]]:
        return open_parent(self._root_fd, key, create=create)

    def _directory(
        self, folder: str, *, create: bool = False, mode: int = 0o777
    ) -> AbstractContextManager[int]:
        return open_directory(self._root_fd, folder, create=create, mode=mode)


def _rename_new(staged: Staged, name: str, parent_fd: int) -> None:
    try:
        taken = "a local file came during the pass; the next one takes it"
        rename_new(staged.name, staged.folder_fd, name, parent_fd, taken)
    except KeyFailure:
        require_own_name(parent_fd, name)
        raise


def _flush(fd: int) -> None:
    """Have the file on the disk, and let others work meanwhile."""
    with stepping_aside():
        os.fsync(fd)


def _dress_as(fd: int, parent_fd: int, name: str) -> None:
    try:
        old = os.stat(name, dir_fd=parent_fd, follow_symlinks=False)
    except FileNotFoundError:
        raise KeyFailure("the local file vanished during the pass; the next one takes it") from None
    take_after(fd, old)


def _taken_in_trash(place: str) -> str:
    return f"{place} exists already; this key is done once a pass"
