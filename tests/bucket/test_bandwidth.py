"""All transfers together keep to the limit."""

from __future__ import annotations

import io
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bucket.conftest import connect
from ubiops_file_sync.bucket.bandwidth import Bandwidth, bandwidth_for
from ubiops_file_sync.emulator import BucketServer
from ubiops_file_sync.errors import Interrupted
from ubiops_file_sync.model import RemoteEntry

MIB = 1 << 20


class Clock:
    """A clock that a test moves on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


BLOCKS = st.lists(st.tuples(st.integers(1, 300_000), st.floats(0, 2)), min_size=1, max_size=50)


@given(rate=st.integers(65_536, 10**9), blocks=BLOCKS)
def test_no_stretch_of_time_carries_more_than_the_limit(
    rate: int, blocks: list[tuple[int, float]]
) -> None:
    clock = Clock()
    bandwidth = Bandwidth(rate, clock)
    travels: list[tuple[float, int]] = []
    for count, pause_s in blocks:
        clock.now += pause_s
        travels.append((clock.now + bandwidth.reserve(count), count))
    for first in range(len(travels)):
        began = travels[first][0]
        # The last block of a stretch travels at its end.
        carried = sum(count for _, count in travels[first:-1])
        stretch_s = travels[-1][0] - began
        assert carried <= rate * (stretch_s + 0.1) * 1.000001


def test_what_is_idle_does_not_save_up_for_a_burst() -> None:
    clock = Clock()
    bandwidth = Bandwidth(100_000, clock)
    clock.now += 3600
    assert bandwidth.reserve(10_000) == 0
    assert bandwidth.reserve(10_000) == 0
    assert bandwidth.reserve(10_000) == pytest.approx(0.1)


def test_uploads_and_downloads_share_one_limit(any_server: BucketServer) -> None:
    content = bytes(MIB // 2)
    any_server.put_object("p/down", content)
    bandwidth = Bandwidth(MIB)
    one, other = connect(any_server, bandwidth=bandwidth), connect(any_server, bandwidth=bandwidth)
    entry = one.get("down")
    assert entry is not None
    began = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        up = pool.submit(one.send, "up", io.BytesIO(content), len(content))
        down = pool.submit(other.fetch, entry, io.BytesIO())
        up.result()
        down.result()
    assert time.monotonic() - began >= 0.75
    assert any_server.read_object("p/up") == content


def test_the_wait_for_one_s_turn_ends_when_it_is_stopped(any_server: BucketServer) -> None:
    any_server.put_object("p/a", bytes(4 * MIB))
    bucket = connect(any_server, bandwidth=Bandwidth(65_536))
    threading.Timer(0.3, bucket.stop).start()
    began = time.monotonic()
    with pytest.raises(Interrupted):
        bucket.fetch(RemoteEntry("a", 4 * MIB, 0), io.BytesIO())
    assert time.monotonic() - began < 30


def test_a_process_has_one_of_each_limit() -> None:
    assert bandwidth_for(70_000) is bandwidth_for(70_000)
    assert bandwidth_for(70_000) is not bandwidth_for(80_000)
