"""Writes below the root: whole or not at all, never outside, and no version lost."""

from __future__ import annotations

import os
import shutil
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from local.folders import as_nobody, contents, open_files, refuse_no_replace
from ubiops_file_sync.errors import KeyFailure
from ubiops_file_sync.local import LocalTree, descend
from ubiops_file_sync.model import LocalEntry

THEN_NS = 1_700_000_000_000_000_000
TMP = ".ubiops-sync/tmp"
TRASH = ".ubiops-sync/trash/PASS"


def write(path: Path, content: bytes, mtime_ns: int = THEN_NS) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, ns=(mtime_ns, mtime_ns))


def put(
    tree: LocalTree, key: str, content: bytes, expected: LocalEntry | None = None
) -> LocalEntry:
    with tree.staging() as staged:
        staged.file.write(content)
        return tree.commit(staged, key, expected, THEN_NS + 1000)


def look(tree: LocalTree, key: str) -> LocalEntry:
    entry = tree.look(key)
    assert entry is not None
    return entry


# -- a new file ------------------------------------------------------------------------------------


def test_a_new_file_stands_there_whole_with_its_time(tree: LocalTree, root: Path) -> None:
    entry = put(tree, "a/b/c.csv", b"new")
    assert contents(root) == {"a/b/c.csv": b"new"}
    assert entry == LocalEntry("a/b/c.csv", 3, THEN_NS + 1000)
    assert look(tree, "a/b/c.csv") == entry


def test_if_the_control_directory_is_removed_in_the_midst_it_is_made_anew(
    tree: LocalTree, root: Path
) -> None:
    put(tree, "a", b"1")
    shutil.rmtree(root / ".ubiops-sync")
    put(tree, "b", b"2")
    assert contents(root) == {"a": b"1", "b": b"2"}


ODD_KEYS = [
    " ",
    "\n",
    "-rf",
    "~",
    "...",
    "é/😀",
    "a" * 255,
    "/".join(["d" * 204] * 5),
    "*?[",
    "C:\\x",
]


@pytest.mark.parametrize("key", ODD_KEYS)
def test_an_odd_name_is_a_name(tree: LocalTree, root: Path, key: str) -> None:
    put(tree, key, b"x")
    assert contents(root) == {key: b"x"}
    put(tree, key, b"y", look(tree, key))
    assert contents(root) == {key: b"y", f"{TRASH}/{key}": b"x"}


def test_a_file_that_came_since_the_plan_is_not_overwritten(tree: LocalTree, root: Path) -> None:
    write(root / "a", b"came")
    with pytest.raises(KeyFailure, match="changed during the pass"):
        put(tree, "a", b"new")
    assert contents(root) == {"a": b"came"}


@pytest.mark.parametrize("place", [(descend, "rename_no_replace"), (os, "link")])
def test_a_file_that_comes_at_the_last_instant_is_not_overwritten(
    tree: LocalTree, root: Path, monkeypatch: pytest.MonkeyPatch, place: tuple[object, str]
) -> None:
    if place[0] is os:
        refuse_no_replace(monkeypatch)
    real = getattr(*place)

    def late(*args: object, **kwargs: object) -> None:
        write(root / "a", b"came")
        real(*args, **kwargs)

    monkeypatch.setattr(*place, late)
    with pytest.raises(KeyFailure, match="came during the pass"):
        put(tree, "a", b"new")
    assert contents(root) == {"a": b"came"}


def test_a_folder_of_that_name_is_left_alone(tree: LocalTree, root: Path) -> None:
    write(root / "a/b", b"below")
    with pytest.raises(KeyFailure, match="folder of that name"):
        put(tree, "a", b"new")
    assert contents(root) == {"a/b": b"below"}


def test_a_file_where_a_folder_must_be_is_left_alone(tree: LocalTree, root: Path) -> None:
    write(root / "a", b"file")
    with pytest.raises(KeyFailure, match="on the way"):
        put(tree, "a/b", b"new")
    assert contents(root) == {"a": b"file"}


