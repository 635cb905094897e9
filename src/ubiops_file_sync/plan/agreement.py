"""Whether the two sides and the baseline agree on a key. Pure."""

from __future__ import annotations

from enum import StrEnum

from ubiops_file_sync import keys
from ubiops_file_sync.model import BaselineEntry, BaselineRow, LocalEntry, RemoteEntry, Unknown
from ubiops_file_sync.phrases import size_words
from ubiops_file_sync.plan.explain import changes
from ubiops_file_sync.plan.intents import recognise


class Finding(StrEnum):
    """What a look at both sides and the baseline says of a key."""

    IN_STEP = "in_step"
    DAMAGED = "damaged"
    """By size and time in step, yet with other content: told by a look at the content alone."""
    DIFFERS = "differs"
    ONLY_HERE = "only_here"
    ONLY_IN_BUCKET = "only_in_bucket"
    UNKNOWN = "unknown"


def agreement(
    here: LocalEntry | Unknown | None, there: RemoteEntry | None, row: BaselineRow | None
) -> tuple[Finding, str] | None:
    """The finding on one key by sizes and times, and why; None: there is nothing to say of it."""
    base = None if row is None else row.base
    if isinstance(here, Unknown):
        concerns = here.is_problem or there is not None or base is not None
        return (Finding.UNKNOWN, here.reason) if concerns else None
    if here is None and there is None:
        gone = "recorded as in step, and gone from both sides; the next pass forgets it"
        return None if base is None else (Finding.DIFFERS, gone)
    if there is None:
        return Finding.ONLY_HERE, _alone(base, "in the bucket")
    if here is None:
        return Finding.ONLY_IN_BUCKET, keys.refusal(there.key) or _alone(base, "here")
    if row is not None and row.intent is not None:
        base = recognise(row.intent, there) or base
    return _both(here, there, base)


def _alone(base: BaselineEntry | None, side: str) -> str:
    return f"never in step {side}" if base is None else f"gone {side} since it was last in step"


def _both(here: LocalEntry, there: RemoteEntry, base: BaselineEntry | None) -> tuple[Finding, str]:
    if base is None:
        sizes = f"{size_words(here.size)} here, {size_words(there.size)} in the bucket"
        return Finding.DIFFERS, f"on both sides, and never recorded as in step; {sizes}"
    mine = changes((base.size, base.mtime_ns), (here.size, here.mtime_ns))
    theirs = changes((base.size, base.created_us * 1000), (there.size, there.created_us * 1000))
    told = [
        f"{where} since it was last in step, {what}"
        for where, what in (("here", mine), ("in the bucket", theirs))
        if what
    ]
    return (Finding.DIFFERS, "; ".join(told)) if told else (Finding.IN_STEP, "")
