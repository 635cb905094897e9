"""Brief transfers share a thread: each waits for itself alone, and all of them end."""

from __future__ import annotations

import gc
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pycurl
import pytest
from greenlet import greenlet

from engine.world import World, assert_in_step
from ubiops_file_sync.bucket.quota import Quota
from ubiops_file_sync.execute.crew import Crew
from ubiops_file_sync.lanes import Lanes, NoLanes, is_in_lane, pause, travelling, turn_of
from ubiops_file_sync.sockets import Sockets
from ubiops_file_sync.units import Ended, Slots, Tell

PATIENCE_S = 20
NEVER = threading.Event()


@contextmanager
def lanes_of(count: int, slots: int = 100) -> Iterator[Lanes]:
    with closing(Lanes(count, Slots(slots))) as lanes:
        yield lanes


@contextmanager
def crew_of(workers: int) -> Iterator[Crew]:
    crew = Crew(workers)
    try:
        yield crew
    finally:
        crew.shutdown()


def begin(submit: Callable[[Callable[[], Any], Tell[Any]], None], work: Callable[[], Any]) -> Any:
    """What becomes of `work`, as a future."""
    future: Future[Any] = Future()

    def tell(ended: Ended[Any]) -> None:
        if ended.error is None:
            future.set_result(ended.result())
        else:
            future.set_exception(ended.error)

    submit(work, tell)
    return future


def test_waits_of_lanes_go_on_side_by_side_in_one_thread() -> None:
    def work() -> str:
        assert is_in_lane()
        pause(NEVER, 0.3)
        return threading.current_thread().name

    began = time.monotonic()
    with lanes_of(20) as lanes:
        jobs = [begin(lanes.submit, work) for _ in range(20)]
        assert {job.result(PATIENCE_S) for job in jobs} == {"lanes"}
    assert 0.3 <= time.monotonic() - began < 3


def test_more_jobs_than_lanes_are_all_done_in_their_order() -> None:
    done: list[int] = []

    def work(number: int) -> None:
        pause(NEVER, 0.001)
        done.append(number)

    with lanes_of(1) as lanes:
        for number in range(50):
            begin(lanes.submit, lambda number=number: work(number))  # type: ignore[misc]
    assert done == list(range(50))


def test_what_a_job_raises_is_raised_where_its_result_is_asked_for() -> None:
    def work() -> None:
        raise KeyboardInterrupt

    with lanes_of(2) as lanes:
        job = begin(lanes.submit, work)
        with pytest.raises(KeyboardInterrupt):
            job.result(PATIENCE_S)
        assert begin(lanes.submit, is_in_lane).result(PATIENCE_S)


def test_who_is_to_stop_does_not_wait_on() -> None:
    stopping = threading.Event()
    with lanes_of(2) as lanes:
        job = begin(lanes.submit, lambda: pause(stopping, PATIENCE_S))
        stopping.set()
        assert wait([job], PATIENCE_S / 2).done == {job}


@pytest.mark.parametrize("by", ["a thread", "a lane"])
def test_who_waits_for_a_turn_is_woken_by_anybody(by: str) -> None:
    lock = threading.RLock()
    turns: list[Any] = []
    waits = threading.Event()

    def waiting() -> None:
        with lock:
            turns.append(turn_of(lock))
            waits.set()
            turns[0].wait()

    def notify() -> None:
        with lock:  # Not held by who waits.
            turns[0].notify()

    with lanes_of(2) as lanes:
        job = begin(lanes.submit, waiting)
        assert waits.wait(PATIENCE_S)
        if by == "a lane":
            begin(lanes.submit, notify).result(PATIENCE_S)
        else:
            notify()
        job.result(PATIENCE_S)


def test_a_turn_that_does_not_come_is_not_waited_for_longer_than_asked() -> None:
    lock = threading.RLock()

    def waiting() -> None:
        with lock:
            turn_of(lock).wait(0.05)

    with lanes_of(1) as lanes:
        job = begin(lanes.submit, waiting)
        assert wait([job], PATIENCE_S).done == {job}


