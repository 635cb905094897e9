"""Which failures are tried again, how often, and in what words they end."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import pytest

from bucket.conftest import connect
from ubiops_file_sync.bucket import digest, download
from ubiops_file_sync.bucket.listing import created_us
from ubiops_file_sync.bucket.ubiops import UbiOpsBucket
from ubiops_file_sync.emulator import BucketServer, Fault, Provider, Role
from ubiops_file_sync.errors import (
    AccessRefused,
    KeyFailure,
    KeyUnreachable,
    NoSuchBucket,
    RemoteUnreachable,
)
from ubiops_file_sync.model import RemoteEntry

SIGNED = ("X-Amz-Signature", "Signature=", "sig=", "X-Goog")


@pytest.mark.parametrize("kind", ["status", "reset_before", "reset_after", "truncate"])
def test_five_tries_and_then_the_cause(any_server: BucketServer, kind: str) -> None:
    fault = any_server.faults.add(Fault("list", kind, times=None, code=503))
    with pytest.raises(RemoteUnreachable) as caught:
        list(connect(any_server).pages())
    assert any_server.faults.fired(fault) == 5
    assert "profile 'models'" in str(caught.value)


@pytest.mark.parametrize(("code", "tries"), [(400, 1), (401, 1), (403, 1), (404, 1), (408, 5)])
def test_a_refusal_is_not_asked_twice(any_server: BucketServer, code: int, tries: int) -> None:
    fault = any_server.faults.add(Fault("list", "status", times=None, code=code))
    with pytest.raises(Exception, match="models"):
        list(connect(any_server).pages())
    assert any_server.faults.fired(fault) == tries


def test_every_providers_way_to_say_expired_is_understood(
    bucket: UbiOpsBucket, server: BucketServer
) -> None:
    server.put_object("p/a", b"1")
    server.limits.url_lifetime_s = -10
    with pytest.raises(KeyUnreachable):
        bucket.send("b", io.BytesIO(b"1"), 1)
    with pytest.raises(KeyUnreachable):
        bucket.fetch(RemoteEntry("a", 1, 1), io.BytesIO())
    assert bucket.calls.by_endpoint() == {"upload": 5, "download": 5}, "signed anew each time"


def test_an_expired_url_is_signed_again(any_server: BucketServer) -> None:
    any_server.faults.add(Fault(("put", "get_blob"), "status", code=403, times=1))
    bucket = connect(any_server)
    bucket.send("a", io.BytesIO(b"1"), 1)
    assert bucket.calls.by_endpoint() == {"upload": 2}
    assert any_server.read_object("p/a") == b"1"


def test_a_body_that_ends_early_is_no_download(
    any_server: BucketServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a length nor a digest comes with it: the listed size is the only proof."""
    monkeypatch.setattr(download, "provider_digest", lambda _headers, **_: None)
    any_server.put_object("p/a", b"x" * 5000)
    fault = any_server.faults.add(Fault("get_blob", "truncate_chunked", times=None, length=10))
    with pytest.raises(KeyUnreachable, match="10 bytes came of 5000"):
        connect(any_server).fetch(RemoteEntry("a", 5000, 1), io.BytesIO())
    assert any_server.faults.fired(fault) == 5


def test_a_key_that_gets_no_answer_is_a_matter_of_that_key(any_server: BucketServer) -> None:
    any_server.faults.add(Fault("put", "status", times=None, code=500))
    with pytest.raises(KeyUnreachable, match="storage provider answered 500"):
        connect(any_server).send("a", io.BytesIO(b"1"), 1)


PORTAL = "<html><body>Welcome! Please sign in to the Wi-Fi.</body></html>"


@pytest.mark.parametrize("code", [200, 404])
def test_somebody_else_s_page_is_no_proof_that_an_object_is_gone(
    any_server: BucketServer, code: int
) -> None:
    """A proxy whose service is just being replaced answers 404, too, and deletions hang on it."""
    any_server.put_object("p/a", b"1")
    bucket = connect(any_server)
    fault = any_server.faults.add(
        Fault(["get", "delete"], "status", times=None, code=code, body=PORTAL)
    )
    with pytest.raises(KeyUnreachable, match="not what the UbiOps API sends"):
        bucket.get("a")
    with pytest.raises(KeyUnreachable, match="not what the UbiOps API sends"):
        bucket.delete("a")
    assert any_server.faults.fired(fault) == 10
    any_server.faults.clear()
    any_server.faults.add(Fault(["get", "delete"], "status", code=code, body=PORTAL))
    assert bucket.get("a") is not None
    bucket.delete("a")
    assert bucket.get("a") is None


def test_somebody_else_s_page_is_no_proof_that_something_was_stored(
    any_server: BucketServer,
) -> None:
    page = {"content-type": "text/html; charset=utf-8"}
    any_server.faults.add(Fault("put", "status", code=200, body=PORTAL, headers=page))
    connect(any_server).send("a", io.BytesIO(b"1"), 1)
    assert any_server.read_object("p/a") == b"1"
    any_server.faults.add(Fault("put", "status", times=None, code=200, body=PORTAL, headers=page))
    with pytest.raises(KeyUnreachable, match="a web page came instead"):
        connect(any_server).send("b", io.BytesIO(b"1"), 1)


