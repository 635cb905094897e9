"""Links that are followed: within the root, never in a circle, and never written through."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.folders import contents, open_files
from ubiops_file_sync.errors import KeyFailure
from ubiops_file_sync.keys import CONTROL_DIR
from ubiops_file_sync.local import LocalTree, Wanted
from ubiops_file_sync.model import LocalEntry, LocalItem, Symlinks, Unknown


@pytest.fixture
def tree(root: Path) -> Iterator[LocalTree]:
    before = open_files()
    with LocalTree(root, "profile", "PASS", symlinks=Symlinks.FOLLOW) as opened:
        yield opened
    assert open_files() == before


def fill(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def link(root: Path, name: str, target: str | Path) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def walked(tree: LocalTree) -> list[LocalItem]:
    items = list(tree.walk(Wanted()))
    keys = [item.key for item in items]
    assert keys == sorted(set(keys))
    return items


def read_all(tree: LocalTree) -> dict[str, str]:
    """What every file that the walk tells of holds, read as for an upload."""
    found = {}
    for item in walked(tree):
        if isinstance(item, LocalEntry):
            assert tree.look(item.key) == item
            with tree.reading(item) as reading:
                found[item.key] = reading.file.read().decode()
    return found


def troubles(tree: LocalTree) -> dict[str, str]:
    return {
        item.key: item.reason
        for item in walked(tree)
        if isinstance(item, Unknown) and item.is_problem
    }


# -- what is followed ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["relative", "absolute", "through the root's other name"])
def test_a_link_is_read_as_what_it_leads_to(root: Path, tmp_path: Path, kind: str) -> None:
    fill(root, "data/v2/a", "data/v2/d/b")
    (tmp_path / "alias").symlink_to(root)
    start = {"relative": "data", "absolute": root / "data"}.get(kind, tmp_path / "alias" / "data")
    link(root, "current", f"{start}/v2")
    link(root, "file", f"{start}/v2/a")
    with LocalTree(tmp_path / "alias", "profile", "PASS", symlinks=Symlinks.FOLLOW) as tree:
        assert read_all(tree) == {
            "current/a": "data/v2/a",
            "current/d/b": "data/v2/d/b",
            "data/v2/a": "data/v2/a",
            "data/v2/d/b": "data/v2/d/b",
            "file": "data/v2/a",
        }
        assert troubles(tree) == {}


TARGETS = ["../x/./a", "../x//a", "b/../../x/a", "../up/x/a", "../y/self"]


@pytest.mark.parametrize("target", TARGETS)
def test_a_link_leads_where_the_kernel_says(root: Path, tree: LocalTree, target: str) -> None:
    fill(root, "x/a", "y/b/c")
    link(root, "y/self", "../x/a")
    link(root, "z/up", "..")
    link(root, "up", "z/up")
    link(root, "y/link", target)
    assert (root / "y/link").read_text() == "x/a"
    assert read_all(tree)["y/link"] == "x/a"


def test_a_link_in_a_followed_folder_starts_where_it_really_stands(
    root: Path, tree: LocalTree
) -> None:
    fill(root, "a/b/c", "a/n")
    link(root, "a/b/up", "../n")
    link(root, "d", "a/b")
    assert read_all(tree)["d/up"] == "a/n"


def test_a_link_sorts_as_what_it_leads_to(root: Path, tree: LocalTree) -> None:
    fill(root, "real/x", "l-", "l0", "file")
    link(root, "l", "real")
    assert list(read_all(tree)) == ["file", "l-", "l/x", "l0", "real/x"]


def test_links_are_left_alone_unless_asked_for(root: Path) -> None:
    fill(root, "a")
    link(root, "b", "a")
    with LocalTree(root, "profile", "PASS") as tree:
        assert list(read_all(tree)) == ["a"]
        with pytest.raises(KeyFailure, match="a link"):
            tree.look("b")


# -- what is not -----------------------------------------------------------------------------------

REFUSED = [
    pytest.param("../outside/precious", "leads out", id="a file outside"),
    pytest.param("../outside", "leads out", id="a folder outside"),
    pytest.param("..", "leads out", id="the folder above the root"),
    pytest.param("../root", "leads out", id="out and in again"),
    pytest.param("/", "leads out", id="the root of all"),
    pytest.param("/etc/hostname", "leads out", id="an absolute path"),
    pytest.param("nowhere", "not there", id="nothing"),
    pytest.param("a/b", "not there", id="below a file"),
    pytest.param("a/", "not there", id="a file with a slash"),
    pytest.param("link", "leads back", id="itself"),
    pytest.param(".", "leads back", id="the root"),
    pytest.param(f"{CONTROL_DIR}/trash", "its own files", id="the trash"),
    pytest.param(f"d/../{CONTROL_DIR}", "its own files", id="the control directory"),
]


@pytest.mark.parametrize(("target", "reason"), REFUSED)
@pytest.mark.usefixtures("outside")
def test_a_link_that_is_not_followed_is_unknown(
    root: Path, tree: LocalTree, target: str, reason: str
) -> None:
    fill(root, "a", "d/x", f"{CONTROL_DIR}/trash/1/a")
    link(root, "link", target)
    assert list(read_all(tree)) == ["a", "d/x"]
    assert list(troubles(tree)) == ["link"]
    assert reason in troubles(tree)["link"]
    unknown = [item for item in walked(tree) if isinstance(item, Unknown)]
    assert [one.key for one in unknown] == ["link", "link/"]
    if target not in {"."}:
        with pytest.raises(KeyFailure):
            tree.look("link")


@pytest.mark.usefixtures("outside")
def test_a_root_whose_name_another_begins_with_is_another(root: Path, tree: LocalTree) -> None:
    (root.parent / "root2").mkdir()
    fill(root.parent / "root2", "a")
    link(root, "link", root.parent / "root2" / "a")
    link(root, "dots", f"{root}/../outside/precious")
    assert read_all(tree) == {}
    assert set(troubles(tree)) == {"dots", "link"}


def test_folders_that_hold_links_to_each_other_come_to_an_end(root: Path, tree: LocalTree) -> None:
    fill(root, "x/a", "y/b")
    link(root, "x/to", "../y")
    link(root, "y/to", "../x")
    assert list(read_all(tree)) == ["x/a", "x/to/b", "y/b", "y/to/a"]
    assert list(troubles(tree)) == ["x/to/to", "y/to/to"]


def test_a_link_into_the_way_that_leads_to_it_comes_to_an_end(root: Path, tree: LocalTree) -> None:
    fill(root, "p/q/a")
    link(root, "x/l", "../p/q")
    link(root, "p/q/m", "..")
    keys = list(read_all(tree))
    assert "x/l/m/q/a" in keys
    assert len(keys) < 10
    assert all("leads back" in reason for reason in troubles(tree).values())


def test_a_chain_of_links_without_end_is_not_followed_for_ever(root: Path, tree: LocalTree) -> None:
    link(root, "a", "b")
    link(root, "b", "a")
    for number in range(45):
        link(root, f"c{number:02}", f"c{number + 1:02}")
    fill(root, "c45")
    assert min(key for key in read_all(tree)) == "c05"
    assert "leads back" in troubles(tree)["a"]
    assert "leads back" in troubles(tree)["c00"]


# -- while others are at work ----------------------------------------------------------------------


def test_a_folder_swapped_for_a_link_between_two_steps_leads_nowhere_else(
    root: Path, outside: Path, tree: LocalTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(root, "d/precious")
    link(root, "link", "d/precious")
    real = os.stat
    swapped = False

    def swapping(path, *args, **kwargs):  # type: ignore[no-untyped-def]
        nonlocal swapped
        status = real(path, *args, **kwargs)
        if path == "d" and not swapped:
            swapped = True
            (root / "d").rename(root / "old")
            (root / "d").symlink_to(outside)
        return status

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", swapping)
        with pytest.raises(KeyFailure):
            tree.look("link")
    assert swapped


def test_a_link_that_is_led_elsewhere_before_it_is_read_is_refused(
    root: Path, outside: Path, tree: LocalTree
) -> None:
    fill(root, "a", "bb")
    link(root, "link", "a")
    entry = tree.look("link")
    assert entry is not None
    for target in ("bb", outside / "precious", "nowhere"):
        (root / "link").unlink()
        link(root, "link", target)
        with pytest.raises(KeyFailure), tree.reading(entry):
            pass


def test_a_folder_that_became_a_link_on_the_walk_is_not_a_circle(
    root: Path, tree: LocalTree
) -> None:
    fill(root, "a", "d/x")
    walk = tree.walk(Wanted())
    assert next(walk).key == "a"
    (root / "d/x").unlink()
    (root / "d").rmdir()
    link(root, "d", ".")
    (last,) = list(walk)
    assert isinstance(last, Unknown)
    assert (last.key, last.is_problem) == ("d/", True)


# -- nothing is written through a link -------------------------------------------------------------


def test_nothing_is_written_or_removed_through_a_link(root: Path, tree: LocalTree) -> None:
    fill(root, "real/x")
    link(root, "folder", "real")
    link(root, "file", "real/x")
    before = contents(root)
    for key in ("folder/x", "file", "folder/new"):
        entry = tree.look(key)
        with pytest.raises(KeyFailure):
            tree.check_place(key, entry)
        with tree.staging() as staged:
            staged.file.write(b"new")
            with pytest.raises(KeyFailure):
                tree.commit(staged, key, entry, 0)
        if entry is not None:
            with pytest.raises(KeyFailure):
                tree.remove(entry)
            with pytest.raises(KeyFailure):
                tree.copy_name(entry, "copy")
    assert contents(root) == before
    assert (root / "file").is_symlink()


def test_what_is_missing_from_a_followed_folder_is_missing(root: Path, tree: LocalTree) -> None:
    fill(root, "real/x")
    link(root, "folder", "real")
    assert tree.look("folder/new") is None
    assert tree.look("folder/d/new") is None
    with pytest.raises(KeyFailure, match="'x' on the way to it is a file"):
        tree.look("folder/x/new")


def test_a_place_is_good_that_nothing_stands_in(root: Path, tree: LocalTree) -> None:
    fill(root, "a")
    entry = tree.look("a")
    tree.check_place("a", entry)
    tree.check_place("b", None)
    tree.check_place("d/e/f", None)
    with pytest.raises(KeyFailure, match="changed during the pass"):
        tree.check_place("a", None)
    with pytest.raises(KeyFailure, match="changed during the pass"):
        tree.check_place("b", entry)


@pytest.mark.parametrize("key", ["../outside/precious", "d/../a", "d//a", "/a", ""])
@pytest.mark.usefixtures("outside")
def test_an_odd_key_leads_nowhere(root: Path, tree: LocalTree, key: str) -> None:
    fill(root, "a", "d/a")
    with pytest.raises(KeyFailure, match="a part of the name"):
        tree.look(key)
