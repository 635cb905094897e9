"""The guards: what stops a whole profile before anything is changed. Pure.

Each guard is a predicate of its own over the totals of a complete plan. It answers with what is
wrong, what was not done, and the command that goes on; None: go ahead. A person may allow each of
them by name, for one pass (invariant I2; the lessons are those of rclone bisync and Nextcloud).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from ubiops_file_sync.phrases import bytes_words

ALWAYS_ALLOWED_DELETES = 10
"""Deletions that a limit given as a share never stops."""
BUCKET_REPLACED = "bucket-replaced"
FEWEST_FOR_EVERYTHING = 10
"""Files below which "everything changed" is just a person at work."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What the guards look at."""

    profile: str
    local_dir: str
    in_step: int
    """Keys in the baseline when the pass began."""
    local_files: int
    remote_files: int
    deletes_local: int = 0
    deletes_remote: int = 0
    changed_local: int = 0
    """Keys of the baseline that changed here."""
    writes_to_bucket: bool = True
    bytes_down: int = 0
    free_bytes: int | None = None
    """Free on the root's file system; None: not known."""
    min_free_bytes: int = 0
    max_delete: str = "50%"
    marker: str | None = None
    marker_seen: bool = True
    bucket_replaced: bool = False


@dataclass(frozen=True, slots=True)
class Halt:
    """A guard's refusal."""

    name: str
    """What `--allow` takes."""
    message: str


def find_halt(totals: Totals, allowed: Collection[str]) -> Halt | None:
    """The first guard that refuses and is not allowed by name."""
    for name, guard in GUARDS.items():
        if name in allowed:
            continue
        trouble = guard(totals)
        if trouble is not None:
            return Halt(name, _whole(totals, [*sorted(allowed), name], trouble))
    return None


def _whole(totals: Totals, allow: list[str], trouble: str) -> str:
    """The message, with the command that goes on: with all that was allowed already."""
    stop = "" if trouble.endswith("?") else "."
    options = "".join(f" --allow {name}" for name in allow)
    return (
        f"profile {totals.profile!r}: {trouble}{stop} Nothing was changed. If all is as it should "
        f"be, let one pass go on: ubiops-file-sync reconcile {totals.profile}{options}"
    )


def _marker_missing(totals: Totals) -> str | None:
    if totals.marker is None or totals.marker_seen:
        return None
    return (
        f"the marker file {totals.marker!r} is not below {totals.local_dir}. Is its disk mounted?"
        " Create the file anew only if your other files are there"
    )


def _empty_root(totals: Totals) -> str | None:
    # A marker that somebody made anew does not make a root any fuller.
    others = totals.local_files - (totals.marker is not None and totals.marker_seen)
    if others > 0 or not totals.in_step or not totals.remote_files:
        # With both sides empty there is nothing left to lose.
        return None
    deletes = totals.deletes_remote
    cost = (
        f" To go on deletes {deletes:,} of them in the bucket (into the trash)" if deletes else ""
    )
    return (
        f"{totals.local_dir} is empty, but {totals.in_step:,} files were in step there. Is its "
        f"disk mounted?{cost}"
    )


def _bucket_replaced(totals: Totals) -> str | None:
    if not totals.bucket_replaced:
        return None
    return (
        "the bucket was deleted and made anew under the same name, so what was in step with the "
        "old one says nothing of it. To begin anew with it loses nothing: both sides are compared"
    )


def _max_delete(totals: Totals) -> str | None:
    limit = delete_limit(totals.max_delete, totals.in_step)
    for count, side in (
        (totals.deletes_local, f"in {totals.local_dir}"),
        (totals.deletes_remote, "in the bucket"),
    ):
        if count > limit:
            return (
                f"{count:,} of {totals.in_step:,} files would be deleted {side}, and "
                f"`max_delete: {totals.max_delete}` allows {limit:,}. 'ubiops-file-sync plan "
                f"{totals.profile} --all' lists them"
            )
    return None


def delete_limit(max_delete: str, in_step: int) -> int:
    """How many files a side may lose in one pass; `max_delete` is `100` or `50%`."""
    if max_delete.endswith("%"):
        return max(in_step * int(max_delete[:-1]) // 100, ALWAYS_ALLOWED_DELETES)
    return int(max_delete)


def _everything_changed(totals: Totals) -> str | None:
    """The other way round nothing is lost: what a download replaces goes to the trash."""
    if totals.in_step < FEWEST_FOR_EVERYTHING or not totals.writes_to_bucket:
        return None
    if totals.changed_local < totals.in_step:
        return None
    return (
        f"all {totals.in_step:,} files that were in step changed in {totals.local_dir} at once, "
        "and their old versions in the bucket would be overwritten. Did something encrypt or touch "
        "them all, or was a disk restored?"
    )


def _min_free(totals: Totals) -> str | None:
    if totals.free_bytes is None or not totals.min_free_bytes:
        return None
    left = totals.free_bytes - totals.bytes_down
    if left >= totals.min_free_bytes:
        return None
    return (
        f"the disk of {totals.local_dir} has {bytes_words(totals.free_bytes)} free, the plan "
        f"downloads {bytes_words(totals.bytes_down)}, and `min_free` keeps "
        f"{bytes_words(totals.min_free_bytes)} back. Make room, or lower `min_free`"
    )


GUARDS: dict[str, Callable[[Totals], str | None]] = {
    "marker-missing": _marker_missing,
    "empty-root": _empty_root,
    BUCKET_REPLACED: _bucket_replaced,
    "max-delete": _max_delete,
    "everything-changed": _everything_changed,
    "min-free": _min_free,
}
"""By the name that `--allow` takes, the most telling first."""