def test_a_bucket_that_vanishes_is_named_by_an_upload(any_server: BucketServer) -> None:
    bucket = connect(any_server)
    any_server.delete_bucket(any_server.bucket)
    with pytest.raises(NoSuchBucket, match="there is no bucket 'default'"):
        bucket.send("a", io.BytesIO(b"1"), 1)
    with pytest.raises(NoSuchBucket, match="there is no bucket 'default'"):
        bucket.begin_parts("a")


def test_what_the_storage_has_enough_of_is_not_put_down_to_the_api_s_quota(
    any_server: BucketServer,
) -> None:
    any_server.faults.add(Fault("put", "status", times=None, code=429))
    with pytest.raises(KeyUnreachable, match="the storage provider answered 429"):
        connect(any_server).send("a", io.BytesIO(b"1"), 1)


@pytest.mark.parametrize(("operation", "words"), [("get", "look at"), ("sign_download", "read")])
def test_a_role_that_may_not_read_is_explained(
    any_server: BucketServer, operation: str, words: str
) -> None:
    any_server.put_object("p/a", b"1")
    any_server.faults.add(Fault(operation, "status", times=None, code=403))
    bucket = connect(any_server)

    def ask() -> None:
        bucket.get("a")
        bucket.fetch(RemoteEntry("a", 1, 1), io.BytesIO())

    with pytest.raises(AccessRefused, match=f"may not {words} its files. Give it the role"):
        ask()


def test_a_storage_refusal_that_does_not_pass_says_so(any_server: BucketServer) -> None:
    any_server.faults.add(Fault("put", "status", times=None, code=400))
    with pytest.raises(KeyFailure, match="may not pass by itself"):
        connect(any_server).send("a", io.BytesIO(b"1"), 1)


def test_a_role_that_may_not_list_is_explained(any_server: BucketServer) -> None:
    any_server.tokens["restricted"] = Role.RESTRICTED_READER
    with pytest.raises(AccessRefused, match="may not list the bucket"):
        list(connect(any_server, token="restricted").pages())


def test_a_listing_outside_the_place_is_not_believed(any_server: BucketServer) -> None:
    body = '{"files": [{"file": "q/a", "size": 1, "time_created": "2024-01-01T00:00:00Z"}]}'
    any_server.faults.add(Fault("list", "status", code=200, body=body, times=None))
    with pytest.raises(RemoteUnreachable, match="outside 'p/'"):
        list(connect(any_server).pages())


def test_a_listing_that_goes_round_in_a_circle_ends(any_server: BucketServer) -> None:
    body = '{"files": [], "continuation_token": "again"}'
    any_server.faults.add(Fault("list", "status", code=200, body=body, times=None))
    with pytest.raises(RemoteUnreachable, match="circle"):
        list(connect(any_server).pages())


@pytest.mark.parametrize("length", [1, 2, 3, 7])
def test_a_circle_of_several_pages_is_noticed(any_server: BucketServer, length: int) -> None:
    for n in range(100):
        body = f'{{"files": [], "continuation_token": "{n % length}"}}'
        any_server.faults.add(Fault("list", "status", code=200, body=body))
    with pytest.raises(RemoteUnreachable, match="circle"):
        list(connect(any_server).pages())
    assert any_server.calls.count("list") <= 3 * length + 1


