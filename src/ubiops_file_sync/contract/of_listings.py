"""Beliefs about listings and times."""

from __future__ import annotations

import re

from ubiops_file_sync.bucket.listing import created_us
from ubiops_file_sync.bucket.raw import json_of
from ubiops_file_sync.bucket.server_clock import server_us
from ubiops_file_sync.contract.belief import Belief, Found, covered, either, no, yes
from ubiops_file_sync.contract.seen import (
    EMPTY,
    IN_PARTS,
    NAMES,
    NEW_CONTENT,
    PAGE_LIMIT,
    PLAIN,
    Item,
    Seen,
)
from ubiops_file_sync.model import PAGE_ITEMS
from ubiops_file_sync.plan.intents import CLOCK_TOLERANCE_US, DATE_STEP_US, VISIBLE_AFTER_US

_DIGITS = re.compile(r"\.(\d+)")
_MICROSECONDS = 6


def _page_limit(seen: Seen) -> Found:
    answer = seen.need(seen.first_page)
    if answer.status == 200:
        return yes("accepted")
    words = str(json_of(answer).get("error", answer.reason))
    refusal = f"{answer.status} {words[:60]}"
    return covered(refusal) if "limit" in words.lower() else no(refusal)


def _beyond_limit(seen: Seen) -> Found:
    status = seen.need(seen.beyond_limit).status
    return either(status == 400, f"{status}", covered)


def _order(seen: Seen) -> Found:
    seen.items()
    names = [name for page in seen.pages for name, _ in page]
    if names == sorted(names):
        return yes(f"so listed, {len(names)} files")
    by_utf16 = names == sorted(names, key=lambda name: name.encode("utf-16-be"))
    return covered("sorted as UTF-16" if by_utf16 else "another order")


def _full_pages(seen: Seen) -> Found:
    seen.items()
    counts = [len(page) for page in seen.pages]
    told = ", ".join(map(str, counts[:8])) + (" …" if len(counts) > 8 else "")
    return either(
        all(count == PAGE_LIMIT for count in counts[:-1]), f"{told} of {PAGE_LIMIT}", covered
    )


def _once(seen: Seen) -> Found:
    times = sum(map(len, seen.pages)) - len(seen.items())
    return either(not times, f"{times} listed again" if times else "so listed", covered)


def _names(seen: Seen) -> Found:
    sent = {*NAMES, EMPTY}
    spoilt = sent - set(seen.items())
    if not spoilt:
        return yes(f"{len(sent)} odd names")
    return no(f"not so: {', '.join(map(ascii, sorted(spoilt)))}")


def _text_prefix(seen: Seen) -> Found:
    named = {name for name in NAMES if name.startswith(PLAIN)}
    found = set(seen.need(seen.by_text))
    return either(found == named, f"{len(found)} of {len(named)} files", covered)


def _precision(seen: Seen) -> Found:
    fractions = [_DIGITS.search(item.time_created) for item in seen.items().values()]
    digits = max((len(one[1]) for one in fractions if one), default=0)
    return either(digits >= _MICROSECONDS, f"{digits} digits of the second", covered)


def _suffix(seen: Seen) -> Found:
    text = seen.item(PLAIN).time_created
    try:
        created_us(text)
    except ValueError:
        return no(f"{text[:40]!r} is no time")
    found = re.sub(r"^.*\d\d:\d\d:\d\d(\.\d+)?", "", text)
    return either(found == "Z", f"times end in {found!r}", covered)


def _stored_when(seen: Seen) -> Found:
    signed, put = seen.need(seen.stored.get(PLAIN))
    created = _created(seen.item(PLAIN))
    early = server_us(signed.headers) - CLOCK_TOLERANCE_US - created
    late = created - server_us(put.headers) - DATE_STEP_US - CLOCK_TOLERANCE_US
    if early > 0:
        return covered(f"{early / 1e6:.1f} s too early")
    return either(late <= 0, f"{late / 1e6:.1f} s too late" if late > 0 else "within it", covered)