def test_what_ends_while_another_lane_is_at_work_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ubiops_file_sync.lanes._A_FEW", 1)
    monkeypatch.setattr("ubiops_file_sync.lanes._LOOK_S", 3600)

    def late() -> None:
        with closing(pycurl.Curl()) as curl:
            curl.setopt(pycurl.URL, silent_url)
            curl.setopt(pycurl.TIMEOUT_MS, 300)
            with pytest.raises(pycurl.error, match="timed out"):
                lanes.perform(curl, NEVER)

    def at_work() -> None:
        with closing(pycurl.Curl()) as curl:
            curl.setopt(pycurl.URL, "nothing://of-the-kind")
            with pytest.raises(pycurl.error, match="not supported"):
                lanes.perform(curl, NEVER)
        time.sleep(0.5)

    with socket.create_server(("127.0.0.1", 0)) as silent, lanes_of(2) as lanes:
        silent_url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        jobs = [begin(lanes.submit, late), begin(lanes.submit, at_work)]
        overlooked = wait(jobs, PATIENCE_S).not_done
        monkeypatch.setattr("ubiops_file_sync.lanes._LOOK_S", 0)  # So that all end in any case.
    assert not overlooked
    assert [job.exception() for job in jobs] == [None, None]


def test_a_new_socket_is_not_taken_for_the_one_that_had_its_number() -> None:
    """The kernel forgets what is closed, and would tell nothing of the new one."""
    with selectors.DefaultSelector() as selector:
        sockets = Sockets(selector)
        first, peer_of_first = socket.socketpair()
        number = first.fileno()
        sockets.watch(pycurl.POLL_IN, number)
        sockets.watch(pycurl.POLL_REMOVE, number)
        first.close()
        with peer_of_first.dup() as second, peer_of_first:
            assert second.fileno() == number
            sockets.watch(pycurl.POLL_IN, number)
            ((key, events),) = selector.select(PATIENCE_S)  # Nobody is at its other end.
            assert (key.fd, sockets.heard(number, events)) == (number, pycurl.CSELECT_IN)


def test_a_thread_that_waits_for_a_slot_comes_before_lanes() -> None:
    """They would be quicker each time, and big files wait until all small ones are through."""
    in_lanes: list[bool] = []
    all_wait = threading.Event()

    def brief() -> None:
        with travelling(NEVER):
            if not all_wait.is_set():
                pause(all_wait, PATIENCE_S)
            pause(NEVER, 0.01)
            in_lanes.append(is_in_lane())

    with crew_of(2) as crew:
        jobs = [begin(crew.submit_brief, brief) for _ in range(100)]
        time.sleep(0.2)  # Lanes have all slots.
        jobs += [begin(crew.submit, brief) for _ in range(10)]
        time.sleep(0.2)
        all_wait.set()
        assert wait(jobs, PATIENCE_S).not_done == set()
    assert not all(in_lanes[:50])


def calls(quota: Quota, seconds: float) -> Callable[[], None]:
    """A call that takes so long, once the quota allows it."""

    def call() -> None:
        sent_at = quota.take(NEVER)
        assert sent_at is not None
        pause(NEVER, seconds)
        quota.heard(200, {}, sent_at)

    return call


def test_who_waits_for_the_quota_lets_those_go_on_whose_answers_it_waits_for() -> None:
    """Until the first answer only a handful may ask, and all of them share one thread."""
    call = calls(Quota(1.0), 0.01)
    with lanes_of(30) as lanes:
        jobs = [begin(lanes.submit, call) for _ in range(100)]
        assert wait(jobs, PATIENCE_S).done == set(jobs)


def test_jobs_that_have_not_begun_can_be_cancelled() -> None:
    may_end = threading.Event()

    def work() -> None:
        begun.append(1)
        while not may_end.is_set():
            pause(NEVER, 0.01)

    begun: list[int] = []
    lanes = Lanes(1, Slots(1))
    first, second = begin(lanes.submit, work), begin(lanes.submit, work)
    while not begun:
        time.sleep(0.001)
    lanes.end(cancel=True)
    may_end.set()
    lanes.close()
    assert (first.done(), second.done(), len(begun)) == (True, False, 1)


def test_if_the_lanes_break_down_every_job_ends_all_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    breaks = threading.Event()
    real = Lanes._sleep

    def sleep(self: Lanes) -> list[Any]:
        if breaks.is_set():
            raise OSError("no more")
        return real(self)

    monkeypatch.setattr(Lanes, "_sleep", sleep)
    call = calls(Quota(1.0), 0.1)

    def work() -> None:
        call()
        with travelling(NEVER):
            pause(NEVER, 0.1)

    with crew_of(10) as crew:
        jobs = [begin(crew.submit_brief, work) for _ in range(20)]
        time.sleep(0.05)
        breaks.set()
        assert wait(jobs, PATIENCE_S).done == set(jobs)
        assert not begin(crew.submit_brief, is_in_lane).result(PATIENCE_S)
    assert "one by one" in caplog.text


