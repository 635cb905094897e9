"""What a key may be, and the names that are derived from one. Pure.

A key is a path relative to the profile's root, ``/`` between its parts, never starting with
``/``; two keys are the same only if their bytes are. Keys sort by their UTF-8 bytes, which for
Python strings is the order of ``<`` (UTF-8 keeps code point order).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

CONTROL_DIR = ".ubiops-sync"
"""Directory at the root that holds partial downloads and the trash; never synchronised."""

IGNORE_FILE = ".ubiopsignore"
"""A file of this name rules its directory downwards, as `.gitignore` does for git."""

MAX_PART_BYTES = 255
"""Longest name that Linux file systems store (NAME_MAX)."""

MAX_KEY_BYTES = 1024
"""Longest object name that S3, Google Cloud Storage and Azure all take."""

_LONGEST_EXTENSION = 32
"""Bytes; what follows the last dot of a name and is longer is no extension."""

_SHORTEST_STEM = 4
"""Bytes of a name that are worth keeping before a suffix: one character at least."""

_ODD_PART = re.compile(r"(?:^|/)\.{0,2}(?=/|\Z)")
"""``\\Z`` and not ``$``, which also matches before a line feed: that is an ordinary name."""

_SUSPECT = re.compile(rf"{_ODD_PART.pattern}|\0|{re.escape(CONTROL_DIR)}|{re.escape(IGNORE_FILE)}/")
"""Whatever is in a short key of plain letters that may be refused."""

CONFLICT_GLOB = "*.conflict-[0-9]*Z*"
"""What `is_conflict_key` is about, roughly, as SQLite's GLOB."""

_CONFLICT = re.compile(r"\.conflict-\d{8}T\d{6}Z(?:-\d+)?(?:\.[^./]*)?\Z", re.ASCII)

_LAST_SECOND = 253_402_300_799
"""The end of the year 9999, and of what `datetime` can tell."""


def is_folder_marker(key: str, size: int) -> bool:
    """Whether an object is the empty placeholder that storage consoles write for a folder.

    Such an object says nothing that a file system could hold, so it is passed over in silence.
    """
    return size == 0 and (key == "" or key.endswith("/"))


def refusal(key: str) -> str | None:
    """Why `key` may not be synchronised, and what to do; None: it may.

    Source of the rules: design section 6, "Refusals". `.` and `..` are not only dangerous below
    a root: in a request path HTTP clients collapse them, and then another object, or the bucket
    itself, is addressed.
    """
    if key.isascii() and len(key) <= MAX_PART_BYTES and not _SUSPECT.search(key):
        return None  # As nearly all are, in a third of the time.
    return _looked_at_closely(key)


def _looked_at_closely(key: str) -> str | None:
    """What `refusal` says, of any key."""
    if not key:
        return "the name is empty; rename the object in the bucket"
    if key.startswith("/"):
        return "the name starts with '/', so it would be outside the folder; rename the object"
    if _ODD_PART.search(key):
        return "a part of the name is empty, '.' or '..'; rename the object in the bucket"
    if "\0" in key:
        return "the name holds a NUL character, which no file system takes; rename the object"
    try:
        encoded = key.encode()
    except UnicodeEncodeError:
        return "the name is not valid UTF-8, which the bucket needs; rename the file"
    if len(encoded) > MAX_KEY_BYTES:
        return f"the name is longer than {MAX_KEY_BYTES} bytes; shorten it"
    if any(len(part) > MAX_PART_BYTES for part in encoded.split(b"/")):
        return f"a part of the name is longer than {MAX_PART_BYTES} bytes; shorten it"
    return _reserved(key.split("/"))


def _reserved(parts: list[str]) -> str | None:
    """Why a key of these parts is in the way of what this program keeps below a root."""
    if CONTROL_DIR in parts:
        return f"{CONTROL_DIR}/ is where this program keeps its own files; rename the object"
    if IGNORE_FILE in parts[:-1]:
        # Such a folder, once made, would halt every pass: what cannot be read might hide files.
        return f"{IGNORE_FILE} is a file of rules, and no folder; rename the object"
    return None


def conflict_key(key: str, changed_us: int, attempt: int = 0) -> str:
    """The name beside `key` under which the loser of a conflict is kept.

    `changed_us` is when the losing version was made (microseconds since the epoch, UTC). It is
    taken from the version and not from the clock, so that a pass that died half-way finds its
    own name again; a time that no calendar holds counts as the nearest that one does. `attempt`
    above 0 adds a number, for when the name is taken by other content. The result is a valid
    key: a stem that would make the name too long is cut, and where the folder's own name leaves
    no room at all, the nearest folder above that does is taken.
    """
    folder, slash, name = key.rpartition("/")
    stem, dot, extension = name.rpartition(".")
    if not stem or len(extension.encode()) > _LONGEST_EXTENSION:
        stem, dot, extension = name, "", ""
    second = min(max(changed_us // 1_000_000, 0), _LAST_SECOND)
    when = datetime.fromtimestamp(second, UTC).strftime("%Y%m%dT%H%M%SZ")
    suffix = f".conflict-{when}" + (f"-{attempt}" if attempt else "") + dot + extension
    taken = len(suffix.encode())
    while slash and len(folder.encode()) + 1 + taken + _SHORTEST_STEM > MAX_KEY_BYTES:
        folder, slash, _ = folder.rpartition("/")
    room = min(MAX_PART_BYTES, MAX_KEY_BYTES - len((folder + slash).encode())) - taken
    return folder + slash + stem.encode()[:room].decode(errors="ignore") + suffix


def is_conflict_key(key: str) -> bool:
    """Whether `key` has the form of what `conflict_key` returns."""
    return _CONFLICT.search(key) is not None


def parent_chain(key: str) -> list[str]:
    """Every directory above `key`, the root (``""``) first."""
    parts = key.split("/")[:-1]
    return ["/".join(parts[:depth]) for depth in range(len(parts) + 1)]
