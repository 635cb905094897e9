"""What a look at the service brought in: answers as they came, for beliefs to judge."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from ubiops_file_sync.bucket.exchange import Answer
from ubiops_file_sync.bucket.raw import json_of

Value = TypeVar("Value")

PLAIN = "a"
"""Stored, listed, downloaded, overwritten and deleted."""
EMPTY = "empty"
IN_PARTS = "parts"
NAMES = (PLAIN, "A", "a b+c", "a#b?c=d&e%2Fb", "ü/日本", "\uff01", "\U0001f600")
"""Names that something on the way may spoil. The last two sort otherwise as UTF-16."""

CONTENT = b"what a belief is worth, " * 40
NEW_CONTENT = b"overwritten"
PART_BYTES = 5 << 20
"""The smallest part that S3 takes."""
PARTS = (bytes(PART_BYTES), b"the last part may be small")
RANGE = (7, 25)
"""First and last byte of a partial download."""
PAGE_LIMIT = 4
"""So small that a few files make several pages."""


class NotSeen(Exception):
    """The look at it came to nothing."""


class Stored(NamedTuple):
    """One file that was sent in one piece."""

    signed: Answer
    put: Answer


class Item(NamedTuple):
    """What the API tells of a file."""

    size: object
    time_created: str


@dataclass(slots=True)
class Seen:
    """Answers by what was asked. None: it was not asked, or the way there failed."""

    bucket: Answer | None = None
    first_page: Answer | None = None
    """Of as many items as the program asks for."""
    beyond_limit: Answer | None = None
    stranger: Answer | None = None
    no_bucket: Answer | None = None
    missing: dict[str, Answer] = field(default_factory=dict)
    """By endpoint, of a file that never was."""
    stored: dict[str, Stored] = field(default_factory=dict)
    """By name."""
    shown_after_s: float | None = None
    """How long it took until the first file showed."""
    first_got: Item | None = None
    multipart: list[Answer] = field(default_factory=list)
    """Start, first part, last part, completion."""
    parts_range: Answer | None = None
    """The bytes around the seam of the parts."""
    pages: list[list[tuple[str, Item]]] = field(default_factory=list)
    """The listing, names without the scratch prefix."""
    listing_ended: bool = False
    by_text: list[str] | None = None
    """Names that a listing by `PLAIN` gave, which is no folder."""
    download: Answer | None = None
    download_signed: Answer | None = None
    part_of_download: Answer | None = None
    altered_url: Answer | None = None
    overwritten: Item | None = None
    deleted: list[Answer] = field(default_factory=list)
    """The deletion, a get after it, and the same deletion once more."""
    answers: list[Answer] = field(default_factory=list)
    """Every answer of the API, in order."""
    troubles: list[str] = field(default_factory=list)
    """What kept the look from going on, in words."""

    def need(self, value: Value | None) -> Value:
        """`value`, if it was seen; raises `NotSeen`."""
        if value is None:
            raise NotSeen(self.troubles[0] if self.troubles else "nothing came of the look at it")
        return value

    def items(self) -> dict[str, Item]:
        """The whole listing by name."""
        if not self.listing_ended:
            self.need(None)
        return {name: item for page in self.pages for name, item in page}

    def item(self, name: str) -> Item:
        """What the listing tells of one file."""
        return self.need(self.items().get(name))

    def provider(self) -> str:
        """Who keeps the bytes, by the API's own name."""
        return str(json_of(self.need(self.bucket)).get("provider", ""))


def item_of(body: dict[str, Any]) -> Item:
    """What a listing or a get tells of a file."""
    return Item(body.get("size"), str(body.get("time_created")))
