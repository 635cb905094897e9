"""The storage side: what signed URLs lead to."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive

from .blobs import BlobWriter
from .calls import Operation
from .errors import StorageError
from .multipart import check_part_name
from .providers import (
    Dialect,
    Headers,
    crc64_headers,
    dialect_of,
    error_body,
    error_headers,
    in_the_way,
    no_length,
    no_such_bucket,
    no_such_object,
    object_headers,
    part_headers,
    wrong_digest,
)
from .records import Blob, Bucket, StoredObject
from .replies import BytesReply, add_headers
from .routes import Route
from .signing import Grant, Signer
from .store import Store

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True, slots=True)
class StorageRequest:
    """One request on the storage side."""

    route: Route
    dialect: Dialect
    method: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """By lower-case name."""
    receive: Receive


class Storage:
    """Serves signed URLs; refuses by raising `StorageError`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._signer = Signer(store.secret)

    async def serve(self, request: StorageRequest) -> Response:
        """The response. Raises `ClientDisconnect` when the body breaks off; nothing is kept."""
        grant = _grant(request)
        self._signer.check(request.dialect, grant, request.query, self._store.clock.now_us())
        bucket = self._store.buckets.by_id(request.route.bucket)
        if bucket is None or dialect_of(bucket.provider) is not request.dialect:
            raise no_such_bucket(request.dialect)
        if grant.method == "GET":
            return self._get(request, bucket)
        if request.route.operation is Operation.PUT_PART:
            return await self._put_part(request, bucket, grant)
        return await self._put(request, bucket)

    async def _put(self, request: StorageRequest, bucket: Bucket) -> Response:
        if request.dialect is Dialect.AZURE and "x-ms-blob-type" not in request.headers:
            raise StorageError(
                400,
                "MissingRequiredHeader",
                "An HTTP header that's mandatory for this request is not specified.",
                details={"HeaderName": "x-ms-blob-type"},
            )
        blob = await self._take_body(request, bucket)
        if self._is_in_the_way(request, bucket):
            self._store.blobs.remove([blob.name])
            raise in_the_way(request.dialect)
        stored = self._store.put(bucket, request.route.key, blob)
        headers = object_headers(request.dialect, stored)
        return self._stored_reply(request.dialect, headers, blob)

    def _is_in_the_way(self, request: StorageRequest, bucket: Bucket) -> bool:
        """Whether an object stands where only a new one may be put. Google heeds no such header."""
        if request.dialect is Dialect.GCS or request.headers.get("if-none-match") != "*":
            return False
        return self._store.find(bucket, request.route.key) is not None

    async def _put_part(self, request: StorageRequest, bucket: Bucket, grant: Grant) -> Response:
        check_part_name(request.dialect, grant.part, {})
        blob = await self._take_body(request, bucket)
        try:
            self._store.put_part(bucket, request.route.key, grant.upload, grant.part, blob)
        except StorageError:
            self._store.blobs.remove([blob.name])
            raise
        headers = part_headers(request.dialect, blob)
        if request.dialect is Dialect.AZURE and "content-md5" in request.headers:
            # It tells that one then, and no CRC.
            told = ("content-md5", request.headers["content-md5"])
            return _reply(request.dialect, [*headers, told])
        return self._stored_reply(request.dialect, headers, blob)

    def _stored_reply(self, dialect: Dialect, headers: Headers, blob: Blob) -> Response:
        tells = self._store.behaviour.tells_crc64
        return _reply(dialect, [*headers, *(crc64_headers(dialect, blob) if tells else [])])

    async def _take_body(self, request: StorageRequest, bucket: Bucket) -> Blob:
        if "content-length" not in request.headers:
            refusal = no_length(request.dialect)
            if refusal is not None:
                raise refusal
        writer = self._store.writer(bucket)
        try:
            await _copy_body(request.receive, writer)
        except BaseException:
            writer.discard()
            raise
        blob = writer.finish()
        expected = request.headers.get("content-md5")
        if expected and base64.b64encode(blob.md5 or b"").decode() != expected:
            self._store.blobs.remove([blob.name])
            raise wrong_digest(request.dialect)
        return blob

    def _get(self, request: StorageRequest, bucket: Bucket) -> Response:
        opened = self._store.open(bucket, request.route.key)
        if opened is None:
            raise no_such_object(request.dialect, request.route.key)
        stored, source = opened
        try:
            status, start, length = _asked_for(request, stored)
        except StorageError:
            if source is not None:
                source.close()
            raise
        reply = BytesReply(source, start, length, status)
        of_range = status == 206
        told = object_headers(request.dialect, stored, of_range=of_range)
        add_headers(reply, [("accept-ranges", "bytes"), *told])
        if of_range:
            last = start + length - 1
            add_headers(reply, [("content-range", f"bytes {start}-{last}/{stored.size}")])
        return reply


def refusal(dialect: Dialect, error: StorageError) -> Response:
    """The response that tells of a refusal."""
    return Response(
        error_body(dialect, error),
        error.status,
        error_headers(dialect, error),
        media_type="application/xml",
    )


def _grant(request: StorageRequest) -> Grant:
    """What the URL must have been signed for."""
    route, query = request.route, request.query
    method = request.method
    if method == "HEAD" and request.dialect is not Dialect.S3:
        # A signature for GET is good for HEAD too, except on S3, which signs the method.
        method = "GET"
    upload, part = query.get("uploadId", ""), query.get("partNumber", "")
    if request.dialect is Dialect.AZURE:
        upload, part = "", query.get("blockid", "")
    return Grant(method, route.bucket, route.key, upload, part)


async def _copy_body(receive: Receive, writer: BlobWriter) -> None:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        if chunk := message.get("body", b""):
            writer.write(chunk)
        if not message.get("more_body", False):
            return


def _reply(dialect: Dialect, headers: Headers) -> Response:
    reply = Response(status_code=201 if dialect is Dialect.AZURE else 200)
    add_headers(reply, headers)
    return reply


def _asked_for(request: StorageRequest, stored: StoredObject) -> tuple[int, int, int]:
    """Status, first byte and number of bytes; raises `StorageError` when nothing is to be sent."""
    headers, etag = request.headers, f'"{stored.etag}"'
    if headers.get("if-match", etag) not in (etag, "*"):
        raise StorageError(
            412,
            "ConditionNotMet" if request.dialect is Dialect.AZURE else "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold",
        )
    whole = (200, 0, stored.size)
    if headers.get("if-range", etag) != etag:
        return whole
    asked = _RANGE.fullmatch(headers.get("range", ""))
    if asked is None or not any(asked.groups()):
        # A range in another unit, or several of them: the whole object, as S3 does it.
        return whole
    start, stop = _range(asked[1], asked[2], stored.size)
    if asked[1] and asked[2] and int(asked[1]) > int(asked[2]):
        return whole
    if start >= stop:
        raise StorageError(
            416,
            "InvalidRange",
            "The requested range is not satisfiable",
            headers={"content-range": f"bytes */{stored.size}"},
        )
    return 206, start, stop - start


def _range(first: str, last: str, size: int) -> tuple[int, int]:
    """First byte, and the one after the last. Empty: outside of the object, or the wrong way."""
    if not first:
        return max(0, size - int(last)), size
    return int(first), min(size, int(last) + 1) if last else size
