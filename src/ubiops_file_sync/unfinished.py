"""Which transfers in parts of earlier passes this one goes on with."""

from __future__ import annotations

from collections.abc import Iterable

from ubiops_file_sync.compare import Plan
from ubiops_file_sync.model import Action, Direction, Unfinished, Verb
from ubiops_file_sync.store import BaselineStore


def still_wanted(store: BaselineStore, plan: Plan, direction: Direction) -> list[Unfinished]:
    """Those that the plan has use for. The rest is forgotten, unless the plan is but a part of one.

    A pass in one `direction` has nothing to say of what travels in the other.

    An upload that was begun and is not gone on with stays with the storage provider, unseen, until
    the provider's own rules remove it: the API has no call for that.
    """
    wanted, stale = [], []
    for one in store.unfinished_transfers():
        action = plan.spool.find(one.key)
        judged = plan.is_whole and direction in {one.direction, Direction.TWO_WAY}
        if (action is None and not judged) or (action is not None and _is_of(one, action)):
            wanted.append(one)
        else:
            stale.append(one)
    store.forget_transfers(stale)
    return wanted


def half_fetched(transfers: Iterable[Unfinished]) -> set[str]:
    """Names of the staged files that hold what has arrived."""
    return {one.handle for one in transfers if one.direction is Direction.DOWNLOAD}


def _is_of(one: Unfinished, action: Action) -> bool:
    """Whether the transfer is of the very version that the action expects."""
    if one.direction is Direction.UPLOAD:
        local = action.local
        if local is None or action.verb is not Verb.UPLOAD:
            return False
        return (local.size, local.mtime_ns) == (one.size, one.stamp)
    remote = action.remote
    return remote is not None and (remote.size, remote.created_us) == (one.size, one.stamp)
