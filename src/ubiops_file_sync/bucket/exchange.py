"""One request and its answer, as libcurl calls for what comes and goes."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import pycurl


@dataclass(slots=True)
class Answer:
    """An answer of any status."""

    status: int
    reason: str
    headers: Mapping[str, str]
    """By lower-case name; those that came more than once are joined with commas."""
    data: bytes = b""
    """The whole body, unless somebody else took it."""
    took_us: int = 0
    """From the moment when the request was sent to the end of the answer, microseconds."""
    was_sent_again: bool = False
    """A kept connection may have been closed, and the request sent a second time: the first may
    have been heeded."""


class Source(Protocol):
    """A request body of known length."""

    def read(self, count: int, /) -> bytes:
        """At most `count` further bytes."""
        ...

    def rewind(self) -> None:
        """Begin anew: a pooled connection turned out to be closed."""
        ...


Take = Callable[[list[bytes]], None]
"""Takes further bytes of a body: some blocks, in their order."""

_TOGETHER = 16
"""Blocks of a body that are handed over at once, 256 KiB at the most: libcurl calls for 16 KiB at a
time or less, and threads that write those one by one wait for the interpreter more than for the
wire. No bytes are counted: of small blocks 256 KiB would be more than the system writes at once."""
_LONGEST_WAIT_S = 0.2
"""After so long what came is handed over however little it is, so that one sees it come."""


class Exchange:
    """What comes and goes during a request, as libcurl calls for it; one after the other.

    pycurl prints what a callback raises and goes on; so it is kept here, and raised at the end.
    """

    def __init__(self, stopping: threading.Event, spend: Callable[[int], None] | None) -> None:
        """`spend` is called before so many bytes of a stream travel; it may wait."""
        self._stopping = stopping
        self._spend = spend
        self._head: list[bytes] = []
        self.begin(None, None)

    def begin(self, begin: Callable[[Answer], Take | None] | None, source: Source | None) -> None:
        """Forget the last request: another one begins."""
        self._begin = begin
        self._source = source
        self._head.clear()
        self._take: Take | None = None
        self._blocks: list[bytes] = []
        self._due_s = 0.0
        self._parsed: Answer | None = None
        self._raised: BaseException | None = None
        self.is_left = False
        """Nobody wanted the body."""
        self._was_rewound = False

    def let_go(self) -> None:
        """Hold on to nobody and nothing, once the answer was given."""
        self._begin = self._source = self._take = None
        self._blocks = []

    def listen(self, curl: Any) -> None:
        """Have libcurl call for each event, from now on."""
        # The list's own method, and no function of ours: it is called for every line.
        curl.setopt(pycurl.HEADERFUNCTION, self._head.append)
        curl.setopt(pycurl.WRITEFUNCTION, self._came)

    def listen_for_body(self, curl: Any) -> None:
        """Have libcurl call for a request body, from now on."""
        curl.setopt(pycurl.READFUNCTION, self._read)
        curl.setopt(pycurl.SEEKFUNCTION, self._seek)

    def watch(self, curl: Any) -> None:
        """Have libcurl ask whether to go on, some ten times a request and then once a second."""
        curl.setopt(pycurl.NOPROGRESS, 0)
        curl.setopt(pycurl.XFERINFOFUNCTION, self._watch)

    def answer(self, took_us: int, *, was_sent_again: bool) -> Answer:
        """The answer. Raises what a callback raised."""
        self.raise_what_came()
        answer = self._parsed or _parsed(self._head)
        if self._begin is not None and self._take is None and not self.is_left:
            self._begin(answer)  # A body of no bytes has not called for it yet.
        self._hand_over()
        answer.data = b"".join(self._blocks)
        answer.took_us = took_us
        answer.was_sent_again = was_sent_again or self._was_rewound
        return answer

    def raise_what_came(self) -> None:
        """Raise what broke the request off on this side."""
        if self._raised is not None:
            raise self._raised

    def _came(self, block: bytes) -> int | None:
        try:
            self._blocks.append(block)
            if self._begin is None:
                return None
            if self._take is None:
                self._parsed = _parsed(self._head)
                self._take = self._begin(self._parsed)
                if self._take is None:
                    self._blocks.clear()
                    self.is_left = True
                    return 0
            if self._spend is not None:
                self._spend(len(block))
            if len(self._blocks) >= _TOGETHER or time.monotonic() >= self._due_s:
                self._hand_over()
        except BaseException as error:  # noqa: BLE001  raised again outside of libcurl
            self._raised = error
            return 0
        return None

    def _hand_over(self) -> None:
        """Give what came to who takes it, if anybody does."""
        if self._take is None or not self._blocks:
            return
        blocks, self._blocks = self._blocks, []
        self._take(blocks)
        self._due_s = time.monotonic() + _LONGEST_WAIT_S

    def _read(self, count: int) -> bytes | int:
        try:
            block = b"" if self._source is None else self._source.read(count)
            if self._spend is not None:
                self._spend(len(block))
        except BaseException as error:  # noqa: BLE001  raised again outside of libcurl
            self._raised = error
            return int(pycurl.READFUNC_ABORT)
        return block

    def _seek(self, offset: int, origin: int) -> int:
        if offset or origin or self._source is None:
            return int(pycurl.SEEKFUNC_CANTSEEK)
        self._source.rewind()
        self._was_rewound = True
        return int(pycurl.SEEKFUNC_OK)

    def _watch(self, *_counts: int) -> bool:
        try:
            return self._stopping.is_set()
        except BaseException as error:  # noqa: BLE001  Ctrl-C comes to the main thread here
            self._raised = error
            return True


_STATUS = re.compile(r"[0-9]{3}", re.ASCII)


def _parsed(head: list[bytes]) -> Answer:
    """The status and the headers of the last answer: that of a 100 may stand before it."""
    _, _, last = ("\r\n" + b"".join(head).decode("latin-1")).rpartition("\r\nHTTP/")
    first, _, lines = last.partition("\n")
    words = first.split(None, 2)
    status = int(words[1]) if len(words) > 1 and _STATUS.fullmatch(words[1]) else 0
    reason = words[2].strip() if len(words) > 2 else ""
    headers: dict[str, str] = {}
    for line in lines.split("\n"):
        written, colon, padded = line.partition(":")
        if colon:
            name, value = written.lower(), padded.strip()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return Answer(status, reason, headers)
