"""What the engine relies on, of every implementation of the bucket."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest

from ubiops_file_sync.bucket.ubiops import UbiOpsBucket
from ubiops_file_sync.emulator import BucketServer
from ubiops_file_sync.errors import KeyFailure
from ubiops_file_sync.model import RemoteEntry

NAMES = [
    "plain",
    "with space",
    "a#b",
    "a%b",
    "%2e%2e",
    "a+b",
    "a?b=c",
    "a&b",
    "ü/日本/😀",
    "x" * 200,
]


def listed(bucket: UbiOpsBucket) -> dict[str, RemoteEntry]:
    return {entry.key: entry for page in bucket.pages() for entry in page}


def send(bucket: UbiOpsBucket, key: str, content: bytes) -> None:
    bucket.send(key, io.BytesIO(content), len(content))


@pytest.mark.parametrize("size", [0, 1, 262_144, 262_145, 1_000_000])
def test_what_is_sent_comes_back(bucket: UbiOpsBucket, tmp_path: Path, size: int) -> None:
    content = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    send(bucket, "a", content)
    entry = listed(bucket)["a"]
    assert entry.size == size
    sink = io.BytesIO(b"what a try before left behind" * 100)
    fetched = bucket.fetch(entry, sink)
    assert sink.getvalue() == content
    assert (fetched.equal, fetched.bytes_down) == (False, size)


@pytest.mark.parametrize("name", NAMES)
def test_any_name_survives_the_way_there_and_back(bucket: UbiOpsBucket, name: str) -> None:
    send(bucket, name, name.encode())
    assert set(listed(bucket)) == {name}
    sink = io.BytesIO()
    bucket.fetch(listed(bucket)[name], sink)
    assert sink.getvalue() == name.encode()
    assert bucket.get(name) == listed(bucket)[name]
    bucket.delete(name)
    assert bucket.get(name) is None
    assert listed(bucket) == {}


def test_deleting_what_is_gone_is_no_error(bucket: UbiOpsBucket) -> None:
    send(bucket, "a", b"1")
    bucket.delete("never-was")
    assert set(listed(bucket)) == {"a"}


def test_a_receipt_spans_the_moment_of_storing(bucket: UbiOpsBucket) -> None:
    receipt = bucket.send("a", io.BytesIO(b"1"), 1)
    created = listed(bucket)["a"].created_us
    assert receipt.started_us - 1_000_000 <= created <= receipt.finished_us + 1_000_000


def test_equal_content_is_found_out_without_a_download(bucket: UbiOpsBucket) -> None:
    content = b"the same" * 1000
    send(bucket, "a", content)
    asked: list[str] = []

    def same_as(algorithm: str) -> bytes:
        asked.append(algorithm)
        return hashlib.md5(content).digest()

    fetched = bucket.fetch(listed(bucket)["a"], io.BytesIO(), same_as)
    assert (fetched.equal, fetched.bytes_down) == (True, 0)
    assert asked == ["md5"]


def test_other_content_goes_on_as_the_download(bucket: UbiOpsBucket) -> None:
    send(bucket, "a", b"theirs")
    sink = io.BytesIO()
    fetched = bucket.fetch(listed(bucket)["a"], sink, lambda _: b"no such digest")
    assert (fetched.equal, sink.getvalue()) == (False, b"theirs")
    assert bucket.calls.by_endpoint()["download"] == 1


def test_an_object_that_changed_since_the_listing_is_left(bucket: UbiOpsBucket) -> None:
    send(bucket, "a", b"one")
    entry = listed(bucket)["a"]
    send(bucket, "a", b"one and a half")
    with pytest.raises(KeyFailure, match="changed in the bucket"):
        bucket.fetch(entry, io.BytesIO())
    bucket.delete("a")
    with pytest.raises(KeyFailure, match="vanished from the bucket"):
        bucket.fetch(entry, io.BytesIO())


def test_an_upload_that_its_source_breaks_off_stores_nothing(
    bucket: UbiOpsBucket, server: BucketServer
) -> None:
    def changed() -> None:
        raise KeyFailure("the file changed while it was read")

    with pytest.raises(KeyFailure, match="changed while"):
        bucket.send("a", io.BytesIO(b"x" * 600_000), 600_000, changed)
    with pytest.raises(KeyFailure, match="got shorter"):
        bucket.send("a", io.BytesIO(b"x" * 10), 600_000)
    assert listed(bucket) == {}


@pytest.mark.parametrize("key", ["..", ".", "a/../b", "", "/", "a//b", "nul\0", "../../projects"])
def test_a_key_that_would_address_something_else_is_refused_before_any_request(
    bucket: UbiOpsBucket, server: BucketServer, key: str
) -> None:
    entry = RemoteEntry(key, 1, 1)
    for act in (
        lambda: bucket.delete(key),
        lambda: bucket.get(key),
        lambda: bucket.send(key, io.BytesIO(b"1"), 1),
        lambda: bucket.fetch(entry, io.BytesIO()),
    ):
        with pytest.raises(KeyFailure):
            act()
    assert server.calls.count() == 0


def test_calls_are_counted_whatever_comes_of_them(
    bucket: UbiOpsBucket, server: BucketServer
) -> None:
    send(bucket, "a", b"1")
    bucket.get("a")
    bucket.get("b")
    listed(bucket)
    assert bucket.calls.by_endpoint() == {"get": 2, "upload": 1, "list": 1}
    assert server.calls.api_count == 4
