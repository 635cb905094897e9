"""The HTTP client: connections that are used again, and requests that end when they should."""

from __future__ import annotations

import hashlib
import io
import math
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from bucket.conftest import connect
from ubiops_file_sync.bucket import exchange
from ubiops_file_sync.bucket.contract import Fetched
from ubiops_file_sync.bucket.exchange import Answer, Take
from ubiops_file_sync.bucket.http import HttpClient
from ubiops_file_sync.bucket.trouble import NoAnswer, Trouble
from ubiops_file_sync.emulator import BucketServer, Fault
from ubiops_file_sync.errors import Interrupted, KeyFailure, RemoteUnreachable
from ubiops_file_sync.lanes import Lanes, pause
from ubiops_file_sync.parts import MIB
from ubiops_file_sync.units import Ended, Slots

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LAST_ANSWER = ANSWER.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


@contextmanager
def listening(
    closes_after_s: float | None = None, answer: bytes = ANSWER
) -> Iterator[tuple[str, list[bytes], list[int]]]:
    """A server that answers anything: its address, the heads it got, and a mark a connection.

    `closes_after_s`: so long after its first answer it closes a connection.
    """
    heads: list[bytes] = []
    connections: list[int] = []

    def serve(connection: socket.socket) -> None:
        with connection:
            while head := _read_head(connection):
                heads.append(head)
                connection.sendall(answer)
                if closes_after_s is not None:
                    time.sleep(closes_after_s)
                    return

    def accept(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connections.append(1)
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/", heads, connections


def _read_head(connection: socket.socket) -> bytes:
    got = b""
    while not got.endswith(b"\r\n\r\n"):
        try:
            block = connection.recv(1)
        except OSError:
            return b""
        if not block:
            return b""
        got += block
    return got


class _Empty:
    def read(self, count: int, /) -> bytes:
        return b""

    def rewind(self) -> None:
        pass


def test_one_connection_serves_one_request_after_the_other() -> None:
    client = HttpClient()
    with listening() as (url, heads, connections):
        for _ in range(5):
            assert client.ask("GET", url, {}).data == b"ok"
        client.close()
    assert (len(heads), len(connections)) == (5, 1)


def test_an_empty_body_goes_with_its_length() -> None:
    """As a stream it would go out chunked, to which S3 answers 501 and Azure 411."""
    client = HttpClient()
    with listening() as (url, heads, _):
        assert client.put(url, {}, _Empty(), 0).status == 200
        client.close()
    assert b"content-length: 0" in heads[0].lower()
    assert b"chunked" not in heads[0].lower()


def test_a_body_that_nobody_takes_is_no_error(any_server: BucketServer) -> None:
    bucket = connect(any_server)
    any_server.put_object("p/a", b"content" * 100_000)
    entry = bucket.get("a")
    assert entry is not None

    def same(algorithm: str) -> bytes:
        return hashlib.new(algorithm, b"content" * 100_000).digest()

    assert bucket.fetch(entry, io.BytesIO(), same).equal
    bucket.fetch(entry, io.BytesIO())


class _Endless:
    """A body, and how much of it was asked for."""

    def __init__(self) -> None:
        self.count = 0

    def read(self, count: int, /) -> bytes:
        self.count += count
        return bytes(count)

    def rewind(self) -> None:
        pass


def test_what_nobody_has_received_was_not_sent_long_ago() -> None:
    """Progress tells of what travels, and not of what the system keeps for later."""
    client, body = HttpClient(), _Endless()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"

        def send() -> None:
            with suppress(NoAnswer, Interrupted):
                client.put(url, {}, body, 64 * MIB)

        sending = threading.Thread(target=send)
        sending.start()
        connection, _ = listener.accept()
        with connection:
            _read_head(connection)
            counts = list[int]()
            while len(counts) < 5 or counts[-1] != counts[-5]:
                time.sleep(0.1)
                counts.append(body.count)
            client.stop()
        sending.join()
    client.close()
    assert 0 < body.count < MIB


def test_a_body_is_handed_over_in_large_pieces_and_whole() -> None:
    """libcurl calls for 16 KiB at a time: to write each by itself costs more than the wire."""
    body = os.urandom(3 * MIB)
    client, taken = HttpClient(), list[list[bytes]]()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    with listening(answer=head + body) as (url, _, _):
        client.get(url, {}, lambda _answer: taken.append)
        client.close()
    assert b"".join(block for blocks in taken for block in blocks) == body
    assert len(taken) < 30


def test_what_came_last_is_handed_over_when_the_body_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "_LONGEST_WAIT_S", math.inf)
    client, taken = HttpClient(), list[list[bytes]]()
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    crumbs = [b"%d" % digit for digit in range(10)]
    answer = head + b"".join(b"1\r\n%s\r\n" % crumb for crumb in crumbs) + b"0\r\n\r\n"
    with listening(answer=answer) as (url, _, _):
        client.get(url, {}, lambda _answer: taken.append)
        client.close()
    assert taken == [crumbs[:1], crumbs[1:]]


def test_a_body_that_comes_slowly_is_seen_as_it_comes() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n"
    client, came = HttpClient(), SimpleQueue[bytes]()

    def begin(_answer: Answer) -> Take:
        return lambda blocks: came.put(b"".join(blocks))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        asking = threading.Thread(target=client.get, args=(url, {}, begin))
        asking.start()
        connection, _ = listener.accept()
        with connection:
            _read_head(connection)
            connection.sendall(head)
            for block in (b"a" * 100, b"b" * 100, b"c" * 100):
                connection.sendall(block)
                assert came.get(timeout=10) == block
                time.sleep(0.3)  # Longer than anything is held back.
        asking.join()
    client.close()


