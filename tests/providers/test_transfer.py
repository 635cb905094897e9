"""What is sent to a real storage server, and what comes back."""

from __future__ import annotations

import hashlib
import io
import random

import pytest

from ubiops_file_sync.bucket.digest import hasher
from ubiops_file_sync.bucket.ubiops import UbiOpsBucket
from ubiops_file_sync.emulator import OtherStorage
from ubiops_file_sync.errors import KeyFailure
from ubiops_file_sync.model import RemoteEntry

MIB = 1 << 20
NAME = "a b/ü#?%+.bin"

TOLD = {"azurite": "md5", "fake-gcs-server": "md5", "moto": "md5", "rclone": "md5"}
"""The digest that each server tells of an object that came in one piece."""


def content_of(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def listed(bucket: UbiOpsBucket) -> dict[str, RemoteEntry]:
    return {entry.key: entry for page in bucket.pages() for entry in page}


def send(bucket: UbiOpsBucket, key: str, content: bytes) -> None:
    bucket.send(key, io.BytesIO(content), len(content))


@pytest.mark.parametrize("size", [0, 5, 9 * MIB])
def test_what_is_sent_comes_back(bucket: UbiOpsBucket, storage: OtherStorage, size: int) -> None:
    content = content_of(size)
    receipt = bucket.send(NAME, io.BytesIO(content), size)
    assert storage.read(f"p/{NAME}") == content
    entry = listed(bucket)[NAME]
    assert entry == bucket.get(NAME)
    assert entry.size == size
    assert receipt.started_us - 1_000_000 <= entry.created_us <= receipt.finished_us + 1_000_000
    sink = io.BytesIO()
    assert bucket.fetch(entry, sink).bytes_down == size
    assert sink.getvalue() == content


@pytest.mark.parametrize(
    "name_of_file", ["%2e%2e", "a&b=c", "x;y:z@$,!'()*", "日本/😀", "~", "x" * 200]
)
def test_any_name_survives_the_way_there_and_back(bucket: UbiOpsBucket, name_of_file: str) -> None:
    send(bucket, name_of_file, name_of_file.encode())
    assert set(listed(bucket)) == {name_of_file}
    sink = io.BytesIO()
    bucket.fetch(listed(bucket)[name_of_file], sink)
    assert sink.getvalue() == name_of_file.encode()
    bucket.delete(name_of_file)
    assert listed(bucket) == {}


@pytest.mark.parametrize("size", [0, 5, 9 * MIB])
def test_equal_content_is_found_out_without_a_download(
    bucket: UbiOpsBucket, name: str, size: int
) -> None:
    content = content_of(size)
    send(bucket, NAME, content)
    asked: list[str] = []

    def same_as(algorithm: str) -> bytes:
        asked.append(algorithm)
        computing = hasher(algorithm)
        computing.update(content)
        return computing.digest()

    fetched = bucket.fetch(listed(bucket)[NAME], io.BytesIO(), same_as)
    assert (fetched.equal, fetched.bytes_down) == (True, 0)
    assert asked == [TOLD[name]]


def test_an_edit_of_the_same_size_is_no_equal_content(
    bucket: UbiOpsBucket, storage: OtherStorage
) -> None:
    ours, theirs = b"ours: 1", b"theirs!"
    send(bucket, NAME, ours)
    entry = listed(bucket)[NAME]
    storage.write(f"p/{NAME}", theirs)
    sink = io.BytesIO()
    fetched = bucket.fetch(entry, sink, lambda which: hashlib.new(which, ours).digest())
    assert (fetched.equal, sink.getvalue()) == (False, theirs)


@pytest.mark.parametrize("other", [b"", b"cut", b"longer than it was before"])
def test_an_object_that_changed_since_the_listing_is_left(
    bucket: UbiOpsBucket, storage: OtherStorage, other: bytes
) -> None:
    send(bucket, NAME, b"as listed")
    entry = listed(bucket)[NAME]
    storage.write(f"p/{NAME}", other)
    sink = io.BytesIO()
    with pytest.raises(KeyFailure, match="changed in the bucket"):
        bucket.fetch(entry, sink)
    assert sink.getvalue() == b""
    bucket.delete(NAME)
    with pytest.raises(KeyFailure, match="vanished from the bucket"):
        bucket.fetch(entry, sink)


def test_an_upload_that_its_source_breaks_off_stores_nothing(
    bucket: UbiOpsBucket, storage: OtherStorage
) -> None:
    def changed() -> None:
        raise KeyFailure("the file changed while it was read")

    send(bucket, NAME, b"as it was")
    with pytest.raises(KeyFailure, match="changed while"):
        bucket.send(NAME, io.BytesIO(b"x" * 600_000), 600_000, changed)
    with pytest.raises(KeyFailure, match="got shorter"):
        bucket.send(NAME, io.BytesIO(b"x" * 10), 600_000)
    assert storage.read(f"p/{NAME}") == b"as it was"
