"""What storage providers tell of an object's content, and the same told of local bytes."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

BLOCK_BYTES = 128 * 1024

_MD5_ETAG = re.compile(r'^"?([0-9a-fA-F]{32})"?$')


@dataclass(frozen=True, slots=True)
class Digest:
    """A digest of a whole object."""

    algorithm: str
    """`md5`, `crc32c`, `crc64nvme` or `sha256`."""
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
    if algorithm == "crc64nvme":
        return _Crc64()
    if algorithm == "md5":
        return hashlib.md5(usedforsecurity=False)  # What `new` takes twice as long to find.
    return hashlib.new(algorithm, usedforsecurity=False)


@lru_cache(maxsize=1)
def _crc64() -> Callable[..., int]:
    import anycrc

    calc: Callable[..., int] = anycrc.Model("CRC64-NVME").calc
    return calc


class _Crc64:
    """CRC-64/NVME as S3 sends it: big-endian."""

    def __init__(self) -> None:
        self._calc = _crc64()
        self._value = self._calc(b"")

    def update(self, data: bytes, /) -> None:
        self._value = self._calc(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(8, "big")


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
    of_google = _of_google(headers)
    for algorithm in ("crc32c", "md5") if cheap else ("md5", "crc32c"):
        if algorithm in of_google:
            return Digest(algorithm, of_google[algorithm])
    md5 = _md5(headers)
    return None if md5 is None else Digest("md5", md5)


def digests_of_upload(headers: Mapping[str, str]) -> dict[str, bytes]:
    """What a provider's answer to an upload tells of the bytes that it took, by algorithm.

    Beyond what `provider_digest` finds: S3 tells a CRC-64/NVME since December 2024
    (`x-amz-checksum-crc64nvme`, big-endian), Azure the same since version 2019-02-02
    (`x-ms-content-crc64`, little-endian).
    """
    told = _of_google(headers)
    s3 = _decoded(headers.get("x-amz-checksum-crc64nvme"))
    azure = _decoded(headers.get("x-ms-content-crc64"))
    for algorithm, value in (
        ("crc64nvme", s3),
        ("crc64nvme", azure and azure[::-1]),
        ("md5", _md5(headers)),
    ):
        if value:
            told[algorithm] = value
    return told


def _of_google(headers: Mapping[str, str]) -> dict[str, bytes]:
    told: dict[str, bytes] = {}
    for part in headers.get("x-goog-hash", "").split(","):
        algorithm, _, text = part.strip().partition("=")
        value = _decoded(text)
        if value and algorithm in {"crc32c", "md5"}:
            told[algorithm] = value
    return told


def _md5(headers: Mapping[str, str]) -> bytes | None:
    of_whole = "x-ms-blob-content-md5" if "content-range" in headers else "content-md5"
    if of_whole in headers:
        return _decoded(headers[of_whole])
    etag = _MD5_ETAG.match(headers.get("etag", ""))
    if etag and "x-goog-generation" not in headers and _is_plain_s3(headers):
        return bytes.fromhex(etag[1])
    return None


def _is_plain_s3(headers: Mapping[str, str]) -> bool:
    encryption = headers.get("x-amz-server-side-encryption", "AES256")
    return (
        encryption == "AES256" and "x-amz-server-side-encryption-customer-algorithm" not in headers
    )


def _decoded(text: str | None) -> bytes | None:
    try:
        return base64.b64decode(text or "", validate=True) or None
    except ValueError:  # Or bytes that are no ASCII.
        return None
