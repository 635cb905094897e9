"""Answers that no UbiOps gives, but something in between may."""

from __future__ import annotations

import io
import math
import os
import time
from pathlib import Path

import pytest

from fuzz.ground import AT_ONCE
from fuzz.hostile import Hostile, ok
from ubiops_file_sync.bucket import exchange
from ubiops_file_sync.bucket.problems import Place
from ubiops_file_sync.bucket.quota import Unpaced
from ubiops_file_sync.bucket.server_clock import measured_skew_us, server_us
from ubiops_file_sync.bucket.ubiops import UbiOpsBucket
from ubiops_file_sync.errors import RemoteError, RemoteUnreachable
from ubiops_file_sync.model import RemoteEntry

ABSURD_DATES = [
    "Sat, 01 Jan 20280000000000000000 00:00:00 GMT",
    "Sat, 01 Jan 2028 99999999999999999999:00:00 GMT",
    "Sat, 01 Jan 2028 00:00:00 +99999999999999999999",
    "J",
    ":",
    "",
]


def bucket_of(*answers: bytes) -> UbiOpsBucket:
    """A bucket whose server gives these answers, one after the other."""
    hostile = Hostile()
    hostile.play(list(answers))
    place = Place("p", hostile.api_host, "demo", "default", "data/", "here")
    return UbiOpsBucket(place, "t" * 20, AT_ONCE, quota=Unpaced())


@pytest.mark.parametrize("date", ABSURD_DATES)
def test_a_date_that_is_none_tells_nothing_of_the_clocks(date: str) -> None:
    now_us = time.time_ns() // 1000
    assert abs(server_us({"date": date}) - now_us) < 60_000_000
    assert measured_skew_us({"date": date}, now_us) == 0


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"files": [], "more": ' + b"[" * 100_000,
        b'{"files": [{"file": "data/a", "size": 9007199254740992, "time_created": "2026-01-01"}]}',
        b'{"files": [{"file": "data/a", "size": -1, "time_created": "2026-01-01"}]}',
        b'{"files": [{"file": "data/a", "size": 1, "time_created": "\\ud800"}]}',
    ],
)
def test_a_listing_that_makes_no_sense_is_tried_again_and_then_told_of(body: bytes) -> None:
    with pytest.raises(RemoteUnreachable):
        list(bucket_of(ok(body), ok(body)).pages())


@pytest.mark.parametrize("ttl", [b"-1", b"1e99", b"9" * 30])
def test_a_ttl_that_no_bucket_has_is_not_believed(ttl: bytes) -> None:
    body = b'{"id": "b", "provider": "amazon_s3", "ttl": %s}' % ttl
    with pytest.raises(RemoteUnreachable):
        bucket_of(ok(body), ok(body)).facts()


def test_a_refusal_that_is_nested_without_end_is_a_refusal() -> None:
    answer = ok(b"[" * 100_000, status="503 Busy")
    with pytest.raises(RemoteUnreachable, match="503"):
        list(bucket_of(answer, answer).pages())


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 \x1b[2J\x04Bad\r\nContent-Length: 0\r\n\r\n",
        ok(b'{"error": "\\u001b[2J\\nBad"}', status="400 Bad"),
    ],
    ids=["in the status line", "in the body"],
)
def test_a_refusal_cannot_play_tricks_on_a_terminal(answer: bytes) -> None:
    with pytest.raises(RemoteError, match="Bad") as caught:
        list(bucket_of(*[answer] * 4).pages())
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("length", [1, 2, 3, 7])
def test_a_listing_that_goes_round_in_a_circle_comes_to_an_end(length: int) -> None:
    pages = [b'{"files": [], "continuation_token": "%d"}' % number for number in range(length)]
    answers = [ok(b'{"files": [], "continuation_token": "first"}'), *map(ok, pages * 5)]
    with pytest.raises(RemoteUnreachable, match="in a circle"):
        list(bucket_of(*answers).pages())


@pytest.mark.parametrize("status", ["9" * 5000, "²00", "20", "-200"])
def test_a_status_that_is_none_is_a_refusal(status: str) -> None:
    answer = f"HTTP/1.1 {status} OK\r\nContent-Length: 0\r\n\r\n".encode("latin-1")
    with pytest.raises((RemoteUnreachable, RemoteError)):
        bucket_of(*[answer] * 4).facts()


def test_a_length_that_is_told_twice_tells_nothing_of_the_object() -> None:
    signed = ok(b'{"url": "@HOST@/blob"}')
    twice = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n22"
    sink = io.BytesIO()
    bucket_of(signed, twice).fetch(RemoteEntry("a", 2, 1), sink)
    assert sink.getvalue() == b"22"


def test_a_range_may_come_in_crumbs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More of them at once than the system takes in one call."""
    monkeypatch.setattr(exchange, "_LONGEST_WAIT_S", math.inf)
    whole = os.urandom(3000)
    crumbs = b"".join(b"1\r\n%c\r\n" % byte for byte in whole)
    head = b'HTTP/1.1 206 Partial Content\r\nETag: "v"\r\nContent-Range: bytes 0-2999/3000\r\n'
    answer = head + b"Transfer-Encoding: chunked\r\n\r\n" + crumbs + b"0\r\n\r\n"
    bucket = bucket_of(ok(b'{"url": "@HOST@/blob"}'), answer)
    with (tmp_path / "sink").open("w+b") as sink:
        bucket.ranges(RemoteEntry("a", len(whole), 1)).fetch(0, len(whole), sink.fileno())
        assert sink.read() == whole
