"""The quota's window against a service that counts for itself, with delays, losses and others."""

from __future__ import annotations

import heapq
import math
import random
from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ubiops_file_sync.bucket.window import Told, Window, reset_told_by, told_by

HANDFUL = 4
WORKERS = 16


@dataclass
class Service:
    """Counts calls in windows of its own, as the API and its emulator do."""

    limit: int
    length_s: float
    is_aligned: bool
    """Windows follow each other; else each begins with its first call."""
    rounds_up: bool
    began: float = -math.inf
    used: int = 0

    def take(self, now: float) -> tuple[bool, Told]:
        """Whether a call is let in, and what it is told."""
        if now >= self.began + self.length_s:
            self.began = now // self.length_s * self.length_s if self.is_aligned else now
            self.used = 0
        is_let_in = self.used < self.limit
        self.used += is_let_in
        left_s = round(self.began + self.length_s - now, 6)
        reset_s = math.ceil(left_s) if self.rounds_up else math.floor(left_s)
        return is_let_in, Told(self.limit, self.limit - self.used, max(1, reset_s))


@dataclass
class Story:
    """Workers that always have a call to make, until so many have been let in or refused."""

    service: Service
    window: Window
    chance: random.Random
    slowest_s: float
    others: float = 0.0
    """Calls a second that others make from the same address."""
    losses: float = 0.0
    """The share of answers that never come."""
    now: float = 0.0
    windows: Counter[float] = field(default_factory=Counter)
    """Our calls by the service's window."""
    arrivals: list[tuple[float, int]] = field(default_factory=list)
    """When each came, after the beginning of its window, and as which of ours in it."""
    lost: Counter[float] = field(default_factory=Counter)
    """Our calls whose answers never came, by the service's window."""
    refusals: int = 0
    unsent: int = 0
    in_flight: int = 0
    ticks: int = 0
    _events: list[tuple[float, int, str, float, Told | None]] = field(default_factory=list)

    def play(self, calls: int) -> None:
        """Make the calls. A deadlock is seen as no event being left."""
        self.unsent = calls
        if self.others:
            self._at(self.chance.expovariate(self.others), "other")
        self._at(0.0, "look")
        while self.unsent or self.in_flight:
            self.now, _, kind, sent_at, told = heapq.heappop(self._events)
            if kind == "other":
                self.service.take(self.now)
                self._at(self.now + self.chance.expovariate(self.others), "other")
            elif kind == "arrives":
                self._arrive(sent_at)
            elif kind == "heard":
                self.window.heard(told, sent_at, self.now)
                self.in_flight -= 1
            elif kind == "lost":
                self.window.lost(self.now)
                self.in_flight -= 1
            self._send()

    def _at(self, when: float, kind: str, sent_at: float = 0.0, told: Told | None = None) -> None:
        self.ticks += 1
        heapq.heappush(self._events, (when, self.ticks, kind, sent_at, told))

    def _send(self) -> None:
        """As many calls as are allowed now; else look again when the next one will be."""
        while self.unsent and self.in_flight < WORKERS:
            opens_at = self.window.opens_at(self.now)
            if opens_at > self.now:
                self._check_wait(opens_at)
                if opens_at < math.inf:
                    self._at(opens_at, "look")
                return
            self.window.sent()
            self.unsent, self.in_flight = self.unsent - 1, self.in_flight + 1
            self._at(self.now + self.chance.uniform(0, self.slowest_s), "arrives", self.now)

    def _arrive(self, sent_at: float) -> None:
        """A call of ours comes to the service."""
        is_let_in, told = self.service.take(self.now)
        began = self.service.began
        is_lost = self.window.limit is not None and self.chance.random() < self.losses
        self.windows[began] += 1
        self.lost[began] += is_lost
        self.arrivals.append((self.now - began, self.windows[began]))
        self.refusals += not is_let_in
        back_s = self.chance.uniform(0, self.slowest_s)
        self._at(self.now + back_s, "lost" if is_lost else "heard", sent_at, told)

    def _check_wait(self, opens_at: float) -> None:
        if not self.in_flight:
            assert opens_at < math.inf, "nobody would ever answer"
            assert opens_at <= self.now + self.window.length_s + 1, "beyond the reset"


