"""Uploads in parts and downloads in ranges, of every implementation of the bucket."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from bucket.conftest import connect
from ubiops_file_sync.bucket.ubiops import UbiOpsBucket
from ubiops_file_sync.emulator import BucketServer, Fault
from ubiops_file_sync.errors import KeyUnreachable, TransferLost
from ubiops_file_sync.model import RemoteEntry

PARTS = {1: b"a" * 6000, 2: b"b" * 6000, 3: b"c" * 10}
WHOLE = b"".join(PARTS.values())
KEY = "a b/ü#?%+.bin"


@pytest.fixture
def server(server: BucketServer) -> BucketServer:
    server.limits.min_part_bytes = 5000
    return server


def entry_of(bucket: UbiOpsBucket, key: str = KEY) -> RemoteEntry:
    entry = bucket.get(key)
    assert entry is not None
    return entry


def test_parts_in_any_order_make_the_object(bucket: UbiOpsBucket) -> None:
    upload = bucket.begin_parts(KEY)
    tags = {
        number: bucket.send_part(KEY, upload, number, io.BytesIO(PARTS[number]), len(PARTS[number]))
        for number in (3, 1, 2)
    }
    assert bucket.get(KEY) is None
    receipt = bucket.complete_parts(KEY, upload, len(WHOLE), tags)
    assert receipt.started_us <= receipt.finished_us
    sink = io.BytesIO()
    bucket.fetch(entry_of(bucket), sink)
    assert sink.getvalue() == WHOLE
    assert bucket.calls.by_endpoint()["upload"] == 3


def test_a_part_that_fails_is_sent_again(bucket: UbiOpsBucket, server: BucketServer) -> None:
    upload = bucket.begin_parts(KEY)
    server.faults.add(Fault("put_part", "status", code=503))
    server.faults.add(Fault("put_part", "reset_before"))
    server.faults.add(Fault("put_part", "reset_after"))
    tag = bucket.send_part(KEY, upload, 1, io.BytesIO(PARTS[1]), len(PARTS[1]))
    bucket.complete_parts(KEY, upload, len(PARTS[1]), {1: tag})
    assert entry_of(bucket).size == len(PARTS[1])


def test_an_upload_that_is_not_known_is_lost(bucket: UbiOpsBucket, server: BucketServer) -> None:
    upload = bucket.begin_parts(KEY)
    server.faults.add(Fault("sign_part", "status", code=404))
    with pytest.raises(TransferLost, match="next pass begins it anew"):
        bucket.send_part(KEY, upload, 1, io.BytesIO(b"1"), 1)
    with pytest.raises(TransferLost, match="next pass begins it anew"):
        bucket.complete_parts(KEY, upload, 1, {1: "AAAAMDE="})


def test_ranges_of_one_version_come_by_one_signed_url(
    bucket: UbiOpsBucket, server: BucketServer, tmp_path: Path
) -> None:
    server.put_object(f"p/{KEY}", WHOLE)
    ranges = bucket.ranges(entry_of(bucket))
    with (tmp_path / "sink").open("w+b") as sink:
        for first in range(0, len(WHOLE), 5000):
            ranges.fetch(first, min(5000, len(WHOLE) - first), sink.fileno())
        assert sink.read() == WHOLE
    assert server.calls.count("sign_download") == 1
    assert ranges.version
    assert ranges.digest is not None
    again = bucket.ranges(entry_of(bucket), ranges.version)
    with (tmp_path / "other").open("w+b") as sink:
        again.fetch(12_000, 10, sink.fileno())


def test_a_file_system_that_takes_less_than_it_is_given_gets_the_rest(
    bucket: UbiOpsBucket, server: BucketServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.urandom(300_000)
    server.put_object(f"p/{KEY}", whole)
    write = os.pwritev

    def reluctant(fd: int, blocks: list[bytes], at: int) -> int:
        return write(fd, [b"".join(blocks)[:7001]], at)

    monkeypatch.setattr(os, "pwritev", reluctant)
    with (tmp_path / "sink").open("w+b") as sink:
        bucket.ranges(entry_of(bucket)).fetch(0, len(whole), sink.fileno())
        assert sink.read() == whole


def test_a_range_of_another_version_is_refused(
    bucket: UbiOpsBucket, server: BucketServer, tmp_path: Path
) -> None:
    server.put_object(f"p/{KEY}", WHOLE)
    entry = entry_of(bucket)
    ranges = bucket.ranges(entry)
    with (tmp_path / "sink").open("w+b") as sink:
        ranges.fetch(0, 5000, sink.fileno())
        server.put_object(f"p/{KEY}", WHOLE[::-1])
        with pytest.raises(TransferLost, match="changed in the bucket"):
            ranges.fetch(5000, 5000, sink.fileno())
        with pytest.raises(TransferLost, match="changed in the bucket"):
            bucket.ranges(entry, ranges.version).fetch(5000, 5000, sink.fileno())
        assert sink.read() == WHOLE[:5000]


def test_an_object_that_got_shorter_is_another_version(
    bucket: UbiOpsBucket, server: BucketServer, tmp_path: Path
) -> None:
    server.put_object(f"p/{KEY}", WHOLE)
    entry = entry_of(bucket)
    server.put_object(f"p/{KEY}", b"short")
    with (tmp_path / "sink").open("w+b") as sink:
        for first in (0, 5000):
            with pytest.raises(TransferLost, match="changed in the bucket"):
                bucket.ranges(entry).fetch(first, 5, sink.fileno())
        assert sink.read() == b""


def test_a_url_that_expired_is_signed_again(
    bucket: UbiOpsBucket, server: BucketServer, tmp_path: Path
) -> None:
    server.put_object(f"p/{KEY}", WHOLE)
    ranges = bucket.ranges(entry_of(bucket))
    with (tmp_path / "sink").open("w+b") as sink:
        ranges.fetch(0, 5000, sink.fileno())
        server.clock.offset_s = 2 * server.limits.url_lifetime_s
        ranges.fetch(5000, 7010, sink.fileno())
        assert sink.read() == WHOLE
    assert server.calls.count("sign_download") == 2


@pytest.mark.parametrize("kind", ["truncate", "truncate_chunked"])
def test_a_range_that_is_cut_short_is_fetched_again(
    any_server: BucketServer, tmp_path: Path, kind: str
) -> None:
    bucket = connect(any_server)
    any_server.put_object(f"p/{KEY}", WHOLE)
    ranges = bucket.ranges(entry_of(bucket))
    any_server.faults.add(Fault("get_blob", kind, length=100, times=2))
    with (tmp_path / "sink").open("w+b") as sink:
        ranges.fetch(0, len(WHOLE), sink.fileno())
        assert sink.read() == WHOLE
        any_server.faults.add(Fault("get_blob", "status", times=None))
        with pytest.raises(KeyUnreachable):
            ranges.fetch(0, 5, sink.fileno())
