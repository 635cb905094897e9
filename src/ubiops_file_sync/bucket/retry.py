"""Which failures pass by themselves, and how long to wait for that (design section 6)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import tenacity

from ubiops_file_sync.bucket.trouble import NoAnswer
from ubiops_file_sync.courtesy import stepping_aside
from ubiops_file_sync.lanes import pause
from ubiops_file_sync.phrases import printable

Result = TypeVar("Result")

RATE_LIMITED = 429


class Refused(Exception):
    """An answer of the API or a storage provider that is no success."""

    def __init__(
        self, status: int, message: str, *, storage: bool = False, expired: bool = False
    ) -> None:
        self.message = printable(message)
        """The service's own words, without any URL and what a terminal would obey."""
        super().__init__(f"{status} {self.message}".strip())
        self.status = status
        self.storage = storage
        """The storage provider said it, of a signed URL, and not the API."""
        self.expired = expired
        """The provider said that the signed URL has expired."""


class Damaged(Exception):
    """A body that is shorter than promised, or not what its hash or its format says."""

    def __init__(self, message: str, *, storage: bool = False) -> None:
        super().__init__(message)
        self.storage = storage
        """It came from the storage provider, and not from the API."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long to try; tests make it quick."""

    tries: int = 5
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0
    total_s: float = 300.0
    listing_total_s: float = 600.0


def passes_by_itself(error: BaseException) -> bool:
    """Whether trying again can help: the network, timeouts, 408, 429, 5xx, a damaged body.

    A signed URL that expired counts too, since the next try signs anew: S3 and Azure answer 403,
    Google 400 with a code of its own.
    """
    if isinstance(error, Refused):
        return (
            error.status in {408, RATE_LIMITED}
            or error.status >= 500
            or (error.storage and (error.expired or error.status == 403))
        )
    return isinstance(error, NoAnswer | Damaged)


Tell = Callable[[BaseException, int, float], None]
"""Takes a failure, how many tries there were, and the seconds until the next."""


def attempt(
    policy: RetryPolicy,
    work: Callable[[], Result],
    stopping: threading.Event,
    *,
    total_s: float | None = None,
    tell: Tell = lambda _error, _tries, _wait_s: None,
) -> Result:
    """What `work` returns, tried as the policy says; the last failure is raised as it is.

    `stopping` ends the waits between tries, and the tries with them. `tell` is called before each
    wait.
    """
    try:
        return work()
    except Exception as error:
        if not passes_by_itself(error):
            raise
        failures = [error]

    def first_as_it_was() -> Result:
        # Nearly all tries are the only one, and the machinery for more costs as much as a request.
        if failures:
            raise failures.pop()
        return work()

    def before_wait(state: tenacity.RetryCallState) -> None:
        error = None if state.outcome is None else state.outcome.exception()
        if error is not None and not stopping.is_set():
            tell(error, state.attempt_number, state.upcoming_sleep)

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(passes_by_itself),
        stop=tenacity.stop_after_attempt(policy.tries)
        | tenacity.stop_when_event_set(stopping)
        | tenacity.stop_after_delay(policy.total_s if total_s is None else total_s),
        wait=tenacity.wait_random_exponential(
            multiplier=policy.first_wait_s, max=policy.longest_wait_s
        )
        + tenacity.wait_fixed(policy.first_wait_s / 2),
        before_sleep=before_wait,
        sleep=partial(pause, stopping),
        reraise=True,
    )
    with stepping_aside():
        return retrying(first_as_it_was)
