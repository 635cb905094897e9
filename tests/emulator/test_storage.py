"""Signed URLs and what lies behind them, provider by provider."""

from __future__ import annotations

import base64
import hashlib
import http.client
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import google_crc32c
import pytest

from emulator.client import Client, Reply
from emulator.conftest import MakeClient
from ubiops_file_sync.emulator import BucketServer

DATA = bytes(range(256)) * 40


def md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def crc32c(data: bytes) -> str:
    return base64.b64encode(google_crc32c.Checksum(data).digest()).decode()  # type: ignore[no-untyped-call]


def error_code(reply: Reply) -> str:
    """The code in an error's XML."""
    assert reply.headers["Content-Type"] == "application/xml"
    root = ElementTree.fromstring(reply.data.decode("utf-8-sig"))
    assert root.tag == "Error"
    assert root.findtext("Message")
    return root.findtext("Code") or ""


def eventually(holds: Callable[[], bool]) -> bool:
    """Whether it holds within a few seconds."""
    ends = time.monotonic() + 5
    while not holds() and time.monotonic() < ends:
        time.sleep(0.005)
    return holds()


@pytest.fixture
def s3(make_client: MakeClient) -> Client:
    return make_client(rate_limit=None, provider="amazon_s3")


@pytest.fixture
def gcs(make_client: MakeClient) -> Client:
    return make_client(rate_limit=None, provider="google_cloud_storage")


@pytest.fixture
def azure(make_client: MakeClient) -> Client:
    return make_client(rate_limit=None, provider="azure_blob_storage")


def test_s3_tells_the_md5(s3: Client) -> None:
    put, got = s3.upload("a", DATA), s3.download("a")
    etag = f'"{hashlib.md5(DATA).hexdigest()}"'
    assert (put.status, put.data, put.headers["ETag"]) == (200, b"", etag)
    assert (got.data, got.headers["ETag"]) == (DATA, etag)


def test_gcs_tells_both_hashes(gcs: Client) -> None:
    put, got = gcs.upload("a", DATA), gcs.download("a")
    assert put.status == 200
    for reply in (put, got):
        assert reply.headers["x-goog-hash"] == f"crc32c={crc32c(DATA)}, md5={md5(DATA)}"
        assert hashlib.md5(DATA).hexdigest() not in reply.headers["ETag"]


def test_azure_tells_the_md5_and_wants_its_header(azure: Client) -> None:
    url = azure.upload_url("a")
    refused = azure.put(url, DATA)
    assert (refused.status, error_code(refused)) == (400, "MissingRequiredHeader")
    assert azure.keys() == []
    put, got = azure.put(url, DATA, x_ms_blob_type="BlockBlob"), azure.download("a")
    assert put.status == 201
    for reply in (put, got):
        assert reply.headers["Content-MD5"] == md5(DATA)
        assert re.fullmatch(r'"0x[0-9A-F]+"', reply.headers["ETag"])


def test_an_overwrite_changes_the_etag(any_client: Client) -> None:
    any_client.upload("a", b"1")
    one = any_client.download("a").headers["ETag"]
    any_client.upload("a", b"2")
    assert any_client.download("a").headers["ETag"] != one
    assert any_client.download("a").data == b"2"


def test_urls_name_their_parameters_as_the_provider_does(any_client: Client) -> None:
    api = any_client.call("POST", any_client.file_path("a")).json()
    query = parse_qs(urlsplit(api["url"]).query)
    expected = {
        "google_cloud_storage": {"X-Goog-Signature", "X-Goog-Expires", "X-Goog-Credential"},
        "azure_blob_storage": {"sig", "se", "sv", "sp"},
    }
    s3 = {"X-Amz-Signature", "X-Amz-Expires", "X-Amz-Credential", "X-Amz-Date"}
    assert expected.get(api["provider"], s3) <= query.keys()


EXPIRED = {
    "google_cloud_storage": (400, "ExpiredToken"),
    "azure_blob_storage": (403, "AuthenticationFailed"),
}


