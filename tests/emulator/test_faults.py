"""Faults that tests can order, as a client sees them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import urllib3

from emulator.client import Client
from emulator.conftest import MakeClient
from ubiops_file_sync.emulator import ANY, BucketServer, Fault, FaultKind

DATA = b"0123456789" * 50_000
Broken = urllib3.exceptions.ProtocolError


def test_a_status_has_no_effect_and_ends(client: Client, server: BucketServer) -> None:
    fault = server.faults.add(Fault("put", "status", code=503, times=2))
    url = client.upload_url("a")
    assert [client.put(url, b"1").status for _ in range(2)] == [503, 503]
    assert client.keys() == []
    assert client.put(url, b"1").status == 200
    assert server.faults.fired(fault) == 2
    assert [call.status for call in server.calls.of("put")] == [503, 503, 200]


def test_a_status_keeps_the_form_of_its_side(make_client: MakeClient) -> None:
    client = make_client()
    client.server.faults.add(Fault(ANY, FaultKind.STATUS, code=500, times=None))
    reply = client.call("GET", "status")
    assert (reply.status, list(reply.json())) == (500, ["error"])
    assert reply.headers["x-ratelimit-remaining"] == "299"
    client.server.faults.clear()
    url = client.upload_url("a")
    client.server.faults.add(Fault("put", "status", code=500))
    assert b"<Code>InternalError</Code>" in client.put(url, b"1").data


def test_a_status_can_bring_headers_and_a_body(client: Client, server: BucketServer) -> None:
    headers = {"x-ratelimit-reset": "7", "Retry-After": "3"}
    server.faults.add(Fault("status", "status", code=429, body="{}", headers=headers))
    reply = client.call("GET", "status")
    assert (reply.status, reply.data) == (429, b"{}")
    assert {name: reply.headers[name] for name in headers} == headers


def test_matches_narrow_down(client: Client, server: BucketServer) -> None:
    add = server.faults.add
    add(Fault({"get", "delete"}, "status", key="secret", times=None))
    add(Fault("sign_upload", "status", code=418, key=lambda key: len(key) > 3, after=1))
    statuses = [
        client.call("GET", client.file_path("a")).status,
        client.call("GET", client.file_path("a/secret/b")).status,
        client.call("DELETE", client.file_path("secret")).status,
        client.call("POST", client.file_path("secret")).status,
        client.call("POST", client.file_path("abc")).status,
        client.call("POST", client.file_path("abcd")).status,
        client.call("POST", client.file_path("abcd")).status,
    ]
    assert statuses == [404, 500, 500, 200, 200, 418, 200]


def test_one_page_of_a_listing_can_fail(client: Client, server: BucketServer) -> None:
    server.add_synthetic(None, 10)
    server.faults.add(Fault("list", "status", page=2))
    path = client.bucket_path() + "/files"
    page, statuses = client.list_page(limit=2), []
    for _ in range(3):
        token = page["continuation_token"]
        reply = client.call("GET", path, limit=2, continuation_token=token)
        statuses.append(reply.status)
        page = reply.json() if reply.status == 200 else page
    assert statuses == [200, 500, 200]


@pytest.mark.parametrize("fault", [Fault("get", "nonsense"), Fault("nothing", "status")])
def test_faults_that_cannot_be_are_refused(server: BucketServer, fault: Fault) -> None:
    with pytest.raises(ValueError, match="is not a valid"):
        server.faults.add(fault)


def test_latency_comes_before_the_effect(client: Client, server: BucketServer) -> None:
    server.faults.add(Fault("status", "latency", seconds=0.1))
    begins = time.monotonic()
    assert client.call("GET", "status").status == 200
    assert time.monotonic() - begins >= 0.1


def assert_reset(request: Callable[[], object]) -> None:
    with pytest.raises(Broken) as caught:
        request()
    assert isinstance(caught.value.args[1], ConnectionResetError)


def test_a_reset_before_has_no_effect(client: Client, server: BucketServer) -> None:
    server.faults.add(Fault("put", "reset_before"))
    url = client.upload_url("a")
    assert_reset(lambda: client.put(url, b"1"))
    assert client.keys() == []
    assert server.calls.of("put") == [("put", "a", 0)]


def test_a_reset_after_has_its_effect(client: Client, server: BucketServer) -> None:
    for operation in ("put", "delete", "complete_multipart", "get_blob"):
        server.faults.add(Fault(operation, "reset_after"))
    url = client.upload_url("a")
    assert_reset(lambda: client.put(url, b"1"))
    assert client.keys() == ["a"]
    assert_reset(lambda: client.download("a"))
    assert_reset(lambda: client.call("DELETE", client.file_path("a")))
    assert client.keys() == []
    upload = client.start_multipart("b")
    entries = [client.put_part("b", upload, 1, b"1")]
    assert_reset(lambda: client.complete("b", upload, entries))
    assert client.keys() == ["b"]


def test_a_reset_in_the_middle_of_a_large_upload(client: Client, server: BucketServer) -> None:
    server.faults.add(Fault("put", "reset_before"))
    url = client.upload_url("a")
    with pytest.raises(Broken):
        client.put(url, DATA * 20)
    assert client.keys() == []


def test_a_truncated_body_announces_its_whole_length(client: Client, server: BucketServer) -> None:
    server.put_object("a", DATA)
    server.faults.add(Fault("get_blob", "truncate", length=300_000))
    reply = client.pool.request("GET", client.download_url("a"), preload_content=False)
    assert reply.headers["Content-Length"] == str(len(DATA))
    pieces: list[bytes] = []
    with pytest.raises(Broken):
        pieces.extend(iter(lambda: reply.read(1000), b""))
    got = b"".join(pieces)
    assert got == DATA[: len(got)]
    assert 299_000 <= len(got) <= 300_000


def test_a_truncated_chunked_body_ends_as_if_whole(client: Client, server: BucketServer) -> None:
    server.put_object("a", DATA)
    server.faults.add(Fault("get_blob", "truncate_chunked", length=300_000))
    reply = client.download("a")
    assert (reply.status, reply.data) == (200, DATA[:300_000])
    assert "Content-Length" not in reply.headers
    assert client.download("a").data == DATA


def test_a_wrong_body_has_the_right_length(client: Client, server: BucketServer) -> None:
    server.put_object("a", DATA)
    server.faults.add(Fault("get_blob", "wrong_body"))
    reply = client.download("a")
    assert len(reply.data) == len(DATA)
    assert not set(reply.data) & set(DATA)
    assert client.download("a").data == DATA


def test_a_listing_can_be_cut_too(client: Client, server: BucketServer) -> None:
    server.faults.add(Fault("list", "truncate_chunked", length=10))
    assert client.call("GET", client.bucket_path() + "/files").data == b'{"files":['


def test_a_hang_ends_when_the_client_gives_up(client: Client, server: BucketServer) -> None:
    server.faults.add(Fault("status", "hang"))
    url = server.api_host + "/status"
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        client.pool.request("GET", url, timeout=0.1)
    assert server.calls.of("status") == [("status", "", 0)]


def test_a_hang_after_has_its_effect(client: Client, server: BucketServer) -> None:
    server.faults.add(Fault("put", "hang_after", seconds=0.05))
    url = client.upload_url("a")
    assert_reset(lambda: client.put(url, b"1"))
    assert client.keys() == ["a"]


def test_something_happens_meanwhile(client: Client, server: BucketServer) -> None:
    """Just before the request that the fault befalls, and no other."""
    server.put_object("a", b"1")
    fault = Fault(
        "list", "latency", seconds=0, after=1, meanwhile=lambda: server.put_object("b", b"2")
    )
    server.faults.add(fault)
    assert [client.keys(), client.keys()] == [["a"], ["a", "b"]]
    assert server.faults.fired(fault) == 1


def test_a_hang_ends_in_time(client: Client, server: BucketServer) -> None:
    server.faults.add(Fault("put", "hang", seconds=0.05))
    url = client.upload_url("a")
    assert_reset(lambda: client.put(url, b"1"))


def test_a_server_that_hangs_can_be_stopped(client: Client, server: BucketServer) -> None:
    server.faults.add(Fault("status", "hang"))
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        client.pool.request("GET", server.api_host + "/status", timeout=0.05)
    begins = time.monotonic()
    server.stop()
    assert time.monotonic() - begins < 5


def test_resets_work_under_tls(make_client: MakeClient, certificate: tuple[Path, Path]) -> None:
    client = make_client(tls=certificate)
    client.pool = urllib3.PoolManager(retries=False, ca_certs=str(certificate[0]))
    client.server.faults.add(Fault("put", "reset_before"))
    url = client.upload_url("a")
    assert url.startswith("https://")
    with pytest.raises((Broken, urllib3.exceptions.SSLError)):
        client.put(url, b"1")
    assert client.put(url, b"1").status == 200
    client.pool.clear()
