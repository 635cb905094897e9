"""A server that answers whatever it was told to, for libcurl and all that is behind it."""

from __future__ import annotations

import json
import os
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ubiops_file_sync.bucket import quota
from ubiops_file_sync.bucket.quota import Unpaced

SEPARATOR = b"\n%%\n"
"""Between the answers of one input."""
HOST = b"@HOST@"
"""In an answer: where this server is."""
_TIMEOUT_S = 5.0

Answer = Callable[[str, str], bytes]
"""Gives the raw answer to a method and a target."""


class Hostile:
    """Runs in threads of its own until the process ends; one for all inputs."""

    def __init__(self) -> None:
        server = _Server(("127.0.0.1", 0), _Talk)
        server.hostile = self
        port = server.server_address[1]
        self.origin = f"http://127.0.0.1:{port}"
        self.answer: Answer = lambda _method, _target: b""
        threading.Thread(target=server.serve_forever, daemon=True).start()
        # Nothing that an input says may make anybody wait for a minute.
        self._quota = quota._quotas[f"127.0.0.1:{port}"] = Unpaced()

    @property
    def api_host(self) -> str:
        return f"{self.origin}/v2.1"

    @contextmanager
    def everywhere(self) -> Iterator[None]:
        """Within the block any host that an input names is this one, and no other is ever asked."""
        wanted = {"http_proxy": self.origin, "https_proxy": self.origin, "no_proxy": "127.0.0.1"}
        before = {name: os.environ.get(name) for name in wanted}
        os.environ.update(wanted)
        try:
            yield
        finally:
            for name, value in before.items():
                del os.environ[name]
                if value is not None:
                    os.environ[name] = value

    def play(self, answers: list[bytes]) -> None:
        """Answer with these, one after the other and whatever is asked, and then no more."""
        left = [one.replace(HOST, self.origin.encode()) for one in answers]
        lock = threading.Lock()

        def next_one(_method: str, _target: str) -> bytes:
            with lock:
                return left.pop(0) if left else b""

        self.answer = next_one

    def serve_pages(self, pages: list[bytes]) -> None:
        """Be a bucket with a listing of these pages. Its objects hold zeros, as many as listed."""
        left, sizes = list(pages), _sizes(pages)
        lock = threading.Lock()

        def answer(_method: str, target: str) -> bytes:
            path = urlsplit(target).path
            if path == "/blob":
                size = int(parse_qs(urlsplit(target).query)["size"][0])
                return ok(bytes(size), "application/octet-stream")
            if path.endswith("/files"):
                with lock:
                    return ok(left.pop(0) if left else b'{"files": []}')
            if path.endswith("/download"):
                name = unquote(path.split("/files/")[-1].removesuffix("/download"))
                url = f"{self.origin}/blob?size={sizes.get(name, 0)}"
                return ok(json.dumps({"url": url, "provider": "amazon_s3"}).encode())
            if path.endswith("/buckets/default"):
                # Asked where deletions travel; without it a pass would end before its first act.
                return ok(b'{"id": "b", "provider": "amazon_s3", "ttl": null}')
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}"

        self.answer = answer


_LARGEST = 100_000


def _sizes(pages: list[bytes]) -> dict[str, int]:
    """The sizes that the pages tell, as far as they tell any that can be served."""
    sizes: dict[str, int] = {}
    for page in pages:
        with suppress(ValueError, KeyError, TypeError, RecursionError, AttributeError):
            for item in json.loads(page)["files"]:
                if isinstance(item["size"], int) and 0 <= item["size"] <= _LARGEST:
                    sizes[item["file"]] = item["size"]
    return sizes


def ok(body: bytes, kind: str = "application/json", status: str = "200 OK") -> bytes:
    """A good answer with this body. Without its length, if that depends on where the server is."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n"
    if HOST not in body:
        head += f"Content-Length: {len(body)}\r\n"
    return f"{head}\r\n".encode() + body


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64
    hostile: Hostile

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The client went away, which is its right."""


class _Talk(socketserver.StreamRequestHandler):
    timeout = _TIMEOUT_S
    disable_nagle_algorithm = True
    server: _Server

    def handle(self) -> None:
        """One request and its answer; then the connection is closed, whatever was said."""
        method, _, rest = self.rfile.readline(65_536).decode("latin-1").partition(" ")
        length = 0
        while (line := self.rfile.readline(65_536).strip()) and line:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        self.rfile.read(length)
        with suppress(OSError):
            self.wfile.write(self.server.hostile.answer(method, rest.rpartition(" ")[0]))