def test_an_expired_url_is_refused(any_client: Client) -> None:
    any_client.server.put_object("a", b"1")
    provider = any_client.call("GET", any_client.bucket_path()).json()["provider"]
    up, down = any_client.upload_url("b"), any_client.download_url("a")
    any_client.server.clock.offset_s = 901
    for reply in (
        any_client.put(up, b"2", x_ms_blob_type="BlockBlob"),
        any_client.pool.request("GET", down),
    ):
        expected = EXPIRED.get(provider, (403, "AccessDenied"))
        assert (reply.status, error_code(reply)) == expected
    assert any_client.keys() == ["a"]


def test_the_lifetime_of_urls_can_be_set(client: Client, server: BucketServer) -> None:
    server.limits.url_lifetime_s = 0
    assert client.upload("a", b"1").status == 403


def test_a_signature_is_good_for_one_thing_only(any_client: Client) -> None:
    any_client.server.put_object("a", b"1")
    up, down = any_client.upload_url("a"), any_client.download_url("a")
    signed = [
        any_client.put(down, b"2", x_ms_blob_type="BlockBlob"),
        any_client.pool.request("GET", up),
        any_client.pool.request("GET", down.replace("/a?", "/b?")),
        any_client.pool.request("GET", down.split("?")[0]),
        any_client.put(up + "&partNumber=1&blockid=MQ%3D%3D", b"2", x_ms_blob_type="BlockBlob"),
    ]
    assert {reply.status for reply in signed} == {403}
    codes = {error_code(reply) for reply in signed}
    assert codes in ({"SignatureDoesNotMatch"}, {"AuthenticationFailed"})
    assert any_client.server.read_object("a") == b"1"


def test_storage_requests_cost_no_quota(make_client: MakeClient) -> None:
    client = make_client(rate_limit=1)
    url = client.upload_url("a")
    assert [client.put(url, b"1").status for _ in range(5)] == [200] * 5
    assert client.call("GET", "status").status == 429
    assert "x-ratelimit-limit" not in client.put(url, b"1").headers


def test_a_body_without_a_length(any_client: Client) -> None:
    provider = any_client.call("GET", any_client.bucket_path()).json()["provider"]
    url = urlsplit(any_client.upload_url("a"))
    connection = http.client.HTTPConnection(str(url.hostname), url.port)
    headers = {"x-ms-blob-type": "BlockBlob"}
    connection.request("PUT", f"{url.path}?{url.query}", iter([b"1", b"2"]), headers)
    status = connection.getresponse().status
    connection.close()
    assert status == {"google_cloud_storage": 200, "azure_blob_storage": 411}.get(provider, 501)
    stored = {"a": b"12"} if status == 200 else {}
    assert {
        key: any_client.server.read_object(key) for key in any_client.server.objects()
    } == stored


def test_an_empty_body_is_an_object(any_client: Client) -> None:
    assert any_client.upload("a", b"").status in (200, 201)
    assert any_client.download("a").data == b""
    assert any_client.get("a")["size"] == 0


def send_half(client: Client, url: str) -> None:
    """Send half of a body that announces its length, and go."""
    parts = urlsplit(url)
    address = (str(parts.hostname), parts.port or 0)
    with socket.create_connection(address) as connection:
        head = f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n"
        connection.sendall(f"{head}x-ms-blob-type: BlockBlob\r\n\r\n".encode() + b"x" * 1000)


def test_a_body_that_breaks_off_leaves_nothing(any_client: Client, tmp_path: Path) -> None:
    any_client.upload("a", b"before")
    send_half(any_client, any_client.upload_url("a"))
    assert eventually(lambda: any_client.server.calls.of("put", "a")[1:] == [("put", "a", 0)])
    assert any_client.server.read_object("a") == b"before"
    assert list((tmp_path / "server" / "blobs" / "incoming").iterdir()) == []


def test_a_large_body_passes_through_in_pieces(client: Client, tmp_path: Path) -> None:
    data = DATA * 1000
    assert client.upload("big", data).status == 200
    assert client.download("big").data == data
    assert client.download("big", Range="bytes=9000000-").data == data[9_000_000:]


def test_overwritten_and_deleted_bytes_leave_the_disk(client: Client, tmp_path: Path) -> None:
    def blobs() -> int:
        return sum(path.is_file() for path in (tmp_path / "server" / "blobs").rglob("*"))

    for number in range(5):
        client.upload("a", bytes(number))
    client.upload("b", b"1")
    assert blobs() == 2
    client.call("DELETE", client.file_path("a"))
    assert blobs() == 1
    client.call("DELETE", client.bucket_path())
    assert blobs() == 0


