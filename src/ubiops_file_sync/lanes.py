"""Lanes: many brief transfers in one thread, each of which goes on once its answer has come.

Python runs one thread at a time, and to hand the interpreter over costs as much as half of a small
file. So brief transfers share a thread: whoever waits for an answer lets another go on (each lane
is a greenlet), and libcurl's multi interface tells whose answer has come.

A brief transfer has two halves: the service is asked for an address, and the file goes there. There
are lanes for as many files in the first half as may be in the second, so that neither the service
nor the storage is waited for while the other one could be at work.

What runs in a lane is written like what runs in a thread. It waits by `perform`, `pause`, `turn_of`
and `travelling`, of which each does the usual thing outside of a lane. Any other wait, such as for
a disk, holds up all lanes: `Lanes.are_held_up` tells of that.
"""

from __future__ import annotations

import logging
import os
import selectors
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import pycurl

from ubiops_file_sync.busy import Busy
from ubiops_file_sync.courtesy import stepping_aside
from ubiops_file_sync.sockets import Sockets
from ubiops_file_sync.units import Slots, Tell, ended_by

if TYPE_CHECKING:
    from greenlet import greenlet

_log = logging.getLogger(__name__)

_LOOK_S = 0.2
"""How often those who wait are asked whether they are to stop."""

_A_FEW = 32
"""After so many lanes have gone on their requests go out, before others have thought of theirs: to
send each by itself costs more than it gains where answers come at once."""

Result = TypeVar("Result")

_mine = threading.local()


def _current() -> Lanes | None:
    """The lanes of which the caller is in one."""
    lanes: Lanes | None = getattr(_mine, "lanes", None)
    return None if lanes is None or lanes.here() is lanes.main else lanes


def is_in_lane() -> bool:
    """Whether the caller shares its thread with others."""
    return _current() is not None


def perform(curl: Any, stopping: threading.Event) -> None:
    """Do the request that `curl` is set up for. Raises `pycurl.error`.

    In a lane `stopping` breaks it off; elsewhere that is for who sets it.
    """
    lanes = _current()
    if lanes is None:
        with stepping_aside():
            curl.perform()
    else:
        lanes.perform(curl, stopping)


def pause(stopping: threading.Event, seconds: float) -> None:
    """Wait for so long, or until `stopping` is set."""
    lanes = _current()
    if lanes is None:
        stopping.wait(seconds)
    else:
        lanes.wait(_Waiting(stopping=stopping, until_s=time.monotonic() + seconds))


def turn_of(lock: threading.RLock) -> threading.Condition | Turn:
    """What the caller can wait for, with `lock` held, and others wake it by."""
    lanes = _current()
    return threading.Condition(lock) if lanes is None else Turn(lanes, lock)


def travelling(stopping: threading.Event) -> AbstractContextManager[object]:
    """While a file travels, after its address was asked for. In a lane it waits for a slot, which
    a thread has from the beginning, or until `stopping` is set."""
    lanes = _current()
    return _BY_THREAD if lanes is None else _Travelling(lanes, stopping)


_BY_THREAD = nullcontext()


class _Travelling:
    """Has a slot for one lane. A class, since a generator costs a small file 2 µs."""

    def __init__(self, lanes: Lanes, stopping: threading.Event) -> None:
        self._lanes = lanes
        self._stopping = stopping
        self._has_slot = False

    def __enter__(self) -> None:
        self._has_slot = self._lanes.take_slot(self._stopping)

    def __exit__(self, *_: object) -> None:
        if self._has_slot:
            self._lanes.slots.give_back()


class Turn:
    """Does in a lane what `threading.Condition` does in a thread, for one that waits."""

    def __init__(self, lanes: Lanes, lock: threading.RLock) -> None:
        self._lanes = lanes
        self._lock = lock

    def wait(self, timeout: float | None = None) -> None:
        """Let go of the lock until `notify` is called, or for so many seconds."""
        until_s = None if timeout is None else time.monotonic() + timeout
        self._lock.release()
        try:
            self._lanes.wait(_Waiting(turn=self, until_s=until_s))
        finally:
            self._lock.acquire()

    def notify(self) -> None:
        """Wake who waits, in whatever thread; of no effect if nobody does."""
        self._lanes.notify(self)


@dataclass(slots=True, eq=False)
class _Waiting:
    """What a lane waits for; whichever comes first."""

    curl: Any = None
    turn: Turn | None = None
    stopping: threading.Event | None = None
    until_s: float | None = None
    """Of the monotonic clock."""
    lane: greenlet = field(init=False)

    def is_over(self, now_s: float) -> bool:
        """Whether it need not wait for anybody any more."""
        is_late = self.until_s is not None and now_s >= self.until_s
        return is_late or (self.stopping is not None and self.stopping.is_set())


_Failure = tuple[int, str] | None
"""Of a request: libcurl's number and words; None: there was an answer."""

