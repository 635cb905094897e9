"""One object in ranges, by a signed URL, so that two versions of it never mix.

`If-Range` is not relied upon: Azure does not document it for blobs, and servers were seen to answer
it with a range of the new version. `If-Match` is sent, and the version of every answer is compared
all the same, since it was seen to be ignored too.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ubiops_file_sync.bucket.digest import Digest, provider_digest
from ubiops_file_sync.bucket.exchange import Answer, Take
from ubiops_file_sync.bucket.http import HttpClient
from ubiops_file_sync.bucket.refusal import Refusal
from ubiops_file_sync.bucket.retry import Damaged, Refused
from ubiops_file_sync.bucket.traffic import Moving, Traffic
from ubiops_file_sync.errors import RangesUnknown, TransferLost
from ubiops_file_sync.model import Direction, RemoteEntry

_CHANGED = "the object changed in the bucket during the pass; the next takes it"
_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})", re.ASCII)
_PRECONDITION_FAILED = 412
_BEYOND_THE_END = 416


@dataclass(slots=True)
class SignedRanges:
    """See `bucket.contract.Ranges`."""

    http: HttpClient
    entry: RemoteEntry
    sign: Callable[[], str]
    """Asks for a signed URL; may raise what another try may mend."""
    tried: Callable[[Callable[[], None]], None]
    """Does work as often as the policy says; raises in the user's words."""
    traffic: Traffic
    version: str = ""
    digest: Digest | None = None
    _url: str = field(default="", repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def fetch(self, first: int, count: int, fd: int) -> None:
        """Write a range of the object into the same place of a file."""

        def once() -> None:
            url = self._signed()
            try:
                self._fetch(url, first, count, fd)
            except Refused:
                self._forget(url)  # It may have expired.
                raise

        self.tried(once)

    def _signed(self) -> str:
        """One URL for all ranges, as long as it holds."""
        with self._lock:
            if not self._url:
                self._url = self.sign()
            return self._url

    def _forget(self, url: str) -> None:
        with self._lock:
            if self._url == url:
                self._url = ""

    def _fetch(self, url: str, first: int, count: int, fd: int) -> None:
        with self.traffic.moving(self.entry.key, Direction.DOWNLOAD, count) as moving:
            answering = _Range(self, first, count, fd, moving)
            self.http.get(url, self._headers(first, count), answering.begin)
            answering.require_whole()

    def _headers(self, first: int, count: int) -> dict[str, str]:
        headers = {"Range": f"bytes={first}-{first + count - 1}"}
        etag = self.version.partition(" ")[0]
        if etag.startswith('"'):
            headers["If-Match"] = etag
        return headers

    def heed(self, answer: Answer) -> None:
        """Learn the version and the digest, or raise `TransferLost` if it is another version."""
        told = _version(answer.headers)
        if not told:
            raise RangesUnknown("the storage provider does not tell versions apart")
        with self._lock:
            self.version = self.version or told
            self.digest = self.digest or provider_digest(answer.headers)
        if told != self.version:
            raise TransferLost(_CHANGED)


class _Range:
    """One answer to a request for a range."""

    def __init__(
        self, ranges: SignedRanges, first: int, count: int, fd: int, moving: Moving
    ) -> None:
        self._ranges = ranges
        self._moving = moving
        self._at = first
        self._end = first + count
        self._fd = fd
        self._refusal: Refusal | None = None

    def begin(self, answer: Answer) -> Take | None:
        """What takes the body."""
        if answer.status in {_PRECONDITION_FAILED, _BEYOND_THE_END}:
            raise TransferLost(_CHANGED)
        if not 200 <= answer.status <= 299:
            self._refusal = Refusal(answer)
            return self._refusal.hear
        # Some say 200 with a range; without one, it is the whole object.
        told = _CONTENT_RANGE.fullmatch(answer.headers.get("content-range", ""))
        if told is None:
            raise RangesUnknown("the storage provider knows no ranges")
        first, last, total = map(int, told.groups())
        if total != self._ranges.entry.size:
            raise TransferLost(_CHANGED)
        if (first, last + 1) != (self._at, self._end):
            raise Damaged(
                "the storage provider sent another range than was asked for", storage=True
            )
        self._ranges.heed(answer)
        return self._store

    def _store(self, blocks: list[bytes]) -> None:
        left = sum(map(len, blocks))
        if self._at + left > self._end:
            raise Damaged("more bytes came than were asked for", storage=True)
        while left:
            written = os.pwritev(self._fd, blocks, self._at)
            self._at += written
            self._moving.done_bytes += written
            left -= written
            if left:
                blocks = [b"".join(blocks)[written:]]

    def require_whole(self) -> None:
        """Raise `Refused` or `Damaged` unless all of the range has come."""
        if self._refusal is not None:
            raise self._refusal.error()
        if self._at != self._end:
            raise Damaged(f"{self._end - self._at} bytes of a range did not come", storage=True)


def _version(headers: Mapping[str, str]) -> str:
    """The ETag, and Google's generation, which tells overwrites with equal content apart too."""
    etag, generation = headers.get("etag", ""), headers.get("x-goog-generation", "")
    return f"{etag} {generation}".strip() if etag else ""
