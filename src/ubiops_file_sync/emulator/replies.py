"""Responses: JSON for the API, and streamed bytes for the storage side."""

from __future__ import annotations

from typing import Any, BinaryIO

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

CHUNK_BYTES = 256 * 1024
_ZEROS = bytes(CHUNK_BYTES)

_encoder = msgspec.json.Encoder()


def json_reply(content: Any, status: int = 200) -> Response:
    """A JSON response."""
    return Response(_encoder.encode(content), status, media_type="application/json")


def json_error(status: int, message: str) -> Response:
    """The API's way to refuse."""
    return json_reply({"error": message}, status)


class BytesReply(Response):
    """A part of an object, read from disk while it is sent."""

    def __init__(self, source: BinaryIO | None, start: int, length: int, status: int = 200) -> None:
        """`source` is closed when the response was sent; None: the bytes are zeros."""
        super().__init__(
            None, status, {"content-length": str(length)}, media_type="application/octet-stream"
        )
        self._source = source
        self._start = start
        self._length = length

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        del receive
        try:
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            await self._send_body(scope, send)
        finally:
            if self._source is not None:
                self._source.close()

    async def _send_body(self, scope: Scope, send: Send) -> None:
        left = 0 if scope["method"] == "HEAD" else self._length
        if self._source is not None:
            self._source.seek(self._start)
        while left > CHUNK_BYTES:
            if scope["state"]["transport"].is_closing():
                # Sending would go on without an error, and without ever pausing.
                return
            await send(
                {
                    "type": "http.response.body",
                    "body": self._read(CHUNK_BYTES),
                    "more_body": True,
                }
            )
            left -= CHUNK_BYTES
        await send({"type": "http.response.body", "body": self._read(left)})

    def _read(self, length: int) -> bytes:
        if self._source is None:
            return _ZEROS[:length]
        return self._source.read(length)


def add_headers(response: Response, headers: list[tuple[str, str]]) -> None:
    """Append headers, of which several may have one name."""
    response.raw_headers.extend(
        (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers
    )
