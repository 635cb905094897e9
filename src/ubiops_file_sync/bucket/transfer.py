"""Bytes through a signed URL: one GET, one PUT. No URL ever leaves this module in an error."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping

from ubiops_file_sync.bucket.contract import Fetched
from ubiops_file_sync.bucket.digest import (
    Digest,
    Hasher,
    Readable,
    digest_of,
    hasher,
    provider_digest,
)
from ubiops_file_sync.bucket.exchange import Answer, Take
from ubiops_file_sync.bucket.http import HttpClient
from ubiops_file_sync.bucket.retry import Damaged, Refused
from ubiops_file_sync.bucket.traffic import CountedSink
from ubiops_file_sync.errors import TRIED_AGAIN, InTheWay, KeyFailure
from ubiops_file_sync.system_errors import remedy_for, words_of

AZURE = "azure_blob_storage"
GOOGLE = "google_cloud_storage"

_TAKEN = {409, 412}
"""What Azure and S3 answer to `If-None-Match: *` where an object stands."""

_LENGTH = re.compile(r"[0-9]{1,19}", re.ASCII)
_ERROR_BYTES = 4096
"""As much of a provider's error as is read."""

_SDK_HEADERS = {"Content-Disposition": "multipart/form-data"}
"""What the SDK sends with a PUT; a provider that signs headers would expect these."""
_AZURE_HEADERS = {"x-ms-version": "2020-04-08", "x-ms-blob-type": "BlockBlob"}


def get_blob(
    http: HttpClient,
    url: str,
    size: int,
    sink: CountedSink,
    same_as: Callable[[str], bytes] | None,
) -> Fetched:
    """Download into `sink`, or find out that the content is that of `same_as`.

    Raises `Refused`, `Damaged` or `NoAnswer`, each of which another try may mend, and
    `KeyFailure` if the object is no longer the one that was listed.
    """
    download = _Download(size, sink, same_as)
    http.get(url, {}, download.begin)
    return download.checked()


class _Download:
    """One answer to a signed GET, from its headers to the check of what came."""

    def __init__(
        self, size: int, sink: CountedSink, same_as: Callable[[str], bytes] | None
    ) -> None:
        self._size = size
        self._sink = sink
        self._same_as = same_as
        self._known: Digest | None = None
        self._computing: Hasher | None = None
        self._count = 0
        self._is_equal = False
        self._refusal: Refusal | None = None

    def begin(self, answer: Answer) -> Take | None:
        """What takes the body; None: it is not needed."""
        if answer.status != 200:
            self._refusal = Refusal(answer)
            return self._refusal.hear
        told = _LENGTH.fullmatch(answer.headers.get("content-length", ""))
        if told is not None and int(told[0]) != self._size:
            raise KeyFailure("the object changed in the bucket during the pass; the next takes it")
        self._known = known = provider_digest(answer.headers, cheap=self._same_as is None)
        if known and self._same_as and self._same_as(known.algorithm) == known.value:
            self._is_equal = True
            return None
        algorithm = known.algorithm if known else ("sha256" if self._same_as else None)
        self._computing = hasher(algorithm) if algorithm else None
        self._sink.clear()
        return self._store

    def checked(self) -> Fetched:
        """What came of it, once the body has ended."""
        if self._refusal is not None:
            raise self._refusal.error()
        if self._is_equal:
            return Fetched(equal=True, bytes_down=0)
        if self._count != self._size:
            # A body without a length can end early without an error: the listed size is the proof.
            raise Damaged(f"{self._count} bytes came of {self._size}", storage=True)
        known, found = self._known, self._computing.digest() if self._computing else b""
        if known and found != known.value:
            raise Damaged(
                f"the content does not match the provider's {known.algorithm}", storage=True
            )
        same_as = self._same_as
        equal = same_as is not None and known is None and same_as("sha256") == found
        return Fetched(equal=equal, bytes_down=self._count)

    def _store(self, block: bytes) -> None:
        if self._computing:
            self._computing.update(block)
        self._sink.write(block)
        self._count += len(block)


class Refusal:
    """A provider's answer that is no success."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._said = answer.data[:_ERROR_BYTES]

    def hear(self, block: bytes) -> None:
        """Take a block of the body."""
        self._said = (self._said + block)[:_ERROR_BYTES]

    def error(self) -> Refused:
        """What to raise; of the body only this one finding, since it may quote the URL."""
        expired = b"ExpiredToken" in self._said or b"expired" in self._said
        return Refused(self._answer.status, self._answer.reason, storage=True, expired=expired)


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
    *,
    is_new: bool = False,
) -> Mapping[str, str]:
    """Upload `size` bytes; the headers of the answer.

    `is_new`: raise `Taken` rather than overwrite an object. S3 and Azure see to that; Google would
    want the condition to be signed.

    The body always goes with its length: an empty one sent as a stream goes out chunked, to which
    S3 answers 501 and Azure 411. `check` is called before the last block is sent: what it raises
    breaks the upload off, and a PUT that breaks off stores nothing.
    """
    algorithm = "crc32c" if provider == GOOGLE else "md5"
    body = _Upload(source, size, algorithm, check)
    headers = put_headers(provider)
    if not is_new or provider == GOOGLE:
        return _accepted(http.put(url, headers, body, size), body)
    answer = http.put(url, headers | {"If-None-Match": "*"}, body, size)
    if answer.status in _TAKEN:
        raise Taken(perhaps_by_us=answer.was_sent_again)
    return _accepted(answer, body)


def block_id(number: int) -> str:
    """Azure's name of a part: every one of a blob must have the same length."""
    return base64.b64encode(f"{number:08}".encode()).decode()


def put_part(
    http: HttpClient, url: str, provider: str, number: int, source: Readable, size: int
) -> str:
    """Upload part `number` of a file; what the provider calls it."""
    headers = put_headers(provider)
    if provider == AZURE:
        # Its answer tells no digest; but it checks one that it is told.
        headers["Content-MD5"] = base64.b64encode(digest_of(source, "md5")).decode()
        body = _Upload(source, size, None)
        _accepted(http.put(url, headers, body, size), body)
        return block_id(number)
    body = _Upload(source, size, "md5")
    told = _accepted(http.put(url, headers, body, size), body)
    if "etag" not in told:
        raise Damaged("the storage provider did not say what it calls a part", storage=True)
    return told["etag"]


def _accepted(answer: Answer, body: _Upload) -> Mapping[str, str]:
    """The headers of the answer to a PUT of `body`, if it tells that all of it is stored."""
    if not 200 <= answer.status <= 299:
        raise Refusal(answer).error()
    if "etag" not in answer.headers and "html" in answer.headers.get("content-type", ""):
        # No provider says so that it has stored something; a page to sign in does.
        raise Damaged("a web page came instead of an answer", storage=True)
    known = provider_digest(answer.headers, cheap=body.algorithm == "crc32c")
    if known and known.algorithm == body.algorithm and known.value != body.value():
        raise Damaged("the provider stored other bytes than were sent", storage=True)
    return answer.headers


class _Upload:
    """The body of one PUT: the file's bytes, hashed as they go by what the provider will tell."""

    def __init__(
        self,
        source: Readable,
        size: int,
        algorithm: str | None,
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
        self._computing = hasher(self.algorithm) if self.algorithm else None

    def value(self) -> bytes:
        """The digest of what was sent; empty if none was asked for."""
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
