"""What we believe about the service (design section 2), held against a real bucket.

One suite for every implementation: the embedded server with each provider behind it, and UbiOps
itself, by `doctor --contract`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from ubiops_file_sync.bucket.problems import Place
from ubiops_file_sync.bucket.quota import Quota
from ubiops_file_sync.bucket.raw import RawBucket
from ubiops_file_sync.bucket.retry import RetryPolicy
from ubiops_file_sync.config import Profile
from ubiops_file_sync.contract.belief import Belief, Found, Holds
from ubiops_file_sync.contract.look import MOST_CALLS, Look, scratch_prefix
from ubiops_file_sync.contract.of_listings import LISTINGS
from ubiops_file_sync.contract.of_transfers import TRANSFERS
from ubiops_file_sync.redact import keep_secret

__all__ = [
    "BELIEFS",
    "MOST_CALLS",
    "Belief",
    "Examination",
    "Found",
    "Holds",
    "examine",
    "raw_bucket",
    "scratch_prefix",
]

BELIEFS = (*TRANSFERS, *LISTINGS)


@dataclass(frozen=True, slots=True)
class Examination:
    """Every belief against the truth."""

    prefix: str
    """Where the look was taken."""
    provider: str
    findings: tuple[tuple[Belief, Found], ...]
    api_calls: int
    left: tuple[str, ...]
    """Whole names of what could not be removed."""

    @property
    def exit_code(self) -> int:
        """0: the program does well with all that was found; 1: not with all of it."""
        met = all(belief.is_met_by(found) for belief, found in self.findings)
        return 0 if met and not self.left else 1


@contextmanager
def raw_bucket(
    profile: Profile,
    env: Mapping[str, str],
    retries: RetryPolicy | None = None,
    quota: Quota | None = None,
) -> Iterator[tuple[RawBucket, Place]]:
    """The bucket of a profile; nothing is asked of it yet. Raises `ConfigError`.

    `quota`: another than the usual one of the host.
    """
    place = Place(
        profile=profile.name,
        api_host=profile.api_host,
        project=profile.project,
        bucket=profile.bucket,
        prefix="",
        token_source=profile.token_source(env),
    )
    token = profile.read_token(env).get_secret_value()
    keep_secret(token)
    more = {} if retries is None else {"retries": retries}
    raw = RawBucket(place, token, quota=quota, **more)
    try:
        yield raw, place
    finally:
        raw.close()


def examine(
    raw: RawBucket,
    place: Place,
    prefix: str,
    tell_left: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> Examination:
    """Look at the bucket below `prefix`, where nothing may be, and judge what was seen.

    What it made is removed, however it ends; `tell_left` is told the name of anything that could
    not be. Raises `SyncError` where there is nothing to look at, `UsageError` if the prefix is not
    free.
    """
    look = Look(raw, place, prefix, sleep)
    try:
        seen = look.take()
    finally:
        try:
            look.tidy()
        finally:
            for name in look.made:
                tell_left(name)
    return Examination(
        look.prefix,
        seen.provider(),
        tuple((belief, belief.find(seen)) for belief in BELIEFS),
        raw.calls,
        tuple(look.made),
    )