_BROKEN_OFF = (int(pycurl.E_ABORTED_BY_CALLBACK), "broken off")


class NoLanes(Exception):
    """There cannot be any."""


class Lanes:
    """A thread, and the lanes in it. Its public methods may be called from any thread."""

    def __init__(self, count: int, slots: Slots) -> None:
        """`count`: as many jobs at once are in their first half, before they are `travelling`; in
        their second half as many as get one of `slots`. Who else takes one of those or gives one
        back calls `wake`.

        Raises `NoLanes` if there cannot be any, such as when too many files are open.
        """
        self.are_held_up = False
        """Something else than answers was waited for, and for most of the time."""
        self._count = count
        self.slots = slots
        self._jobs: deque[Callable[[], None]] = deque()
        self._notified: deque[Turn] = deque()
        self._idle: list[greenlet] = []
        self._all_idle = 2 * count
        self._ahead: set[greenlet] = set()
        """Those whose job is in its first half."""
        self._want_slot: deque[_Waiting] = deque()
        self._waiting: dict[object, _Waiting] = {}
        """By what each waits for."""
        self._timed: dict[object, _Waiting] = {}
        """Those of them whose time will be over: few, and asked for at every turn."""
        self._look_at_s = 0.0
        self._timer_s: float | None = None
        """When libcurl wants to be called."""
        self._is_closed = self._is_cancelled = False
        with ExitStack() as opened:
            try:
                from greenlet import getcurrent, greenlet

                self._selector = opened.enter_context(selectors.DefaultSelector())
                self._bell, self._ringer = os.pipe()
                for fd in (self._bell, self._ringer):
                    opened.callback(os.close, fd)
                    os.set_blocking(fd, False)
                self._multi = pycurl.CurlMulti()
                opened.callback(self._multi.close)
            except (ImportError, OSError, pycurl.error) as error:
                raise NoLanes from error
            self._opened = opened.pop_all()
        self._sockets = Sockets(self._selector)
        self.here = getcurrent
        self._new = greenlet
        # Whoever has news says so and then looks whether the thread is asleep; the thread says that
        # it is, and then looks whether there are news that it has not heeded.
        self._has_news = self._is_asleep = self._is_over = False
        # Who rings at the last moment must not write to what has the number by then. Reentrant:
        # a signal may ask for a stop while its own thread rings.
        self._ringing = threading.RLock()
        self._is_hung_up = False
        self._owner = threading.current_thread()
        self._thread = threading.Thread(target=self._run, name="lanes")
        self._thread.start()

    def submit(self, work: Callable[[], Result], tell: Tell[Result]) -> None:
        """Have `work` done in a lane, where `tell` is then told how it ended, unless cancelled."""

        def job() -> None:
            if not self._is_cancelled:
                tell(ended_by(work))

        self._jobs.append(job)
        self.wake()
        if self._is_over:
            self._do_the_rest()

    def close(self, *, cancel: bool = False) -> None:
        """Wait until every job is done, and end the thread; `cancel`: but those not yet begun."""
        self.end(cancel=cancel)
        self._thread.join()

    def end(self, *, cancel: bool = False) -> None:
        """The same, without waiting for it."""
        self._is_cancelled = self._is_cancelled or cancel
        self._is_closed = True
        self.wake()

    def wake(self) -> None:
        """Have the thread look again what there is to do."""
        self._has_news = True
        if self._is_asleep:
            self._is_asleep = False
            with self._ringing:
                if not self._is_hung_up:
                    with suppress(BlockingIOError):  # It is full of rings.
                        os.write(self._ringer, b"!")

    def notify(self, turn: Turn) -> None:
        """Have who waits for `turn` go on."""
        self._notified.append(turn)
        self.wake()

    # All that follows runs in the thread of the lanes.

    def perform(self, curl: Any, stopping: threading.Event) -> None:
        """Do a request. Raises `pycurl.error`."""
        self._multi.add_handle(curl)
        try:
            failure = self.wait(_Waiting(curl=curl, stopping=stopping))
        finally:
            self._multi.remove_handle(curl)
        if failure is not None:
            raise pycurl.error(*failure)

    def wait(self, waiting: _Waiting) -> _Failure:
        """Let others go on until what is waited for has come."""
        waiting.lane = self.here()
        awaited = waiting.curl or waiting.turn or waiting
        self._waiting[awaited] = waiting
        if waiting.until_s is not None:
            self._timed[awaited] = waiting
        failure: _Failure = self.main.switch()
        return failure

    def take_slot(self, stopping: threading.Event) -> bool:
        """Wait for one; False: `stopping` was set. The lane is in the second half of its job."""
        if self._want_slot or not self.slots.take_spare():
            waiting = _Waiting(stopping=stopping)
            self._want_slot.append(waiting)
            if self.wait(waiting) is not None:
                self._want_slot.remove(waiting)
                return False
        self._ahead.discard(self.here())
        return True

    def _lane(self) -> None:
        lane = self.here()
        while True:
            while self._can_begin_job():
                self._ahead.add(lane)
                try:
                    self._jobs.popleft()()
                finally:
                    self._ahead.discard(lane)
            self._idle.append(lane)
            self.main.switch()

    def _can_begin_job(self) -> bool:
        return bool(self._jobs) and len(self._ahead) < self._count

    def _run(self) -> None:
        try:
            self._set_up()
            self._go_round()
        except Exception:  # noqa: BLE001  of whatever kind
            # Nobody is to wait for ever, whatever happened: all goes on, as it does in threads.
            _log.exception("brief transfers go on one by one")
            self.are_held_up = True
            _mine.lanes = None
            while self._waiting:
                _, waiting = self._waiting.popitem()
                waiting.lane.switch(_BROKEN_OFF)
                time.sleep(0.001)  # It may wait for a turn again, which is not due yet.
        finally:
            self._do_the_rest()
            self._is_over = True
            self._do_the_rest()
            # What is suspended when its thread ends is never let go of.
            for lane in self._idle:
                lane.throw()
            with self._ringing:
                self._is_hung_up = True
                self._opened.close()

    def _do_the_rest(self) -> None:
        while self._jobs:
            with suppress(IndexError):
                self._jobs.popleft()()

    def _set_up(self) -> None:
        self.main = self.here()
        """What goes round between the lanes."""
        self._idle = [self._new(self._lane) for _ in range(self._all_idle)]
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._sockets.watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)
        self._selector.register(self._bell, selectors.EVENT_READ)
        _mine.lanes = self

    def _go_round(self) -> None:
        busy = Busy()
        while self._begin():
            busy.ends()
            came = self._sleep()
            busy.begins()
            self._heed(came)
            self._look()
            self.are_held_up = self.are_held_up or busy.was_held_up()

    def _begin(self) -> bool:
        """Begin what can begin; False: there is nothing more, and all has ended."""
        self._has_news = False
        if not self._owner.is_alive():
            self.end(cancel=True)  # Nobody else will, and the interpreter waits for this thread.
        while self._notified:
            self._go_on(self._notified.popleft())
        while self._want_slot and self.slots.take_spare():
            self._go_on(self._want_slot.popleft())
        while self._idle and self._can_begin_job():
            self._idle.pop().switch()
        return not self._is_closed or bool(self._jobs) or len(self._idle) < self._all_idle

    def _sleep(self) -> list[tuple[selectors.SelectorKey, int]]:
        self._is_asleep = True
        came = self._selector.select(0 if self._has_news else self._longest_s())
        self._is_asleep = False
        return came

    def _longest_s(self) -> float:
        """How long nothing needs to be done unless something comes."""
        now_s = time.monotonic()
        ends = [one.until_s for one in self._timed.values() if one.until_s is not None]
        if self._timer_s is not None:
            ends.append(self._timer_s)
        return max(0.0, min([now_s + _LOOK_S, *ends]) - now_s)

    def _heed(self, came: list[tuple[selectors.SelectorKey, int]]) -> None:
        for key, events in came:
            if key.fd == self._bell:
                with suppress(BlockingIOError):
                    os.read(self._bell, 4096)
            elif heard := self._sockets.heard(key.fd, events):
                self._multi.socket_action(key.fd, heard)
        self._ring_timer()
        # Requests that go out may find answers to others: TLS reads ahead of what is asked for.
        while answered := list(self._answered()):
            for number, (curl, failure) in enumerate(answered, 1):
                self._go_on(curl, failure)
                if number % _A_FEW == 0:
                    self._ring_timer()

    def _ring_timer(self) -> None:
        if self._timer_s is not None and time.monotonic() >= self._timer_s:
            self._timer_s = None
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)

    def _answered(self) -> Iterator[tuple[Any, _Failure]]:
        more = 1
        while more:
            more, ended, failed = self._multi.info_read()
            yield from ((curl, None) for curl in ended)
            yield from ((curl, (number, words)) for curl, number, words in failed)

    def _look(self) -> None:
        """See whose time is over, and who is to stop."""
        now_s = time.monotonic()
        asked = self._timed
        if now_s >= self._look_at_s:
            self._look_at_s = now_s + _LOOK_S
            asked = self._waiting
        for awaited in [one for one, waiting in asked.items() if waiting.is_over(now_s)]:
            self._go_on(awaited, _BROKEN_OFF)

    def _go_on(self, awaited: object, failure: _Failure = None) -> None:
        """Let who waits for something go on; of no effect if nobody does any more."""
        waiting = self._waiting.pop(awaited, None)
        self._timed.pop(awaited, None)
        if waiting is not None:
            waiting.lane.switch(failure)

    def _set_timer(self, wait_ms: int) -> None:
        self._timer_s = None if wait_ms < 0 else time.monotonic() + wait_ms / 1000
