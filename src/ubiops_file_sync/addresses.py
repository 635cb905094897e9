"""What people call a file: its key, its path on disk, or the address of its object."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ubiops_file_sync import keys
from ubiops_file_sync.config import Profile
from ubiops_file_sync.errors import UsageError

SCHEME = "ubiops-file://"


@dataclass(frozen=True, slots=True)
class Address:
    """A key of a profile. Whether anything is there is another question."""

    profile: Profile
    key: str

    @property
    def path(self) -> str:
        """Where its file is, or would be."""
        return os.path.join(self.profile.local_dir, self.key)  # noqa: PTH118  a key may be odd

    @property
    def uri(self) -> str:
        """Where its object is, or would be."""
        return f"{SCHEME}{self.profile.bucket}/{self.profile.prefix}{self.key}"


def find_address(text: str, profiles: Sequence[Profile], cwd: Path) -> Address:
    """The file that `text` means, among those of `profiles`.

    It is an address `ubiops-file://BUCKET/FULL/KEY`, a path (absolute, or from `cwd`) below a
    profile's directory, or a key. A name that may be path and key is the path if something is
    there. Raises `UsageError` if it is none of these, or of several profiles.
    """
    if text.startswith(SCHEME):
        found = list(_by_uri(text, profiles))
        where = "in no profile's part of a bucket; the profiles are " + ", ".join(
            f"{p.name} ({SCHEME}{p.bucket}/{p.prefix})" for p in profiles
        )
    elif text.startswith("/"):
        found = list(_by_path(text, profiles, cwd))
        where = "below no profile's `local_dir`; the profiles are " + ", ".join(
            f"{p.name} ({p.local_dir})" for p in profiles
        )
    else:
        found = _by_path_or_key(text, profiles, cwd)
        where = "no name of a file"
    if not found:
        raise UsageError(f"{text!r} is {where}")
    if len(found) > 1:
        names = ", ".join(address.profile.name for address in found)
        raise UsageError(
            f"{text!r} may be a file of several profiles: {names}. Say which one is meant: "
            f"--profile {found[0].profile.name}"
        )
    if not found[0].key:
        raise UsageError(f"{text!r} is the whole of profile {found[0].profile.name!r}; name a file")
    return found[0]


def _by_uri(text: str, profiles: Sequence[Profile]) -> Iterator[Address]:
    bucket, _, full_key = text.removeprefix(SCHEME).partition("/")
    for profile in profiles:
        if profile.bucket == bucket and full_key.startswith(profile.prefix):
            yield Address(profile, full_key.removeprefix(profile.prefix))


def _by_path(text: str, profiles: Sequence[Profile], cwd: Path) -> Iterator[Address]:
    """The profiles below whose directory the path is, with links taken as they are named.

    The directory itself may be reached through links, since a working directory is told without.
    """
    path = os.path.normpath(os.path.join(cwd, text))  # noqa: PTH118
    for profile in profiles:
        for root in dict.fromkeys((str(profile.local_dir), os.path.realpath(profile.local_dir))):
            if path == root or path.startswith(root.rstrip("/") + "/"):
                yield Address(profile, path[len(root) :].lstrip("/"))
                break


def _by_path_or_key(text: str, profiles: Sequence[Profile], cwd: Path) -> list[Address]:
    by_path = list(_by_path(text, profiles, cwd))
    by_key = [Address(profile, text) for profile in profiles]
    if not by_path:
        return by_key
    is_path = os.path.lexists(os.path.join(cwd, text)) or keys.refusal(text) is not None  # noqa: PTH118
    is_key = any(os.path.lexists(address.path) for address in by_key)
    return by_path if is_path or not is_key else by_key
