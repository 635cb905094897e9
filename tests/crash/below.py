"""A second count of what boundaries are about, from below the seams at which those are watched.

The interpreter tells of every function in C that is called, SQLite of every statement that it runs,
and the C library's `renameat2` is counted itself. What passes a seam by shows as a difference.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crash.boundaries import Kind, writes_at_once
from ubiops_file_sync.local import descend

_SYSTEM_CALLS = {
    "fsync": Kind.FSYNC,
    "fdatasync": Kind.FSYNC,
    "unlink": Kind.UNLINK,
    "remove": Kind.UNLINK,
    "mkdir": Kind.MKDIR,
    "rmdir": Kind.RMDIR,
    "rename": Kind.RENAME,
    "replace": Kind.RENAME,
    "link": Kind.LINK,
}


class Below:
    """The count, by kind of boundary. Of requests the server keeps count."""

    def __init__(self) -> None:
        self.counts: Counter[Kind] = Counter()
        self._opened: list[sqlite3.Connection] = []
        self._lock = threading.Lock()

    def _add(self, kind: Kind) -> None:
        with self._lock:
            self.counts[kind] += 1

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count, in every thread, for the length of the block. The process is to end after it."""
        sys.addaudithook(self._hear)
        library = descend._c_library()
        rename = library.renameat2

        def renameat2(*arguments: Any) -> Any:
            self._add(Kind.RENAME)
            return rename(*arguments)

        library.renameat2 = renameat2  # type: ignore[attr-defined]  # in the instance alone
        threading.setprofile(self._called)
        sys.setprofile(self._called)
        try:
            yield
        finally:
            sys.setprofile(None)

    def _called(self, _frame: Any, event: str, called: Any) -> None:
        """The interpreter calls a function."""
        if event != "c_call":
            return
        if called.__module__ == "posix":
            kind = _SYSTEM_CALLS.get(called.__name__)
            if kind is not None:
                self._add(kind)
        elif isinstance(called.__self__, sqlite3.Connection) and called.__self__ in self._opened:
            self._opened.remove(called.__self__)
            self._trace(called.__self__)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """The interpreter opens a file or a database."""
        if event == "open":
            path, mode, flags = arguments
            makes = set(str(mode)) & set("wxa") and _is_new(path)
            if makes if mode is not None else flags & os.O_CREAT:
                self._add(Kind.CREATE)
        elif event == "sqlite3.connect/handle":
            self._opened.append(arguments[0])  # It is not ready yet.

    def _trace(self, connection: sqlite3.Connection) -> None:
        files = sqlite3.Connection.execute(connection, "PRAGMA database_list").fetchall()
        if not files[0][2]:
            return  # It has no file, and ends with the process.
        is_within = False

        def ran(statement: str) -> None:
            nonlocal is_within
            word = statement.split(None, 1)[0]
            if word == "COMMIT" or (not is_within and writes_at_once(statement)):
                self._add(Kind.COMMIT)
            is_within = word == "BEGIN" or (is_within and word not in {"COMMIT", "ROLLBACK"})

        connection.set_trace_callback(ran)


def _is_new(path: Any) -> bool:
    """Whether `open` is to make a file: a descriptor, or a folder for a temporary file, is none."""
    return not isinstance(path, int) and not Path(os.fsdecode(path)).exists()
