"""A pass that is asked to end before its end, from another thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from engine.world import QUICK, World, assert_in_step
from ubiops_file_sync.emulator import Fault
from ubiops_file_sync.errors import EXIT_INTERRUPTED, Stopped
from ubiops_file_sync.model import Outcome, Report, Verb
from ubiops_file_sync.progress import Progress
from ubiops_file_sync.reconcile import Reconciler
from ubiops_file_sync.stop import Stop

MIB = 1 << 20
HANGS_S = 100.0


class StopAfter(Progress):
    """Asks for a stop once so many actions have ended."""

    def __init__(self, stop: Stop, count: int) -> None:
        self._stop, self._left = stop, count

    def did(self, outcome: Outcome) -> None:
        self._left -= 1
        if self._left == 0:
            self._stop.ask()


def stoppable(world: World, stop: Stop, progress: Progress | None = None) -> Reconciler:
    return Reconciler(world.profile, world.state_dir, retries=QUICK, stop=stop, progress=progress)


@contextmanager
def once_called(
    world: World, operation: str, act: threading.Thread, times: int = 1
) -> Iterator[None]:
    """Start `act` as soon as the server was asked for `operation` so many times."""

    def watch() -> None:
        deadline = time.monotonic() + 30
        while world.server.calls.count(operation) < times and time.monotonic() < deadline:
            time.sleep(0.005)
        act.start()

    watching = threading.Thread(target=watch)
    watching.start()
    yield
    watching.join()
    act.join()


@pytest.mark.parametrize("wish", [Stop.ask, Stop.now])
def test_while_both_sides_are_compared_it_ends_at_once(world: World, wish: object) -> None:
    """A listing that hangs would hold it for a minute, and nothing is lost by leaving it."""
    world.write("a", b"1", age_s=100)
    world.server.faults.add(Fault("list", "hang", seconds=HANGS_S))
    stop = Stop()
    assert callable(wish)
    began = time.monotonic()
    with (
        once_called(world, "list", threading.Thread(target=wish, args=(stop,))),
        pytest.raises(Stopped, match="'p': stopped before anything was changed"),
    ):
        stoppable(world, stop).run()
    assert time.monotonic() - began < 30
    assert world.remote() == {}


def test_a_stop_that_was_asked_for_before_lets_nothing_begin(world: World) -> None:
    world.write("a", b"1", age_s=100)
    stop = Stop()
    stop.ask()
    with pytest.raises(Stopped):
        stoppable(world, stop).run()
    assert world.remote() == {}


def test_what_is_under_way_ends_and_the_rest_waits_for_the_next_pass(world: World) -> None:
    world = world.with_settings(workers=2)
    for n in range(50):
        world.write(f"{n:02}", b"%d" % n, age_s=100)
    world.server.faults.add(Fault("put", "latency", times=None, seconds=0.05))
    stop = Stop()
    begun: list[int] = []
    with stop.breaks_when_asked(lambda: begun.append(world.server.calls.count("sign_upload"))):
        report = stoppable(world, stop, StopAfter(stop, 5)).run()
    assert report.is_stopped
    assert report.exit_code == EXIT_INTERRUPTED
    assert report.problem_count == 0
    sent = report.done[Verb.UPLOAD]
    assert 5 <= sent <= begun[0] + 2, "two workers may be about to ask"
    assert len(world.remote()) == sent
    assert world.run().done == {Verb.UPLOAD: 50 - sent, Verb.ADOPT: sent}
    assert_in_step(world)


def test_a_ready_file_does_not_go_up_before_its_folder_has(world: World) -> None:
    world = world.with_settings(workers=1, ready_file="_SUCCESS")
    for n in range(10):
        world.write(f"d/{n}", b"%d" % n, age_s=100)
    world.write("d/_SUCCESS", b"", age_s=100)
    stop = Stop()
    stoppable(world, stop, StopAfter(stop, 3)).run()
    assert "d/_SUCCESS" not in world.remote()
    world.run()
    assert "d/_SUCCESS" in world.remote()


def test_to_end_now_breaks_off_what_hangs(world: World) -> None:
    world.write("a", b"1", age_s=100)
    world.server.faults.add(Fault("put", "hang", seconds=HANGS_S))
    stop = Stop()
    began = time.monotonic()
    with once_called(world, "put", threading.Thread(target=stop.now)):
        report = stoppable(world, stop).run()
    assert time.monotonic() - began < 30
    assert report.is_stopped
    assert report.problem_count == 0, "to be stopped is no problem of the file's"
    world.run()
    assert_in_step(world)


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_big_file_keeps_the_parts_that_have_travelled(world: World, way: str) -> None:
    world = world.with_settings(multipart_threshold=5 * MIB, workers=2)
    content = bytes(range(256)) * (40 * MIB // 256)
    if way == "up":
        world.write("big", content, age_s=100)
    else:
        world.put("big", content)
    operation = "put_part" if way == "up" else "get_blob"
    # On a machine that has much to do, who asks for a stop may come late.
    world.server.faults.add(Fault(operation, "latency", times=None, seconds=0.4))
    stop = Stop()
    with once_called(world, operation, threading.Thread(target=stop.ask), times=3):
        report = stoppable(world, stop).run()
    assert report.is_stopped
    world.server.faults.clear()
    again = world.run()
    assert 0 < moved(again) < len(content)
    assert_in_step(world)


def moved(report: Report) -> int:
    return report.bytes_up + report.bytes_down
