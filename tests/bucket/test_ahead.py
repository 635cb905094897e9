"""A listing is read ahead: in order, no page twice, and never far."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from ubiops_file_sync.bucket.ahead import read_ahead
from ubiops_file_sync.errors import RemoteUnreachable


class Listing:
    """Pages that know which of them were asked for."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.asked: list[int] = []
        self.asking = threading.Semaphore(0)
        """Released once a page."""

    def pages(self) -> Iterator[list[int]]:
        for number in range(self.count):
            self.asked.append(number)
            self.asking.release()
            yield [number]


class OutOfOrder(Exception):
    """After which the pages are asked for anew."""


def never() -> None:
    raise AssertionError("nothing is to be broken off")


def test_pages_come_in_order_and_each_is_asked_for_once() -> None:
    listing = Listing(20)
    with read_ahead(listing.pages(), never, OutOfOrder) as pages:
        assert list(pages) == [[number] for number in range(20)]
    assert listing.asked == list(range(20))


def test_the_next_page_travels_while_one_is_compared() -> None:
    listing = Listing(20)
    with read_ahead(listing.pages(), never, OutOfOrder) as pages:
        next(pages)
        listing.asking.acquire()
        # Nobody has asked for it yet, and a listing that is not read ahead would wait for that.
        assert listing.asking.acquire(timeout=30)


def test_no_more_than_a_few_pages_are_in_memory() -> None:
    listing = Listing(1000)
    with read_ahead(listing.pages(), never, OutOfOrder) as pages:
        for taken in range(10):
            next(pages)
            assert len(listing.asked) <= taken + 4


def test_no_page_at_all_is_an_empty_listing() -> None:
    with read_ahead(iter(()), never, OutOfOrder) as pages:
        assert list(pages) == []


def test_a_page_that_fails_does_so_where_it_is_due() -> None:
    def broken() -> Iterator[str]:
        yield "one"
        raise RemoteUnreachable("away")

    with read_ahead(broken(), never, OutOfOrder) as pages:
        assert next(pages) == "one"
        with pytest.raises(RemoteUnreachable, match="away"):
            next(pages)


def test_whoever_leaves_early_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    with read_ahead(Listing(1000).pages(), never, OutOfOrder) as pages:
        next(pages)
    assert threading.active_count() == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_whatever_ends_it_all_breaks_off_the_call_that_is_waited_for(
    error: type[BaseException],
) -> None:
    broken_off = threading.Event()

    def hanging() -> Iterator[str]:
        yield "one"
        broken_off.wait(30)

    def left() -> None:
        with read_ahead(hanging(), broken_off.set, OutOfOrder) as pages:
            next(pages)
            raise error

    with pytest.raises(error):
        left()
    assert broken_off.is_set()


def test_what_is_begun_anew_breaks_nothing_off() -> None:
    def left() -> None:
        with read_ahead(Listing(9).pages(), never, OutOfOrder) as pages:
            next(pages)
            raise OutOfOrder

    with pytest.raises(OutOfOrder):
        left()
