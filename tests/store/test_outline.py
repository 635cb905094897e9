"""A plan in a few rows, however many actions it has."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ubiops_file_sync.model import Action, LocalEntry, Reason, RemoteEntry, Verb
from ubiops_file_sync.report import MOST_FOLDERS, outline_lines
from ubiops_file_sync.store import Spool


@pytest.fixture
def spool() -> Iterator[Spool]:
    with Spool() as one:
        yield one


def upload(spool: Spool, *keys: str, size: int = 1024) -> None:
    for key in keys:
        local = LocalEntry(key, size, 0)
        spool.add(Action(Verb.UPLOAD, key, Reason.NEW_LOCAL, local, None))


def delete(spool: Spool, *keys: str) -> None:
    for key in keys:
        remote = RemoteEntry(key, 5, 0)
        spool.add(Action(Verb.DELETE_REMOTE, key, Reason.DELETED_LOCAL, None, remote))


def folders(spool: Spool) -> dict[str, int]:
    return {share.folder: share.files for share in spool.outline(MOST_FOLDERS).folders}


def test_ten_thousand_actions_are_a_screenful(spool: Spool) -> None:
    upload(spool, *(f"data/{n % 250:03}/{n:05}" for n in range(10_000)))
    delete(spool, *(f"data/old/{n}" for n in range(300)))
    outline = spool.outline(MOST_FOLDERS)
    lines = list(outline_lines(outline))
    assert len(lines) < 25
    assert (
        lines[1]
        == "    10,000 to upload                    9.8 MiB  new here, absent from the bucket"
    )
    assert sum(share.files for share in outline.folders) + outline.more_files == 10_300
    assert outline.shared == "data/"
    assert lines[3] == "  by folder, below data/:"
    assert lines[-1] == "    9,640      9.4 MiB  in 241 more folders"


def test_a_large_folder_is_told_of_by_those_in_it(spool: Spool) -> None:
    upload(spool, *(f"logs/{2020 + n % 3}/{n}" for n in range(900)))
    upload(spool, "logs/README", "models/a", "b")
    assert folders(spool) == {
        "logs/2020/": 300,
        "logs/2021/": 300,
        "logs/2022/": 300,
        "": 1,
        "logs/": 1,
        "models/": 1,
    }
    lines = list(outline_lines(spool.outline(MOST_FOLDERS)))
    assert lines[-3:] == [
        "      1      1.0 KiB  (in no folder)",
        "      1      1.0 KiB  logs/ (in none of its folders)",
        "      1      1.0 KiB  models/",
    ]


def test_a_folder_of_too_many_folders_is_one_row(spool: Spool) -> None:
    upload(spool, *(f"a/{n}/x" for n in range(500)), "b/x")
    assert folders(spool) == {"a/": 500, "b/": 1}


def test_all_in_one_folder(spool: Spool) -> None:
    upload(spool, *(f"a/b/{n}" for n in range(60)))
    assert list(outline_lines(spool.outline(MOST_FOLDERS)))[2:] == [
        "  by folder, below a/b/:",
        "    60     60.0 KiB  (in none of its folders)",
    ]


def test_names_that_mean_something_to_sql_or_sort_oddly(spool: Spool) -> None:
    keys = ["a%/1", "a_/1", "a/1", "a-b/1", "a0/1", "\u00e9/1", "\U0001f600/1", "a'b/1"]
    upload(spool, *keys)
    assert folders(spool) == {f"{key[:-2]}/": 1 for key in keys}


def test_an_empty_plan_has_an_empty_outline(spool: Spool) -> None:
    outline = spool.outline(MOST_FOLDERS)
    assert (outline.gists, outline.folders, outline.more_folders) == ([], [], 0)


def test_of_a_mixed_plan_each_folder_says_what_is_done_in_it(spool: Spool) -> None:
    upload(spool, "a/1", "a/2")
    delete(spool, "b/1")
    lines = list(outline_lines(spool.outline(MOST_FOLDERS)))
    assert lines[-2:] == [
        "    2      2.0 KiB  a/  (2 to upload)",
        "    1      5 bytes  b/  (1 to delete in the bucket)",
    ]
