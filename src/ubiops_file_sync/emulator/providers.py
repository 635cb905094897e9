"""What differs between the storage providers: ETags, hash headers and error bodies.

S3 (https://docs.aws.amazon.com/AmazonS3/latest/API/), Google Cloud Storage's XML API
(https://cloud.google.com/storage/docs/xml-api) and Azure Blob Storage
(https://learn.microsoft.com/rest/api/storageservices/).
"""

from __future__ import annotations

import base64
from enum import StrEnum
from xml.sax.saxutils import escape

from .clock import http_date
from .errors import StorageError
from .records import Blob, Provider, StoredObject

Headers = list[tuple[str, str]]


class Dialect(StrEnum):
    """The protocol that a provider's storage speaks; also its name in the paths of signed URLs."""

    S3 = "s3"
    GCS = "gcs"
    AZURE = "azure"


_DIALECTS = {
    Provider.UBIOPS: Dialect.S3,
    Provider.AMAZON_S3: Dialect.S3,
    Provider.GOOGLE: Dialect.GCS,
    Provider.AZURE: Dialect.AZURE,
}


def dialect_of(provider: Provider) -> Dialect:
    """The protocol of that provider."""
    return _DIALECTS[provider]


def etag_of(dialect: Dialect, blob: Blob, created_us: int) -> str:
    """The ETag of an object that was stored in one piece: an MD5 on S3 alone."""
    if dialect is Dialect.S3 and blob.md5 is not None:
        return blob.md5.hex()
    return opaque_etag(dialect, created_us)


def opaque_etag(dialect: Dialect, created_us: int) -> str:
    """An ETag that tells nothing but that the version is another one."""
    if dialect is Dialect.AZURE:
        return f"0x{created_us:X}"
    return base64.b64encode(created_us.to_bytes(8, "big")).decode()


def object_headers(dialect: Dialect, stored: StoredObject, *, of_range: bool = False) -> Headers:
    """The headers by which an object's version and content can be recognised.

    Only Azure has others for an answer that is a range of it.
    """
    headers = [("etag", f'"{stored.etag}"'), ("last-modified", http_date(stored.created_us))]
    if dialect is Dialect.GCS:
        headers.append(("x-goog-generation", str(stored.created_us)))
        headers.append(("x-goog-stored-content-length", str(stored.size)))
        # Two headers of one name, as the real service sends them; most clients join them.
        if stored.crc32c is not None:
            headers.append(("x-goog-hash", f"crc32c={_base64(stored.crc32c)}"))
        if stored.md5 is not None:
            headers.append(("x-goog-hash", f"md5={_base64(stored.md5)}"))
    elif dialect is Dialect.AZURE:
        headers.append(("x-ms-version", "2020-04-08"))
        headers.append(("x-ms-blob-type", "BlockBlob"))
        if stored.md5 is not None:
            name = "x-ms-blob-content-md5" if of_range else "content-md5"
            headers.append((name, _base64(stored.md5)))
    return headers


def hashes_of(dialect: Dialect) -> tuple[str, ...]:
    """What is computed of an object, or a part, that comes in one piece."""
    return ("md5", "crc32c") if dialect is Dialect.GCS else ("md5", "crc64")


def hashes_of_parts(dialect: Dialect) -> tuple[str, ...]:
    """What is told of an object that came in parts: no MD5 by anybody."""
    return ("crc32c",) if dialect is Dialect.GCS else ()


def crc64_headers(dialect: Dialect, blob: Blob) -> Headers:
    """What S3 (since December 2024) and Azure (2019-02-02) add to their answer to an upload."""
    if blob.crc64 is None:
        return []
    if dialect is Dialect.AZURE:
        return [("x-ms-content-crc64", _base64(blob.crc64[::-1]))]
    return [("x-amz-checksum-crc64nvme", _base64(blob.crc64))]


def part_headers(dialect: Dialect, blob: Blob) -> Headers:
    """The headers of the answer to one part, without its CRC."""
    if dialect is Dialect.AZURE:
        return [("x-ms-version", "2020-04-08")]
    return [("etag", f'"{(blob.md5 or b"").hex()}"')]


def error_body(dialect: Dialect, error: StorageError) -> bytes:
    """The XML that tells of an error."""
    details = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in error.details.items())
    declaration = '<?xml version="1.0" encoding="UTF-8"?>'
    if dialect is Dialect.AZURE:
        declaration = '\ufeff<?xml version="1.0" encoding="utf-8"?>'
    code, message = escape(error.code), escape(error.message)
    return (
        f"{declaration}<Error><Code>{code}</Code><Message>{message}</Message>{details}</Error>"
    ).encode()


def error_headers(dialect: Dialect, error: StorageError) -> dict[str, str]:
    """The headers of the answer that tells of an error."""
    headers = dict(error.headers)
    if dialect is Dialect.AZURE:
        headers["x-ms-error-code"] = error.code
    return headers


def no_such_object(dialect: Dialect, key: str) -> StorageError:
    """The object is not there."""
    if dialect is Dialect.AZURE:
        return StorageError(404, "BlobNotFound", "The specified blob does not exist.")
    return StorageError(404, "NoSuchKey", "The specified key does not exist.", details={"Key": key})


def in_the_way(dialect: Dialect) -> StorageError:
    """`If-None-Match: *` was asked for, and the object is there."""
    if dialect is Dialect.AZURE:
        return StorageError(409, "BlobAlreadyExists", "The specified blob already exists.")
    return StorageError(
        412,
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold",
        details={"Condition": "If-None-Match"},
    )


def no_such_bucket(dialect: Dialect) -> StorageError:
    """The bucket is not there."""
    if dialect is Dialect.AZURE:
        return StorageError(404, "ContainerNotFound", "The specified container does not exist.")
    return StorageError(404, "NoSuchBucket", "The specified bucket does not exist.")


def wrong_digest(dialect: Dialect) -> StorageError:
    """The body is not what its Content-MD5 says."""
    if dialect is Dialect.AZURE:
        return StorageError(
            400,
            "Md5Mismatch",
            "The MD5 value specified in the request did not match the MD5 value calculated by "
            "the server.",
        )
    return StorageError(
        400, "BadDigest", "The Content-MD5 you specified did not match what we received."
    )


def no_length(dialect: Dialect) -> StorageError | None:
    """The refusal of a body without a Content-Length; None: it is taken."""
    if dialect is Dialect.S3:
        return StorageError(
            501,
            "NotImplemented",
            "A header you provided implies functionality that is not implemented",
            details={"Header": "Transfer-Encoding"},
        )
    if dialect is Dialect.AZURE:
        return StorageError(
            411, "MissingContentLengthHeader", "Content-Length header was not specified"
        )
    return None


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
