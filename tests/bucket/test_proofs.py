"""That what was sent is what is stored, found out by the cheapest means that a storage offers."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from bucket.conftest import connect
from ubiops_file_sync.bucket import digest, upload
from ubiops_file_sync.bucket.contract import PartedUpload
from ubiops_file_sync.emulator import Behaviour, BucketServer, Fault, Provider
from ubiops_file_sync.errors import KeyFailure

CONTENT = b"123456789" * 20_000
SPEAKS_CRC64 = [Provider.UBIOPS, Provider.AMAZON_S3, Provider.AZURE]


@pytest.fixture(params=SPEAKS_CRC64, ids=lambda provider: provider.value)
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[BucketServer]:
    with BucketServer(tmp_path / "server", rate_limit=None, provider=request.param) as running:
        yield running


class File(io.BytesIO):
    """Counts what is read of it."""

    bytes_read = 0

    def read(self, count: int | None = -1, /) -> bytes:
        block = super().read(count)
        self.bytes_read += len(block)
        return block


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The algorithms by which something was computed."""
    algorithms: list[str] = []
    real = digest.hasher

    def hasher(algorithm: str) -> digest.Hasher:
        algorithms.append(algorithm)
        return real(algorithm)

    monkeypatch.setattr(digest, "hasher", hasher)
    monkeypatch.setattr(upload, "hasher", hasher)
    return algorithms


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        # The check value of the CRC catalogue, and what Azure answered to "Hello World" (version
        # 2019-02-02), as recorded for the tests of Microsoft's SDK.
        ({"x-amz-checksum-crc64nvme": "rosUhgp5mIg="}, b"123456789"),
        ({"x-ms-content-crc64": "YeJLfssylmU="}, b"Hello World"),
        ({"x-amz-checksum-crc64nvme": "AAAAAAAAAAA="}, b""),
    ],
)
def test_the_crc_of_s3_and_azure_is_understood(headers: dict[str, str], content: bytes) -> None:
    told = digest.digests_of_upload(headers)
    assert told == {"crc64nvme": digest.digest_of(io.BytesIO(content), "crc64nvme")}


@pytest.mark.parametrize("text", ["", "no base64!", "===", "é"])
def test_what_is_no_digest_proves_nothing(text: str) -> None:
    headers = {
        "x-amz-checksum-crc64nvme": text,
        "x-ms-content-crc64": text,
        "content-md5": text,
        "x-goog-hash": f"crc32c={text},{text}",
    }
    assert digest.digests_of_upload(headers) == {}


def test_no_md5_is_computed_where_a_crc_proves_it(
    server: BucketServer, computed: list[str]
) -> None:
    bucket = connect(server)
    for key in "ab":
        file = File(CONTENT)
        bucket.send(key, file, len(CONTENT))
        assert file.bytes_read == len(CONTENT)
    assert set(computed) == {"crc64nvme"}


def test_a_storage_that_tells_md5s_alone_has_the_first_file_read_twice(
    server: BucketServer, computed: list[str]
) -> None:
    server.behaviour = Behaviour(tells_crc64=False)
    bucket = connect(server)
    times_read = []
    for key in "abc":
        file = File(CONTENT)
        bucket.send(key, file, len(CONTENT))
        times_read.append(file.bytes_read / len(CONTENT))
    assert times_read == [2, 1, 1]
    assert computed == ["crc64nvme", "md5", "md5", "md5"]


def test_a_storage_that_tells_nothing_is_taken_at_its_word(tmp_path: Path) -> None:
    """It is sent once, read once, and reported as stored."""
    with BucketServer(tmp_path / "server", provider=Provider.AMAZON_S3) as server:
        server.faults.add(Fault("put", "status", code=200, times=None))
        file = File(CONTENT)
        receipt = connect(server).send("a", file, len(CONTENT))
        assert (server.calls.count("put"), file.bytes_read) == (1, len(CONTENT))
        assert 0 < receipt.started_us <= receipt.finished_us


