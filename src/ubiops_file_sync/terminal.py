"""Progress as a person sees it: bars on a terminal, and elsewhere a line now and then."""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

from ubiops_file_sync.bucket.traffic import Traffic
from ubiops_file_sync.meter import Meter
from ubiops_file_sync.model import Outcome, PlanSummary, Settled
from ubiops_file_sync.phrases import counted
from ubiops_file_sync.progress import Progress
from ubiops_file_sync.report import forecast

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ubiops_file_sync.bars import View

_FRAME_S = 0.12
_DELAY_S = 0.4
"""A pass that is over by then is not worth a picture."""
_LONG_WAIT_S = 2.0
"""For the API's quota: that is said, else it looks as if all had come to a stop."""
_LINE_S = 60.0
"""How often a log is told of a pass that goes on."""


def progress_for(
    stream: TextIO,
    traffic: Traffic | None = None,
    wait_s: Callable[[], float] = lambda: 0.0,
    *,
    quiet: bool = False,
) -> Progress:
    """Bars if `stream` is a terminal, a line a minute if it is not, and nothing if to be quiet.

    `traffic`: what travels at the moment, if somebody is told of that. `wait_s`: how long the API's
    quota has everybody wait at the moment.
    """
    if quiet:
        return Progress()
    watch = _Watch(traffic or Traffic(), wait_s)
    if stream.isatty() and os.environ.get("TERM", "dumb") not in {"dumb", "unknown"}:
        return TerminalProgress(stream, watch)
    return LogProgress(stream, watch)


@dataclass(slots=True)
class _Watch:
    """What is known of a pass; written by the thread that runs it, read by the one that draws."""

    traffic: Traffic
    wait_s: Callable[[], float] = lambda: 0.0
    monotonic: Callable[[], float] = time.monotonic
    profile: str = ""
    began_s: float = 0.0
    said: tuple[str, ...] = ()
    latest: str = ""
    meter: Meter | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, profile: str) -> None:
        """Begin anew."""
        with self.lock:
            self.profile, self.said, self.latest = profile, ("comparing",), ""
            self.meter = None
            self.began_s = self.monotonic()

    def plan(self, summary: PlanSummary) -> None:
        """Turn to the actions."""
        with self.lock:
            self.said, self.meter = (), Meter(summary, self.monotonic())

    def did(self, outcome: Outcome) -> None:
        """One more."""
        with self.lock:
            self.said, self.latest = (), outcome.action.key
            if self.meter is not None:
                self.meter.did(outcome.action)

    def settled(self, some: Settled) -> None:
        """Many more, without a byte that travelled."""
        with self.lock:
            self.said = ()
            if self.meter is not None:
                self.meter.settled(some.count)

    def say(self, *words: str) -> None:
        """What it is at."""
        with self.lock:
            self.said = words

    def view(self) -> View:
        """As it is now."""
        from ubiops_file_sync.bars import View

        transfers, wait_s = self.traffic.transfers(), self.wait_s()
        with self.lock:
            now_s, standing = self.monotonic(), None
            if self.meter is not None:
                under_way = sum(one.done_bytes for one in transfers)
                standing = self.meter.standing(now_s, under_way)
            said = self.said
            if wait_s > _LONG_WAIT_S:
                said = (*said, f"waiting {math.ceil(wait_s)} s for the API's quota")
            elapsed_s = now_s - self.began_s
            return View(self.profile, elapsed_s, said, standing, transfers, self.latest)


class _Watched(Progress, ABC):
    """Keeps a watch, and has a thread of its own that tells of it."""

    def __init__(self, stream: TextIO, watch: _Watch) -> None:
        self._stream = stream
        self._watch = watch
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def comparing(self, profile: str) -> None:
        """Begin anew for a profile."""
        self.ended()
        self._watch.begin(profile)
        self._over = threading.Event()
        self._thread = threading.Thread(
            target=self._tell, args=(self._over,), name="progress", daemon=True
        )
        self._thread.start()

    def compared(self, summary: PlanSummary) -> None:
        """Show how far the comparison has come."""
        here = counted(summary.local_files, "file")
        self._watch.say("comparing", f"{here} here", f"{summary.remote_files:,} in the bucket")

    def planned(self, summary: PlanSummary) -> None:
        """Turn to the actions, and say how long they take, if that is a minute or more."""
        self._watch.plan(summary)
        if summary.minutes:
            self._say(f"{self._watch.profile}: {forecast(summary)}")

    def did(self, outcome: Outcome) -> None:
        """One more."""
        self._watch.did(outcome)

    def settled(self, some: Settled) -> None:
        """Many more."""
        self._watch.settled(some)

    def settling(self, files: int, seconds: float) -> None:
        """Say why it waits."""
        fresh = counted(files, "fresh file")
        self._watch.say(f"waiting {seconds:g} s for {fresh} to come to rest")

    def confirming(self, uploads: int) -> None:
        """Say what the last calls are for."""
        self._watch.say(f"asking the bucket about {counted(uploads, 'upload')}")

    def ended(self) -> None:
        """The thread is gone, and the terminal is as it was."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._over.set()
            thread.join()

    def _say(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()

    @abstractmethod
    def _tell(self, over: threading.Event) -> None:
        """Run by the thread, until it is over."""


class LogProgress(_Watched):
    """Says what a pass will cost if it keeps its reader waiting, and once a minute how far it is.

    Nothing at all of one that is over soon.
    """

    def __init__(self, stream: TextIO, watch: _Watch, line_s: float = _LINE_S) -> None:
        super().__init__(stream, watch)
        self._line_s = line_s

    def _tell(self, over: threading.Event) -> None:
        while not over.wait(self._line_s):
            from ubiops_file_sync.bars import one_line

            view = self._watch.view()
            if view.standing is None:
                self._say(f"{view.profile}: {', '.join(view.said)}")
            else:
                self._say(one_line(view.profile, view.standing))


class TerminalProgress(_Watched):
    """A line that counts while the sides are compared, then a bar and what travels."""

    def __init__(self, stream: TextIO, watch: _Watch, delay_s: float = _DELAY_S) -> None:
        super().__init__(stream, watch)
        self._delay_s = delay_s

    def _say(self, line: str) -> None:
        # While there is a picture, something that writes above it stands in for standard error.
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    def _tell(self, over: threading.Event) -> None:
        if over.wait(self._delay_s):
            return
        from rich.console import Console
        from rich.live import Live

        console = Console(file=self._stream)
        live = Live(
            get_renderable=lambda: self._picture(console.width - 1, console.encoding),
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
        )
        with live:
            # Hidden, it would stay so after a kill.
            console.show_cursor(True)
            while True:
                live.refresh()
                if over.wait(_FRAME_S):
                    break

    def _picture(self, width: int, encoding: str) -> RenderableType:
        from rich.text import Text

        from ubiops_file_sync import bars

        signs = bars.FANCY if encoding.startswith("utf") else bars.PLAIN
        lines = bars.drawn(self._watch.view(), max(width, 1), signs)
        picture = Text("\n".join(lines), no_wrap=True, overflow="crop")
        picture.highlight_regex(f"{signs.full}+", "green")
        return picture
