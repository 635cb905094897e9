"""The local walk: complete, in order, never out of the root, and never silent about a gap."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys.strategies import unhurried
from local.folders import as_nobody, contents, open_files
from ubiops_file_sync.local import LocalTree, scan
from ubiops_file_sync.model import LocalEntry, LocalItem, Unknown


def walked(root: Path) -> list[LocalItem]:
    with _opened(root) as fd:
        return list(scan(fd))


@contextmanager
def _opened(root: Path) -> Iterator[int]:
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield fd
    finally:
        os.close(fd)


def found_keys(root: Path) -> list[str]:
    entries = walked(root)
    assert all(isinstance(entry, LocalEntry) for entry in entries), entries
    return [entry.key for entry in entries]


def fill(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


# -- complete and in order -------------------------------------------------------------------------

_parts = st.one_of(
    st.sampled_from(
        ["a", "a-", "a.", "a.b", "a0", "a ", "a\n", "-", "0", " ", "\n", "é", "😀", "~"]
    ),
    st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=6
    ).filter(lambda name: name not in {".", ".."}),
)


@settings(unhurried, max_examples=120)
@given(st.sets(st.lists(_parts, min_size=1, max_size=4).map("/".join), max_size=15))
def test_the_walk_tells_every_file_once_in_the_order_of_its_bytes(names: set[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in sorted(names):
            with suppress(FileExistsError, NotADirectoryError, IsADirectoryError):
                fill(root, name)
        expected = {
            os.path.relpath(os.path.join(above, name), os.fsencode(folder))
            for above, _, files in os.walk(os.fsencode(folder))
            for name in files
        }
        assert [key.encode() for key in found_keys(root)] == sorted(expected)


def test_a_folder_sorts_by_its_name_and_a_slash(root: Path) -> None:
    fill(root, "a/x", "a-b", "a.txt", "a0", "a!/x")
    assert found_keys(root) == ["a!/x", "a-b", "a.txt", "a/x", "a0"]


def test_an_entry_tells_size_and_time(root: Path) -> None:
    (root / "a").write_bytes(b"12345")
    os.utime(root / "a", ns=(1, 1_700_000_000_123_456_789))
    assert walked(root) == [LocalEntry("a", 5, 1_700_000_000_123_456_789)]


IMPOSSIBLE_TIMES_S = [0, -1, -(2**31), 10**10, 15 * 10**9]


@pytest.mark.parametrize("seconds", IMPOSSIBLE_TIMES_S)
def test_a_file_with_an_impossible_time_is_told_of_in_64_bits(root: Path, seconds: int) -> None:
    (root / "a").write_bytes(b"1")
    os.utime(root / "a", ns=(0, seconds * 10**9))
    (entry,) = walked(root)
    assert isinstance(entry, LocalEntry)
    assert -(2**63) <= entry.mtime_ns < 2**63


def test_an_empty_root_and_empty_folders_hold_nothing(root: Path) -> None:
    assert found_keys(root) == []
    (root / "a/b").mkdir(parents=True)
    assert found_keys(root) == []


def test_the_control_directory_is_never_told_of(root: Path) -> None:
    fill(root, ".ubiops-sync/trash/1/a", ".ubiops-sync/tmp/b", "a", ".ubiops-sync2/c")
    assert found_keys(root) == [".ubiops-sync2/c", "a"]


def test_the_control_directory_of_a_root_further_down_is_never_told_of(root: Path) -> None:
    fill(root, "a/.ubiops-sync/b", "a/c")
    assert found_keys(root) == ["a/c"]


def test_two_hundred_folders_deep(root: Path) -> None:
    deep = "/".join(["d"] * 200)
    fill(root, f"{deep}/x", "d/y")
    before = open_files()
    assert found_keys(root) == [f"{deep}/x", "d/y"]
    assert open_files() == before


def test_walks_of_one_root_at_the_same_time_are_all_complete(root: Path) -> None:
    """They share its descriptor, but must not share the place where they read."""
    fill(root, *[f"{number:04}" for number in range(1500)])
    with LocalTree(root, "profile", "PASS") as tree, ThreadPoolExecutor(8) as pool:
        walks = [pool.submit(lambda: len(list(tree.scan()))) for _ in range(24)]
        assert {walk.result() for walk in walks} == {1500}


# -- links and specials ----------------------------------------------------------------------------


def test_links_are_not_followed_wherever_they_lead(root: Path, outside: Path) -> None:
    fill(root, "real/x")
    targets = {
        "to-file": outside / "precious",
        "to-folder": outside,
        "dangling": root / "nowhere",
        "loop": root,
        "self": root / "self",
        "inside": root / "real",
    }
    for name, target in targets.items():
        (root / name).symlink_to(target)
    entries = walked(root)
    assert [entry.key for entry in entries if isinstance(entry, LocalEntry)] == ["real/x"]
    unknown = [entry for entry in entries if isinstance(entry, Unknown)]
    assert {entry.key for entry in unknown} == {
        name + suffix for name in targets for suffix in ("", "/")
    }
    assert not any(entry.is_problem for entry in unknown)
    assert [entry.key for entry in entries] == sorted(entry.key for entry in entries)


def test_a_link_covers_whatever_it_may_once_have_been(root: Path, outside: Path) -> None:
    (root / "a").symlink_to(outside)
    unknown = [entry for entry in walked(root) if isinstance(entry, Unknown)]
    for key, covered in {"a": True, "a/b": True, "a/b/c": True, "ab": False, "a-": False}.items():
        assert any(one.covers(key) for one in unknown) is covered


def test_the_root_itself_may_be_a_link(root: Path, tmp_path: Path) -> None:
    fill(root, "a")
    (tmp_path / "link").symlink_to(root)
    with LocalTree(tmp_path / "link", "profile", "PASS") as tree:
        assert [entry.key for entry in tree.scan()] == ["a"]


def test_pipes_and_sockets_are_left_alone_in_silence(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(root / "pipe")
    monkeypatch.chdir(root)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        entries = walked(root)
    assert [(entry.key, isinstance(entry, Unknown)) for entry in entries] == [
        ("pipe", True),
        ("socket", True),
    ]
    assert not any(isinstance(entry, Unknown) and entry.is_problem for entry in entries)


# -- what cannot be read ---------------------------------------------------------------------------

PRINT_ALL = "for entry in tree.scan(): print(type(entry).__name__, entry.key)"


def test_a_folder_that_may_not_be_read_is_unknown_and_the_rest_is_told(root: Path) -> None:
    fill(root, "a", "shut/x", "shut/y/z", "z")
    root.chmod(0o755)
    (root / "shut").chmod(0)
    try:
        lines = as_nobody(root, PRINT_ALL)
    finally:
        (root / "shut").chmod(0o755)
    assert lines == ["LocalEntry a", "Unknown shut/", "LocalEntry z"]


def test_a_folder_whose_files_may_not_be_looked_at_is_not_empty(root: Path) -> None:
    """Read but not search permission: names are told, and nothing else."""
    fill(root, "shut/x", "shut/y/z")
    root.chmod(0o755)
    (root / "shut").chmod(0o744)
    try:
        lines = as_nobody(root, PRINT_ALL)
    finally:
        (root / "shut").chmod(0o755)
    assert lines == ["Unknown shut/x", "Unknown shut/x/", "Unknown shut/y/"]


def test_a_root_that_may_not_be_read_halts_and_is_no_empty_folder(root: Path) -> None:
    fill(root, "a")
    root.chmod(0o700)
    code = """