def test_no_token_and_no_signed_url_is_in_any_error_or_log(
    any_server: BucketServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Invariant I9, with every logger at its most talkative."""
    caplog.set_level(logging.DEBUG)
    for name in ("urllib3", "ubiops", "requests"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    bucket = connect(any_server)
    said = []
    bucket.send("a", io.BytesIO(b"1"), 1)
    for fault in (
        Fault("put", "status", times=None, code=500),
        Fault("put", "reset_before", times=None),
        Fault("sign_upload", "reset_after", times=None),
    ):
        any_server.faults.add(fault)
        with pytest.raises(KeyFailure) as caught:
            bucket.send("a", io.BytesIO(b"1"), 1)
        said.append(repr(caught.value))
        any_server.faults.clear()
    any_server.faults.clear()
    with pytest.raises(KeyFailure) as caught:
        bucket.fetch(RemoteEntry("a", 5, 1), io.BytesIO())
    said.append(repr(caught.value))
    everything = "\n".join([*said, caplog.text, repr(bucket), repr(vars(bucket))])
    assert any_server.token not in everything
    for mark in SIGNED:
        assert mark not in everything


def test_the_servers_own_words_are_passed_on_but_never_its_urls(any_server: BucketServer) -> None:
    any_server.faults.add(
        Fault("sign_upload", "status", code=400, body='{"error": "File name is not allowed"}')
    )
    with pytest.raises(KeyFailure, match="File name is not allowed"):
        connect(any_server).send("a", io.BytesIO(b"1"), 1)


@pytest.mark.parametrize(
    "text",
    [
        "2024-02-29T12:00:00.123456Z",
        "2024-02-29T12:00:00.123456+00:00",
        "2024-02-29T13:00:00.123456+01:00",
        "2024-02-29T12:00:00.123456",
        "2024-02-29 12:00:00.123456789Z",
    ],
)
def test_time_created_in_every_form_is_one_time(text: str) -> None:
    assert created_us(text) == 1_709_208_000_123_456


def test_time_created_with_fewer_digits() -> None:
    assert created_us("2024-02-29T12:00:00Z") == 1_709_208_000_000_000
    assert created_us("2024-02-29T12:00:00.5Z") == 1_709_208_000_500_000


@pytest.mark.parametrize(
    ("headers", "algorithm"),
    [
        ({"etag": '"900150983cd24fb0d6963f7d28e17f72"'}, "md5"),
        ({"etag": '"900150983cd24fb0d6963f7d28e17f72-3"'}, None),
        ({"etag": '"0x8D4BCC2E4835CD0"'}, None),
        (
            {
                "etag": '"900150983cd24fb0d6963f7d28e17f72"',
                "x-amz-server-side-encryption": "aws:kms",
            },
            None,
        ),
        ({"x-goog-hash": "crc32c=Nks/tw==,md5=kAFQmDzST7DWlj99KOF/cg=="}, "md5"),
        ({"x-goog-hash": "crc32c=Nks/tw=="}, "crc32c"),
        ({"content-md5": "kAFQmDzST7DWlj99KOF/cg=="}, "md5"),
        ({"content-md5": "not base64!"}, None),
        ({}, None),
    ],
)
def test_the_providers_digest_is_taken_only_where_it_is_one(
    headers: dict[str, str], algorithm: str | None
) -> None:
    found = digest.provider_digest(headers)
    assert (found.algorithm if found else None) == algorithm
    if found:
        assert found.value == digest.digest_of(io.BytesIO(b"abc"), found.algorithm)


def test_what_is_stopped_breaks_off_and_is_not_tried_again(any_server: BucketServer) -> None:
    bucket = connect(any_server)
    bucket.send("a", io.BytesIO(b"1"), 1)
    bucket.stop()
    with pytest.raises(KeyFailure, match="interrupted"):
        bucket.send("b", io.BytesIO(b"1"), 1)
    assert set(any_server.objects()) == {"p/a"}


@pytest.mark.parametrize(
    "item",
    [
        '{"file": "p/a", "size": 1, "time_created": "yesterday"}',
        '{"file": "p/a", "size": -1, "time_created": "2024-01-01T00:00:00Z"}',
        '{"file": "p/a", "size": 99999999999999999999, "time_created": "2024-01-01T00:00:00Z"}',
        '{"file": 7, "size": 1, "time_created": "2024-01-01T00:00:00Z"}',
    ],
)
def test_a_listing_that_makes_no_sense_is_no_listing(any_server: BucketServer, item: str) -> None:
    body = f'{{"files": [{item}], "continuation_token": null}}'
    any_server.faults.add(Fault("list", "status", code=200, body=body, times=None))
    with pytest.raises(RemoteUnreachable):
        list(connect(any_server).pages())


def test_a_signed_url_that_is_none_fails_its_key_alone(any_server: BucketServer) -> None:
    body = '{"url": "http://[::1/x?sig=secret", "provider": "ubiops"}'
    any_server.faults.add(Fault("sign_upload", "status", code=200, body=body, times=None))
    with pytest.raises(KeyFailure) as caught:
        connect(any_server).send("a", io.BytesIO(b"1"), 1)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "headers",
    [
        {"etag": f'"{"0" * 32}"'},
        {"x-goog-hash": "crc32c=AAAAAA==,md5=AAAAAAAAAAAAAAAAAAAAAA=="},
        {"content-md5": "AAAAAAAAAAAAAAAAAAAAAA=="},
    ],
    ids=["S3", "Google", "Azure"],
)
def test_an_upload_that_was_stored_otherwise_is_sent_again(
    tmp_path: Path, headers: dict[str, str]
) -> None:
    provider = Provider.GOOGLE if "x-goog-hash" in headers else Provider.AMAZON_S3
    with BucketServer(tmp_path / "server", rate_limit=None, provider=provider) as server:
        bucket = connect(server)
        server.faults.add(Fault("put", "status", code=200, headers=headers, times=2))
        bucket.send("a", io.BytesIO(b"content"), 7)
        assert server.calls.count("put") == 3
        assert server.read_object("p/a") == b"content"
        server.faults.add(Fault("put", "status", code=200, headers=headers, times=None))
        with pytest.raises(KeyFailure, match="other bytes than were sent"):
            bucket.send("a", io.BytesIO(b"content"), 7)