@pytest.mark.parametrize(
    "headers",
    [{"x-amz-checksum-crc64nvme": "AAAAAAAAAAA="}, {"x-ms-content-crc64": "AAAAAAAAAAA="}],
    ids=["S3", "Azure"],
)
def test_what_was_stored_otherwise_is_sent_again(
    server: BucketServer, headers: dict[str, str]
) -> None:
    bucket = connect(server)
    server.faults.add(Fault("put", "status", code=200, headers=headers, times=2))
    bucket.send("a", io.BytesIO(CONTENT), len(CONTENT))
    assert server.calls.count("put") == 3
    assert server.read_object("p/a") == CONTENT
    server.faults.add(Fault("put", "status", code=200, headers=headers, times=None))
    with pytest.raises(KeyFailure, match="other bytes than were sent"):
        bucket.send("a", io.BytesIO(CONTENT), len(CONTENT))


def test_a_crc_that_is_none_of_ours_fails_no_upload_that_an_md5_proves(tmp_path: Path) -> None:
    """Something that only looks like S3 may compute it in a way of its own."""
    etag = f'"{hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()}"'
    headers = {"x-amz-checksum-crc64nvme": "AAAAAAAAAAA=", "etag": etag}
    with BucketServer(tmp_path / "server", provider=Provider.AMAZON_S3) as server:
        server.faults.add(Fault("put", "status", code=200, headers=headers, times=None))
        bucket = connect(server)
        for times_read in (2, 1):
            file = File(CONTENT)
            bucket.send("a", file, len(CONTENT))
            assert file.bytes_read == times_read * len(CONTENT)
        assert server.calls.count("put") == 2


def test_a_file_that_changes_before_it_is_read_again_is_not_relied_upon(tmp_path: Path) -> None:
    checks: list[int] = []

    def check() -> None:
        checks.append(1)
        if len(checks) > 1:
            raise KeyFailure("it changed")

    with BucketServer(tmp_path / "server", provider=Provider.AMAZON_S3) as server:
        server.behaviour = Behaviour(tells_crc64=False)
        with pytest.raises(KeyFailure, match="it changed"):
            connect(server).send("a", io.BytesIO(CONTENT), len(CONTENT), check)


def send_parts(server: BucketServer, count: int) -> list[float]:
    """Send parts of one file, one after the other; how often each was read."""
    bucket = connect(server)
    begun: PartedUpload = bucket.begin_parts("big")
    tags, times_read = {}, []
    for number in range(1, count + 1):
        file = File(CONTENT)
        tags[number] = bucket.send_part("big", begun, number, file, len(CONTENT))
        times_read.append(file.bytes_read / len(CONTENT))
    server.limits.min_part_bytes = 1
    bucket.complete_parts("big", begun, count * len(CONTENT), tags)
    assert server.read_object("p/big") == count * CONTENT
    assert bucket.calls.by_endpoint() == {"begin-parts": 1, "upload": count, "complete-parts": 1}
    return times_read


def test_parts_are_proved_by_a_crc_too(server: BucketServer, computed: list[str]) -> None:
    assert send_parts(server, 3) == [1, 1, 1]
    assert set(computed) == {"crc64nvme"}
    assert server.calls.count("put_part") == 3


def test_a_block_of_which_nothing_is_proved_is_sent_again_with_an_md5(tmp_path: Path) -> None:
    with BucketServer(tmp_path / "server", rate_limit=None, provider=Provider.AZURE) as server:
        server.behaviour = Behaviour(tells_crc64=False)
        # Sent, sent again after an MD5 was computed; then that comes first.
        assert send_parts(server, 3) == [3, 2, 2]
        assert server.calls.count("put_part") == 4


@pytest.mark.parametrize("provider", SPEAKS_CRC64, ids=lambda provider: provider.value)
def test_a_part_that_was_stored_otherwise_is_sent_again(tmp_path: Path, provider: Provider) -> None:
    name = "x-ms-content-crc64" if provider is Provider.AZURE else "x-amz-checksum-crc64nvme"
    with BucketServer(tmp_path / "server", rate_limit=None, provider=provider) as server:
        bucket = connect(server)
        begun = bucket.begin_parts("big")
        headers = {name: "AAAAAAAAAAA=", "etag": '"tag"'}
        server.faults.add(Fault("put_part", "status", code=200, headers=headers, times=2))
        bucket.send_part("big", begun, 1, io.BytesIO(CONTENT), len(CONTENT))
        assert server.calls.count("put_part") == 3
