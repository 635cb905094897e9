"""The trash of a root: listed, tidied, and never a way out of the root."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.folders import as_nobody, contents, open_files
from ubiops_file_sync.errors import KeyFailure
from ubiops_file_sync.local import LocalTree, Retention, Version, export
from ubiops_file_sync.local.trash import Counted, Pruned
from ubiops_file_sync.model import LocalEntry, Unknown
from ubiops_file_sync.pass_id import begun_at, new_pass_id

NOW = datetime(2026, 11, 23, 4, 20, 15, tzinfo=UTC)
THEN_NS = 1_700_000_000_000_000_000
TRASH = ".ubiops-sync/trash"

A = "20261101T000000Z-000000"
B = "20261110T000000Z-000000"
C = "20261120T000000Z-000000"
CURRENT = "20261123T042000Z-000000"


def keep(root: Path, pass_id: str, key: str, content: bytes) -> Path:
    """A version in the trash, as a pass leaves it."""
    path = root / TRASH / pass_id / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, ns=(THEN_NS, THEN_NS))
    return path


NOTHING = Counted.of(0, [])


def prune(
    tree: LocalTree, keep_days: int = 36_500, max_size: int = 2**60, counted: Counted = NOTHING
) -> Pruned:
    return tree.trash.prune(Retention(NOW, keep_days, max_size, CURRENT), counted)


# -- names of passes -------------------------------------------------------------------------------


def test_names_of_passes_sort_by_time_within_a_second_too() -> None:
    start_ns = 1_795_407_615_000_000_000
    times = [start_ns + n * 20_000_000 for n in range(200)]
    names = [new_pass_id(time_ns) for time_ns in times]
    assert names == sorted(names)
    for name, time_ns in zip(names, times, strict=True):
        begun = begun_at(name)
        assert begun is not None
        assert begun.timestamp() == time_ns // 1_000_000_000


def test_names_of_one_moment_are_not_one_name() -> None:
    assert len({new_pass_id(THEN_NS) for _ in range(50)}) > 25


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "PASS",
        "20261123T042015Z",
        "20261123T042015Z-ABCDEF",
        "20261123T042015Z-abcdef0",
        "20261123T042015Z-abcdef\n",
        "20261399T042015Z-abcdef",
        "20261123T042015Z-abcdef/..",
        "٢0261123T042015Z-abcdef",
    ],
)
def test_what_is_no_name_of_a_pass_has_no_time(name: str) -> None:
    assert begun_at(name) is None


# -- what is there ---------------------------------------------------------------------------------


def test_a_root_without_a_trash_has_an_empty_one_and_gets_none(tree: LocalTree, root: Path) -> None:
    assert tree.trash.passes() == []
    assert list(tree.trash.versions(A)) == []
    assert tree.trash.find(A, "a") is None
    assert list(tree.trash.history("a")) == []
    assert prune(tree, 0, 0) == Pruned()
    assert list(root.iterdir()) == []


def test_versions_come_by_pass_and_key(tree: LocalTree, root: Path) -> None:
    keep(root, A, "d/a", b"1")
    keep(root, B, "d.x", b"333")
    keep(root, B, "d/a", b"22")
    assert tree.trash.passes() == [B, A]
    assert list(tree.trash.versions(B)) == [
        Version(B, "d.x", 3, THEN_NS),
        Version(B, "d/a", 2, THEN_NS),
    ]
    assert [version.pass_id for version in tree.trash.history("d/a")] == [B, A]
    assert tree.trash.find(A, "d/a") == Version(A, "d/a", 1, THEN_NS)
    assert tree.trash.find(A, "d.x") is None


def test_what_a_commit_replaced_is_a_version(root: Path) -> None:
    (root / "a").write_bytes(b"old")
    with LocalTree(root, "profile", CURRENT) as tree:
        with tree.staging() as staged:
            staged.file.write(b"new")
            tree.commit(staged, "a", tree.look("a"), THEN_NS)
        (version,) = tree.trash.history("a")
        assert (version.pass_id, version.size) == (CURRENT, 3)
        with tree.reading(version.entry) as reading:
            assert reading.file.read() == b"old"


ODD_KEYS = [" ", "\n", "-rf", "~", "...", "é/😀", "a" * 255, "*?[", "\x1b[31m", "a/b.ubiops-sync"]


@pytest.mark.parametrize("key", ODD_KEYS)
def test_an_odd_name_is_a_name(tree: LocalTree, root: Path, key: str) -> None:
    keep(root, A, key, b"x")
    assert list(tree.trash.versions(A)) == [Version(A, key, 1, THEN_NS)]
    assert tree.trash.find(A, key) == Version(A, key, 1, THEN_NS)
    prune(tree, 0)
    assert tree.trash.passes() == []


@pytest.mark.parametrize("key", ["..", "../x", "a/../../x", "/etc/passwd", "", "a//b", "a\0b"])
def test_no_key_leads_out_of_a_pass(tree: LocalTree, root: Path, key: str) -> None:
    keep(root, A, "a/b", b"x")
    keep(root, B, "x", b"another pass's")
    assert tree.trash.find(A, key) is None
    assert tree.trash.find(f"{A}/../{B}", "x") is None
    assert list(tree.trash.versions(f"{A}/../{B}")) == []


def test_what_another_key_s_folder_or_file_is_called_is_no_version(
    tree: LocalTree, root: Path
) -> None:
    keep(root, A, "a", b"a file then")
    keep(root, B, "a/b", b"a folder then")
    assert [version.pass_id for version in tree.trash.history("a")] == [A]
    assert [version.pass_id for version in tree.trash.history("a/b")] == [B]


def test_links_in_the_trash_are_no_versions_and_lead_nowhere(
    tree: LocalTree, root: Path, outside: Path
) -> None:
    keep(root, A, "real", b"x")
    (root / TRASH / A / "file").symlink_to(outside / "precious")
    (root / TRASH / A / "folder").symlink_to(outside)
    (root / TRASH / B).symlink_to(outside)
    assert tree.trash.passes() == [A]
    assert list(tree.trash.versions(A)) == [Version(A, "real", 1, THEN_NS)]
    assert tree.trash.find(A, "file") is None
    assert tree.trash.find(A, "folder/precious") is None
    assert tree.trash.find(B, "precious") is None
    with pytest.raises(KeyFailure):
        list(tree.trash.versions(B))


@pytest.mark.parametrize("place", [".ubiops-sync", ".ubiops-sync/trash"])
def test_a_trash_that_is_a_link_is_not_used(
    tree: LocalTree, root: Path, outside: Path, place: str
) -> None:
    decoy = outside / ("trash" if place == ".ubiops-sync" else ".") / A
    decoy.mkdir(parents=True)
    (decoy / "a").write_bytes(b"not a version")
    (root / place).parent.mkdir(exist_ok=True)
    (root / place).symlink_to(outside)
    with pytest.raises(KeyFailure):
        tree.trash.passes()
    assert tree.trash.find(A, "a") is None
    pruned = prune(tree, 0, 0)
    assert (pruned.passes, pruned.left) == ([], 1)
    assert (decoy / "a").read_bytes() == b"not a version"


def test_what_cannot_be_read_is_told_of_and_hides_nothing_else(root: Path) -> None:
    if os.geteuid() == 0:
        os.chown(root, 65534, 65534)
    root.chmod(0o755)
    keep(root, A, "a", b"x")
    keep(root, B, "closed/b", b"x")
    keep(root, C, "c", b"x")
    for folder in (root / ".ubiops-sync", root / TRASH, root / TRASH / A, root / TRASH / B):
        folder.chmod(0o755)
    (root / TRASH / B / "closed").chmod(0)
    (root / TRASH / C).chmod(0)
    try:
        told = as_nobody(
            root,
            "for name in tree.trash.passes():\n"
            "    for found in tree.trash.versions(name):\n"
            "        print(name[:8], type(found).__name__, repr(found.key))",
        )
    finally:
        (root / TRASH / B / "closed").chmod(0o700)
        (root / TRASH / C).chmod(0o700)
    assert told == [
        "20261120 Unknown ''",
        "20261110 Unknown 'closed/'",
        "20261101 Version 'a'",
    ]


def test_a_name_that_is_no_text_is_told_of(tree: LocalTree, root: Path) -> None:
    keep(root, A, "a", b"x")
    (root / TRASH / A / os.fsdecode(b"\xff")).write_bytes(b"planted")
    found = list(tree.trash.versions(A))
    assert [type(one) for one in found] == [Version, Unknown]


# -- what goes -------------------------------------------------------------------------------------


def test_passes_older_than_the_days_to_keep_go(tree: LocalTree, root: Path) -> None:
    for pass_id in (A, B, C):
        keep(root, pass_id, "d/a", b"x")
    assert prune(tree, keep_days=14) == Pruned([A])
    assert tree.trash.passes() == [C, B]
    assert prune(tree, keep_days=0) == Pruned([B, C])
    assert list((root / TRASH).iterdir()) == []


def test_a_pass_goes_at_the_first_second_after_its_days(tree: LocalTree, root: Path) -> None:
    for seconds in (-1, 0, 1):
        begun = NOW - timedelta(days=30) + timedelta(seconds=seconds)
        keep(root, f"{begun:%Y%m%dT%H%M%SZ}-000000", "a", b"x")
    assert len(prune(tree, keep_days=30).passes) == 2
    assert len(tree.trash.passes()) == 1


def test_the_oldest_go_until_few_enough_bytes_are_left(tree: LocalTree, root: Path) -> None:
    for pass_id in (A, B, C, CURRENT):
        keep(root, pass_id, "a", b"x" * 10)
    assert prune(tree, max_size=40) == Pruned()
    assert prune(tree, max_size=39) == Pruned([A])
    assert prune(tree, max_size=11) == Pruned([B, C])


def test_versions_without_bytes_do_not_go_for_the_bytes_of_others(
    tree: LocalTree, root: Path
) -> None:
    keep(root, A, "empty", b"")
    keep(root, B, "a", b"x" * 10)
    assert prune(tree, max_size=5) == Pruned([B])
    assert tree.trash.passes() == [A]


def test_the_current_pass_keeps_all_of_its_own(tree: LocalTree, root: Path) -> None:
    keep(root, CURRENT, "a", b"x" * 10)
    assert prune(tree, keep_days=0, max_size=0) == Pruned()
    assert contents(root) == {f"{TRASH}/{CURRENT}/a": b"x" * 10}


def test_folders_that_are_no_passes_are_left_alone(tree: LocalTree, root: Path) -> None:
    keep(root, "by-hand", "a", b"x")
    (root / TRASH / "note").write_bytes(b"x")
    assert prune(tree, 0, 0) == Pruned()
    assert set(contents(root)) == {f"{TRASH}/by-hand/a", f"{TRASH}/note"}


def test_links_go_and_what_they_lead_to_stays(tree: LocalTree, root: Path, outside: Path) -> None:
    keep(root, A, "d/a", b"x")
    (root / TRASH / A / "file").symlink_to(outside / "precious")
    (root / TRASH / A / "d/folder").symlink_to(outside)
    (root / TRASH / B).symlink_to(outside)
    os.mkfifo(root / TRASH / A / "pipe")
    assert prune(tree, 0, 0) == Pruned([A])
    assert contents(outside) == {"precious": b"not yours"}
    assert (root / TRASH / B).is_symlink(), "no folder of a pass"


def test_a_folder_that_becomes_a_link_while_it_is_emptied_leads_nowhere(
    tree: LocalTree, root: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(root, A, "d/a", b"x")
    real = os.stat

    def swap(path: str, **options: object) -> os.stat_result:
        status = real(path, **options)  # type: ignore[arg-type]
        if path == "d":
            (root / TRASH / A / "d").rename(root / "moved")
            (root / TRASH / A / "d").symlink_to(outside)
        return status

    monkeypatch.setattr(os, "stat", swap)
    pruned = prune(tree, 0)
    assert pruned.left == 1
    assert contents(outside) == {"precious": b"not yours"}


def test_a_version_that_shares_its_bytes_with_a_file_takes_nothing_from_it(
    tree: LocalTree, root: Path
) -> None:
    (root / "a").write_bytes(b"both")
    (root / TRASH / A).mkdir(parents=True)
    os.link(root / "a", root / TRASH / A / "a")
    prune(tree, 0)
    assert contents(root) == {"a": b"both"}


def test_what_cannot_be_removed_is_left_and_told_of(root: Path) -> None:
    if os.geteuid() == 0:
        os.chown(root, 65534, 65534)
    keep(root, A, "closed/a", b"x")
    keep(root, A, "open/a", b"x")
    keep(root, B, "b", b"x")
    for path in [root, *root.rglob("*")]:
        path.chmod(0o777)
    (root / TRASH / A / "closed").chmod(0o555)
    try:
        told = as_nobody(
            root,
            "from datetime import UTC, datetime\n"
            "from ubiops_file_sync.local import Retention\n"
            "now = datetime(2030, 1, 1, tzinfo=UTC)\n"
            "pruned = tree.trash.prune(Retention(now, 0, 0, 'none'))\n"
            "print(pruned.passes, pruned.left, pruned.first.key, pruned.first.message)",
        )
    finally:
        (root / TRASH / A / "closed").chmod(0o755)
    assert told == [f"['{B}'] 1 {TRASH}/{A}/closed/a permission denied"]
    assert set(contents(root)) == {f"{TRASH}/{A}/closed/a"}


def test_folders_go_however_deep_and_no_descriptor_stays_open(tree: LocalTree, root: Path) -> None:
    keep(root, A, "a", b"x")
    fd = os.open(root / TRASH / A, os.O_RDONLY)
    for _ in range(400):
        os.mkdir("d", dir_fd=fd)
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)
    before = open_files()
    assert prune(tree, 0) == Pruned([A])
    assert open_files() == before


# -- what was counted before -----------------------------------------------------------------------


def test_what_was_counted_is_not_counted_again(tree: LocalTree, root: Path) -> None:
    keep(root, A, "a", b"x" * 10)
    counted = prune(tree).counted
    assert counted.at_most == 10
    (root / TRASH / A / "a").write_bytes(b"x" * 1000)
    keep(root, B, "b", b"x" * 5)
    assert prune(tree, counted=counted).counted.at_most == 15


def test_what_somebody_took_away_by_hand_makes_room(tree: LocalTree, root: Path) -> None:
    keep(root, A, "a", b"x" * 10)
    keep(root, B, "b", b"x" * 10)
    counted = prune(tree).counted
    (root / TRASH / B / "b").unlink()
    pruned = prune(tree, max_size=15, counted=counted)
    assert (pruned, pruned.counted.at_most) == (Pruned(), 10)


def test_a_smaller_limit_holds_at_once(tree: LocalTree, root: Path) -> None:
    for pass_id in (A, B):
        keep(root, pass_id, "a", b"x" * 10)
    assert prune(tree, max_size=10, counted=prune(tree).counted) == Pruned([A])


@pytest.mark.parametrize("change", ["one came", "one went"])
def test_passes_of_before_that_came_or_went_are_noticed(
    tree: LocalTree, root: Path, change: str
) -> None:
    """A clock was set back, another machine put it there, or somebody tidied up by hand."""
    keep(root, B, "b", b"x" * 10)
    (root / TRASH / C).mkdir()
    counted = prune(tree).counted
    if change == "one came":
        keep(root, A, "a", b"x" * 5)
    else:
        (root / TRASH / B / "b").rename(root / "b")
        (root / TRASH / B).rmdir()
    expected = 15 if change == "one came" else 0
    assert prune(tree, counted=counted).counted.at_most == expected


def test_what_could_not_be_removed_is_looked_at_by_the_next_pass(
    tree: LocalTree, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(root, A, "a", b"x")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", refuse)
        pruned = prune(tree, 0)
    assert (pruned.left, pruned.counted) == (1, NOTHING)


@pytest.mark.parametrize("text", [None, "", "x", "10", f"-1 {A} {'0' * 64}", f"10 {A} {'0' * 64}"])
def test_a_note_that_makes_no_sense_is_as_none(
    tree: LocalTree, root: Path, text: str | None
) -> None:
    keep(root, A, "a", b"x" * 20)
    assert prune(tree, counted=Counted.told_by(text)).counted.at_most == 20


def test_what_was_counted_can_be_noted(tree: LocalTree, root: Path) -> None:
    assert Counted.told_by(prune(tree).counted.text) == prune(tree).counted
    keep(root, A, "a", b"x" * 10)
    assert Counted.told_by(prune(tree).counted.text) == prune(tree).counted


class Step(NamedTuple):
    """A pass that puts bytes into the trash, and tidies it."""

    age_days: int
    size: int
    keep_days: int
    max_size: int


STEPS = st.lists(
    st.builds(Step, st.integers(0, 6), st.integers(0, 9), st.integers(1, 6), st.integers(0, 20)),
    max_size=6,
)


@given(STEPS)
def test_what_goes_is_the_same_as_if_all_were_counted_each_time(steps: list[Step]) -> None:
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        roots = (Path(one), Path(other))
        counted = NOTHING
        with LocalTree(roots[0], "p", "x") as mine, LocalTree(roots[1], "p", "x") as theirs:
            for number, step in enumerate(steps):
                begun = NOW - timedelta(days=step.age_days)
                pass_id = f"{begun:%Y%m%dT%H%M%SZ}-{number:06x}"
                for root in roots:
                    keep(root, pass_id, "a", b"x" * step.size)
                retention = Retention(NOW, step.keep_days, step.max_size, pass_id)
                pruned = mine.trash.prune(retention, counted)
                assert pruned == theirs.trash.prune(retention)
                assert mine.trash.passes() == theirs.trash.passes()
                counted = pruned.counted


# -- copies ----------------------------------------------------------------------------------------


def test_a_copy_has_bytes_of_its_own(tree: LocalTree, root: Path) -> None:
    path = keep(root, A, "d/a", b"then")
    path.chmod(0o640)
    version = tree.trash.find(A, "d/a")
    assert version is not None
    entry = tree.copy(version.entry, "d/a", None, THEN_NS + 5)
    assert entry == LocalEntry("d/a", 4, THEN_NS + 5)
    assert (root / "d/a").stat().st_mode & 0o777 == 0o640
    (root / "d/a").write_bytes(b"written over in place")
    assert path.read_bytes() == b"then"
    assert path.stat().st_mtime_ns == THEN_NS


def test_an_export_is_whole_private_and_takes_nobody_s_place(
    tree: LocalTree, root: Path, outside: Path
) -> None:
    keep(root, A, "a", b"secret").chmod(0o600)
    version = tree.trash.find(A, "a")
    assert version is not None
    with tree.reading(version.entry) as reading:
        export(reading, outside / "copy")
    copy = outside / "copy"
    assert copy.read_bytes() == b"secret"
    assert copy.stat().st_mode & 0o777 == 0o600
    assert copy.stat().st_mtime_ns == THEN_NS
    (outside / "dangling").symlink_to(outside / "nowhere")
    for taken in ("precious", "dangling"):
        with pytest.raises(FileExistsError), tree.reading(version.entry) as reading:
            export(reading, outside / taken)
    assert contents(outside) == {"copy": b"secret", "precious": b"not yours"}
