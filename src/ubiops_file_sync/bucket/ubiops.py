"""The bucket contract kept by UbiOps.

The facts of the API that shape it are in design section 2.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any, BinaryIO, TypeVar

import msgspec

from ubiops_file_sync import keys
from ubiops_file_sync.bucket.bandwidth import Bandwidth
from ubiops_file_sync.bucket.contract import (
    BucketFacts,
    CallCounter,
    Fetched,
    PartedUpload,
    Receipt,
)
from ubiops_file_sync.bucket.digest import Readable
from ubiops_file_sync.bucket.download import get_blob
from ubiops_file_sync.bucket.exchange import Answer
from ubiops_file_sync.bucket.http import HttpClient
from ubiops_file_sync.bucket.listing import NoTime, OutsidePrefix, entry_of, page_of
from ubiops_file_sync.bucket.pattern import CallPattern, Calls
from ubiops_file_sync.bucket.problems import Place, explain, what_happened
from ubiops_file_sync.bucket.quota import Quota, quota_for
from ubiops_file_sync.bucket.ranges import SignedRanges
from ubiops_file_sync.bucket.rest import NOT_OF_THE_API, PooledRest
from ubiops_file_sync.bucket.retry import Damaged, Refused, RetryPolicy, attempt
from ubiops_file_sync.bucket.sdk import patterns as patterns_of_sdk
from ubiops_file_sync.bucket.server_clock import measured_skew_us, server_us
from ubiops_file_sync.bucket.traffic import CountedSink, CountedSource, Traffic
from ubiops_file_sync.bucket.trouble import NoAnswer
from ubiops_file_sync.bucket.upload import AZURE, Proofs, Taken, block_id, put_blob, put_part
from ubiops_file_sync.errors import KeyFailure, TransferLost
from ubiops_file_sync.lanes import travelling
from ubiops_file_sync.model import PAGE_ITEMS, Direction, Pace, RemoteEntry

_log = logging.getLogger(__name__)

_BAD_REQUEST = 400
_NOT_FOUND = 404
_NOT_IMPLEMENTED = 501
_SMALLER_PAGE_ITEMS = 100
"""For an installation that refuses pages of `PAGE_ITEMS`."""

_LONGEST_TTL_S = 10**10

_MALFORMED = (ValueError, RecursionError, msgspec.MsgspecError)

Result = TypeVar("Result")


class _BucketDetail(msgspec.Struct):
    id: str = ""
    provider: str = ""
    ttl: Annotated[int, msgspec.Meta(ge=0, le=_LONGEST_TTL_S)] | None = None
    """Seconds."""


class _Upload(msgspec.Struct):
    upload_id: str
    provider: str = ""


class _SignedUrl(msgspec.Struct):
    url: str
    provider: str = ""


class UbiOpsBucket:
    """One place (project, bucket, prefix) in UbiOps; see `bucket.contract.Bucket`."""

    def __init__(
        self,
        place: Place,
        token: str,
        retries: RetryPolicy | None = None,
        now_ns: Callable[[], int] = time.time_ns,
        quota: Quota | None = None,
        bandwidth: Bandwidth | None = None,
        traffic: Traffic | None = None,
        patterns: Mapping[str, CallPattern] | None = None,
    ) -> None:
        """No call is made yet.

        `quota`: another than the usual one of the host. `bandwidth`: what all transfers of the
        process may move. `traffic` is told of those under way. `patterns`: what is sent for each
        call, as `bucket.sdk.patterns` tells it; None: it is asked now.
        """
        self._now_ns = now_ns
        self.calls = CallCounter()
        self.skew_us = 0
        self._place = place
        self._retries = retries or RetryPolicy()
        self._http = HttpClient(bandwidth)
        self._quota = quota or quota_for(place.api_host)
        self._traffic = traffic or Traffic()
        self._rest = PooledRest(self._http, self._quota)
        self._calls = Calls(patterns or patterns_of_sdk(), place.api_host, token)
        self._page_items = PAGE_ITEMS
        self._proofs, self._proofs_of_parts = Proofs(), Proofs()
        self._knows_conditions = True
        """The storage takes `If-None-Match`; until it says that it does not."""
        self._names = {"project_name": place.project, "bucket_name": place.bucket}

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def stop(self) -> None:
        """Break off what is under way, in every thread."""
        self._http.stop()
        self._quota.wake()

    @property
    def pace(self) -> Pace | None:
        """How quickly calls may be made; None while no answer has told."""
        return self._quota.pace

    @property
    def quota_left(self) -> int | None:
        """Calls that the service still allows in this window; None while no answer has told."""
        return self._quota.left

    def facts(self) -> BucketFacts:
        """The bucket's id, provider and ttl."""

        def ask() -> BucketFacts:
            told = _decoded(self._call("bucket", "buckets_get"), _BucketDetail)
            return BucketFacts(told.id, told.provider, told.ttl * 1_000_000 if told.ttl else None)

        return self._tried(ask, "bucket")

    def pages(self) -> Iterator[list[RemoteEntry]]:
        """The listing; a page that fails for good raises, whatever came before it."""
        token: str | None = None
        # One token of before is remembered, after 1, 2, 4, 8 … pages another one: however large a
        # circle is, it comes round to one of them (Brent).
        remembered, reach, pages = None, 1, 0
        while True:
            entries, token = self._page(token)
            yield entries
            if token is None:
                return
            if token == remembered:
                raise self._explained(Damaged("the listing goes round in a circle"), "list")
            pages += 1
            if pages == reach:
                remembered, reach, pages = token, reach * 2, 0

    def _page(self, token: str | None) -> tuple[list[RemoteEntry], str | None]:
        options: dict[str, Any] = {}
        if self._place.prefix:
            options["prefix"] = self._place.prefix
        if token:
            options["continuation_token"] = token

        def ask() -> tuple[list[RemoteEntry], str | None]:
            answer = self._listed(options)
            self.skew_us = measured_skew_us(answer.headers, self._now_ns() // 1000, answer.took_us)
            with _told_by_the_api():
                return page_of(answer.data, self._place.prefix)

        return self._tried(ask, "list", total_s=self._retries.listing_total_s)

    def _listed(self, options: dict[str, Any]) -> Answer:
        """The answer to one listing call, in smaller pages from the first that is too large on."""
        listing = partial(self._call, "list", "files_list", **options)
        try:
            return listing(limit=self._page_items)
        except Refused as refused:
            too_large = refused.status == _BAD_REQUEST and "limit" in refused.message.lower()
            if not too_large or self._page_items == _SMALLER_PAGE_ITEMS:
                raise
        self._page_items = _SMALLER_PAGE_ITEMS
        return listing(limit=self._page_items)

    def get(self, key: str) -> RemoteEntry | None:
        """What the bucket says of a key now."""
        file = self._full_key(key)

        def ask() -> RemoteEntry | None:
            try:
                answer = self._call("get", "files_get", file=file)
            except Refused as refused:
                if refused.status == _NOT_FOUND:
                    return None
                raise
            self.skew_us = measured_skew_us(answer.headers, self._now_ns() // 1000, answer.took_us)
            with _told_by_the_api():
                return entry_of(answer.data, self._place.prefix)

        return self._tried(ask, "get", key)

    def fetch(
        self,
        entry: RemoteEntry,
        sink: BinaryIO,
        same_as: Callable[[str], bytes] | None = None,
    ) -> Fetched:
        """Download through a signed URL; each try asks for a new one."""
        file = self._full_key(entry.key)

        def once() -> Fetched:
            answer = self._call("download", "files_download", file=file)
            signed = _decoded(answer, _SignedUrl)
            with (
                travelling(self._http.stopping),
                self._traffic.moving(entry.key, Direction.DOWNLOAD, entry.size) as moving,
            ):
                counted = CountedSink(sink, moving)
                return get_blob(self._http, signed.url, entry.size, counted, same_as)

        return self._tried(once, "download", entry.key)

    def send(
        self,
        key: str,
        source: Readable,
        size: int,
        check: Callable[[], None] | None = None,
        *,
        is_new: bool = False,
    ) -> Receipt:
        """Upload through a signed URL; each try asks for a new one.

        A new object that is in the way may be our own, stored by a request whose answer was lost:
        then one of this size and as new is taken for that.
        """
        file = self._full_key(key)
        began_us: list[int] = []

        def once() -> Receipt:
            answer = self._call("upload", "files_upload", file=file)
            signed = _decoded(answer, _SignedUrl)
            began_us.append(server_us(answer.headers))
            conditional = is_new and self._knows_conditions
            try:
                with (
                    travelling(self._http.stopping),
                    self._traffic.moving(key, Direction.UPLOAD, size) as moving,
                ):
                    headers = put_blob(
                        self._http,
                        signed.url,
                        signed.provider,
                        CountedSource(source, moving),
                        size,
                        check,
                        self._proofs,
                        is_new=conditional,
                    )
            except Taken as taken:
                stored = self.get(key) if taken.perhaps_by_us or len(began_us) > 1 else None
                if stored is None or stored.size != size or stored.created_us < began_us[0]:
                    raise
                return Receipt(began_us[0], stored.created_us)
            except Refused as refused:
                self._knows_conditions &= refused.status != _NOT_IMPLEMENTED
                raise
            return Receipt(began_us[-1], server_us(headers))

        return self._tried(once, "upload", key)

    def begin_parts(self, key: str) -> PartedUpload:
        """Begin an upload in parts. One that was never completed costs its user storage."""
        file = self._full_key(key)

        def once() -> PartedUpload:
            answer = self._call("begin-parts", "files_start_multipart_upload", file=file)
            told = _decoded(answer, _Upload)
            return PartedUpload(told.upload_id, told.provider, server_us(answer.headers))

        return self._tried(once, "upload", key)

    def send_part(
        self, key: str, upload: PartedUpload, number: int, source: Readable, size: int
    ) -> str:
        """Send a part through a signed URL; each try asks for a new one."""
        file = self._full_key(key)
        # Azure has no uploads: its parts are blocks beside the blob, each under a name of its own.
        of_part = (
            {"upload_id": block_id(number)}
            if upload.provider == AZURE
            else {"upload_id": upload.id, "part_number": str(number)}
        )

        def once() -> str:
            answer = self._call("upload", "files_upload", file=file, **of_part)
            signed = _decoded(answer, _SignedUrl)
            with self._traffic.moving(key, Direction.UPLOAD, size) as moving:
                counted = CountedSource(source, moving)
                return put_part(
                    self._http,
                    signed.url,
                    upload.provider,
                    number,
                    counted,
                    size,
                    self._proofs_of_parts,
                )

        return self._tried(_lost_if({_NOT_FOUND}, once), "upload", key)

    def complete_parts(
        self, key: str, upload: PartedUpload, size: int, tags: Mapping[int, str]
    ) -> Receipt:
        """Make the parts an object.

        A request whose answer was lost may have done so: then the next one finds no upload any
        more, and the object itself is asked. Somebody else's of the same size and as new is taken
        for ours then.
        """
        file = self._full_key(key)
        data = {"upload_id": upload.id, "parts": _parts_list(upload.provider, tags)}

        def complete() -> Receipt:
            method = "files_complete_multipart_upload"
            answer = self._call("complete-parts", method, file=file, data=data)
            _require_of_api(answer)
            return Receipt(upload.started_us, server_us(answer.headers))

        def once() -> Receipt:
            try:
                return _lost_if({_BAD_REQUEST, _NOT_FOUND}, complete)()
            except TransferLost:
                stored = self.get(key)
                if stored is None or stored.size != size or stored.created_us < upload.started_us:
                    raise
                return Receipt(upload.started_us, stored.created_us)

        return self._tried(once, "upload", key)

    def ranges(self, entry: RemoteEntry, version: str = "") -> SignedRanges:
        """Ranges of an object; a signed URL is asked for with the first, and when one expired."""
        file = self._full_key(entry.key)

        def sign() -> str:
            answer = self._call("download", "files_download", file=file)
            return _decoded(answer, _SignedUrl).url

        def tried(work: Callable[[], None]) -> None:
            self._tried(work, "download", entry.key)

        return SignedRanges(self._http, entry, sign, tried, self._traffic, version)

    def delete(self, key: str) -> None:
        """Remove an object; gone already is as good."""
        file = self._full_key(key)

        def once() -> None:
            try:
                _require_of_api(self._call("delete", "files_delete", file=file))
            except Refused as refused:
                if refused.status != _NOT_FOUND:
                    raise

        self._tried(once, "delete", key)

    def _full_key(self, key: str) -> str:
        """The object's name as it goes into a request path: the one place that makes it.

        HTTP clients collapse ``.`` and ``..`` in a path, and a DELETE of ``..`` would address the
        bucket, so a key that may not be is refused here, before any request is built.
        """
        refusal = keys.refusal(key)
        if refusal is not None:
            raise KeyFailure(refusal)
        return self._place.prefix + key

    def _call(self, endpoint: str, method: str, **options: Any) -> Answer:
        """The answer to one call: `method` is the SDK's name of it, `endpoint` our own."""
        request = self._calls.request(method, {**self._names, **options})
        self.calls.add(endpoint)
        status: int | None = None
        try:
            answer = self._rest.request(**request)
            status = answer.status
        except Refused as refused:
            status = refused.status
            raise
        finally:
            self.calls.answered(endpoint, status)
        return answer

    def _tried(
        self,
        work: Callable[[], Result],
        endpoint: str,
        key: str | None = None,
        total_s: float | None = None,
    ) -> Result:
        def failed(error: BaseException, tries: int, wait_s: float) -> None:
            self._log_retry(error, tries, wait_s, endpoint, key)

        try:
            return attempt(self._retries, work, self._http.stopping, total_s=total_s, tell=failed)
        except (Refused, Damaged, NoAnswer) as error:
            raise self._explained(error, endpoint, key) from None

    def _log_retry(
        self, error: BaseException, tries: int, wait_s: float, endpoint: str, key: str | None
    ) -> None:
        """A warning where the whole pass waits. Of one key it is the outcome that counts."""
        _log.log(
            logging.WARNING if key is None else logging.DEBUG,
            "%s: %s%s: %s; try %d of %d comes in %.1f s",
            self._place.profile,
            endpoint,
            "" if key is None else f" {key}",
            what_happened(error, self._place),
            tries + 1,
            self._retries.tries,
            wait_s,
            extra={"profile": self._place.profile, "endpoint": endpoint, "key": key},
        )

    def _explained(self, error: Exception, endpoint: str, key: str | None = None) -> Exception:
        return explain(error, self._place, endpoint, key)


def _parts_list(provider: str, tags: Mapping[int, str]) -> list[dict[str, object]]:
    """Parts as the API wants them, in their order."""
    if provider == AZURE:
        return [{"BlockId": tags[number]} for number in sorted(tags)]
    return [{"PartNumber": number, "ETag": tags[number]} for number in sorted(tags)]


def _lost_if(statuses: Collection[int], work: Callable[[], Result]) -> Callable[[], Result]:
    """`work`, where an answer of these statuses says that an upload in parts is not known."""

    def guarded() -> Result:
        try:
            return work()
        except Refused as refused:
            if refused.status not in statuses:
                raise
        raise TransferLost(
            "the service no longer knows the upload in parts; the next pass begins it anew"
        )

    return guarded


def _require_of_api(answer: Answer) -> None:
    """Raise `Damaged` for an answer of which nothing is used, if it is somebody else's.

    A page to sign in is no reason to believe that anything was done.
    """
    if answer.data:
        _decoded(answer, dict)


def _decoded(answer: Answer, shape: type[Result]) -> Result:
    """The answer's JSON, straight into the few fields that are used (an SDK model costs 30 ×)."""
    try:
        return msgspec.json.decode(answer.data, type=shape)
    except _MALFORMED:
        raise Damaged(NOT_OF_THE_API) from None


@contextmanager
def _told_by_the_api() -> Iterator[None]:
    """Raises `Damaged` for an answer that is not what the API sends."""
    try:
        yield
    except (NoTime, OutsidePrefix) as error:
        raise Damaged(str(error)) from None
    except _MALFORMED:
        raise Damaged(NOT_OF_THE_API) from None
