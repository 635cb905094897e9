"""Bytes through a signed URL: one GET, one PUT. No URL ever leaves this module in an error."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO

import urllib3

from ubiops_file_sync.bucket.contract import Fetched
from ubiops_file_sync.bucket.digest import BLOCK_BYTES, Hasher, hasher, provider_digest
from ubiops_file_sync.bucket.http import HttpClient
from ubiops_file_sync.bucket.retry import Damaged, Refused
from ubiops_file_sync.errors import KeyFailure

AZURE = "azure_blob_storage"

_ERROR_BYTES = 4096
"""As much of a provider's error as is read."""

_SDK_HEADERS = {"Content-Disposition": "multipart/form-data"}
"""What the SDK sends with a PUT; a provider that signs headers would expect these."""
_AZURE_HEADERS = {"x-ms-version": "2020-04-08", "x-ms-blob-type": "BlockBlob"}


def get_blob(
    http: HttpClient,
    url: str,
    size: int,
    sink: BinaryIO,
    same_as: Callable[[str], bytes] | None,
) -> Fetched:
    """Download into `sink`, or find out that the content is that of `same_as`.

    Raises `Refused`, `Damaged` or urllib3's `HTTPError`, each of which another try may mend, and
    `KeyFailure` if the object is no longer the one that was listed.
    """
    with http.streaming(url, {}) as response:
        if response.status != 200:
            raise _refused(response, response.read(_ERROR_BYTES))
        told = response.headers.get("Content-Length")
        if told is not None and int(told) != size:
            raise KeyFailure("the object changed in the bucket during the pass; the next takes it")
        known = provider_digest(response.headers)
        if known and same_as and same_as(known.algorithm) == known.value:
            return Fetched(equal=True, bytes_down=0)
        algorithm = known.algorithm if known else ("sha256" if same_as else None)
        computing = hasher(algorithm) if algorithm else None
        count = _pour(http, response, sink, computing)
    if count != size:
        # A body without a length can end early without an error: the listed size is the proof.
        raise Damaged(f"{count} bytes came of {size}")
    found = computing.digest() if computing else b""
    if known and found != known.value:
        raise Damaged(f"the content does not match the provider's {known.algorithm}")
    equal = same_as is not None and known is None and same_as("sha256") == found
    return Fetched(equal=equal, bytes_down=count)


def _refused(response: urllib3.BaseHTTPResponse, body: bytes) -> Refused:
    """The provider's refusal; of its body only this one finding, since it may quote the URL."""
    expired = b"ExpiredToken" in body or b"expired" in body
    return Refused(response.status, response.reason or "", storage=True, expired=expired)


def _pour(
    http: HttpClient,
    response: urllib3.BaseHTTPResponse,
    sink: BinaryIO,
    computing: Hasher | None,
) -> int:
    sink.seek(0)
    sink.truncate()
    count = 0
    for block in response.stream(BLOCK_BYTES, decode_content=False):
        http.require_going_on()
        if computing:
            computing.update(block)
        _write_all(sink, block)
        count += len(block)
    return count


def _write_all(sink: BinaryIO, block: bytes) -> None:
    """An unbuffered file may take less than it is given."""
    view = memoryview(block)
    while view:
        view = view[sink.write(view) :]


def put_blob(
    http: HttpClient,
    url: str,
    provider: str,
    source: BinaryIO,
    size: int,
    check: Callable[[], None] | None,
) -> Mapping[str, str]:
    """Upload `size` bytes; the headers of the answer.

    The body always goes with its length: an empty one sent as a stream goes out chunked, to which
    S3 answers 501 and Azure 411. `check` is called before the last block is sent: what it raises
    breaks the upload off, and a PUT that breaks off stores nothing.
    """
    headers = {**_SDK_HEADERS, "Content-Length": str(size)}
    if provider == AZURE:
        headers |= _AZURE_HEADERS
    computing = hasher("md5")
    body = _watched(http, _blocks(source, size, computing, check)) if size else b""
    response = http.ask("PUT", url, headers, body)
    if not 200 <= response.status <= 299:
        raise _refused(response, response.data)
    known = provider_digest(response.headers)
    if known and known.algorithm == "md5" and known.value != computing.digest():
        raise Damaged("the provider stored other bytes than were sent")
    return response.headers


def _watched(http: HttpClient, blocks: Iterator[bytes]) -> Iterator[bytes]:
    for block in blocks:
        http.require_going_on()
        yield block


def _blocks(
    source: BinaryIO, size: int, computing: Hasher, check: Callable[[], None] | None
) -> Iterator[bytes]:
    source.seek(0)
    left = size
    while left:
        try:
            block = source.read(min(BLOCK_BYTES, left))
        except OSError as error:
            # Else it would be taken for the network's, and tried again.
            raise KeyFailure(f"it cannot be read ({(error.strerror or '').lower()})") from error
        if not block:
            raise KeyFailure("the file got shorter while it was read; the next pass takes it")
        left -= len(block)
        computing.update(block)
        if not left and check:
            check()
        yield block
