"""The limiter that all profiles and threads share, against a server with a quota of its own."""

from __future__ import annotations

import gc
import io
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from bucket.conftest import connect
from ubiops_file_sync.bucket import quota as quotas
from ubiops_file_sync.bucket.quota import Quota, quota_for
from ubiops_file_sync.emulator import BucketServer, Fault
from ubiops_file_sync.emulator.ratelimit import Quota as Counted
from ubiops_file_sync.errors import KeyFailure
from ubiops_file_sync.model import Pace

PATIENCE_S = 60
"""How long a thread that ends at once may take on a busy machine."""
LONG_ENOUGH_S = 0.2
"""A thread that does not wait has mostly ended by then; a slow machine proves less, and no more."""


def headers(limit: int, remaining: int, reset_s: int) -> dict[str, str]:
    return {
        "x-ratelimit-limit": str(limit),
        "x-ratelimit-remaining": str(remaining),
        "x-ratelimit-reset": str(reset_s),
    }


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Caller:
    """A thread that takes one turn."""

    def __init__(self, quota: Quota, said: Callable[[], None] = lambda: None) -> None:
        self.stopping = threading.Event()
        self.sent_at: float | None = None

        def run() -> None:
            self.sent_at = quota.take(self.stopping)
            said()

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def is_waiting(self) -> bool:
        self._thread.join(LONG_ENOUGH_S)
        return self._thread.is_alive()

    def has_ended(self) -> bool:
        self._thread.join(PATIENCE_S)
        return not self._thread.is_alive()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def single(clock: Clock) -> Quota:
    """A quota of one call a minute, which is spent."""
    quota = Quota(0.9, clock)
    sent_at = quota.take(threading.Event())
    assert sent_at == clock.now
    quota.heard(200, headers(1, 0, 60), sent_at)
    return quota


@pytest.fixture
def small(tmp_path: Path) -> Iterator[BucketServer]:
    """Twenty calls in two seconds."""
    with BucketServer(tmp_path / "server", rate_limit=20, rate_window_s=2) as running:
        yield running


def test_sixteen_threads_spend_the_share_and_meet_no_429(
    small: BucketServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows: Counter[int] = Counter()
    take = small.quota.take

    def counting(source: str) -> Counted | None:
        counted = take(source)
        if counted is not None:
            windows[len(windows) + (counted.remaining == 19)] += 1
        return counted

    monkeypatch.setattr(small.quota, "take", counting)
    bucket = connect(small)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(bucket.get, [f"k{n}" for n in range(36)]))
    assert bucket.calls.by_endpoint() == {"get": 36}
    assert {call.status for call in small.calls} == {404}
    assert max(windows.values()) <= 18, "the rest is for others"
    assert max(windows.values()) >= 0.8 * 18


def test_a_429_holds_everybody_back_until_the_reset(clock: Clock) -> None:
    quota = Quota(0.9, clock)
    sent_at = quota.take(threading.Event())
    assert sent_at is not None
    quota.heard(429, {"x-ratelimit-reset": "7"}, sent_at)
    callers = [Caller(quota) for _ in range(3)]
    clock.now += 7.5
    quota.wake()
    assert all(caller.is_waiting() for caller in callers)
    assert quota.wait_s == 0.5
    clock.now += 0.5
    quota.wake()
    assert all(caller.has_ended() for caller in callers)
    assert quota.wait_s == 0.0
    assert {caller.sent_at for caller in callers} == {1008.0}


def test_first_come_first_served(single: Quota, clock: Clock) -> None:
    order: list[int] = []
    callers = []
    for n in range(8):
        callers.append(Caller(single, partial(order.append, n)))
        assert _waiting(single, n + 1)
    for n, caller in enumerate(callers):
        clock.now += 60
        single.wake()
        assert caller.has_ended()
        single.heard(200, headers(1, 0, 60), clock.now)
        assert order == list(range(n + 1))


def _waiting(quota: Quota, count: int) -> bool:
    """Whether so many wait, after a while."""
    pause = threading.Event()
    return any(len(quota._waiting) == count or pause.wait(0.001) for _ in range(PATIENCE_S * 1000))


def test_an_answer_lets_those_go_on_who_waited_for_it(clock: Clock) -> None:
    quota = Quota(0.9, clock)
    early = [quota.take(threading.Event()) for _ in range(4)]
    assert early == [clock.now] * 4
    callers = [Caller(quota) for _ in range(12)]
    assert all(caller.is_waiting() for caller in callers[:2])
    quota.heard(200, headers(300, 299, 60), clock.now)
    assert all(caller.has_ended() for caller in callers)


def test_a_lost_call_lets_the_next_one_go(clock: Clock) -> None:
    quota = Quota(0.9, clock)
    for _ in range(4):
        quota.take(threading.Event())
    caller = Caller(quota)
    assert caller.is_waiting()
    quota.lost()
    assert caller.has_ended()


def test_a_stop_ends_one_buckets_waits_and_no_others(any_server: BucketServer) -> None:
    told = {"x-ratelimit-reset": "300"}
    any_server.faults.add(Fault("get", "status", code=429, body="{}", headers=told, times=None))
    stopped, other = connect(any_server), connect(any_server)
    found: list[object] = []

    def ask() -> None:
        try:
            found.append(stopped.get("k"))
        except KeyFailure as error:
            found.append(error)

    def ask_other() -> None:
        with pytest.raises(KeyFailure, match="interrupted"):
            other.get("k")

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    bystander = threading.Thread(target=ask_other, daemon=True)
    assert _waiting(stopped._quota, 8)
    bystander.start()
    stopped.stop()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert len(found) == 8
    bystander.join(LONG_ENOUGH_S)
    assert bystander.is_alive()
    other.stop()
    bystander.join(PATIENCE_S)
    assert not bystander.is_alive()


def test_what_may_not_go_out_is_not_sent_after_a_stop(any_server: BucketServer) -> None:
    bucket = connect(any_server)
    bucket.stop()
    with pytest.raises(KeyFailure, match="interrupted"):
        bucket.send("a", io.BytesIO(b"1"), 1)
    assert any_server.calls.api_count == 0


def test_buckets_of_a_host_share_one_quota_whatever_the_path(any_server: BucketServer) -> None:
    one = quota_for("https://api.example.com/v2.1")
    assert quota_for("https://API.example.com/v3", 0.5) is one
    assert quota_for("https://api.example.com/v2.1", 0.7) is one
    assert quota_for("https://api.example.com:8443/v2.1") is not one
    assert connect(any_server)._quota is connect(any_server, "other/")._quota


def test_the_smallest_share_that_was_asked_for_counts() -> None:
    for share in (0.8, 0.5, 0.7):
        quota = quota_for("http://shares.example", share)
    sent_at = quota.take(threading.Event())
    assert sent_at is not None
    assert quota.pace is None
    quota.heard(200, headers(300, 299, 60), sent_at)
    assert quota.pace == Pace(limit=300, share=0.5, a_minute=150)


def test_few_quotas_stay_known_and_none_that_is_used_is_forgotten() -> None:
    used = quota_for("http://used.example")
    for n in range(100):
        quota_for(f"http://host{n}.example")
    gc.collect()
    assert quota_for("http://used.example") is used
    assert len(quotas._quotas) < 30


def test_a_quota_of_two_minutes_makes_half_as_many_a_minute(clock: Clock) -> None:
    quota = Quota(0.9, clock)
    sent_at = quota.take(threading.Event())
    assert sent_at is not None
    quota.heard(200, headers(300, 299, 120), sent_at)
    assert quota.pace == Pace(limit=300, share=0.9, a_minute=135)
