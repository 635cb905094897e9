"""What travels at this moment, for those who ask how a pass is doing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    """A file on its way; of one in parts, those parts that are under way."""

    key: str
    way: Direction
    size_bytes: int
    done_bytes: int
    bytes_per_s: float
    """Since it began."""


class Traffic:
    """All transfers of a pass. Thread-safe."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._moving: dict[int, Moving] = {}

    @contextmanager
    def moving(self, key: str, way: Direction, size_bytes: int) -> Iterator[Moving]:
        """What the block moves; its `done_bytes` is the block's to set."""
        moving = Moving(key, way, size_bytes, self._monotonic())
        if size_bytes < WORTH_TELLING_BYTES:
            yield moving
            return
        self._moving[id(moving)] = moving
        try:
            yield moving
        finally:
            del self._moving[id(moving)]

    def transfers(self) -> list[Transfer]:
        """Those under way, by key."""
        now = self._monotonic()
        files: dict[tuple[str, Direction], list[Moving]] = {}
        for moving in list(self._moving.values()):
            files.setdefault((moving.key, moving.way), []).append(moving)
        return [
            Transfer(
                key,
                way,
                sum(part.size_bytes for part in parts),
                sum(part.done_bytes for part in parts),
                sum(part.done_bytes / max(now - part.began_s, 0.001) for part in parts),
            )
            for (key, way), parts in sorted(files.items())
        ]


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
        self.sink.seek(0)
        self.sink.truncate()

    def write(self, block: bytes) -> None:
        """Write all of a block; an unbuffered file may take less than it is given."""
        view = memoryview(block)
        while view:
            view = view[self.sink.write(view) :]
        self.moving.done_bytes += len(block)
