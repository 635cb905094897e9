"""Ignore files and hidden folders on the walk: heeded in time, and never taken for missing."""

from __future__ import annotations

import os
import re
import tracemalloc
from pathlib import Path

import pytest

from local.folders import as_nobody, open_files
from ubiops_file_sync.errors import SafetyHalt
from ubiops_file_sync.keys import IGNORE_FILE
from ubiops_file_sync.local import LocalTree, Wanted
from ubiops_file_sync.model import FolderRules, LocalEntry, LocalItem, Unknown
from ubiops_file_sync.plan import Filters, Scope


def walked(tree: LocalTree, filters: Filters | None = None) -> list[LocalItem]:
    filters = filters or Filters()
    return list(tree.walk(Wanted(Scope(filters), filters.ready_file)))


def keys_of(items: list[LocalItem]) -> list[str]:
    return [item.key for item in items if isinstance(item, LocalEntry)]


def fill(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def ignore(root: Path, folder: str, content: str | bytes) -> None:
    (root / folder).mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    (root / folder / IGNORE_FILE).write_bytes(data)


def only_trouble(items: list[LocalItem]) -> Unknown:
    (trouble,) = (item for item in items if isinstance(item, Unknown))
    assert trouble.is_problem
    return trouble


def test_a_folders_rules_come_before_all_that_is_in_it(root: Path, tree: LocalTree) -> None:
    ignore(root, "d", "x\n\n!y\r\n# z")
    fill(root, "d/!a", "d-", "d0", "d/e/f")
    items = walked(tree)
    assert [item.key for item in items] == ["d-", "d/", "d/!a", f"d/{IGNORE_FILE}", "d/e/f", "d0"]
    assert items[1] == FolderRules("d/", ("x", "", "!y", "# z"), ready=False)
    assert [item.key for item in items] == sorted(item.key for item in items)


def test_the_root_has_rules_of_its_own(root: Path, tree: LocalTree) -> None:
    ignore(root, "", "a")
    fill(root, "!")
    assert walked(tree)[0] == FolderRules("", ("a",), ready=False)


def test_a_byte_order_mark_is_no_part_of_a_pattern(root: Path, tree: LocalTree) -> None:
    ignore(root, "", b"\xef\xbb\xbfa/")
    fill(root, "a/b", "c")
    assert keys_of(walked(tree)) == [IGNORE_FILE, "c"]


def test_a_hidden_folder_is_not_walked(root: Path, tree: LocalTree) -> None:
    ignore(root, "d", "skip/")
    fill(root, "skip/a", "d/skip/a", "d/keep/a")
    os.mkfifo(root / "skip" / "pipe")
    ignore(root, "skip", b"\xff")
    assert keys_of(walked(tree, Filters.of(exclude=["/skip"]))) == [
        f"d/{IGNORE_FILE}",
        "d/keep/a",
    ]


def test_what_cannot_be_read_in_a_hidden_folder_troubles_nobody(root: Path) -> None:
    fill(root, "a", "no/a")
    (root / "no").chmod(0)
    root.chmod(0o755)
    code = """
from ubiops_file_sync.local import Wanted
from ubiops_file_sync.plan import Filters, Scope
for exclude in ([], ["no"]):
    scope = Scope(Filters.of(exclude=exclude))
    print([type(item).__name__ + " " + item.key for item in tree.walk(Wanted(scope))])
"""
    assert as_nobody(root, code) == ["['LocalEntry a', 'Unknown no/']", "['LocalEntry a']"]


def test_what_is_unknown_and_hidden_is_not_told_of(root: Path, tree: LocalTree) -> None:
    (root / "link").symlink_to("nowhere")
    assert len(walked(tree)) == 2
    assert walked(tree, Filters.of(exclude=["link"])) == []
    (left,) = walked(tree, Filters.of(exclude=["link/"]))
    assert left.key == "link"


UNUSABLE = [
    pytest.param(b"a\xff", "is not UTF-8 text", id="not UTF-8"),
    pytest.param("a\n[z-a]", r"line 2 \('\[z-a\]'\) cannot be read", id="a malformed line"),
    pytest.param("a\n" * (1 << 19) + "b", "is larger than 1 MiB", id="too large"),
]


@pytest.mark.parametrize(("content", "expected"), UNUSABLE)
def test_an_unusable_ignore_file_makes_its_folder_unknown(
    root: Path, tree: LocalTree, content: str | bytes, expected: str
) -> None:
    ignore(root, "d", content)
    fill(root, "d/a", "d/e/a", "f")
    items = walked(tree)
    trouble = only_trouble(items)
    assert trouble.key == "d/"
    assert re.search(expected, trouble.reason)
    assert keys_of(items) == ["f"]


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_an_ignore_file_must_be_a_file(root: Path, tree: LocalTree, kind: str) -> None:
    (root / "d").mkdir()
    place = root / "d" / IGNORE_FILE
    if kind == "link":
        fill(root, "rules")
        place.symlink_to("../rules")
    elif kind == "folder":
        place.mkdir()
    else:
        os.mkfifo(place)
    before = open_files()
    assert only_trouble(walked(tree)).key == "d/"
    assert open_files() == before


def test_an_unreadable_ignore_file_makes_its_folder_unknown(root: Path) -> None:
    ignore(root, "d", "a")
    fill(root, "d/a", "b")
    (root / "d" / IGNORE_FILE).chmod(0)
    root.chmod(0o755)
    code = """
from ubiops_file_sync.local import Wanted
from ubiops_file_sync.plan import Filters, Scope
for item in tree.walk(Wanted(Scope(Filters()))): print(type(item).__name__, item.key)
"""
    assert as_nobody(root, code) == ["LocalEntry b", "Unknown d/"]


def test_an_unusable_ignore_file_at_the_root_stops_the_pass(root: Path, tree: LocalTree) -> None:
    ignore(root, "", b"\xff")
    before = open_files()
    with pytest.raises(SafetyHalt, match=f"profile 'profile'.*{IGNORE_FILE} is not UTF-8 text"):
        walked(tree)
    assert open_files() == before


def test_an_ignore_file_that_vanishes_is_not_taken_for_one_that_never_was(
    root: Path, tree: LocalTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    ignore(root, "d", "a")
    real = os.open

    def vanishing(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if path == IGNORE_FILE:
            (root / "d" / IGNORE_FILE).unlink(missing_ok=True)
        return real(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", vanishing)
    assert "vanished" in only_trouble(walked(tree)).reason


def test_an_ignore_file_that_is_being_written_is_not_half_heeded(
    root: Path, tree: LocalTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    ignore(root, "d", "a")
    real = os.read

    def growing(fd: int, count: int) -> bytes:
        block = real(fd, count)
        if not block:
            with (root / "d" / IGNORE_FILE).open("a") as file:
                file.write("\nsecret")
        return block

    monkeypatch.setattr(os, "read", growing)
    assert "changed while it was read" in only_trouble(walked(tree)).reason


def test_a_ready_file_is_told_of_before_all_that_is_in_its_folder(
    root: Path, tree: LocalTree
) -> None:
    fill(root, "d/!a", "d/_SUCCESS", "e/_SUCCESS/a")
    (root / "f").mkdir()
    (root / "f" / "_SUCCESS").symlink_to("../d/_SUCCESS")
    items = walked(tree, Filters.of(ready_file="_SUCCESS"))
    rules = [item for item in items if isinstance(item, FolderRules)]
    assert rules == [FolderRules("d/", (), ready=True)]
    assert items[0] == rules[0]
    assert [item for item in walked(tree) if isinstance(item, FolderRules)] == []


def test_to_a_plain_scan_an_ignore_file_is_a_file_like_any_other(
    root: Path, tree: LocalTree
) -> None:
    ignore(root, "", b"\xff")
    ignore(root, "d", "a")
    fill(root, "d/a")
    assert keys_of(list(tree.scan())) == [IGNORE_FILE, f"d/{IGNORE_FILE}", "d/a"]


def test_memory_does_not_grow_with_ignore_files(root: Path, tree: LocalTree) -> None:
    def peak() -> int:
        tracemalloc.start()
        for _ in tree.walk(Wanted(Scope(Filters()))):
            pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    for number in range(40):
        ignore(root, f"d{number}", "x\n" * 500)
    peak()
    few = peak()
    for number in range(40, 80):
        ignore(root, f"d{number}", "x\n" * 500)
    assert peak() < few * 1.5