@st.composite
def stories(draw: st.DrawFn, *, is_kind: bool = True) -> Story:
    """Services and networks; the unkind ones round down and leave calls without an answer."""
    length_s = draw(st.sampled_from([2.0, 10.0, 60.0, 61.5, 120.0]))
    service = Service(
        limit=draw(st.integers(5, 400)),
        length_s=length_s,
        is_aligned=draw(st.booleans()),
        rounds_up=is_kind or draw(st.booleans()),
    )
    return Story(
        service,
        Window(draw(st.floats(0.05, 1.0))),
        random.Random(draw(st.integers(0, 2**32))),
        slowest_s=draw(st.sampled_from([0.01, 0.3, 3.0] if length_s > 2 else [0.01, 0.3])),
        others=draw(st.sampled_from([0.0, 0.02, 0.3])),
        losses=0.0 if is_kind else draw(st.sampled_from([0.0, 0.05, 0.5])),
    )


def most_above_the_share(story: Story) -> int:
    """Calls by which any window went beyond the share, other than those never answered in it.

    A handful goes out before anybody knows of a limit.
    """
    most = max(story.window.budget or 0, HANDFUL)
    return max(count - story.lost[began] - most for began, count in story.windows.items())


@settings(max_examples=60, deadline=None)
@given(stories(), st.integers(1, 300))
def test_no_window_sees_more_than_the_share(story: Story, calls: int) -> None:
    story.play(calls)
    assert story.windows.total() == calls
    assert most_above_the_share(story) <= 0


@settings(max_examples=40, deadline=None)
@given(stories(is_kind=False), st.integers(1, 300))
def test_an_unkind_one_sees_a_handful_more_and_what_it_left_unanswered(
    story: Story, calls: int
) -> None:
    story.play(calls)
    assert most_above_the_share(story) <= HANDFUL


@settings(max_examples=40, deadline=None)
@given(stories(), st.integers(1, 300))
def test_half_goes_out_at_once_and_the_rest_evenly(story: Story, calls: int) -> None:
    story.play(calls)
    budget, length_s = story.window.budget, max(math.ceil(story.service.length_s), 60)
    assert budget is not None
    for since_s, number in story.arrivals:
        # What is seen as the end of a window may be late by a rounding and an answer's way, and
        # calls that the last window allowed may still arrive in this one.
        late_s = length_s - story.service.length_s + 2 * story.slowest_s
        if since_s < 1 + 4 * story.slowest_s:
            late_s = length_s
        allowed = budget / 2 + budget / 2 * (since_s + late_s) / length_s
        assert number <= max(allowed + 1, HANDFUL) + 1e-6


@pytest.mark.parametrize("is_aligned", [True, False])
def test_a_long_pass_spends_what_it_may(*, is_aligned: bool) -> None:
    service = Service(300, 60.0, is_aligned, rounds_up=True)
    story = Story(service, Window(0.9), random.Random(1), slowest_s=0.1)
    story.play(1500)
    *full, _last = story.windows.values()
    assert all(250 <= count <= 270 for count in full)
    assert story.refusals == 0
    for until_s, most in ((10, 165), (30, 210), (50, 255)):
        so_far = max(number for since_s, number in story.arrivals if since_s < until_s)
        assert most - 30 <= so_far <= most, "a burst of 135, and then an even flow"


def test_others_who_take_everything_are_waited_for() -> None:
    window = Window(0.9)
    window.sent()
    window.heard(Told(300, 0, 30), 100.0, 100.1)
    assert window.opens_at(100.1) == pytest.approx(130.1)
    assert window.opens_at(130.2) <= 130.2


def test_an_answer_out_of_order_raises_nothing() -> None:
    window = Window(0.5)
    for _ in range(3):
        window.sent()
    window.heard(Told(10, 6, 60), 0.2, 0.5)
    before = window.opens_at(0.6)
    window.heard(Told(10, 8, 60), 0.0, 0.6)
    window.heard(Told(10, 7, 60), 0.1, 0.6)
    after = window.opens_at(0.6)
    assert after <= before, "two fewer are in flight"
    window.sent()
    assert window.opens_at(0.6) == pytest.approx(60.5), "six were left, and five are for others"


def test_an_answer_of_the_last_window_says_nothing_of_this_one() -> None:
    window = Window(1.0)
    window.sent()
    window.sent()
    window.heard(Told(10, 9, 1), 0.0, 0.1)
    window.sent()
    window.heard(Told(10, 9, 60), 1.2, 1.3)
    window.heard(Told(10, 0, 1), 0.0, 1.4)
    assert window.opens_at(1.4) <= 1.4


