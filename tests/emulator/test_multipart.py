"""Uploads in parts, by each provider's rules."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import google_crc32c
import pytest

from emulator.client import Client, Reply
from emulator.conftest import MakeClient
from ubiops_file_sync.emulator import Behaviour, Provider
from ubiops_file_sync.emulator.clock import Clock
from ubiops_file_sync.emulator.errors import ApiError
from ubiops_file_sync.emulator.store import Store

PARTS = [b"a" * 2000, b"b" * 2000, b"c" * 10]
WHOLE = b"".join(PARTS)


@pytest.fixture(params=["amazon_s3", "google_cloud_storage", "ubiops"])
def numbered(make_client: MakeClient, request: pytest.FixtureRequest) -> Client:
    """A client of a server whose provider numbers the parts."""
    return make_client(rate_limit=None, provider=request.param, min_part_bytes=1000)


@pytest.fixture
def azure(make_client: MakeClient) -> Client:
    return make_client(rate_limit=None, provider="azure_blob_storage")


def put_block(client: Client, key: str, block_id: str, data: bytes) -> Reply:
    url = client.upload_url(key, upload_id=block_id)
    return client.put(url, data, x_ms_blob_type="BlockBlob")


def block_id(number: int, width: int = 6) -> str:
    return base64.b64encode(f"{number:0{width}d}".encode()).decode()


def test_parts_become_the_object_in_the_order_of_their_numbers(numbered: Client) -> None:
    upload = numbered.start_multipart("a")
    third, first, second = (
        numbered.put_part("a", upload, number, PARTS[number - 1]) for number in (3, 1, 2)
    )
    assert numbered.keys() == []
    reply = numbered.complete("a", upload, [first, second, third])
    assert (reply.status, reply.json()["upload_id"]) == (200, upload)
    assert numbered.download("a").data == WHOLE
    assert numbered.get("a")["size"] == len(WHOLE)


def upload_in_parts(client: Client, key: str = "a") -> Reply:
    upload = client.start_multipart(key)
    entries = [client.put_part(key, upload, number, part) for number, part in enumerate(PARTS, 1)]
    return client.complete(key, upload, entries)


def test_the_parts_leave_the_disk(numbered: Client, tmp_path: Path) -> None:
    assert upload_in_parts(numbered).status == 200
    files = [path for path in (tmp_path / "server" / "blobs").rglob("*") if path.is_file()]
    assert len(files) == 1


def test_s3_gives_an_etag_that_is_no_md5(make_client: MakeClient) -> None:
    client = make_client(rate_limit=None, min_part_bytes=1000)
    upload_in_parts(client)
    together = b"".join(hashlib.md5(part).digest() for part in PARTS)
    expected = f'"{hashlib.md5(together).hexdigest()}-3"'
    assert client.download("a").headers["ETag"] == expected


def test_gcs_gives_a_crc32c_alone(make_client: MakeClient) -> None:
    client = make_client(rate_limit=None, min_part_bytes=1000, provider="google_cloud_storage")
    upload_in_parts(client)
    checksum = google_crc32c.Checksum(WHOLE).digest()  # type: ignore[no-untyped-call]
    expected = f"crc32c={base64.b64encode(checksum).decode()}"
    assert client.download("a").headers["x-goog-hash"] == expected


def test_a_part_can_be_sent_again(numbered: Client) -> None:
    upload = numbered.start_multipart("a")
    numbered.put_part("a", upload, 1, b"wrong" * 1000)
    entries = [numbered.put_part("a", upload, 1, PARTS[0])]
    entries.append(numbered.put_part("a", upload, 2, PARTS[2]))
    assert numbered.complete("a", upload, entries).status == 200
    assert numbered.download("a").data == PARTS[0] + PARTS[2]


def test_parts_may_be_left_out(numbered: Client) -> None:
    upload = numbered.start_multipart("a")
    numbered.put_part("a", upload, 1, PARTS[0])
    entry = numbered.put_part("a", upload, 7, PARTS[1])
    assert numbered.complete("a", upload, [entry]).status == 200
    assert numbered.download("a").data == PARTS[1]


def test_completions_that_may_not_be(numbered: Client) -> None:
    upload = numbered.start_multipart("a")
    one = numbered.put_part("a", upload, 1, PARTS[0])
    two = numbered.put_part("a", upload, 2, PARTS[2])
    three = numbered.put_part("a", upload, 3, PARTS[1])
    refused: list[list[dict[str, object]]] = [
        [],
        [{"PartNumber": 1}],
        [{"PartNumber": "x", "ETag": "y"}],
        [one, {**two, "ETag": one["ETag"]}],
        [one, {**two, "PartNumber": 9}],
        [two, one],
        [one, one],
        [one, two, three],
    ]
    assert [numbered.complete("a", upload, parts).status for parts in refused] == [400] * 8
    assert numbered.complete("b", upload, [one]).status == 404
    assert numbered.complete("a", "other", [one]).status == 404
    assert numbered.keys() == []
    assert numbered.complete("a", upload, [one, two]).status == 200
    assert numbered.complete("a", upload, [one, two]).status == 404


def test_small_parts_are_refused_by_default(make_client: MakeClient) -> None:
    reply = upload_in_parts(make_client(rate_limit=None))
    assert reply.status == 400
    assert "EntityTooSmall" in reply.json()["error"]


def test_parts_that_may_not_be(numbered: Client) -> None:
    upload = numbered.start_multipart("a")
    file = numbered.file_path("a")
    assert numbered.call("POST", file, upload_id=upload).status == 400
    for part in ("0", "10001", "x", "-1"):
        url = numbered.upload_url("a", upload_id=upload, part_number=part)
        assert numbered.put(url, b"1").status == 400
    url = numbered.upload_url("a", upload_id="other", part_number="1")
    reply = numbered.put(url, b"1")
    assert (reply.status, b"NoSuchUpload" in reply.data) == (404, True)


def test_unfinished_uploads_outlive_a_restart(numbered: Client) -> None:
    upload = numbered.start_multipart("a")
    entries = [numbered.put_part("a", upload, 1, PARTS[0])]
    numbered.server.stop()
    numbered.server.start()
    entries.append(numbered.put_part("a", upload, 2, PARTS[1]))
    assert numbered.complete("a", upload, entries).status == 200
    assert numbered.download("a").data == PARTS[0] + PARTS[1]


def test_azure_commits_blocks_in_the_given_order(azure: Client) -> None:
    upload = azure.start_multipart("a")
    for number, part in enumerate(PARTS):
        assert put_block(azure, "a", block_id(number), part).status == 201
    assert azure.keys() == []
    blocks: list[dict[str, object]] = [{"BlockId": block_id(number)} for number in (2, 0, 1)]
    assert azure.complete("a", upload, blocks).status == 200
    reply = azure.download("a")
    assert reply.data == PARTS[2] + PARTS[0] + PARTS[1]
    assert "Content-MD5" not in reply.headers


def test_azure_wants_block_ids_of_one_length(azure: Client) -> None:
    assert put_block(azure, "a", block_id(1, 6), b"1").status == 201
    refused = put_block(azure, "a", block_id(1, 9), b"1")
    assert (refused.status, b"InvalidBlobOrBlock" in refused.data) == (400, True)
    assert put_block(azure, "b", block_id(1, 9), b"1").status == 201


@pytest.mark.parametrize("name", ["no base64!", base64.b64encode(b"x" * 65).decode()])
def test_azure_refuses_ids_that_are_none(azure: Client, name: str) -> None:
    assert put_block(azure, "a", name, b"1").status == 400


def test_azure_forgets_blocks_when_a_blob_is_put(azure: Client) -> None:
    put_block(azure, "a", block_id(1), b"1")
    azure.upload("a", b"whole")
    assert azure.complete("a", "", [{"BlockId": block_id(1)}]).status == 400
    assert azure.download("a").data == b"whole"


def test_an_upload_is_completed_only_once(tmp_path: Path) -> None:
    store = Store(tmp_path, Clock(), Behaviour())
    bucket = store.buckets.add("p", "b", Provider.AMAZON_S3)
    assert bucket is not None
    upload = store.uploads.start(bucket, "a")
    writer = store.writer(bucket)
    writer.write(b"1")
    blob = writer.finish()
    assert blob.md5 is not None
    store.put_part(bucket, "a", upload, "1", blob)
    claims = [{"PartNumber": 1, "ETag": blob.md5.hex()}]
    first, second = (store.plan_join(bucket, upload, claims, 1) for _ in range(2))
    store.join(bucket, "a", upload, first)
    with pytest.raises(ApiError, match="not found"):
        store.join(bucket, "a", upload, second)
    assert [key for key, _, _ in store.every_object(bucket)] == ["a"]
    store.close()