def test_a_wrong_content_md5_is_refused(any_client: Client) -> None:
    url = any_client.upload_url("a")
    headers: dict[str, Any] = {"x_ms_blob_type": "BlockBlob"}
    refused = any_client.put(url, DATA, content_md5=md5(b"other"), **headers)
    assert (refused.status, error_code(refused) in ("BadDigest", "Md5Mismatch")) == (400, True)
    assert any_client.keys() == []
    assert any_client.put(url, DATA, content_md5=md5(DATA), **headers).status in (200, 201)


@pytest.mark.parametrize(
    ("asked", "status", "part", "content_range"),
    [
        ("bytes=0-0", 206, DATA[:1], "bytes 0-0/10240"),
        ("bytes=10-19", 206, DATA[10:20], "bytes 10-19/10240"),
        ("bytes=10000-", 206, DATA[10000:], "bytes 10000-10239/10240"),
        ("bytes=10000-99999", 206, DATA[10000:], "bytes 10000-10239/10240"),
        ("bytes=-5", 206, DATA[-5:], "bytes 10235-10239/10240"),
        ("bytes=-99999", 206, DATA, "bytes 0-10239/10240"),
        ("bytes=5-4", 200, DATA, None),
        ("bytes=0-1,4-5", 200, DATA, None),
        ("lines=0-1", 200, DATA, None),
        ("bytes=-", 200, DATA, None),
    ],
)
def test_ranges(
    client: Client, asked: str, status: int, part: bytes, content_range: str | None
) -> None:
    client.upload("a", DATA)
    reply = client.download("a", Range=asked)
    assert (reply.status, reply.data) == (status, part)
    assert reply.headers.get("Content-Range") == content_range
    assert reply.headers["Content-Length"] == str(len(part))
    assert reply.headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize("asked", ["bytes=10240-", "bytes=20000-20001", "bytes=-0"])
def test_a_range_outside_is_refused(any_client: Client, asked: str) -> None:
    any_client.upload("a", DATA)
    reply = any_client.download("a", Range=asked)
    assert (reply.status, error_code(reply)) == (416, "InvalidRange")
    assert reply.headers["Content-Range"] == "bytes */10240"


def test_conditions_go_by_the_etag(any_client: Client) -> None:
    any_client.upload("a", DATA)
    etag = any_client.download("a").headers["ETag"]
    part = any_client.download("a", Range="bytes=0-1", If_Range=etag)
    assert (part.status, part.data) == (206, DATA[:2])
    whole = any_client.download("a", Range="bytes=0-1", If_Range='"other"')
    assert (whole.status, whole.data) == (200, DATA)
    assert any_client.download("a", If_Match=etag).status == 200
    assert any_client.download("a", If_Match='"other"').status == 412


def test_head_is_signed_by_get_but_not_on_s3(any_client: Client) -> None:
    any_client.upload("a", DATA)
    got, head = any_client.download("a"), any_client.download("a", "HEAD")
    assert head.data == b""
    if "X-Amz-Signature" in any_client.download_url("a"):
        assert head.status == 403
        return
    same = ("ETag", "Content-Length", "Last-Modified", "x-goog-hash", "Content-MD5")
    assert head.status == 200
    assert [head.headers.get(name) for name in same] == [got.headers.get(name) for name in same]


def test_what_was_deleted_meanwhile_is_not_there(any_client: Client) -> None:
    any_client.upload("a", b"1")
    url = any_client.download_url("a")
    any_client.server.delete_object("a")
    reply = any_client.pool.request("GET", url)
    assert (reply.status, error_code(reply) in ("NoSuchKey", "BlobNotFound")) == (404, True)


def test_a_download_goes_on_while_its_object_is_replaced(client: Client) -> None:
    data = DATA * 2000
    client.upload("a", data)
    reply = client.pool.request("GET", client.download_url("a"), preload_content=False)
    head = reply.read(1000)
    client.server.put_object("a", b"new")
    assert head + reply.read() == data
    reply.release_conn()


def test_urls_outlive_a_restart(client: Client, server: BucketServer) -> None:
    client.upload("a", DATA)
    url = client.download_url("a")
    server.stop()
    server.start()
    assert client.pool.request("GET", url).data == DATA
