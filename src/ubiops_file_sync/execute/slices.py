"""A part of a file, to be read by itself."""

from __future__ import annotations

import os

from ubiops_file_sync.parts import Span


class Slice:
    """Reads a span of an open file, whose own position it leaves alone: many may read at once."""

    def __init__(self, fd: int, span: Span) -> None:
        self._fd = fd
        self._span = span
        self._at = 0

    def seek(self, offset: int, /) -> int:
        """Go to a place counted from the beginning of the span."""
        self._at = offset
        return offset

    def read(self, count: int, /) -> bytes:
        """At most `count` bytes; none at the end of the span, or of the file."""
        start = self._span.start + self._at
        block = os.pread(self._fd, min(count, self._span.length - self._at), start)
        self._at += len(block)
        return block
