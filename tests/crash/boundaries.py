"""Every moment at which a pass makes something durable, and a SIGKILL before or after one of them.

A boundary is a call after which something outlives the process: a name or its content on the disk,
a transaction of the state, a call of the API, the body of an object. They are watched at the seams
that the program itself calls (`os`, SQLite, the HTTP client), from outside: the program has no
switch for this. `test_boundaries.py` proves that none of them is missed.

Each is told apart by what it does and to what, and not by its number in the pass: workers run side
by side, and the tenth boundary of one run would be the eleventh of the next.
"""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote, urlsplit

from ubiops_file_sync.bucket.exchange import Answer, Take
from ubiops_file_sync.bucket.http import HttpClient
from ubiops_file_sync.bucket.rest import PooledRest
from ubiops_file_sync.local import descend


class Kind(StrEnum):
    """What a boundary makes durable."""

    CREATE = "create"
    FSYNC = "fsync"
    RENAME = "rename"
    LINK = "link"
    UNLINK = "unlink"
    MKDIR = "mkdir"
    RMDIR = "rmdir"
    COMMIT = "commit"
    API = "api"
    PUT = "put"
    GET = "get"
    BLOCK = "block"
    """A piece of an object's body, on its way into a file or out of one."""


class When(StrEnum):
    """On which side of a boundary."""

    BEFORE = "before"
    AFTER = "after"


class Boundary(NamedTuple):
    """One of them, the same in every run of the same pass."""

    kind: Kind
    what: str
    """To what it happens: a path, a key, a call. Names that are random are left out."""
    turn: int
    """It may happen to the same more than once: which time, from 1 on."""


class Point(NamedTuple):
    """Where to be killed."""

    boundary: Boundary
    when: When


@dataclass(slots=True)
class Boundaries:
    """Meets them one by one. Safe for use by several threads."""

    places: tuple[tuple[str, str], ...]
    """Folders and what to call them, the deepest first."""
    kill_at: Point | int | None = None
    """A number: an even one is before the boundary of half of it, counted from 0, an odd one after
    that one."""
    met: list[Boundary] = field(default_factory=list)
    _turns: Counter[tuple[Kind, str]] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def around(self, kind: Kind, what: str, work: Callable[[], Any]) -> Any:
        """Do `work`, unless the process is to end before it, or after it however it ended."""
        with self._lock:
            number = len(self.met)
            self._turns[kind, what] += 1
            boundary = Boundary(kind, what, self._turns[kind, what])
            self.met.append(boundary)
        self._end_at(boundary, number, When.BEFORE)
        try:
            return work()
        finally:
            self._end_at(boundary, number, When.AFTER)

    def _end_at(self, boundary: Boundary, number: int, when: When) -> None:
        if isinstance(self.kill_at, int):
            wanted = (number, when) == (self.kill_at // 2, list(When)[self.kill_at % 2])
        else:
            wanted = (boundary, when) == self.kill_at
        if wanted:
            os.kill(os.getpid(), signal.SIGKILL)
            signal.pause()

    def name(self, path: object, dir_fd: int | None = None) -> str:
        """A path, as it is called in every run."""
        if isinstance(path, int):
            whole = os.readlink(f"/proc/self/fd/{path}")
        else:
            text = os.fsdecode(path)  # type: ignore[arg-type]  # as those who call os do
            folder = os.getcwd() if dir_fd is None else os.readlink(f"/proc/self/fd/{dir_fd}")
            whole = os.path.join(folder, text)
        whole = whole.removesuffix(" (deleted)")
        for place, called in self.places:
            if whole == place or whole.startswith(place + "/"):
                whole = called + whole[len(place) :]
        return _RANDOM.sub("*", whole)


_RANDOM = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}(?:\.[0-9a-f]{16})?|(?<=api-calls\.json\.)\w+")
"""Names of passes, of staged files, and of the one temporary file of the state folder."""


@contextmanager
def watched(boundaries: Boundaries) -> Iterator[None]:
    """For the length of the block every boundary of this process is met by `boundaries`."""
    with _patches() as patch:
        _watch_files(boundaries, patch)
        _watch_state(boundaries, patch)
        _watch_bucket(boundaries, patch)
        yield


Patch = Callable[[Any, str, Any], None]


@contextmanager
def _patches() -> Iterator[Patch]:
    undo: list[tuple[Any, str, Any]] = []

    def patch(owner: Any, name: str, new: Any) -> None:
        undo.append((owner, name, getattr(owner, name)))
        setattr(owner, name, new)

    try:
        yield patch
    finally:
        for owner, name, old in reversed(undo):
            setattr(owner, name, old)


_OF_ONE_NAME = {
    "fsync": Kind.FSYNC,
    "fdatasync": Kind.FSYNC,
    "unlink": Kind.UNLINK,
    "remove": Kind.UNLINK,
    "mkdir": Kind.MKDIR,
    "rmdir": Kind.RMDIR,
}
_OF_TWO_NAMES = {"rename": Kind.RENAME, "replace": Kind.RENAME, "link": Kind.LINK}


def _watch_files(boundaries: Boundaries, patch: Patch) -> None:
    for name, kind in _OF_ONE_NAME.items():
        patch(os, name, _of_one_name(boundaries, kind, getattr(os, name)))
    for name, kind in _OF_TWO_NAMES.items():
        patch(os, name, _of_two_names(boundaries, kind, getattr(os, name)))
    patch(os, "open", _open(boundaries, os.open))
    rename = descend.rename_no_replace

    def rename_no_replace(old: str, old_fd: int, new: str, new_fd: int) -> None:
        what = boundaries.name(new, new_fd)
        boundaries.around(Kind.RENAME, what, lambda: rename(old, old_fd, new, new_fd))

    patch(descend, "rename_no_replace", rename_no_replace)


