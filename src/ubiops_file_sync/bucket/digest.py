"""What storage providers tell of an object's content, and the same told of local bytes."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

BLOCK_BYTES = 128 * 1024

_MD5_ETAG = re.compile(r'^"?([0-9a-fA-F]{32})"?$')


@dataclass(frozen=True, slots=True)
class Digest:
    """A digest of a whole object."""

    algorithm: str
    """`md5`, `crc32c` or `sha256`."""
    value: bytes


class Hasher(Protocol):
    """The part of `hashlib` that is used here."""

    def update(self, data: bytes, /) -> object:
        """Take in more bytes."""
        ...

    def digest(self) -> bytes:
        """The digest of all bytes so far."""
        ...


class Readable(Protocol):
    """The part of a binary file that is used here."""

    def read(self, count: int, /) -> bytes:
        """At most `count` further bytes; none at the end."""
        ...

    def seek(self, offset: int, /) -> int:
        """Go to a place, counted from the beginning."""
        ...


def hasher(algorithm: str) -> Hasher:
    """A new digest computation. Raises ValueError for an algorithm that is none of ours."""
    if algorithm == "crc32c":
        # Google sends it big-endian, as this library's digest() has it.
        import google_crc32c

        checksum: Callable[[], Hasher] = google_crc32c.Checksum
        return checksum()
    if algorithm == "md5":
        return hashlib.md5(usedforsecurity=False)  # What `new` takes twice as long to find.
    return hashlib.new(algorithm, usedforsecurity=False)


def digest_of(file: Readable, algorithm: str) -> bytes:
    """The digest of a file's content, read from its beginning."""
    computing = hasher(algorithm)
    file.seek(0)
    while block := file.read(BLOCK_BYTES):
        computing.update(block)
    return computing.digest()


def provider_digest(headers: Mapping[str, str], *, cheap: bool = False) -> Digest | None:
    """The digest that a provider's answer carries for the *whole* object; None: no usable one.

    Google: `x-goog-hash` with md5 and crc32c (only the latter for composed objects). Azure:
    `Content-MD5`, or `x-ms-blob-content-md5` in an answer of a range, where the former would be
    that of the range. S3: an ETag of 32 hex digits is the MD5, unless the object is encrypted with
    a customer's key; one with a dash (multipart) is not.
    Since an ETag is a promise of nothing, one that does not match proves nothing either: a
    download is checked against it only where the provider is known to send MD5s.
    `cheap`: of several the one that costs least, good enough to see that bytes were damaged, though
    not to take two files for one.
    """
    goog = headers.get("x-goog-hash")
    if goog is not None:
        parts = dict(part.strip().split("=", 1) for part in goog.split(",") if "=" in part)
        for algorithm in ("crc32c", "md5") if cheap else ("md5", "crc32c"):
            if algorithm in parts:
                return _decoded(algorithm, parts[algorithm])
    of_whole = "x-ms-blob-content-md5" if "content-range" in headers else "content-md5"
    if of_whole in headers:
        return _decoded("md5", headers[of_whole])
    etag = _MD5_ETAG.match(headers.get("etag", ""))
    if etag and "x-goog-generation" not in headers and _is_plain_s3(headers):
        return Digest("md5", bytes.fromhex(etag[1]))
    return None


def _is_plain_s3(headers: Mapping[str, str]) -> bool:
    encryption = headers.get("x-amz-server-side-encryption", "AES256")
    return (
        encryption == "AES256" and "x-amz-server-side-encryption-customer-algorithm" not in headers
    )


def _decoded(algorithm: str, text: str) -> Digest | None:
    try:
        return Digest(algorithm, base64.b64decode(text, validate=True))
    except binascii.Error:
        return None
