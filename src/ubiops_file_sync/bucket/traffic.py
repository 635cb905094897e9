"""What travels at this moment, for those who ask how a pass is doing."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import BinaryIO

from ubiops_file_sync.bucket.digest import Readable
from ubiops_file_sync.model import Direction

WORTH_TELLING_BYTES = 1 << 20
"""What is smaller has arrived before anybody can read of it."""


@dataclass(slots=True, eq=False)
class Moving:
    """One file, or a part of one, on its way."""

    key: str
    way: Direction
    """`UPLOAD` or `DOWNLOAD`."""
    size_bytes: int
    began_s: float
    """Of the clock that `Traffic` was given."""
    done_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Transfer:
    """A file on its way; one in parts with all of them, unless nobody said how many it has."""

    key: str
    way: Direction
    size_bytes: int
    done_bytes: int
    bytes_per_s: float
    """Since it began."""


@dataclass(slots=True, eq=False)
class _Whole:
    """A file that travels in parts."""

    size_bytes: int
    done_bytes: int
    """Of the parts that have arrived."""


class Traffic:
    """All transfers of a pass. Thread-safe."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._moving: dict[int, Moving] = {}
        self._wholes: dict[tuple[str, Direction], _Whole] = {}
        self._lock = threading.Lock()

    @contextmanager
    def whole(self, key: str, way: Direction, size_bytes: int, done_bytes: int) -> Iterator[None]:
        """A file of which the block moves parts; `done_bytes` were there before."""
        with self._lock:
            self._wholes[key, way] = _Whole(size_bytes, done_bytes)
        try:
            yield
        finally:
            with self._lock:
                self._wholes.pop((key, way), None)

    def moving(self, key: str, way: Direction, size_bytes: int) -> AbstractContextManager[Moving]:
        """What the block moves; its `done_bytes` is the block's to set."""
        moving = Moving(key, way, size_bytes, self._monotonic())
        if size_bytes < WORTH_TELLING_BYTES and (key, way) not in self._wholes:
            return nullcontext(moving)
        return self._told(moving)

    @contextmanager
    def _told(self, moving: Moving) -> Iterator[Moving]:
        key, way = moving.key, moving.way
        with self._lock:
            self._moving[id(moving)] = moving
        arrived = False
        try:
            yield moving
            arrived = True
        finally:
            with self._lock:
                del self._moving[id(moving)]
                whole = self._wholes.get((key, way))
                if arrived and whole is not None:
                    whole.done_bytes += moving.size_bytes

    def transfers(self) -> list[Transfer]:
        """Those under way, by key."""
        now = self._monotonic()
        with self._lock:
            files: dict[tuple[str, Direction], list[Moving]] = {key: [] for key in self._wholes}
            for moving in self._moving.values():
                files.setdefault((moving.key, moving.way), []).append(moving)
            return [
                self._transfer(key, way, parts, now) for (key, way), parts in sorted(files.items())
            ]

    def _transfer(self, key: str, way: Direction, parts: list[Moving], now: float) -> Transfer:
        whole = self._wholes.get((key, way))
        size = sum(part.size_bytes for part in parts) if whole is None else whole.size_bytes
        done = sum(part.done_bytes for part in parts) + (0 if whole is None else whole.done_bytes)
        speed = sum(part.done_bytes / max(now - part.began_s, 0.001) for part in parts)
        return Transfer(key, way, size, min(done, size), speed)


@dataclass(slots=True)
class CountedSource:
    """A file that is read, and counted."""

    source: Readable
    moving: Moving

    def read(self, count: int, /) -> bytes:
        """At most `count` further bytes."""
        block = self.source.read(count)
        self.moving.done_bytes += len(block)
        return block

    def seek(self, offset: int, /) -> int:
        """Go to a place, counted from the beginning."""
        self.moving.done_bytes = offset
        return self.source.seek(offset)


@dataclass(slots=True)
class CountedSink:
    """A file that is written from its beginning, and counted."""

    sink: BinaryIO
    moving: Moving

    def clear(self) -> None:
        """Begin anew."""
        self.moving.done_bytes = 0
        if self.sink.seek(0, os.SEEK_END):
            self.sink.seek(0)
            self.sink.truncate()

    def write(self, block: bytes) -> None:
        """Write all of a block; an unbuffered file may take less than it is given."""
        written = self.sink.write(block)
        while written < len(block):
            written += self.sink.write(memoryview(block)[written:])
        self.moving.done_bytes += len(block)
