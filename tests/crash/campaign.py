"""One history, killed at one boundary after another, and held against its undisturbed run."""

from __future__ import annotations

import itertools
import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from crash.boundaries import Boundary, Kind, Point, When
from crash.frozen import Frozen
from crash.histories import Played, play
from crash.places import (
    Sides,
    check_at_once,
    check_nothing_is_left_over,
    check_plain_rules,
    check_state,
    differences,
    wait_until_quiet,
)
from crash.zygote import Ended, Order, Zygote
from engine.world import snapshot
from ubiops_file_sync.emulator import BucketServer

_PASSES = 2
"""Most that it may take after a kill until there is nothing left to do."""
_ONE_IN = 5
"""Of all points, those at which what comes after the kill is killed too, and planned dry."""
_TRIES = 3
"""Workers may meet in another order once, such as who of them makes a folder."""


@dataclass(frozen=True)
class Stand:
    """What all histories of a process share."""

    server: BucketServer
    zygote: Zygote
    folder: Path
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def play(self, number: int) -> Played:
        """A history, in places of its own."""
        home = self.folder / f"history-{number}-{next(self._numbers)}"
        return play(number, self.server, home, self.zygote.run)

    def freeze(self, played: Played) -> Frozen:
        """All places of a history as they are now."""
        home = played.world.root.parent
        return Frozen.of(home, home.with_suffix(".frozen"), self.server, home.name)


@dataclass
class Campaign:
    """A history, its undisturbed run, and every point at which that may be killed."""

    stand: Stand
    played: Played
    frozen: Frozen
    before: Sides
    passes: list[Ended]
    """The undisturbed ones, the first of which is the one to be killed."""
    whole: Sides
    """Where they end."""
    points: list[Point] = field(default_factory=list)

    @classmethod
    def of(cls, number: int, stand: Stand) -> Campaign:
        """Play the history, and its undisturbed run, twice."""
        played = stand.play(number)
        frozen = stand.freeze(played)
        before = Sides.of(played.world)
        passes = settled(played.order, stand.zygote)
        whole = Sides.of(played.world)
        campaign = cls(stand, played, frozen, before, passes, whole)
        check_plain_rules(played, before, whole)
        check_nothing_is_left_over(played.world)
        frozen.bring_back()
        again = settled(played.order, stand.zygote)
        campaign.points = points_of(passes[0].met, again[0].met)
        return campaign

    def close(self) -> None:
        """Give back the room that its places take."""
        shutil.rmtree(self.frozen.folder)
        shutil.rmtree(self.frozen.copy)
        self.stand.server.delete_bucket(self.frozen.bucket)

    @property
    def number_met(self) -> int:
        """Boundaries of the undisturbed pass."""
        return len(self.passes[0].met)

    def kill_at(self, point: Point, *, again: bool) -> None:
        """Be killed there, look at once, and go on to the end; with `again` die on the way too."""
        order, zygote = self.played.order, self.stand.zygote
        for _ in range(_TRIES):
            self.frozen.bring_back()
            if zygote.run(replace(order, kill_at=point)).was_killed:
                break
        else:
            raise AssertionError("the pass came to its end without meeting the point")
        self._look()
        if again:
            self._dry_run()
            dice = random.Random(str(point))
            for _ in range(2):
                zygote.run(replace(order, kill_at=dice.randrange(2 * self.number_met)))
                self._look()
        self._go_on()

    def _look(self) -> None:
        wait_until_quiet(self.stand.server)
        check_at_once(self.before, Sides.of(self.played.world), self.whole)
        check_state(self.played.world)

    def _dry_run(self) -> None:
        """It changes nothing, even where a transaction was cut short (I8)."""
        home = self.played.world.root.parent
        before = snapshot(home)
        self.stand.zygote.run(replace(self.played.order, is_plan=True))
        assert snapshot(home) == before, "I8"

    def _go_on(self) -> None:
        passes = settled(self.played.order, self.stand.zygote)
        end, whole = Sides.of(self.played.world), self.whole
        assert passes[-1].problems == self.passes[-1].problems, f"I5: {passes[-1].problems}"
        for name in ("local", "remote", "trash", "stamps", "in_step", "outside"):
            odd = differences(getattr(end, name), getattr(whole, name))
            assert not odd, f"I5: {name} is other than after an undisturbed run: {odd}"
        for key, created_us in whole.created_us.items():
            if created_us == self.before.created_us.get(key):
                assert end.created_us[key] == created_us, f"{key} was sent for nothing"
        check_nothing_is_left_over(self.played.world)


def settled(order: Order, zygote: Zygote) -> list[Ended]:
    """Passes until there is nothing left to do (I4)."""
    passes = [zygote.run(replace(order, then_plans=True))]
    most = _PASSES + (order.only is not None)
    while passes[-1].planned and len(passes) < most:
        passes.append(zygote.run(replace(order, only=None, then_plans=True)))
    assert passes[-1].planned == [], f"I4: left to do after {most} passes: {passes[-1].planned}"
    return passes


def points_of(*runs: Sequence[Boundary]) -> list[Point]:
    """Both sides of every boundary that all runs met, in the same order each time."""
    common = set(runs[0]).intersection(*runs[1:])
    return sorted(Point(one, when) for one in common for when in When)


def sample_of(points: Sequence[Point], number: int, count: int) -> list[Point]:
    """Some of a history's points: of other kinds from history to history, and any of a kind."""
    dice = random.Random(f"sample {number}")
    classes: dict[tuple[Kind, When], list[Point]] = {}
    for point in points:
        classes.setdefault((point.boundary.kind, point.when), []).append(point)
    turns = [(kind, when) for kind in Kind for when in When]
    first = number * count
    by_turn = [turns[(first + at) % len(turns)] for at in range(len(turns))]
    return [dice.choice(classes[turn]) for turn in by_turn if turn in classes][:count]


def die_again(points: Sequence[Point]) -> Iterator[tuple[Point, bool]]:
    """The points, each with whether what comes after it is to be killed as well."""
    for at, point in enumerate(points):
        yield point, at % _ONE_IN == 0