@pytest.mark.parametrize("operation", ["sign_upload", "put"])
def test_a_request_that_hangs_ends_when_it_is_stopped(
    any_server: BucketServer, operation: str
) -> None:
    bucket = connect(any_server)
    any_server.faults.add(Fault(operation, "hang", seconds=100))
    threading.Timer(0.3, bucket.stop).start()
    began = time.monotonic()
    with pytest.raises(Interrupted):
        bucket.send("a", io.BytesIO(b"1"), 1)
    assert time.monotonic() - began < 30
    with pytest.raises(Interrupted):
        bucket.get("a")


def test_a_stop_touches_no_file_that_has_the_number_of_a_connection_by_now(tmp_path: Path) -> None:
    """libcurl does not say when it closes a connection, and the next file gets its number."""
    path = tmp_path / "a"
    with closing(HttpClient()) as client, listening() as (url, _, _), path.open("w") as file:
        client.ask("GET", url, {})
        (number,) = client._handles[0].sockets
        os.dup2(file.fileno(), number)
        client.stop()
        assert descriptors_of(path) == {file.fileno(), number}


def descriptors_of(path: Path) -> set[int]:
    found = set()
    for fd in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):
            if os.readlink(f"/proc/self/fd/{fd}") == str(path):
                found.add(int(fd))
    return found


def test_where_a_request_broke_off_is_told() -> None:
    client = HttpClient()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for url, trouble in (
        ("http://no-such-host.invalid/", Trouble.NAME),
        (f"http://127.0.0.1:{port}/", Trouble.CONNECT),
    ):
        with pytest.raises(NoAnswer) as caught:
            client.ask("GET", f"{url}?sig=secret", {})
        assert caught.value.trouble is trouble
        assert "secret" not in repr(caught.value)


def test_what_a_body_raises_breaks_the_request_off(any_server: BucketServer) -> None:
    bucket = connect(any_server)

    def refuse() -> None:
        raise KeyFailure("the file changed")

    with pytest.raises(KeyFailure, match="the file changed"):
        bucket.send("a", io.BytesIO(b"123"), 3, refuse)
    assert any_server.objects() == {}


def test_a_proxy_is_used_and_its_refusal_is_told(
    any_server: BucketServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening() as (proxy, heads, _):
        monkeypatch.setenv("http_proxy", proxy)
        monkeypatch.setenv("no_proxy", "")
        client = HttpClient()
        assert client.ask("GET", "http://somewhere.invalid/a?b=c", {}).data == b"ok"
        client.close()
        assert heads[0].startswith(b"GET http://somewhere.invalid/a?b=c HTTP/1.1")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        connect(any_server).facts()
        assert len(heads) == 1


@pytest.fixture
def secure(tmp_path: Path, certificate: tuple[Path, Path]) -> Iterator[BucketServer]:
    with BucketServer(tmp_path / "server", rate_limit=None, tls=certificate) as server:
        yield server


def test_a_certificate_that_is_not_trusted_is_refused(secure: BucketServer) -> None:
    with pytest.raises(RemoteUnreachable, match="REQUESTS_CA_BUNDLE or SSL_CERT_FILE"):
        connect(secure).facts()


TRUST = ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"]


@pytest.mark.parametrize("variable", TRUST)
def test_the_usual_variables_name_what_is_trusted(
    secure: BucketServer,
    certificate: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    for name in TRUST:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(certificate[0]))
    bucket = connect(secure)
    bucket.send("a", io.BytesIO(b"1"), 1)
    assert list(secure.objects()) == ["p/a"]


def test_in_lanes_every_answer_is_heeded_when_it_comes(
    secure: BucketServer, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """TLS may have read more than was asked for, of which no socket tells."""
    for name in TRUST:
        monkeypatch.setenv(name, str(certificate[0]))
    monkeypatch.setattr("ubiops_file_sync.lanes._LOOK_S", 3600)
    secure.put_object("p/a", b"x" * 4000)
    bucket = connect(secure)
    entry = bucket.get("a")
    assert entry is not None
    ended: SimpleQueue[Ended[Fetched]] = SimpleQueue()
    with closing(bucket), closing(Lanes(8, Slots(8))) as lanes:
        for _ in range(400):
            lanes.submit(lambda: bucket.fetch(entry, io.BytesIO()), ended.put)
        try:
            fetched = [ended.get(timeout=20).result() for _ in range(400)]
        finally:
            monkeypatch.setattr("ubiops_file_sync.lanes._LOOK_S", 0)  # So that all end in any case.
    assert {one.bytes_down for one in fetched} == {4000}


@pytest.mark.parametrize("answer", [ANSWER, LAST_ANSWER], ids=["without a word", "as it said"])
def test_connections_that_are_closed_meanwhile_keep_no_lane_awake(
    monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    turns: list[int] = []
    real = Lanes._heed

    def heed(self: Lanes, came: list[Any]) -> None:
        turns.append(len(came))
        real(self, came)

    monkeypatch.setattr(Lanes, "_heed", heed)
    ended: SimpleQueue[Ended[list[bytes]]] = SimpleQueue()

    def ask_and_wait() -> list[bytes]:
        answers = []
        for _ in range(3):
            answers.append(client.ask("GET", url, {}).data)
            pause(client.stopping, 0.3)
        return answers

    with (
        closing(HttpClient()) as client,
        listening(0.05, answer) as (url, heads, connections),
        closing(Lanes(2, Slots(2))) as lanes,
    ):
        for _ in range(2):
            lanes.submit(ask_and_wait, ended.put)
        try:
            assert [ended.get(timeout=20).result() for _ in range(2)] == [[b"ok"] * 3] * 2
        finally:
            client.stop()  # So that all end in any case.
    assert (len(heads), len(connections)) == (6, 6)
    assert len(turns) < 200, "to wait for nothing is no work"
