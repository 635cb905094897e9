"""What the file system of a directory is like, as far as it may surprise somebody."""

from __future__ import annotations

import os
from collections.abc import Iterator

from ubiops_file_sync.config import Profile
from ubiops_file_sync.doctor.finding import Finding, ok, problem, warning
from ubiops_file_sync.errors import KeyFailure
from ubiops_file_sync.local.filesystem import (
    Mount,
    Quirks,
    find_quirks,
    mount_of,
    mounted_below,
    read_mounts,
)
from ubiops_file_sync.model import Direction

_CHECK = "file system"
_FINE_TIME_NS = 1_000


def of_file_system(profile: Profile, *, is_busy: bool) -> Iterator[Finding]:
    """The findings about that of a profile's directory, which is there.

    With some small files that are tried out and removed; not in a directory that the profile never
    writes to, nor beside a pass (`is_busy`).
    """
    root, mounts = profile.local_dir, read_mounts()
    mount = mount_of(root, mounts)
    if mount is not None:
        yield from _of_mount(profile, mount)
    for inner in mounted_below(root, mounts):
        yield warning(
            _CHECK,
            f"another disk is mounted at {inner}, which cannot be written to safely from above",
            "give it a profile of its own, and exclude it here",
        )
    if profile.direction is Direction.UPLOAD or not os.access(root, os.W_OK | os.X_OK):
        return
    if is_busy:
        yield ok(_CHECK, "a pass is under way, so that nothing was tried out beside it")
        return
    try:
        quirks = find_quirks(root)
    except (OSError, KeyFailure) as error:
        words = (getattr(error, "strerror", None) or str(error)).lower()
        yield problem(
            _CHECK,
            f"no file can be made in {root}/.ubiops-sync ({words})",
            "make room, and see to it that .ubiops-sync is a folder of this user's",
        )
        return
    kind = "it" if mount is None else mount.kind
    yield from list(_oddities(quirks)) or [
        ok(_CHECK, f"{kind} tells upper case from lower, keeps fine times, and has hard links")
    ]


def _of_mount(profile: Profile, mount: Mount) -> Iterator[Finding]:
    if mount.is_read_only and profile.direction is not Direction.UPLOAD:
        yield problem(
            _CHECK,
            f"{mount.at} is mounted read-only",
            "mount it so that it can be written to; an error on the disk may be why it is not",
        )
    if mount.is_network and profile.marker is None:
        yield warning(
            _CHECK,
            f"it is another machine's ({mount.kind}), and while it is cut off, the directory may "
            "look empty",
            "set 'marker' to a file that is there, so that no pass runs while it is missing",
        )
    if mount.is_in_memory:
        yield warning(
            _CHECK,
            f"it is in memory ({mount.kind}), and a restart of the machine empties it",
            "move the directory to a disk, unless the bucket's copies are all you need",
        )


def _oddities(quirks: Quirks) -> Iterator[Finding]:
    if quirks.folds_case:
        yield warning(
            _CHECK,
            "upper and lower case are one here: of two objects whose names differ in nothing else, "
            "one cannot be downloaded",
            "rename one of such objects, or move the directory to another file system",
        )
    if quirks.recomposes:
        yield warning(
            _CHECK,
            "names with accents come back in another spelling (Unicode composition)",
            "keep such files elsewhere, or move the directory to another file system",
        )
    if quirks.time_step_ns > _FINE_TIME_NS:
        step_s = quirks.time_step_ns / 1e9
        yield warning(
            _CHECK,
            f"it keeps times to {step_s:g} s only: an edit within that, of the same size, is not "
            "seen",
            f"set 'settle' to more than {step_s:g} s: then no such edit follows an upload",
        )
    if not quirks.keeps_modes:
        yield warning(
            _CHECK,
            "files cannot be made private here, so that whoever may read the directory may read "
            "its trash",
            "let only this user get at the directory (mount options uid=, umask=)",
        )
    if not quirks.has_links:
        yield ok(_CHECK, "it has no hard links: old versions are moved to the trash, not linked")
