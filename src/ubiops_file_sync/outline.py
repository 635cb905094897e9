"""A plan in a few rows, however many actions it has: plain values."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from ubiops_file_sync.model import Loser, Reason, Verb


class Gist(NamedTuple):
    """Actions of which the same is to be said."""

    verb: Verb
    reason: Reason
    loser: Loser
    compare: bool
    files: int
    size_bytes: int
    """What will travel, at most."""


class FolderShare(NamedTuple):
    """What concerns one folder and all that is below it."""

    folder: str
    """From the root on, with a slash behind it; empty: the root."""
    is_flat: bool
    """Only the files that stand in it, since its own folders have shares of theirs."""
    files: int
    size_bytes: int
    actions: dict[Verb, int]
    """How many there are of each verb."""


class Outline(NamedTuple):
    """The whole plan, by reason and by folder."""

    gists: list[Gist]
    """The most frequent first."""
    shared: str
    """The folder that all of it is below, with a slash behind it; empty: the root."""
    folders: list[FolderShare]
    """Those with most actions, the first of them first. One that has a good part of them all is
    told of by the folders in it."""
    more_folders: int
    """Folders that are not named."""
    more_files: int
    """What is in those."""
    more_bytes: int


def unfolded(
    shares: Iterable[FolderShare],
    inside: Callable[[str], list[FolderShare]],
    large: int,
    most: int,
) -> list[FolderShare]:
    """Shares, those with more than `large` files replaced by what is `inside`, up to `most`.

    `inside` gives nothing for a folder that has too many of its own.
    """
    waiting = list(shares)
    told: list[FolderShare] = []
    while waiting:
        share = waiting.pop(0)
        inner = inside(share.folder) if share.files > large and not share.is_flat else []
        has_folders = any(not one.is_flat for one in inner)
        if has_folders and len(told) + len(waiting) + len(inner) <= most:
            waiting = [*inner, *waiting]
        else:
            told.append(share)
    return sorted(told, key=lambda one: (-one.files, one.folder))
