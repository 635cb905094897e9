"""Bad input of every kind: no traceback, no write outside of the root.

Inputs are good ones that something was done to, so that they get beyond the first check. The
campaign that looks for coverage is `python -m fuzz`.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from fuzz import seeds
from fuzz.ground import hostile, profile, reconciler, surroundings
from fuzz.hostile import SEPARATOR
from fuzz.judge import heard
from fuzz.mutations import mutated
from fuzz.targets import TARGETS
from ubiops_file_sync.model import Verb

EXAMPLES = {"argument": 40, "saved_plan": 80, "service_answer": 80, "small_file": 80, "state": 50}
"""Of those whose inputs go through many commands; the others take more in less time."""
USUAL = 200


EXPECTED = {
    "argument": ("the trash has no version of a", "the trash is empty", "there is no profile 'a'"),
    "small_file": ("no service is running",),
}
"""What even the best of inputs lead to."""


def refused(name: str, data: bytes) -> list[str]:
    """What of an input was refused, in words for people, besides what is expected of any."""
    heard.clear()
    TARGETS[name].run(data)
    expected = EXPECTED.get(name, ())
    return [words for words in heard if not any(one in words for one in expected)]


@pytest.mark.parametrize("name", TARGETS)
def test_good_input_is_let_through(name: str) -> None:
    """What is made of it would else never get beyond the first check."""
    assert [] in [refused(name, seed) for seed in TARGETS[name].seeds()]


def test_good_pages_lead_to_downloads() -> None:
    hostile().serve_pages(seeds.pages()[1].split(SEPARATOR))
    with surroundings() as place:
        report = reconciler(place, profile(place, hostile().api_host)).run()
        # But for `d`, which is a folder here.
        assert report.done == {Verb.DOWNLOAD: 3}
        assert {path.name for path in place.root.iterdir() if path.is_file()} >= {"a", "b", "c"}


@pytest.mark.parametrize("name", TARGETS)
def test_bad_input_is_refused_in_words(name: str) -> None:
    target = TARGETS[name]

    @settings(
        max_examples=EXAMPLES.get(name, USUAL),
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(mutated(target.seeds(), target.words))
    def run(data: bytes) -> None:
        target.run(data)

    run()


def test_good_answers_lead_to_the_end_of_a_pass() -> None:
    """Else what is made of them would never get beyond the first check."""
    hostile().play(seeds.answers()[0].split(SEPARATOR))
    with surroundings() as place:
        (place.root / "up").write_bytes(b"12")
        report = reconciler(place, profile(place, hostile().api_host, workers=1)).run()
        assert (report.bytes_down, report.bytes_up) == (2, 2)
        assert (place.root / "down").read_bytes() == b"22"