before = len(os.listdir("/proc/self/fd"))
try:
    list(tree.scan())
except Exception as error:
    print(type(error).__name__, "(permission denied)" in str(error))
    print(len(os.listdir("/proc/self/fd")) - before)
"""
    if os.geteuid() != 0:
        root.chmod(0o300)
    try:
        assert as_nobody(root, code) == ["SafetyHalt True", "0"]
    finally:
        root.chmod(0o700)


def test_names_that_are_no_utf_8_are_unknown_and_hide_no_others(root: Path) -> None:
    raw = os.fsencode(root)
    for name in (b"caf\xe9", b"caf\xe8", b"ok"):
        Path(os.fsdecode(raw + b"/" + name)).write_bytes(b"")
    folder = Path(os.fsdecode(raw + b"/d\xff"))
    folder.mkdir()
    (folder / "x").write_bytes(b"")
    (root / "caf\N{REPLACEMENT CHARACTER}").write_bytes(b"")
    entries = walked(root)
    told = [entry.key for entry in entries if isinstance(entry, LocalEntry)]
    unknown = [entry for entry in entries if isinstance(entry, Unknown)]
    assert sorted(told) == ["caf\N{REPLACEMENT CHARACTER}", "ok"]
    assert len(unknown) == 3
    assert all(entry.is_problem and "UTF-8" in entry.reason for entry in unknown)
    assert not any(one.covers(key) for one in unknown for key in told)


# -- a folder in motion ----------------------------------------------------------------------------


def test_a_folder_that_goes_in_mid_walk_is_unknown_and_no_trouble(root: Path) -> None:
    fill(root, "a", "b/x", "c")
    with LocalTree(root, "profile", "PASS") as tree:
        walk = tree.scan()
        assert next(walk).key == "a"
        shutil.rmtree(root / "b")
        rest = list(walk)
    assert [entry.key for entry in rest] == ["b/", "c"]
    assert isinstance(rest[0], Unknown)
    assert not rest[0].is_problem, "temporary folders come and go"


def test_a_folder_that_becomes_a_link_in_mid_walk_is_not_followed(
    root: Path, outside: Path
) -> None:
    fill(root, "a", "b/x")
    with LocalTree(root, "profile", "PASS") as tree:
        walk = tree.scan()
        next(walk)
        shutil.rmtree(root / "b")
        (root / "b").symlink_to(outside)
        (rest,) = list(walk)
    assert isinstance(rest, Unknown)
    assert rest.covers("b/precious")


def test_a_folder_that_is_moved_away_in_mid_walk_is_walked_where_it_was(root: Path) -> None:
    fill(root, "b/x", "b/y/z")
    with LocalTree(root, "profile", "PASS") as tree:
        walk = tree.scan()
        assert next(walk).key == "b/x"
        (root / "b").rename(root / "a")
        assert [entry.key for entry in walk] == ["b/y/z"]


def test_a_file_that_goes_while_its_folder_is_read_is_missing(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(root, "a", "b")
    real = os.scandir

    @contextmanager
    def slow(fd: int) -> Iterator[list[os.DirEntry[str]]]:
        with real(fd) as entries:
            seen = list(entries)
        (root / "a").unlink(missing_ok=True)
        yield seen

    monkeypatch.setattr(os, "scandir", slow)
    assert found_keys(root) == ["b"]


# -- descriptors -----------------------------------------------------------------------------------


def test_a_walk_that_is_left_off_leaves_nothing_open(root: Path) -> None:
    fill(root, "/".join(["d"] * 50) + "/x", "e/x")
    before = open_files()
    walk = walk_of(root)
    next(walk)
    assert open_files() > before + 50
    walk.close()
    assert open_files() == before


def walk_of(root: Path) -> Generator[LocalItem, None, None]:
    with _opened(root) as fd:
        yield from scan(fd)


def test_a_walk_without_enough_descriptors_tells_a_gap_and_ends(root: Path) -> None:
    deep = "/".join(["d"] * 100)
    fill(root, "a", f"{deep}/x", "e/x")
    root.chmod(0o755)
    code = f"""
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
for entry in tree.scan():
    gap = getattr(entry, "is_problem", False) and entry.covers({deep + "/x"!r})
    print("a gap" if gap else entry.key)
"""
    assert as_nobody(root, code) == ["a", "a gap", "e/x"]


def test_looking_changes_nothing(root: Path) -> None:
    fill(root, "a", "b/c")
    before = (contents(root), {path: path.stat().st_mtime_ns for path in root.rglob("*")})
    walked(root)
    assert (contents(root), {path: path.stat().st_mtime_ns for path in root.rglob("*")}) == before
