"""What travels at this moment, for those who ask."""

from __future__ import annotations

from contextlib import suppress

import pytest

from ubiops_file_sync.bucket.traffic import Traffic, Transfer
from ubiops_file_sync.model import Direction

MIB = 1 << 20
UP = Direction.UPLOAD


class _Clock:
    now = 10.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


@pytest.fixture
def traffic(clock: _Clock) -> Traffic:
    return Traffic(clock)


def test_a_file_is_told_of_while_it_travels(traffic: Traffic, clock: _Clock) -> None:
    with traffic.moving("a", UP, 4 * MIB) as moving:
        clock.now += 2
        moving.done_bytes = MIB
        assert traffic.transfers() == [Transfer("a", UP, 4 * MIB, MIB, MIB / 2)]
    assert traffic.transfers() == []


def test_of_a_small_file_nobody_could_read(traffic: Traffic) -> None:
    with traffic.moving("a", UP, 1000):
        assert traffic.transfers() == []


def test_a_file_in_parts_is_told_of_as_one(traffic: Traffic) -> None:
    with traffic.whole("a", UP, 100 * MIB, 20 * MIB):
        assert [one.done_bytes for one in traffic.transfers()] == [20 * MIB]
        with traffic.moving("a", UP, 32 * MIB) as one, traffic.moving("a", UP, 32 * MIB) as two:
            one.done_bytes, two.done_bytes = 5 * MIB, 6 * MIB
            (told,) = traffic.transfers()
            assert (told.size_bytes, told.done_bytes) == (100 * MIB, 31 * MIB)
        # Both have arrived; so has the last one, though it is small.
        with traffic.moving("a", UP, 1000):
            pass
        assert [one.done_bytes for one in traffic.transfers()] == [84 * MIB + 1000]
    assert traffic.transfers() == []


def test_a_part_that_failed_has_not_arrived(traffic: Traffic) -> None:
    with traffic.whole("a", UP, 100 * MIB, 0):
        with suppress(TimeoutError), traffic.moving("a", UP, 32 * MIB) as moving:
            moving.done_bytes = 5 * MIB
            raise TimeoutError
        assert [one.done_bytes for one in traffic.transfers()] == [0]


def test_both_ways_of_one_key_are_two_transfers(traffic: Traffic) -> None:
    """As where a loser is fetched into the trash before its winner is sent."""
    with (
        traffic.moving("a", Direction.DOWNLOAD, MIB),
        traffic.moving("a", UP, MIB),
        traffic.moving("0", UP, MIB),
    ):
        assert [(one.key, one.way.value) for one in traffic.transfers()] == [
            ("0", "upload"),
            ("a", "download"),
            ("a", "upload"),
        ]
