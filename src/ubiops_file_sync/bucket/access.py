"""What a token may do in a bucket, found out by asking. Nothing is made, and nothing is changed.

UbiOps has no call that tells a token's role, but each call is refused (403) before anything else is
looked at. So each right is asked for by a call that cannot have an effect: a signed URL to upload
to, which is thrown away; and the deletion of a file under a random name, which nobody has.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from ubiops_file_sync.bucket.contract import BucketFacts
from ubiops_file_sync.bucket.exchange import Answer
from ubiops_file_sync.bucket.problems import Place, explain
from ubiops_file_sync.bucket.raw import RawBucket, json_of
from ubiops_file_sync.bucket.retry import Damaged, Refused
from ubiops_file_sync.bucket.server_clock import measured_skew_us
from ubiops_file_sync.bucket.trouble import NoAnswer
from ubiops_file_sync.bucket.window import Told, told_by

CALLS = 5
"""How many calls it takes, if none has to be made again."""

_FORBIDDEN = 403
_NOT_FOUND = 404


@dataclass(frozen=True, slots=True)
class Access:
    """What asking has shown of one token and one place."""

    facts: BucketFacts | None
    """None: the token may not see the bucket's own details."""
    lists: bool
    reads: bool
    writes: bool
    deletes: bool
    is_empty: bool | None
    """Whether nothing is below the place's prefix; None: it may not be listed."""
    skew_us: int
    """How far the local clock is ahead of the service's; 0: not at all, or by less than shows."""
    quota: Told | None
    """What the last answer told of it; None: nothing."""

    @property
    def role(self) -> str:
        """The role that comes closest, in words."""
        if self.lists and self.reads:
            if self.writes and self.deletes:
                return "may read, write and delete (as files-writer)"
            if not self.writes and not self.deletes:
                return "may read, and not write (as files-reader)"
        if self.reads and not (self.lists or self.writes or self.deletes):
            return "may fetch files by name, and not list them (as a restricted reader)"
        able = {"list": self.lists, "read": self.reads, "write": self.writes}
        able["delete"] = self.deletes
        may = [verb for verb, is_so in able.items() if is_so]
        return f"may {' and '.join(may)}, and nothing else" if may else "may do nothing there"


def find_access(raw: RawBucket, place: Place, now_ns: Callable[[], int] = time.time_ns) -> Access:
    """What the token of `raw` may do at `place`, in `CALLS` calls.

    Raises `SyncError` where there is nothing to find out: no answer, no bucket, no such token.
    """
    try:
        return _Asking(raw, place, now_ns).access()
    except (NoAnswer, Refused, Damaged) as error:
        raise explain(error, place, "bucket", None) from None


class _Asking:
    def __init__(self, raw: RawBucket, place: Place, now_ns: Callable[[], int]) -> None:
        self._raw = raw
        self._place = place
        self._now_ns = now_ns
        self._nobodys = f"{place.prefix}.ubiops-file-sync-probe-{secrets.token_hex(16)}"

    def access(self) -> Access:
        bucket = self._raw.bucket()
        skew = measured_skew_us(bucket.headers, self._now_ns() // 1000, bucket.took_us)
        facts = _facts(bucket) if self._allowed(bucket, "bucket") else None
        listing = self._raw.list_page(self._place.prefix, 1)
        lists = self._allowed(listing, "list")
        reads = self._allowed(self._raw.sign_download(self._nobodys), "download")
        writes = self._allowed(self._raw.sign_upload(self._nobodys), "upload")
        deletion = self._raw.delete(self._nobodys)
        return Access(
            facts=facts,
            lists=lists,
            reads=reads,
            writes=writes,
            deletes=self._allowed(deletion, "delete"),
            is_empty=not json_of(listing).get("files") if lists else None,
            skew_us=skew,
            quota=told_by(deletion.headers),
        )

    def _allowed(self, answer: Answer, endpoint: str) -> bool:
        """Whether the call was allowed. Of a file that is not there, not found is a yes."""
        about_a_file = endpoint in {"download", "upload", "delete"}
        if 200 <= answer.status <= 299 or (about_a_file and answer.status == _NOT_FOUND):
            return True
        if answer.status == _FORBIDDEN:
            return False
        refused = Refused(answer.status, str(json_of(answer).get("error", answer.reason))[:300])
        raise explain(refused, self._place, endpoint, None)


def _facts(answer: Answer) -> BucketFacts:
    told = json_of(answer)
    ttl = told.get("ttl")
    ttl_us = ttl * 1_000_000 if isinstance(ttl, int) and ttl > 0 else None
    return BucketFacts(str(told.get("id", "")), str(told.get("provider", "")), ttl_us)
