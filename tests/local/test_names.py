"""Names that a file system takes for one, though they are two keys."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.folders import contents, refuse_no_replace
from ubiops_file_sync.errors import KeyFailure
from ubiops_file_sync.local import LocalTree


def fold(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def standing(name: Any, dir_fd: int | None, folded: Callable[[str], str]) -> Any:
    """The name under which a folding file system would find `name`."""
    if not isinstance(name, str) or dir_fd is None or name in {".", ".."}:
        return name
    matches = (one for one in os.listdir(dir_fd) if folded(one) == folded(name))
    return next(matches, name)


def folding(patch: pytest.MonkeyPatch, folded: Callable[[str], str]) -> None:
    """Let every look-up of a name below a descriptor find it by its folded form."""

    def with_dir_fd(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(name: Any, *args: Any, dir_fd: int | None = None, **kwargs: Any) -> Any:
            return real(standing(name, dir_fd, folded), *args, dir_fd=dir_fd, **kwargs)

        return call

    def with_two(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(old: str, new: str, **kwargs: Any) -> Any:
            old = standing(old, kwargs.get("src_dir_fd"), folded)
            new = standing(new, kwargs.get("dst_dir_fd"), folded)
            return real(old, new, **kwargs)

        return call

    for name in ("stat", "open", "mkdir", "unlink"):
        patch.setattr(os, name, with_dir_fd(getattr(os, name)))
    for name in ("link", "rename"):
        patch.setattr(os, name, with_two(getattr(os, name)))
    refuse_no_replace(patch)  # It asks the kernel itself, which folds nothing here.


@pytest.fixture
def folds(monkeypatch: pytest.MonkeyPatch) -> None:
    folding(monkeypatch, fold)


def put(tree: LocalTree, key: str, content: bytes = b"new") -> None:
    with tree.staging() as staged:
        staged.file.write(content)
        tree.commit(staged, key, None, 0)


def files(root: Path) -> dict[str, bytes]:
    return {key: data for key, data in contents(root).items() if not key.startswith(".ubiops")}


TWINS = [
    pytest.param("Readme", "README", id="case"),
    pytest.param("caf\u00e9", "cafe\u0301", id="composition"),
    pytest.param("d/Straße", "d/STRASSE", id="a letter that is two in capitals"),
]


@pytest.mark.usefixtures("folds")
@pytest.mark.parametrize(("one", "other"), TWINS)
def test_the_second_of_two_names_that_are_one_is_refused(
    root: Path, tree: LocalTree, one: str, other: str
) -> None:
    put(tree, one, b"first")
    name = one.rpartition("/")[2]
    with pytest.raises(KeyFailure, match=f"does not tell .* from {name!r}, which stands here"):
        put(tree, other)
    with pytest.raises(KeyFailure, match="does not tell"):
        tree.check_place(other, None)
    assert files(root) == {one: b"first"}
    assert tree.look(one) is not None
    assert tree.look(other) is None


@pytest.mark.usefixtures("folds")
def test_a_folder_of_another_case_is_another_folder(root: Path, tree: LocalTree) -> None:
    put(tree, "d/e/a", b"first")
    for key in ("D/e/b", "d/E/b", "D"):
        with pytest.raises(KeyFailure, match="does not tell"):
            put(tree, key)
    put(tree, "d/e/b")
    assert files(root) == {"d/e/a": b"first", "d/e/b": b"new"}
    with pytest.raises(KeyFailure, match="does not tell"):
        tree.check_place("D/e/b", None)


@pytest.mark.usefixtures("folds")
def test_a_file_is_replaced_under_its_own_name(root: Path, tree: LocalTree) -> None:
    put(tree, "Readme", b"first")
    entry = tree.look("Readme")
    with tree.staging() as staged:
        staged.file.write(b"second")
        tree.commit(staged, "Readme", entry, 0)
    assert files(root) == {"Readme": b"second"}


@pytest.mark.usefixtures("folds")
def test_a_name_that_comes_at_the_last_moment_is_told_of_too(
    root: Path, tree: LocalTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.link

    def late(*args: Any, **kwargs: Any) -> None:
        (root / "README").write_bytes(b"came")
        real(*args, **kwargs)

    monkeypatch.setattr(os, "link", late)
    with pytest.raises(KeyFailure, match="does not tell 'Readme' from 'README'"):
        put(tree, "Readme")
    assert files(root) == {"README": b"came"}


def test_where_only_composition_is_folded_names_are_refused_too(
    root: Path, tree: LocalTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    folding(monkeypatch, lambda name: unicodedata.normalize("NFC", name))
    put(tree, "caf\u00e9", b"first")
    put(tree, "README")
    put(tree, "Readme")
    with pytest.raises(KeyFailure, match="does not tell"):
        put(tree, "cafe\u0301")
    assert len(files(root)) == 3


def test_where_names_are_told_apart_all_of_them_are_taken(root: Path, tree: LocalTree) -> None:
    for key in ("Readme", "README", "d/a", "D/a", "caf\u00e9", "cafe\u0301"):
        put(tree, key, key.encode())
    assert files(root) == {
        key: key.encode() for key in ("Readme", "README", "d/a", "D/a", "caf\u00e9", "cafe\u0301")
    }
    with pytest.raises(KeyFailure, match="changed during the pass"):
        put(tree, "Readme")


def test_a_folder_that_only_looks_like_the_control_directory_folds_nothing(
    root: Path, tree: LocalTree
) -> None:
    (root / ".UBIOPS-SYNC").mkdir()
    put(tree, "d/a")
    put(tree, "D/a")
    assert set(files(root)) == {"d/a", "D/a"}