def _same_in_get(seen: Seen) -> Found:
    got, listed = seen.need(seen.first_got), seen.item(PLAIN)
    return either(got == listed, "the same" if got == listed else "other words")


def _overwritten(seen: Seen) -> Found:
    new, old = seen.need(seen.overwritten), seen.item(PLAIN)
    if new.size != len(NEW_CONTENT):
        return no("the old version is still told of")
    later_us = _created(new) - _created(old)
    if later_us > 0:
        return yes(f"{later_us / 1e6:.1f} s later")
    return covered("the old time stays" if not later_us else "an earlier time")


def _shown(seen: Seen) -> Found:
    after_s = seen.shown_after_s
    if after_s is None and PLAIN in seen.stored:
        return covered("not within 15 s")
    after_s = seen.need(after_s)
    words = f"after {after_s:.1f} s" if after_s else "at once"
    return either(not after_s, words, covered if after_s * 1e6 < VISIBLE_AFTER_US else no)


def _parts_time(seen: Seen) -> Found:
    """By the completion's answer, after which no time may lie."""
    completed = seen.need(seen.multipart[-1] if len(seen.multipart) > 3 else None)
    created = _created(seen.item(IN_PARTS))
    began = server_us(seen.multipart[0].headers) - CLOCK_TOLERANCE_US
    ended = server_us(completed.headers) + DATE_STEP_US + CLOCK_TOLERANCE_US
    return either(began <= created <= ended, "within it" if created <= ended else "after", covered)


def _created(item: Item) -> int:
    try:
        return created_us(item.time_created)
    except ValueError:
        return 0


LISTINGS = (
    Belief(
        "page-limit",
        f"a page of {PAGE_ITEMS} items may be asked for",
        "it asks for 100 at a time, ten times as many calls",
        _page_limit,
    ),
    Belief(
        "beyond-limit",
        f"a page of {PAGE_ITEMS + 1} is refused (400)",
        "it never asks for more, though it might",
        _beyond_limit,
    ),
    Belief(
        "order",
        "a listing is sorted by the UTF-8 bytes of the names",
        "it sorts listings on disk, and remembers that",
        _order,
    ),
    Belief(
        "full-pages",
        "only the last page is shorter than asked for",
        "a listing ends where no continuation_token comes, however short its pages",
        _full_pages,
    ),
    Belief(
        "once",
        "a listing has each file once",
        "it sorts listings on disk, which takes the repeats out",
        _once,
    ),
    Belief(
        "names",
        "any name is listed byte for byte as it was sent",
        "files of such names never come in step; rename them",
        _names,
    ),
    Belief(
        "text-prefix",
        "a prefix is one of the text, and needs no slash",
        "it always sends a slash behind it",
        _text_prefix,
    ),
    Belief(
        "precision",
        "time_created has microseconds",
        "two versions of one size, stored within one tick, are taken for one",
        _precision,
    ),
    Belief(
        "time-format",
        "time_created is UTC and ends in Z",
        "any offset is reckoned; what is no time at all ends the pass",
        _suffix,
    ),
    Belief(
        "time-stored",
        "time_created is when it was stored, by the clock of `Date`",
        "its own uploads are recognised by their content, one call more for each",
        _stored_when,
    ),
    Belief(
        "parts-time",
        "so it is for an upload in parts",
        "its own uploads are recognised by their content, one call more for each",
        _parts_time,
    ),
    Belief(
        "get-as-list",
        "a get tells the same as the listing",
        "deletions and conflicts are put off for ever, since it looks again before them",
        _same_in_get,
    ),
    Belief(
        "overwrite",
        "an overwrite sets time_created anew",
        "its own uploads are recognised by content; an edit elsewhere that keeps the size is seen "
        "by 'verify --content' alone, and `refresh_before` renews nothing",
        _overwritten,
    ),
    Belief(
        "visible",
        "what was stored shows at once",
        "it waits half a minute before it sends again",
        _shown,
    ),
)
