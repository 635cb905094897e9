"""The five ways in which what these functions replace lost data, each as it happened."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import ubiops

from library.conftest import Place
from ubiops_file_sync import FilesFailed
from ubiops_file_sync.downloader import download_file, download_from_bucket
from ubiops_file_sync.emulator import Fault
from ubiops_file_sync.uploader import upload_file, upload_to_bucket


def everything(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not {".ubiops-sync", "state"} & set(path.parts)
    }


@pytest.mark.parametrize("bucket_dir", ["data", "a/b", "local"])
def test_no_part_of_a_path_is_taken_for_the_prefix(place: Place, bucket_dir: str) -> None:
    """It found the place of a file by string replacement, so that a folder with the prefix in its
    own path sent files outside of it."""
    root = place.folder / bucket_dir / "x" / bucket_dir / "local"
    root.mkdir(parents=True)
    place.setenv(LOCAL_SYNC_DIR=str(root), BUCKET_DIR=bucket_dir)
    keys = ["f", f"{bucket_dir}/f", f"x/{bucket_dir}/f", f"{bucket_dir}{bucket_dir}/f"]
    for key in keys:
        place.put(key, key.encode())
    download_file(ubiops.FileItem(file=f"x/{bucket_dir}/f"))
    download_from_bucket()
    inside = root.relative_to(place.folder).as_posix()
    assert everything(place.folder) == {f"{inside}/{key}": key.encode() for key in keys}

    for key in keys:
        path = root / f"{key}.up"
        path.write_bytes(key.encode())
        os.utime(path, (1e9, 1e9))
    upload_file(root / f"{keys[1]}.up")
    upload_to_bucket()
    prefix = f"{bucket_dir}/"
    ups = {f"{prefix}{key}.up": key.encode() for key in keys}
    assert place.remote() == {f"{prefix}{key}": key.encode() for key in keys} | ups


@pytest.mark.parametrize("bucket_dir", ["a/b", "a"])
def test_a_folder_that_is_called_like_the_prefix_is_the_user_s(
    place: Place, bucket_dir: str
) -> None:
    """It moved what it had downloaded out of a folder with the first name of the prefix, and
    removed that folder, whatever else stood in it."""
    place.setenv(BUCKET_DIR=bucket_dir)
    place.monkeypatch.chdir(place.folder)
    mine = {"a/precious": b"1", "a/b/precious": b"2", "b/precious": b"3"}
    for key, content in mine.items():
        place.write(key, content)
        (place.folder / key).parent.mkdir(parents=True, exist_ok=True)
        (place.folder / key).write_bytes(content)
    place.put("new", b"4")
    download_file(ubiops.FileItem(file="new"))
    download_from_bucket()
    assert place.local() == mine | {"new": b"4"}
    for key, content in mine.items():
        assert (place.folder / key).read_bytes() == content


@pytest.mark.parametrize("one_by_one", [False, True])
def test_a_newer_file_is_not_overwritten(place: Place, *, one_by_one: bool) -> None:
    """It overwrote newer files, though it was told to preserve them."""
    place.put("mine is newer", b"theirs", age_s=5000)
    place.write("mine is newer", b"mine", age_s=50)
    place.write("theirs is newer", b"mine", age_s=5000)
    place.put("theirs is newer", b"theirs", age_s=50)
    if one_by_one:
        download_file(ubiops.FileItem(file="mine is newer"))
        upload_file(Path("theirs is newer"))
    else:
        download_from_bucket()
        upload_to_bucket()
    assert place.local()["mine is newer"] == b"mine"
    assert place.remote()["data/theirs is newer"] == b"theirs"


@pytest.mark.parametrize("bucket_dir", ["data", "data/", "a/b"])
def test_there_and_back_is_where_it_was(place: Place, bucket_dir: str) -> None:
    """It doubled the prefix: what came from `data/x` went up as `data/data/x`."""
    place.setenv(BUCKET_DIR=bucket_dir)
    place.put("x", b"1")
    place.put("sub/y", b"2")
    before = place.server.objects()
    download_from_bucket()
    upload_to_bucket()
    upload_file(Path("x"))
    assert place.server.objects() == before
    place.write("x", b"123", age_s=50)
    upload_file(Path("x"))
    upload_to_bucket()
    assert place.remote() == {f"{place.prefix}x": b"123", f"{place.prefix}sub/y": b"2"}


@pytest.mark.parametrize(
    ("kind", "one_by_one"),
    [("truncate", False), ("truncate_chunked", False), ("wrong_body", False), ("truncate", True)],
)
def test_half_a_file_is_never_one(place: Place, kind: str, *, one_by_one: bool) -> None:
    """It kept bodies that had ended early, under their final names."""
    content = bytes(range(256)) * 100
    place.put("a", b"an old version")
    download_from_bucket()
    place.put("a", content)
    place.put("b", content)
    fault = place.server.faults.add(Fault("get_blob", kind, times=None, length=1000))
    names = ["a", "b"] if one_by_one else [None]
    for name in names:
        with pytest.raises(FilesFailed, match=name or "2 files failed"):
            _download(name)
    assert place.server.faults.fired(fault) > 2, "and it was tried again"
    assert place.local() == {"a": b"an old version"}
    place.server.faults.clear()
    for name in names:
        _download(name)
    assert place.local() == {"a": content, "b": content}


def _download(name: str | None) -> None:
    if name is None:
        download_from_bucket()
    else:
        download_file(ubiops.FileItem(file=name))
