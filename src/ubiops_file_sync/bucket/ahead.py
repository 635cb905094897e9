"""Reading a listing ahead: the next pages travel while one is compared."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

_AHEAD = 2
"""Pages under way or waiting: enough to bridge the reading of a large folder, and little memory."""

Page = TypeVar("Page")


@contextmanager
def read_ahead(
    pages: Iterator[Page], break_off: Callable[[], None], unless: type[Exception]
) -> Iterator[Iterator[Page]]:
    """The same pages, each asked for in a thread of its own before it is needed.

    One call is made at a time, in order, and none is made twice. What a page raises is raised where
    the page is due. Where the block is left by an exception, `break_off` ends the call under way,
    which may be waiting for a quota or for its next try; after `unless` the calls go on, and it is
    waited for.
    """
    waiting: deque[Future[Page | None]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="listing") as pool:

        def ask() -> None:
            waiting.append(pool.submit(next, pages, None))

        def told() -> Iterator[Page]:
            for _ in range(_AHEAD):
                ask()
            while (page := waiting.popleft().result()) is not None:
                ask()
                yield page

        try:
            yield told()
        except unless:
            raise
        except BaseException:
            break_off()
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
