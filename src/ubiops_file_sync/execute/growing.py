"""The digest of a file whose parts arrive in any order, computed while they arrive."""

from __future__ import annotations

import threading

from ubiops_file_sync.bucket.digest import BLOCK_BYTES, Hasher, hasher
from ubiops_file_sync.execute.slices import Slice
from ubiops_file_sync.model import Unfinished
from ubiops_file_sync.parts import span


class GrowingDigest:
    """Follows the parts from the first one on, as far as there is no gap. Thread-safe."""

    def __init__(self, fd: int, begun: Unfinished, algorithm: str) -> None:
        """`begun` tells what stands in the file `fd` already."""
        self.algorithm = algorithm
        self._fd = fd
        self._size = begun.size
        self._part_bytes = begun.part_bytes
        self._computing: Hasher = hasher(algorithm)
        self._next = 1
        self._arrived = set(begun.parts)
        self._lock = threading.Lock()

    def take(self, number: int) -> None:
        """Part `number` stands in the file; what follows on is read now, by one thread at a time.

        Whoever comes meanwhile leaves its part to that thread.
        """
        self._arrived.add(number)
        if self._lock.acquire(blocking=False):
            try:
                self._follow()
            finally:
                self._lock.release()

    def value(self) -> bytes:
        """The digest of the whole, once every part was taken."""
        with self._lock:
            self._follow()
            return self._computing.digest()

    def _follow(self) -> None:
        while self._next in self._arrived:
            part = Slice(self._fd, span(self._size, self._part_bytes, self._next))
            while block := part.read(BLOCK_BYTES):
                self._computing.update(block)
            self._next += 1
