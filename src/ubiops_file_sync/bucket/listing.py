"""Pages of a listing, from the raw answer straight to entries.

The SDK's models take thirty times as long. A listing of a million files is a thousand pages, so
what is done once a file here is done without a function of its own.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import msgspec

from ubiops_file_sync.json_text import parsed
from ubiops_file_sync.model import RemoteEntry

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_Size = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
"""Bytes, as far as a number in JSON tells them exactly; providers end at some 2**45."""


class _Item(msgspec.Struct, gc=False):
    file: str
    size: _Size
    time_created: datetime


class _AnyItem(msgspec.Struct):
    """One whose time is not written as usual."""

    file: str
    size: _Size
    time_created: str


class _Page(msgspec.Struct):
    files: list[_Item]
    continuation_token: str | None = None


class _AnyPage(msgspec.Struct):
    files: list[_AnyItem]
    continuation_token: str | None = None


class NoTime(ValueError):
    """A time in an answer is none."""


class OutsidePrefix(ValueError):
    """A listing names objects that were not asked for."""


_page = msgspec.json.Decoder(_Page).decode
_item = msgspec.json.Decoder(_Item).decode


def page_of(data: bytes, prefix: str) -> tuple[list[RemoteEntry], str | None]:
    """The entries of a page, their keys without `prefix`, and the token of the next one.

    Raises `NoTime`, `OutsidePrefix`, and another ValueError if it is no page at all.
    """
    try:
        page = _page(data)
        return _entries(page.files, prefix), page.continuation_token or None
    except (msgspec.MsgspecError, TypeError):
        # A time without an offset, or a name that is no valid Unicode, to be refused by itself.
        loose = msgspec.convert(parsed(data), _AnyPage)
        return _entries(_usual(loose.files), prefix), loose.continuation_token or None


def entry_of(data: bytes, prefix: str) -> RemoteEntry:
    """The entry of an answer about one object. Raises as `page_of` does."""
    try:
        return _entries([_item(data)], prefix)[0]
    except (msgspec.MsgspecError, TypeError):
        return _entries(_usual([msgspec.convert(parsed(data), _AnyItem)]), prefix)[0]


def _usual(items: list[_AnyItem]) -> list[_Item]:
    return [_Item(item.file, item.size, time_of(item.time_created)) for item in items]


def _entries(items: list[_Item], prefix: str) -> list[RemoteEntry]:
    new, cut = tuple.__new__, len(prefix)
    # Lists and not generators, which take half as long again.
    if prefix and not all([item.file.startswith(prefix) for item in items]):  # noqa: C419
        raise OutsidePrefix(f"the listing names objects outside {prefix!r}")
    since = [item.time_created - _EPOCH for item in items]
    return [
        new(
            RemoteEntry,
            (
                item.file[cut:],
                item.size,
                (past.days * 86_400 + past.seconds) * 1_000_000 + past.microseconds,
            ),
        )
        for item, past in zip(items, since, strict=True)
    ]


def time_of(text: str) -> datetime:
    """`time_created` as a time with an offset.

    It comes with second, millisecond or microsecond precision, with `Z`, an offset, or neither
    (then it is UTC). Raises `NoTime` for anything else.
    """
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise NoTime("a time in the listing is no time") from None
    return when if when.tzinfo is not None else when.replace(tzinfo=UTC)


def created_us(text: str) -> int:
    """`time_created` in microseconds since the epoch, UTC; see `time_of`."""
    since = time_of(text) - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
