"""Bytes from a signed URL: one GET. No URL ever leaves this module in an error."""

from __future__ import annotations

import re
from collections.abc import Callable

from ubiops_file_sync.bucket.contract import Fetched
from ubiops_file_sync.bucket.digest import Digest, Hasher, hasher, provider_digest
from ubiops_file_sync.bucket.exchange import Answer, Take
from ubiops_file_sync.bucket.http import HttpClient
from ubiops_file_sync.bucket.refusal import Refusal
from ubiops_file_sync.bucket.retry import Damaged
from ubiops_file_sync.bucket.traffic import CountedSink
from ubiops_file_sync.errors import KeyFailure

_LENGTH = re.compile(r"[0-9]{1,19}", re.ASCII)


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

    def _store(self, blocks: list[bytes]) -> None:
        block = b"".join(blocks)
        if self._computing:
            self._computing.update(block)
        self._sink.write(block)
        self._count += len(block)
