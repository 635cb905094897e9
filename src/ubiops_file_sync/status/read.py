"""Reading how a profile is doing from what its state remembers. Nothing is asked or written."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ubiops_file_sync import keys, places
from ubiops_file_sync.config import Profile
from ubiops_file_sync.past import KEPT_NAMES, PastPass, Stage
from ubiops_file_sync.status.facts import SOON_DAYS, Expiry, ProfileStatus
from ubiops_file_sync.store import BUCKET_TTL, NO_TTL, BaselineStore, find_holder

_DAY_US = 86_400_000_000


def read_status(profile: Profile, state_dir: Path, now_us: int) -> ProfileStatus:
    """How `profile` is doing. Reads all of its baseline. Raises `ConfigError`."""
    holder = find_holder(state_dir, places.state_name(profile))
    status = ProfileStatus(
        name=profile.name,
        local_dir=str(profile.local_dir),
        project=profile.project,
        bucket=profile.bucket,
        prefix=profile.prefix,
        asked_us=now_us,
        held_by=None if holder is None else holder.words,
    )
    store = BaselineStore.look(places.state_path(state_dir, profile))
    if store is None:
        return status
    with store:
        status = _with_passes(status, _passes(store, profile, state_dir))
        status = _with_expiry(status, store)
        conflicts = filter(keys.is_conflict_key, store.keys_like(keys.CONFLICT_GLOB))
        first = tuple(itertools.islice(conflicts, KEPT_NAMES))
        return replace(
            status,
            in_step_count=store.count_in_step(),
            conflicts=first,
            conflict_count=len(first) + sum(1 for _ in conflicts),
            unfinished=tuple(store.unfinished_transfers()),
            is_of_other_places=store.is_of_other_places(places.identity(profile)),
        )


def read_history(profile: Profile, state_dir: Path) -> Iterator[PastPass]:
    """The passes over `profile` that are remembered, newest first. Raises `ConfigError`."""
    store = BaselineStore.look(places.state_path(state_dir, profile))
    if store is not None:
        with store:
            yield from _passes(store, profile, state_dir)


def _passes(store: BaselineStore, profile: Profile, state_dir: Path) -> Iterator[PastPass]:
    """Newest first. Only the newest can be under way, and only if its process has the lock."""
    name, before = places.state_name(profile), None
    while True:
        passes = store.history.newest_first()
        newest = next(passes, None)
        if newest is None:
            return
        if newest.stage is Stage.ENDED or newest == before:
            break
        holder = find_holder(state_dir, name)
        if holder is not None and holder.process == newest.process:
            newest = replace(newest, stage=Stage.UNDER_WAY)
            break
        # It may have ended since it was read, and writes its end before its lock goes. Read again.
        before = newest
    yield newest
    yield from passes


def _with_passes(status: ProfileStatus, passes: Iterator[PastPass]) -> ProfileStatus:
    under_way = last = last_success = pace = None
    for one in passes:
        if one.stage is Stage.UNDER_WAY:
            under_way = one
            continue
        if one.account.only is not None:
            continue  # A pass over some keys tells nothing of the whole.
        last = last or one
        pace = pace or one.account.pace
        if one.exit_code == 0:
            last_success = one
            break
    return replace(status, under_way=under_way, last=last, last_success=last_success, pace=pace)


def _with_expiry(status: ProfileStatus, store: BaselineStore) -> ProfileStatus:
    noted = store.noted(BUCKET_TTL)
    ttl_us = None if noted == NO_TTL else store.noted_number(BUCKET_TTL)
    if ttl_us is None:
        return replace(status, is_ttl_known=noted is not None)
    oldest_us, soon = store.oldest_objects(status.asked_us + SOON_DAYS * _DAY_US - ttl_us)
    first_us = None if oldest_us is None else oldest_us + ttl_us
    return replace(status, is_ttl_known=True, expiry=Expiry(ttl_us, first_us, soon))