def test_what_waits_for_a_slow_disk_is_done_by_threads() -> None:
    def slow() -> bool:
        time.sleep(0.02)
        return is_in_lane()

    with crew_of(8) as crew:
        in_lanes = [begin(crew.submit_brief, slow).result(PATIENCE_S) for _ in range(30)]
    assert (in_lanes[0], in_lanes[-1]) == (True, False)


def test_lanes_leave_nothing_behind() -> None:
    rounds, count = 20, 16
    before = greenlets()
    for _ in range(rounds):
        with lanes_of(count) as lanes:
            for _ in range(20):
                begin(lanes.submit, lambda: pause(NEVER, 0.001))
    assert greenlets() - before < rounds * count / 2


def test_who_rings_when_the_lanes_have_just_ended_writes_to_nobody(tmp_path: Path) -> None:
    """The number of their bell may be that of a user's file by then."""
    with lanes_of(1) as lanes:
        ringer = lanes._ringer
    path = tmp_path / "file"
    with path.open("wb") as file:
        os.dup2(file.fileno(), ringer)
        try:
            lanes._is_asleep = True  # As it was a moment ago.
            lanes.wake()
        finally:
            os.close(ringer)
    assert path.read_bytes() == b""


def greenlets() -> int:
    gc.collect()
    return sum(isinstance(one, greenlet) for one in gc.get_objects())


def test_where_there_can_be_no_lanes_there_are_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise NoLanes

    monkeypatch.setattr(Lanes, "__init__", refuse)
    with crew_of(2) as crew:
        assert not begin(crew.submit_brief, is_in_lane).result(PATIENCE_S)


class AtOnce:
    """Counts who is at the same place at the same time."""

    def __init__(self) -> None:
        self.most = 0
        self._now = 0

    @contextmanager
    def here(self) -> Iterator[None]:
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            yield
        finally:
            self._now -= 1


def test_threads_and_lanes_together_are_no_more_than_the_workers() -> None:
    travelled = AtOnce()
    may_end = threading.Event()

    def work() -> None:
        with travelling(NEVER), travelled.here():
            while not may_end.is_set():
                pause(may_end, 1)

    with crew_of(3) as crew:
        jobs = [
            begin(submit, work) for _ in range(20) for submit in (crew.submit, crew.submit_brief)
        ]
        time.sleep(0.5)  # As many as can begin do.
        may_end.set()
        assert wait(jobs, PATIENCE_S).done == set(jobs)
    assert travelled.most == 3


def test_addresses_are_asked_for_while_other_files_travel() -> None:
    """Of as many as may travel, so that nobody waits for either the service or the storage."""
    asked, travelled, all_told = AtOnce(), AtOnce(), AtOnce()

    def work() -> None:
        with all_told.here():
            with asked.here():
                pause(NEVER, 0.02)
            with travelling(NEVER), travelled.here():
                pause(NEVER, 0.02)

    with crew_of(4) as crew:
        jobs = [begin(crew.submit_brief, work) for _ in range(60)]
        assert wait(jobs, PATIENCE_S).done == set(jobs)
    assert (asked.most, travelled.most, all_told.most) == (4, 4, 8)


def test_what_waits_to_travel_does_not_wait_on_once_it_is_to_stop() -> None:
    stopping, may_end = threading.Event(), threading.Event()

    def work() -> None:
        with travelling(stopping):
            while not (stopping.is_set() or may_end.is_set()):
                pause(may_end, PATIENCE_S)

    with lanes_of(3, slots=0) as lanes:
        jobs = [begin(lanes.submit, work) for _ in range(5)]
        time.sleep(0.1)
        assert not any(job.done() for job in jobs)
        stopping.set()
        assert wait(jobs, PATIENCE_S / 2).done == set(jobs)


def test_brief_files_of_a_pass_travel_in_lanes_and_larger_ones_beside_them(world: World) -> None:
    for number in range(30):
        world.write(f"small/{number}", b"x" * number)
    world.write("large", b"x" * 200_000)
    world.put("there/small", b"1")
    world.put("there/large", b"y" * 200_000)
    assert world.run().problem_count == 0
    assert_in_step(world)