def test_a_new_file_has_the_permissions_that_the_user_gives_to_new_files(
    tree: LocalTree, root: Path
) -> None:
    before = os.umask(0o027)
    try:
        put(tree, "d/a", b"new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((root / "d/a").stat().st_mode) == 0o640
    assert stat.S_IMODE((root / "d").stat().st_mode) == 0o750


def test_the_control_directory_is_private_whatever_the_umask(tree: LocalTree, root: Path) -> None:
    write(root / "d/a", b"old")
    before = os.umask(0)
    try:
        put(tree, "d/a", b"new", look(tree, "d/a"))
    finally:
        os.umask(before)
    for folder in (".ubiops-sync", TMP, ".ubiops-sync/trash", TRASH, f"{TRASH}/d"):
        assert stat.S_IMODE((root / folder).stat().st_mode) == 0o700, folder


def test_a_time_after_the_end_of_64_bits_is_taken(tree: LocalTree) -> None:
    with tree.staging() as staged:
        entry = tree.commit(staged, "a", None, 250_000_000_000 * 10**9)
    assert entry == look(tree, "a")
    assert entry.mtime_ns < 2**63


# -- over a file that is there ---------------------------------------------------------------------


def test_the_version_that_is_replaced_stands_in_the_trash_byte_for_byte(
    tree: LocalTree, root: Path
) -> None:
    old = os.urandom(5000)
    write(root / "d/a", old)
    entry = put(tree, "d/a", b"new", look(tree, "d/a"))
    assert contents(root) == {"d/a": b"new", f"{TRASH}/d/a": old}
    assert (root / TRASH / "d/a").stat().st_mtime_ns == THEN_NS
    assert entry == look(tree, "d/a")


def test_permissions_are_kept(tree: LocalTree, root: Path) -> None:
    write(root / "a", b"secret")
    (root / "a").chmod(0o600)
    put(tree, "a", b"new", look(tree, "a"))
    assert stat.S_IMODE((root / "a").stat().st_mode) == 0o600


def test_content_from_a_bucket_never_runs_with_its_owner_s_rights(
    tree: LocalTree, root: Path
) -> None:
    write(root / "a", b"tool")
    (root / "a").chmod(0o6755)
    put(tree, "a", b"new", look(tree, "a"))
    assert stat.S_IMODE((root / "a").stat().st_mode) == 0o755


def _edit(path: Path) -> None:
    write(path, b"edit", THEN_NS + 5)


def _touch(path: Path) -> None:
    os.utime(path, ns=(THEN_NS, THEN_NS + 5))


def _save_aside(path: Path) -> None:
    write(path.with_name("aside"), b"edited")
    path.with_name("aside").rename(path)


def _to_folder(path: Path) -> None:
    path.unlink()
    write(path / "x", b"below")


def _to_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


CHANGES = [
    pytest.param(_edit, id="edited"),
    pytest.param(_touch, id="only its time"),
    pytest.param(_save_aside, id="an atomic save"),
    pytest.param(Path.unlink, id="deleted"),
    pytest.param(_to_folder, id="a folder instead"),
    pytest.param(_to_pipe, id="a pipe instead"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changed_since_the_plan_is_not_overwritten(
    tree: LocalTree, root: Path, change: object
) -> None:
    write(root / "a", b"old!")
    planned = look(tree, "a")
    assert callable(change)
    change(root / "a")
    before = contents(root)
    with pytest.raises(KeyFailure):
        put(tree, "a", b"new", planned)
    assert contents(root) == before


def test_a_version_that_is_written_in_the_last_instant_is_in_the_trash(
    tree: LocalTree, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The race that no look can close costs no version: what was linked is what was there."""
    write(root / "a", b"old!")
    real = os.link

    def late(*args: object, **kwargs: object) -> None:
        _save_aside(root / "a")
        real(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "link", late)
    put(tree, "a", b"new", look(tree, "a"))
    assert contents(root) == {"a": b"new", f"{TRASH}/a": b"edited"}


def test_the_trash_holds_one_version_of_a_key_a_pass_and_keeps_it(
    tree: LocalTree, root: Path
) -> None:
    write(root / "a", b"first")
    put(tree, "a", b"second", look(tree, "a"))
    with pytest.raises(KeyFailure, match="once a pass"):
        put(tree, "a", b"third", look(tree, "a"))
    assert contents(root) == {"a": b"second", f"{TRASH}/a": b"first"}


def test_the_data_are_on_disk_before_the_name_is(
    tree: LocalTree, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def spied(place: object, name: str) -> None:
        real = getattr(place, name)

        def call(*args: object, **kwargs: object) -> object:
            calls.append(name)
            return real(*args, **kwargs)

        monkeypatch.setattr(place, name, call)

    for name in ("utime", "fsync", "link", "rename"):
        spied(os, name)
    spied(descend, "rename_no_replace")
    put(tree, "new", b"x")
    assert calls == ["utime", "fsync", "rename_no_replace"]
    calls.clear()
    put(tree, "new", b"y", look(tree, "new"))
    assert calls == ["utime", "fsync", "link", "rename"]


# -- nothing outside the root (I7) -----------------------------------------------------------------

ESCAPES = ["..", "../x", "a/../../x", "a/..", ".", "./x", "a/./x", "/x", "/etc/x", "a//x", "", "a/"]


@pytest.mark.parametrize("key", ESCAPES)
def test_a_key_that_would_leave_the_root_is_refused_for_everything(
    tree: LocalTree, root: Path, key: str, tmp_path: Path
) -> None:
    write(root / "a/b", b"old")
    write(tmp_path / "x", b"above")
    entry = LocalEntry(key, 5, THEN_NS)
    with pytest.raises(KeyFailure):
        put(tree, key, b"new")
    with pytest.raises(KeyFailure):
        put(tree, key, b"new", entry)
    with pytest.raises(KeyFailure):
        tree.look(key)
    with pytest.raises(KeyFailure), tree.reading(entry):
        pass
    with pytest.raises(KeyFailure):
        tree.copy_name(entry, "copy")
    with pytest.raises(KeyFailure):
        tree.copy_name(look(tree, "a/b"), key)
    assert contents(tmp_path) == {"root/a/b": b"old", "x": b"above"}


def test_a_link_on_the_way_is_not_followed(tree: LocalTree, root: Path, outside: Path) -> None:
    (root / "d").symlink_to(outside)
    with pytest.raises(KeyFailure, match="on the way"):
        put(tree, "d/new", b"x")
    with pytest.raises(KeyFailure, match="on the way"):
        tree.look("d/precious")
    with (
        pytest.raises(KeyFailure, match="on the way"),
        tree.reading(LocalEntry("d/precious", 9, THEN_NS)),
    ):
        pass
    assert contents(outside) == {"precious": b"not yours"}


def test_a_link_at_the_end_is_neither_followed_nor_replaced(
    tree: LocalTree, root: Path, outside: Path
) -> None:
    (root / "a").symlink_to(outside / "precious")
    status = (outside / "precious").stat()
    entry = LocalEntry("a", status.st_size, status.st_mtime_ns)
    for expected in (None, entry):
        with pytest.raises(KeyFailure, match="link, pipe or device"):
            put(tree, "a", b"x", expected)
    with pytest.raises(KeyFailure, match="link, pipe or device"), tree.reading(entry):
        pass
    with pytest.raises(KeyFailure):
        tree.copy_name(entry, "b")
    assert (root / "a").is_symlink()
    assert contents(outside) == {"precious": b"not yours"}


def test_a_folder_that_becomes_a_link_before_the_rename_leads_nowhere(
    tree: LocalTree, root: Path, outside: Path
) -> None:
    write(root / "d/a", b"old")
    planned = look(tree, "d/a")
    with tree.staging() as staged:
        staged.file.write(b"new")
        (root / "d").rename(root / "d.old")
        (root / "d").symlink_to(outside)
        with pytest.raises(KeyFailure, match="on the way"):
            tree.commit(staged, "d/a", planned, THEN_NS)
    assert contents(outside) == {"precious": b"not yours"}
    assert contents(root) == {"d.old/a": b"old"}


def test_a_folder_that_becomes_a_link_in_the_midst_of_a_write_leads_nowhere(
    tree: LocalTree, root: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder was open by then, and stays the one that was meant."""
    (root / "d").mkdir()
    real = os.fsync

    def swap(fd: int) -> None:
        real(fd)
        if not (root / "d").is_symlink():
            (root / "d").rename(root / "moved")
            (root / "d").symlink_to(outside)

    monkeypatch.setattr(os, "fsync", swap)
    put(tree, "d/a", b"new")
    assert contents(outside) == {"precious": b"not yours"}
    assert contents(root) == {"moved/a": b"new"}


@pytest.mark.parametrize("place", [".ubiops-sync", TMP, ".ubiops-sync/trash", TRASH])
def test_a_control_directory_that_is_a_link_is_not_used(
    tree: LocalTree, root: Path, outside: Path, place: str
) -> None:
    write(root / "a", b"old")
    (root / place).parent.mkdir(parents=True, exist_ok=True)
    (root / place).symlink_to(outside)
    with pytest.raises(KeyFailure, match="on the way"):
        put(tree, "a", b"new", look(tree, "a"))
    tree.sweep()
    tree.flush(["a"])
    assert (root / "a").read_bytes() == b"old"
    assert contents(outside) == {"precious": b"not yours"}


# -- staging ---------------------------------------------------------------------------------------


class _Broken(BaseException):
    """What ends a program at once."""


def test_a_staged_file_is_gone_after_any_end_of_its_block(tree: LocalTree, root: Path) -> None:
    with tree.staging() as staged:
        staged.file.write(b"half")
        assert contents(root) == {f"{TMP}/{staged.name}": b"half"}
    assert contents(root) == {}
    with pytest.raises(_Broken), tree.staging():
        raise _Broken
    assert contents(root) == {}


def test_staged_files_are_private_and_do_not_share_names(tree: LocalTree, root: Path) -> None:
    with tree.staging() as one, tree.staging() as two:
        assert one.name != two.name
        assert len(contents(root)) == 2
        assert stat.S_IMODE((root / TMP).stat().st_mode) == 0o700


def test_a_failed_write_leaves_no_descriptor_open(tree: LocalTree, root: Path) -> None:
    write(root / "a", b"came")
    put(tree, "first", b"new")  # The folder of staged files stays open.
    before = open_files()
    for key in ("a", "a/b", "../x", "x" * 300):
        with pytest.raises((KeyFailure, OSError)):
            put(tree, key, b"new")
    put(tree, "d/e/f", b"new")
    assert open_files() == before


def test_a_sweep_removes_what_passes_of_the_same_profile_left_and_nothing_else(
    root: Path,
) -> None:
    leftovers = ["profile.PASS-1.0123", "profile.PASS-2.4567"]
    others = ["profile.x.PASS-1.0123", "profile-2.PASS-1.0123", "other.PASS-1.01", "by-hand.txt"]
    for name in leftovers + others:
        write(root / TMP / name, b"half")
    write(root / "profile.PASS-1.0123", b"a file of the user's")
    write(root / TRASH / "profile.PASS-1.0123", b"kept")
    with LocalTree(root, "profile", "PASS-3") as tree:
        tree.sweep()
    assert set(contents(root)) == {
        "profile.PASS-1.0123",
        f"{TRASH}/profile.PASS-1.0123",
        *(f"{TMP}/{name}" for name in others),
    }


def test_a_sweep_finds_what_staging_left(root: Path) -> None:
    with LocalTree(root, "a.b", "20260301T090507Z-abcdef") as dead, dead.staging() as staged:
        with LocalTree(root, "a", "PASS-2") as neighbour:
            neighbour.sweep()
        assert (root / TMP / staged.name).exists()
        with LocalTree(root, "a.b", "PASS-2") as heir:
            heir.sweep()
        assert not (root / TMP / staged.name).exists()


def test_a_sweep_of_a_root_that_has_nothing_to_sweep_makes_nothing(
    tree: LocalTree, root: Path
) -> None:
    tree.sweep()
    assert list(root.iterdir()) == []


def test_a_sweep_that_may_not_does_not_stop_the_pass(root: Path) -> None:
    write(root / TMP / "profile.PASS-1.0", b"half")
    root.chmod(0o755)
    (root / ".ubiops-sync").chmod(0o700 if os.geteuid() == 0 else 0)
    try:
        assert as_nobody(root, "tree.sweep(); print('went on')") == ["went on"]
    finally:
        (root / ".ubiops-sync").chmod(0o700)


# -- reading ---------------------------------------------------------------------------------------


def test_a_file_is_read_as_it_was_planned(tree: LocalTree, root: Path) -> None:
    write(root / "d/a", b"content")
    with tree.reading(look(tree, "d/a")) as reading:
        assert reading.file.read() == b"content"
        reading.check()


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changed_before_it_is_read_is_not_read(
    tree: LocalTree, root: Path, change: object
) -> None:
    write(root / "a", b"old!")
    planned = look(tree, "a")
    assert callable(change)
    change(root / "a")
    with pytest.raises(KeyFailure), tree.reading(planned):
        pytest.fail("it was opened")


def _append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def _truncate(path: Path) -> None:
    os.truncate(path, 1)


@pytest.mark.parametrize("change", [_append, _truncate, _edit, _touch])
def test_a_file_that_changes_while_it_is_read_is_not_relied_upon(
    tree: LocalTree, root: Path, change: object
) -> None:
    write(root / "a", b"old!")
    planned = look(tree, "a")
    assert callable(change)
    ended = False

    def read() -> None:
        nonlocal ended
        with tree.reading(planned) as reading:
            reading.file.read(1)
            change(root / "a")
            with pytest.raises(KeyFailure, match="while it was read"):
                reading.check()
            ended = True

    with pytest.raises(KeyFailure, match="while it was read"):
        read()
    assert ended


def test_a_file_that_is_replaced_while_it_is_read_is_read_whole(
    tree: LocalTree, root: Path
) -> None:
    """An atomic save leaves the version that was opened as it was; the next pass takes the new."""
    write(root / "a", b"old!")
    with tree.reading(look(tree, "a")) as reading:
        _save_aside(root / "a")
        assert reading.file.read() == b"old!"


def test_a_pipe_in_a_file_s_place_does_not_hold_the_pass(tree: LocalTree, root: Path) -> None:
    os.mkfifo(root / "pipe")
    with pytest.raises(KeyFailure), tree.reading(LocalEntry("pipe", 0, THEN_NS)):
        pytest.fail("it was opened")
    with pytest.raises(KeyFailure):
        tree.look("pipe")


def test_looking_tells_missing_from_unreadable(tree: LocalTree, root: Path) -> None:
    assert tree.look("a") is None
    assert tree.look("no/such/folder") is None
    (root / "d").mkdir()
    with pytest.raises(KeyFailure, match="folder"):
        tree.look("d")
    assert list(root.iterdir()) == [root / "d"]


# -- the trash for the bucket's losers -------------------------------------------------------------


def test_a_loser_from_the_bucket_is_kept_in_the_trash(tree: LocalTree, root: Path) -> None:
    write(root / "d/a", b"mine")
    with tree.staging() as staged:
        staged.file.write(b"theirs")
        tree.keep_in_trash(staged, "d/a")
    assert contents(root) == {"d/a": b"mine", f"{TRASH}/d/a": b"theirs"}


def test_a_loser_in_the_trash_is_not_overwritten_by_another(tree: LocalTree, root: Path) -> None:
    for expected, content in ((None, b"first"), (KeyFailure, b"second")):
        with tree.staging() as staged:
            staged.file.write(content)
            if expected is None:
                tree.keep_in_trash(staged, "a")
            else:
                with pytest.raises(expected, match="exists already"):
                    tree.keep_in_trash(staged, "a")
    assert contents(root) == {f"{TRASH}/a": b"first"}


@contextmanager
def durable(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[int]]:
    """The inodes that were flushed to disk in the block."""
    inodes: set[int] = set()
    real = os.fsync

    def spied(fd: int) -> None:
        inodes.add(os.fstat(fd).st_ino)
        real(fd)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", spied)
        yield inodes


def test_a_loser_is_durable_in_the_trash_before_the_bucket_s_copy_is_overwritten(
    tree: LocalTree, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with durable(monkeypatch) as inodes, tree.staging() as staged:
        staged.file.write(b"theirs")
        tree.keep_in_trash(staged, "d/a")
    chain = [root, *(root / TRASH / "d/a").relative_to(root).parents]
    for path in (*(root / part for part in chain), root / TRASH / "d/a"):
        assert path.stat().st_ino in inodes, path


# -- a second name ---------------------------------------------------------------------------------


def test_a_loser_gets_a_second_name_and_keeps_the_first(tree: LocalTree, root: Path) -> None:
    write(root / "d/a", b"mine")
    assert tree.copy_name(look(tree, "d/a"), "d/a.conflict")
    assert contents(root) == {"d/a": b"mine", "d/a.conflict": b"mine"}
    assert look(tree, "d/a.conflict").mtime_ns == THEN_NS


def test_a_pass_that_died_finds_the_second_name_that_it_gave(tree: LocalTree, root: Path) -> None:
    write(root / "a", b"mine")
    assert tree.copy_name(look(tree, "a"), "b")
    assert tree.copy_name(look(tree, "a"), "b")
    assert contents(root) == {"a": b"mine", "b": b"mine"}


def test_a_second_name_that_is_taken_is_not_taken_away(
    tree: LocalTree, root: Path, outside: Path
) -> None:
    write(root / "a", b"mine")
    write(root / "file", b"hers")
    write(root / "folder/x", b"hers")
    (root / "link").symlink_to(outside / "precious")
    before = contents(root)
    for name in ("file", "folder", "link"):
        assert not tree.copy_name(look(tree, "a"), name)
    assert contents(root) == before


def test_a_file_that_changed_gets_no_second_name(tree: LocalTree, root: Path) -> None:
    write(root / "a", b"mine")
    planned = look(tree, "a")
    _edit(root / "a")
    with pytest.raises(KeyFailure, match="changed during the pass"):
        tree.copy_name(planned, "b")
    assert contents(root) == {"a": b"edit"}


# -- a file system without hard links --------------------------------------------------------------


@pytest.fixture
def no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Linux answers on FAT: that the name is taken is said first."""

    def link(
        _src: str, dst: str, *, src_dir_fd: int, dst_dir_fd: int, follow_symlinks: bool
    ) -> None:
        try:
            os.stat(dst, dir_fd=dst_dir_fd, follow_symlinks=False)
        except FileNotFoundError:
            raise PermissionError(1, "Operation not permitted") from None
        raise FileExistsError(17, "File exists")

    monkeypatch.setattr(os, "link", link)
    refuse_no_replace(monkeypatch)


@pytest.mark.usefixtures("no_links")
def test_without_hard_links_nothing_is_lost(tree: LocalTree, root: Path) -> None:
    put(tree, "new", b"x")
    write(root / "d/a", b"old")
    put(tree, "d/a", b"new", look(tree, "d/a"))
    with tree.staging() as staged:
        staged.file.write(b"theirs")
        tree.keep_in_trash(staged, "b")
    assert contents(root) == {
        "new": b"x",
        "d/a": b"new",
        f"{TRASH}/d/a": b"old",
        f"{TRASH}/b": b"theirs",
    }


@pytest.mark.usefixtures("no_links")
def test_without_hard_links_nothing_that_came_meanwhile_is_overwritten(
    tree: LocalTree, root: Path
) -> None:
    write(root / "a", b"first")
    put(tree, "a", b"second", look(tree, "a"))
    with pytest.raises(KeyFailure, match="once a pass"):
        put(tree, "a", b"third", look(tree, "a"))
    with pytest.raises(KeyFailure):
        put(tree, "a", b"fourth")
    assert contents(root) == {"a": b"second", f"{TRASH}/a": b"first"}


@pytest.mark.usefixtures("no_links")
def test_without_hard_links_a_loser_is_copied_to_its_second_name(
    tree: LocalTree, root: Path
) -> None:
    content = os.urandom(3_000_000)
    write(root / "d/a", content)
    (root / "d/a").chmod(0o600)
    for _ in range(2):
        assert tree.copy_name(look(tree, "d/a"), "e/b")
    assert contents(root) == {"d/a": content, "e/b": content}
    assert look(tree, "e/b") == look(tree, "d/a")._replace(key="e/b")
    assert stat.S_IMODE((root / "e/b").stat().st_mode) == 0o600
    write(root / "taken", b"hers")
    assert not tree.copy_name(look(tree, "d/a"), "taken")


# -- durability ------------------------------------------------------------------------------------


def test_names_are_durable_before_they_are_recorded(
    tree: LocalTree, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root / "d/e/a", b"old")
    put(tree, "d/e/a", b"new", look(tree, "d/e/a"))
    with durable(monkeypatch) as inodes:
        tree.flush(["d/e/a"])
    for folder in ("", "d", "d/e", TRASH, f"{TRASH}/d", f"{TRASH}/d/e"):
        assert (root / folder).stat().st_ino in inodes, folder


def test_a_folder_that_is_gone_or_replaced_by_then_does_not_stop_the_pass(
    tree: LocalTree, root: Path, outside: Path
) -> None:
    write(root / "file", b"x")
    (root / "link").symlink_to(outside)
    tree.flush(["gone/a", "file/a", "link/a", "a"])
    assert (root / "file").read_bytes() == b"x"
    assert not (root / "gone").exists()


def test_a_disk_that_fails_to_flush_is_not_passed_over(
    tree: LocalTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_fd: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="Input/output"):
        tree.flush(["a"])


# -- many at once ----------------------------------------------------------------------------------


def test_many_threads_write_below_folders_that_none_of_them_made(
    tree: LocalTree, root: Path
) -> None:
    names = [f"d{number % 3}/e{number % 2}/{number}" for number in range(60)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: put(tree, key, key.encode()), names))
    assert contents(root) == {key: key.encode() for key in names}


def test_of_two_that_write_a_new_key_one_wins_and_the_other_is_told(
    tree: LocalTree, root: Path
) -> None:
    barrier = threading.Barrier(4)

    def race(content: bytes) -> bytes | None:
        barrier.wait()
        try:
            put(tree, "a", content)
        except KeyFailure:
            return None
        return content

    for _ in range(10):
        with ThreadPoolExecutor(4) as pool:
            winners = [one for one in pool.map(race, [b"1", b"2", b"3", b"4"]) if one]
        assert winners == [(root / "a").read_bytes()]
        (root / "a").unlink()
    assert contents(root) == {}


# -- the root --------------------------------------------------------------------------------------


def test_a_root_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "file", b"x")
    for name in ("file", "missing"):
        with pytest.raises(OSError, match="directory"):
            LocalTree(tmp_path / name, "profile", "PASS")


def test_a_root_that_is_moved_away_in_mid_pass_takes_its_files_along(
    root: Path, tmp_path: Path
) -> None:
    with LocalTree(root, "profile", "PASS") as tree:
        root.rename(tmp_path / "moved")
        root.mkdir()
        put(tree, "a", b"new")
    assert contents(root) == {}
    assert contents(tmp_path / "moved") == {"a": b"new"}


@pytest.mark.parametrize(("mode", "writable"), [(0o777, True), (0o755, False), (0o766, False)])
def test_whether_the_root_may_be_written_to_is_told_before_anything_is_planned(
    root: Path, mode: int, writable: bool
) -> None:
    root.chmod(mode if os.geteuid() == 0 else mode & 0o577 if not writable else mode)
    try:
        assert as_nobody(root, "print(tree.is_writable())") == [str(writable)]
    finally:
        root.chmod(0o700)


@pytest.mark.parametrize("name", ["../../secret", "../tmp/x", "/etc/passwd"])
def test_a_staged_file_of_before_is_none_that_stands_elsewhere(
    tree: LocalTree, root: Path, name: str
) -> None:
    write(root / "secret", b"mine")
    with tree.staging(name) as staged:
        staged.file.write(b"overwritten")
        assert staged.name != name
    assert contents(root) == {"secret": b"mine"}
