"""Pages of a listing: seeking, prefixes and the opaque continuation token."""

from __future__ import annotations

import base64
import binascii
import sys
from dataclasses import dataclass

import msgspec

from .behaviour import Behaviour
from .errors import ApiError
from .objects import END, Objects, Row
from .records import Bucket

_SURROGATES = range(0xD800, 0xE000)


@dataclass(frozen=True, slots=True)
class ListRequest:
    """The arguments of one call."""

    prefix: str
    delimiter: str
    limit: int
    token: Token


@dataclass(frozen=True, slots=True)
class Page:
    """The answer to one call."""

    rows: list[Row]
    prefixes: list[str]
    next: Token | None
    """Where the next page begins; None: the listing is complete."""


class Token(msgspec.Struct, frozen=True, array_like=True):
    """Where a page begins. Clients see it as an opaque text."""

    page: int = 0
    """Pages before this one."""
    start: str = ""
    """Smallest key that may follow."""
    after: int = -1
    """The same for an unsorted listing: place of the last item given."""
    repeat: str = ""
    """Key of the last item of the page before."""

    def text(self) -> str:
        """The token as clients get it."""
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> Token:
        """The token that `text` was made from; raises `ApiError` when it was not."""
        try:
            packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            return msgspec.json.decode(packed, type=cls)
        except (binascii.Error, ValueError, msgspec.MsgspecError) as problem:
            raise ApiError(400, "Invalid continuation_token.") from problem


def list_page(objects: Objects, bucket: Bucket, request: ListRequest, behaviour: Behaviour) -> Page:
    """One page of the bucket's listing.

    A page costs as many rows as it shows and one more, wherever it begins: it seeks to its first
    key and never counts from the start.
    """
    size = _page_size(request, behaviour)
    if size == 0:
        token = request.token
        return Page([], [], Token(token.page + 1, token.start, token.after, token.repeat))
    if request.delimiter:
        return _page_of_level(objects, bucket, request, size)
    if behaviour.unsorted:
        page = _unsorted_page(objects, bucket, request, size)
    else:
        page = _sorted_page(objects, bucket, request, size)
    if behaviour.repeat_item_between_pages and request.token.repeat and request.limit > 1:
        return _with_repeat(objects, bucket, request, page)
    return page


def _page_size(request: ListRequest, behaviour: Behaviour) -> int:
    limit, page = request.limit, request.token.page
    if behaviour.short_pages:
        return 0 if page % 3 == 1 else max(1, limit * (page % 5 + 1) // 7)
    if behaviour.repeat_item_between_pages and page and limit > 1:
        return limit - 1
    return limit


def _sorted_page(objects: Objects, bucket: Bucket, request: ListRequest, size: int) -> Page:
    start = max(request.prefix, request.token.start)
    rows = objects.page(bucket, start, prefix_end(request.prefix), size + 1)
    if len(rows) <= size:
        return Page(rows, [], None)
    del rows[size:]
    # The smallest text after a key is the key and a NUL.
    last = rows[-1].key
    return Page(rows, [], Token(request.token.page + 1, last + "\0", repeat=last))


def _unsorted_page(objects: Objects, bucket: Bucket, request: ListRequest, size: int) -> Page:
    stop = prefix_end(request.prefix)
    rows, after = objects.shuffled_page(bucket, request.token.after, request.prefix, stop, size)
    rest, _ = objects.shuffled_page(bucket, after, request.prefix, stop, 1)
    if not rest:
        return Page(rows, [], None)
    return Page(rows, [], Token(request.token.page + 1, after=after, repeat=rows[-1].key))


def _with_repeat(objects: Objects, bucket: Bucket, request: ListRequest, page: Page) -> Page:
    repeated = objects.find(bucket, request.token.repeat)
    if repeated is None:
        return page
    row = Row(repeated.key, repeated.size, repeated.created_us)
    return Page([row, *page.rows], page.prefixes, page.next)


def _page_of_level(objects: Objects, bucket: Bucket, request: ListRequest, size: int) -> Page:
    """A page in which keys that go on beyond the delimiter are rolled up into prefixes."""
    stop = prefix_end(request.prefix)
    start: str | bytes = max(request.prefix, request.token.start)
    rows: list[Row] = []
    prefixes: list[str] = []
    while isinstance(start, str):
        batch = objects.page(bucket, start, stop, size - len(rows) - len(prefixes) + 1)
        if not batch:
            return Page(rows, prefixes, None)
        for row in batch:
            if len(rows) + len(prefixes) == size:
                return Page(rows, prefixes, Token(request.token.page + 1, row.key))
            level = _level(row.key, request)
            if level is not None:
                prefixes.append(level)
                start = prefix_end(level)
                break
            rows.append(row)
            start = row.key + "\0"
    return Page(rows, prefixes, None)


def _level(key: str, request: ListRequest) -> str | None:
    """The prefix that the key is rolled up into."""
    found = key.find(request.delimiter, len(request.prefix))
    return None if found < 0 else key[: found + len(request.delimiter)]


def prefix_end(prefix: str) -> str | bytes:
    """The smallest text after everything that begins with `prefix`."""
    for at in range(len(prefix) - 1, -1, -1):
        point = ord(prefix[at]) + 1
        if point in _SURROGATES:
            point = _SURROGATES.stop
        if point <= sys.maxunicode:
            return prefix[:at] + chr(point)
    return END