def _of_one_name(boundaries: Boundaries, kind: Kind, real: Callable[..., Any]) -> Any:
    def meet(path: Any, *rest: Any, **options: Any) -> Any:
        what = boundaries.name(path, options.get("dir_fd"))
        return boundaries.around(kind, what, lambda: real(path, *rest, **options))

    return meet


def _of_two_names(boundaries: Boundaries, kind: Kind, real: Callable[..., Any]) -> Any:
    def meet(old: Any, new: Any, **options: Any) -> Any:
        what = boundaries.name(new, options.get("dst_dir_fd"))
        return boundaries.around(kind, what, lambda: real(old, new, **options))

    return meet


def _open(boundaries: Boundaries, real: Callable[..., int]) -> Any:
    def meet(path: Any, flags: int, *rest: Any, **options: Any) -> int:
        if not flags & os.O_CREAT:
            return real(path, flags, *rest, **options)
        what = boundaries.name(path, options.get("dir_fd"))
        fd: int = boundaries.around(Kind.CREATE, what, lambda: real(path, flags, *rest, **options))
        return fd

    return meet


def _watch_state(boundaries: Boundaries, patch: Patch) -> None:
    """Transactions of databases that have a file; the others end with the process."""

    class Watched(sqlite3.Connection):
        def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
            return self._met(statement, lambda: super(Watched, self).execute(statement, *values))

        def executemany(self, statement: str, *values: Any) -> sqlite3.Cursor:
            return self._met(
                statement, lambda: super(Watched, self).executemany(statement, *values)
            )

        def _met(self, statement: str, work: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
            if self.in_transaction or not writes_at_once(statement):
                return work()
            cursor: sqlite3.Cursor = boundaries.around(
                Kind.COMMIT, " ".join(statement.split()[:3]), work
            )
            return cursor

        def __exit__(
            self,
            kind: type[BaseException] | None,
            error: BaseException | None,
            trace: TracebackType | None,
            /,
        ) -> Literal[False]:
            def leave() -> Literal[False]:
                return super(Watched, self).__exit__(kind, error, trace)

            if not self.in_transaction or kind is not None:
                return leave()
            boundaries.around(Kind.COMMIT, "COMMIT", leave)
            return False

    connect: Callable[..., sqlite3.Connection] = sqlite3.connect

    def connect_watched(database: Any, **options: Any) -> sqlite3.Connection:
        if not database:
            return connect(database, **options)
        return connect(database, factory=Watched, **options)

    patch(sqlite3, "connect", connect_watched)


def writes_at_once(statement: str) -> bool:
    """Whether a statement outside of a transaction is one of its own that writes."""
    return statement.split(None, 1)[:1] not in ([], ["SELECT"], ["PRAGMA"], ["BEGIN"])


def _watch_bucket(boundaries: Boundaries, patch: Patch) -> None:
    request, put, get = PooledRest.request, HttpClient.put, HttpClient.get

    def call(self: PooledRest, **told: Any) -> Answer:
        part = dict(told.get("query_params") or ()).get("part_number", "")
        what = f"{told['method']} {unquote(told['resource_path'])} {part}".rstrip()
        answer: Answer = boundaries.around(Kind.API, what, lambda: request(self, **told))
        return answer

    def watched_put(self: HttpClient, url: str, headers: Any, source: Any, size: int) -> Answer:
        what = _object(url, headers)
        watching = _Source(boundaries, what, source)
        answer: Answer = boundaries.around(
            Kind.PUT, what, lambda: put(self, url, headers, watching, size)
        )
        return answer

    def watched_get(
        self: HttpClient, url: str, headers: Any, begin: Callable[[Answer], Take | None]
    ) -> Answer:
        what = _object(url, headers)

        def begin_watched(answer: Answer) -> Take | None:
            take = begin(answer)
            if take is None:
                return None
            return lambda block: boundaries.around(Kind.BLOCK, f"GET {what}", lambda: take(block))

        answer: Answer = boundaries.around(
            Kind.GET, what, lambda: get(self, url, headers, begin_watched)
        )
        return answer

    patch(PooledRest, "request", call)
    patch(HttpClient, "put", watched_put)
    patch(HttpClient, "get", watched_get)


@dataclass(slots=True)
class _Source:
    """A body on its way out."""

    boundaries: Boundaries
    what: str
    source: Any

    def read(self, count: int, /) -> bytes:
        """The next block."""
        block: bytes = self.boundaries.around(
            Kind.BLOCK, f"PUT {self.what}", lambda: self.source.read(count)
        )
        return block

    def rewind(self) -> None:
        """Begin anew."""
        self.source.rewind()


def _object(url: str, headers: Any) -> str:
    """The object, or the part or range of it, that a signed URL leads to; nothing of its query but
    the number of a part."""
    parts = urlsplit(url)
    key = unquote(parts.path).split("/", 4)[4]
    number = re.search(r"[?&](?:partNumber|blockid)=([^&]*)", "?" + parts.query)
    part = "" if number is None else f" part {number[1]}"
    wanted = headers.get("Range", "")
    return f"{key}{part} {wanted}".rstrip()


def places_of(root: Path, state_dir: Path) -> tuple[tuple[str, str], ...]:
    """What `Boundaries.name` calls the two folders of a profile."""
    return (str(root), "root"), (str(state_dir), "state")
