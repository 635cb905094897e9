"""Faults of the operating system, done where the product asks it for something."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from unittest import mock

Concerns = Callable[[tuple[Any, ...], dict[str, Any]], bool]
"""Whether a call, by its arguments, is the one that fails."""


def trouble(number: int) -> OSError:
    """What Python makes of an `errno`."""
    return OSError(number, os.strerror(number))


def of_name(name: str) -> Concerns:
    """The call is about that name in an open folder."""
    return lambda args, kwargs: args[0] == name and "dir_fd" in str(kwargs)


def of_descriptor(ends: str) -> Concerns:
    """The call is about a descriptor whose path contains that."""
    return lambda args, _kwargs: ends in path_of(args[0])


def path_of(fd: int) -> str:
    """The path of an open file, with a slash behind it."""
    try:
        return os.readlink(f"/proc/self/fd/{fd}") + "/"
    except OSError:
        return ""


class Hits(list[str]):
    """The calls that failed."""


@contextmanager
def failing_call(call: str, number: int, concerns: Concerns) -> Iterator[Hits]:
    """Each call of `os.call` that is concerned fails."""
    usual, hits = getattr(os, call), Hits()

    def asked(*args: Any, **kwargs: Any) -> Any:
        if concerns(args, kwargs):
            hits.append(call)
            raise trouble(number)
        return usual(*args, **kwargs)

    with mock.patch.object(os, call, asked):
        yield hits


@contextmanager
def failing_reads(number: int, name: str) -> Iterator[Hits]:
    """Reading from the file of that name fails, once it is open."""
    hits = Hits()

    class Failing(io.FileIO):
        def read(self, size: int | None = -1, /) -> bytes:
            hits.append("read")
            raise trouble(number)

    def opened(fd: int, mode: str) -> io.FileIO:
        concerned = mode == "rb" and path_of(fd).endswith(f"/{name}/")
        return Failing(fd, mode) if concerned else io.FileIO(fd, mode)

    with mock.patch("ubiops_file_sync.local.descend.FileIO", opened):
        yield hits


@contextmanager
def failing_writes(number: int, content: bytes) -> Iterator[Hits]:
    """Writing that content fails half-way, as on a disk that fills up."""
    hits = Hits()

    class Failing(io.FileIO):
        def write(self, block: Any, /) -> int:
            if bytes(block) != content:
                return super().write(block)
            hits.append("write")
            super().write(bytes(block)[: len(content) // 2])
            raise trouble(number)

    def opened(fd: int, mode: str) -> io.FileIO:
        return Failing(fd, mode) if mode == "r+b" else io.FileIO(fd, mode)

    with mock.patch("ubiops_file_sync.local.descend.FileIO", opened):
        yield hits


class Entry:
    """An entry of a folder, something happening as soon as it is looked at."""

    def __init__(self, entry: os.DirEntry[str], happens: Callable[[], None]) -> None:
        self._entry = entry
        self._happens = happens
        self.name = entry.name
        self.path = entry.path

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """As the folder has it: no question to the disk."""
        return self._entry.is_dir(follow_symlinks=follow_symlinks)

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """What stands there by then."""
        self._happens()
        return self._entry.stat(follow_symlinks=follow_symlinks)


class _Scan:
    def __init__(self, scan: Any, name: str, happens: Callable[[], None]) -> None:
        self._scan = scan
        self._name = name
        self._happens = happens

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._scan.close()

    def __iter__(self) -> Iterator[Any]:
        for entry in self._scan:
            yield Entry(entry, self._happens) if entry.name == self._name else entry


@contextmanager
def while_scanned(name: str, happens: Callable[[], None], *, once: bool = False) -> Iterator[Hits]:
    """Something happens between the reading of a folder and the look at one of its entries."""
    usual, hits = os.scandir, Hits()

    def happening() -> None:
        if not (once and hits):
            hits.append("stat")
            happens()

    def scandir(place: Any = ".") -> Any:
        return _Scan(usual(place), name, happening) if isinstance(place, int) else usual(place)

    with mock.patch.object(os, "scandir", scandir):
        yield hits


@contextmanager
def before_opened(name: str, happens: Callable[[], None]) -> Iterator[Hits]:
    """Something happens just before that name is opened for the first time."""
    usual, hits = os.open, Hits()

    def opened(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if path == name and dir_fd is not None and not hits:
            hits.append("open")
            happens()
        return usual(path, flags, mode, dir_fd=dir_fd)

    with mock.patch.object(os, "open", opened):
        yield hits


def put_in_place(path: Path, become: str, content: bytes, outside: Path) -> None:
    """What somebody else does to a file: it vanishes, grows, becomes a directory or a link."""
    if become == "grows":
        path.parent.mkdir(exist_ok=True)
        with path.open("ab") as file:
            file.write(content)
        return
    if path.is_symlink() or path.exists():
        path.unlink()
    if become == "directory":
        path.mkdir()
        (path / "inner").write_bytes(content)
    elif become == "symlink":
        path.symlink_to(outside)
