"""Bytes to a signed URL: one PUT, and the proof that they arrived. No URL ever leaves this module
in an error.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping

from ubiops_file_sync.bucket.digest import (
    Hasher,
    Readable,
    digest_of,
    digests_of_upload,
    hasher,
)
from ubiops_file_sync.bucket.exchange import Answer
from ubiops_file_sync.bucket.http import HttpClient
from ubiops_file_sync.bucket.refusal import Refusal
from ubiops_file_sync.bucket.retry import Damaged
from ubiops_file_sync.errors import TRIED_AGAIN, InTheWay, KeyFailure
from ubiops_file_sync.system_errors import remedy_for, words_of

AZURE = "azure_blob_storage"
GOOGLE = "google_cloud_storage"

_TAKEN = {409, 412}
"""What Azure and S3 answer to `If-None-Match: *` where an object stands."""

_BLOCK_BYTES = 128 * 1024

_SDK_HEADERS = {"Content-Disposition": "multipart/form-data"}
"""What the SDK sends with a PUT; a provider that signs headers would expect these."""
_AZURE_HEADERS = {"x-ms-version": "2020-04-08", "x-ms-blob-type": "BlockBlob"}


class Proofs:
    """By which digest a storage proves what it took, as its answers have shown so far.

    At first what costs hardly anything is expected (S3 and Azure also tell an MD5, which takes as
    long as the wire). A storage that proves it otherwise makes us read the first file once more.
    """

    def __init__(self) -> None:
        self._by_provider = {GOOGLE: "crc32c"}

    def expected_of(self, provider: str) -> str:
        """The algorithm to compute while bytes are sent."""
        return self._by_provider.get(provider, "crc64nvme")

    def came(self, provider: str, algorithm: str) -> None:
        """That one it was."""
        self._by_provider[provider] = algorithm


class Taken(InTheWay):
    """An object came in the way of one that was to be new."""

    def __init__(self, *, perhaps_by_us: bool) -> None:
        super().__init__("an object came under this key during the pass; the next one takes it")
        self.perhaps_by_us = perhaps_by_us


def put_headers(provider: str) -> dict[str, str]:
    """The headers of a PUT to a signed URL."""
    return {**_SDK_HEADERS, **(_AZURE_HEADERS if provider == AZURE else {})}


def put_blob(
    http: HttpClient,
    url: str,
    provider: str,
    source: Readable,
    size: int,
    check: Callable[[], None] | None,
    proofs: Proofs,
    *,
    is_new: bool = False,
) -> Mapping[str, str]:
    """Upload `size` bytes; the headers of the answer.

    `is_new`: raise `Taken` rather than overwrite an object. S3 and Azure see to that; Google would
    want the condition to be signed.

    The body always goes with its length: an empty one sent as a stream goes out chunked, to which
    S3 answers 501 and Azure 411. `check` is called before the last block is sent: what it raises
    breaks the upload off, and a PUT that breaks off stores nothing. `proofs` are those of whole
    files.
    """
    body = _Body(source, size, proofs.expected_of(provider), check)
    headers = put_headers(provider)
    is_conditional = is_new and provider != GOOGLE
    if is_conditional:
        headers["If-None-Match"] = "*"
    answer = http.put(url, headers, body, size)
    if is_conditional and answer.status in _TAKEN:
        raise Taken(perhaps_by_us=answer.was_sent_again)
    told = _accepted(answer)
    _require_same(told, body, provider, proofs)
    return told


def block_id(number: int) -> str:
    """Azure's name of a part: every one of a blob must have the same length."""
    return base64.b64encode(f"{number:08}".encode()).decode()


def put_part(
    http: HttpClient,
    url: str,
    provider: str,
    number: int,
    source: Readable,
    size: int,
    proofs: Proofs,
) -> str:
    """Upload part `number` of a file; what the provider calls it. `proofs` are those of parts."""
    if provider == AZURE:
        _put_block(http, url, source, size, proofs)
        return block_id(number)
    body = _Body(source, size, proofs.expected_of(provider))
    told = _accepted(http.put(url, put_headers(provider), body, size))
    _require_same(told, body, provider, proofs)
    if "etag" not in told:
        raise Damaged("the storage provider did not say what it calls a part", storage=True)
    return told["etag"]


def _put_block(http: HttpClient, url: str, source: Readable, size: int, proofs: Proofs) -> None:
    """Upload a part to Azure; one that proves nothing is sent again, to be held against an MD5."""
    headers = put_headers(AZURE)
    if proofs.expected_of(AZURE) != "md5":
        body = _Body(source, size, proofs.expected_of(AZURE))
        told = _accepted(http.put(url, headers, body, size))
        if _require_same(told, body, AZURE, proofs):
            return
        proofs.came(AZURE, "md5")
    headers["Content-MD5"] = base64.b64encode(digest_of(source, "md5")).decode()
    _accepted(http.put(url, headers, _Body(source, size), size))


def _accepted(answer: Answer) -> Mapping[str, str]:
    """The headers of the answer to a PUT that tells that all of it is stored."""
    if not 200 <= answer.status <= 299:
        raise Refusal(answer).error()
    if "etag" not in answer.headers and "html" in answer.headers.get("content-type", ""):
        # No provider says so that it has stored something; a page to sign in does.
        raise Damaged("a web page came instead of an answer", storage=True)
    return answer.headers


def _require_same(told: Mapping[str, str], body: _Body, provider: str, proofs: Proofs) -> bool:
    """Raise `Damaged` if other bytes are stored than were sent; False: nothing is told of them.

    One digest that is the same will do: whatever another one may be of, it is not of less.
    """
    digests = digests_of_upload(told)
    for algorithm in sorted(digests, key=lambda one: one != body.algorithm):
        if digests[algorithm] == body.digest(algorithm):
            proofs.came(provider, algorithm)
            return True
    if digests:
        raise Damaged("the provider stored other bytes than were sent", storage=True)
    return False


class _Body:
    """The body of one PUT: the file's bytes, hashed as they go by what the provider will tell."""

    def __init__(
        self,
        source: Readable,
        size: int,
        algorithm: str | None = None,
        check: Callable[[], None] | None = None,
    ) -> None:
        self._source = source
        self.size = size
        self.algorithm = algorithm
        self._check = check
        self.rewind()

    def rewind(self) -> None:
        """Begin anew."""
        self._source.seek(0)
        self._left = self.size
        self._computing: Hasher | None = hasher(self.algorithm) if self.algorithm else None

    def digest(self, algorithm: str) -> bytes:
        """The digest of what was sent; by another algorithm than expected it is read again."""
        if self._computing is None or algorithm != self.algorithm:
            self.algorithm = algorithm
            self.rewind()
            while self.read(_BLOCK_BYTES):
                pass
        return self._computing.digest() if self._computing else b""

    def read(self, count: int, /) -> bytes:
        """At most `count` further bytes."""
        if not self._left:
            return b""
        try:
            block = self._source.read(min(count, self._left))
        except OSError as error:
            # Else it would be taken for the network's, and tried again.
            remedy = remedy_for(error, "check its permissions")
            raise KeyFailure(
                f"it cannot be read ({words_of(error)}); {remedy}{TRIED_AGAIN}"
            ) from error
        if not block:
            raise KeyFailure("the file got shorter while it was read; the next pass takes it")
        self._left -= len(block)
        if self._computing:
            self._computing.update(block)
        if not self._left and self._check:
            self._check()
        return block
