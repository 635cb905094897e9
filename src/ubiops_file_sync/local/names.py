"""File systems that take two names for one: by case, or by the way that letters are composed.

Keys are told apart by their bytes. Where the file system below the root does not tell them apart,
one of two such keys can be written and the other is refused; and none is read as another.
"""

from __future__ import annotations

import os
import unicodedata

from ubiops_file_sync.errors import KeyFailure
from ubiops_file_sync.keys import CONTROL_DIR
from ubiops_file_sync.local.descend import open_directory


def folds_case(root_fd: int) -> bool | None:
    """Whether upper and lower case are one below the root; None: it cannot be told yet.

    The control directory is looked up by another name, so nothing is made to find out.
    """
    try:
        known = os.stat(CONTROL_DIR, dir_fd=root_fd, follow_symlinks=False)
    except FileNotFoundError:
        return None
    try:
        other = os.stat(CONTROL_DIR.swapcase(), dir_fd=root_fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(known, other)


def stands_under(parent_fd: int, name: str) -> bool:
    """Whether an open directory lists just this name, and not only one that passes for it."""
    return name in os.listdir(parent_fd)


def require_own_name(parent_fd: int, name: str) -> None:
    """Raise `KeyFailure` if what is found under a name stands there under another."""
    names = os.listdir(parent_fd)
    if name in names:
        return
    folded = _folded(name)
    other = next((one for one in names if _folded(one) == folded), None)
    if other is not None:
        raise KeyFailure(
            f"the file system here does not tell {name!r} from {other!r}, which stands here; "
            "rename one of the two"
        )


def require_own_folders(root_fd: int, key: str) -> None:
    """Raise `KeyFailure` if a folder on the way to `key` stands here under another name."""
    parts = key.split("/")[:-1]
    for depth, part in enumerate(parts):
        with open_directory(root_fd, "/".join(parts[:depth])) as fd:
            require_own_name(fd, part)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
