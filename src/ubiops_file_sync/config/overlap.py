"""Profiles that would fight: two that write the same files, found when the file is read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from ubiops_file_sync.config.faults import masked
from ubiops_file_sync.config.models import Profile
from ubiops_file_sync.model import Direction

_SAME_DIR = "its local_dir is that of profile {!r}, or one of the two is inside the other"
_SAME_PLACE = "its place in the bucket is that of profile {!r}, or one is inside the other"


def overlaps(profiles: Mapping[str, Profile]) -> Iterator[tuple[str, str]]:
    """Each profile that meets an earlier one, with what is wrong and what to do.

    Two profiles meet on this machine if their directories are the same or one holds the other:
    each keeps its trash and its half-written files below its own root, and would send them as the
    other's. In the bucket they meet likewise, unless both only download.
    """
    earlier: list[Profile] = []
    for name, profile in profiles.items():
        for other in earlier:
            other_name = masked(other.name)
            if _nested(_real(profile.local_dir).parts, _real(other.local_dir).parts):
                yield (
                    name,
                    f"{_SAME_DIR.format(other_name)}; give each a directory of its own",
                )
            if _meet_in_bucket(profile, other):
                yield (
                    name,
                    f"{_SAME_PLACE.format(other_name)}; give each its own, or download both",
                )
        earlier.append(profile)


def exposed(profiles: Mapping[str, Profile], private: Mapping[Path, str]) -> Iterator[str]:
    """What must not be synchronised and lies below a profile's directory, in words.

    `private`: what each path is called.
    """
    for name, profile in profiles.items():
        root = _real(profile.local_dir).parts
        for path, what in private.items():
            if _real(path).parts[: len(root)] == root:
                shown = Path(*map(masked, path.parts))
                yield (
                    f"the {what} {shown} lies below the local_dir of profile {masked(name)!r}, so "
                    "it would go into the bucket; move one of the two"
                )


def _meet_in_bucket(one: Profile, other: Profile) -> bool:
    if one.direction is other.direction is Direction.DOWNLOAD:
        return False
    same = (one.api_host, one.project, one.bucket) == (other.api_host, other.project, other.bucket)
    return same and _nested(_parts(one.bucket_dir), _parts(other.bucket_dir))


def _parts(bucket_dir: str) -> tuple[str, ...]:
    return tuple(bucket_dir.split("/")) if bucket_dir else ()


def _nested(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _real(path: Path) -> Path:
    """Links resolved as far as the path exists: two names of one directory are one place."""
    return Path(os.path.realpath(path))