def test_a_window_begins_once_the_reset_is_later() -> None:
    window = Window(1.0)
    for sent_at, told in ((0.0, Told(10, 0, 20)), (1.5, Told(10, 0, 20)), (3.0, Told(10, 9, 60))):
        assert (window.opens_at(sent_at) <= sent_at) is (sent_at == 0.0)
        window.sent()
        window.heard(told, sent_at, sent_at)
    assert window.opens_at(3.0) <= 3.0


def test_a_handful_goes_out_before_the_first_answer() -> None:
    window = Window(0.9)
    for _ in range(HANDFUL):
        assert window.opens_at(0.0) <= 0.0
        window.sent()
    assert window.opens_at(0.0) == math.inf
    window.lost(1.0)
    assert window.opens_at(1.0) <= 1.0, "one that gets no answer makes room for the next"


def test_without_headers_nothing_is_limited_until_there_are_some() -> None:
    window = Window(0.5)
    window.sent()
    window.heard(None, 0.0, 0.1)
    for _ in range(100):
        assert window.opens_at(0.1) <= 0.1
        window.sent()
    assert window.budget is None
    window.heard(Told(10, 9, 60), 0.1, 0.2)
    assert window.opens_at(0.2) > 0.2


def test_answers_without_headers_count_where_a_limit_is_known() -> None:
    window = Window(1.0)
    window.sent()
    window.heard(Told(3, 2, 60), 0.0, 0.0)
    for _ in range(2):
        window.sent()
        window.heard(None, 59.0, 59.0)
    assert window.opens_at(59.0) == 60.0


@pytest.mark.parametrize(("told_s", "waits_s"), [(7, 8), (0, 1), (300, 301), (None, 60)], ids=str)
def test_a_429_closes_until_the_reset_and_a_second_more(told_s: int | None, waits_s: float) -> None:
    window = Window(0.9)
    window.sent()
    window.heard(None, 0.0, 0.0)
    window.refused(told_s, 100.0)
    window.refused(0, 100.0)
    assert window.opens_at(100.0) == 100.0 + waits_s
    assert window.opens_at(100.0 + waits_s) <= 100.0 + waits_s


@pytest.mark.parametrize(
    ("share", "limit", "budget"),
    [(0.9, 300, 270), (0.7, 10, 7), (1.0, 300, 300), (0.1, 5, 1), (0.01, 300, 3)],
)
def test_the_share_is_whole_calls_and_at_least_one(share: float, limit: int, budget: int) -> None:
    window = Window(share)
    window.sent()
    window.heard(Told(limit, limit - 1, 60), 0.0, 0.0)
    assert window.budget == budget


def headers(limit: str, remaining: str, reset: str) -> dict[str, str]:
    names = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")
    return dict(zip(names, (limit, remaining, reset), strict=True))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (headers("300", "299", "60"), Told(300, 299, 60)),
        (headers(" 300 ", "0", "0"), Told(300, 0, 1)),
        (headers("300", "400", "60"), Told(300, 300, 60)),
        (headers("300", "1", "1700000000"), None),
        (headers("300", "1", "170000000"), Told(300, 1, 300)),
        (headers("0", "0", "60"), None),
        (headers("-1", "0", "60"), None),
        (headers("300", "-1", "60"), None),
        (headers("300", "1", "-60"), None),
        (headers("many", "1", "60"), None),
        (headers("300", "²", "60"), None),
        (headers("300, 300", "1", "60"), None),
        (headers("300", "1", "9" * 5000), None),
        ({"x-ratelimit-limit": "300"}, None),
        ({}, None),
    ],
)
def test_headers_that_make_no_sense_are_passed_over(
    given: dict[str, str], told: Told | None
) -> None:
    assert told_by(given) == told


def test_a_reset_is_believed_up_to_five_minutes() -> None:
    assert reset_told_by({"x-ratelimit-reset": "0"}) == 0
    assert reset_told_by({"x-ratelimit-reset": "86400"}) == 300
    assert reset_told_by({}) is None


def test_what_is_left_is_what_the_service_said_less_what_is_under_way() -> None:
    window = Window(share=0.5)
    assert window.left(0.0) is None
    window.sent()
    window.heard(Told(300, 250, 40), sent_at=0.0, now=0.1)
    assert window.left(0.2) == 250
    window.sent()
    assert window.left(0.3) == 249
    window.lost(0.4)
    assert window.left(0.5) == 249, "it may have been counted"
    assert window.left(41.0) == 300, "a new window"
