"""Whose turn it is: each profile's place in the service. No thread, no I/O, and no clock but what
is passed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ubiops_file_sync.config import Profile
from ubiops_file_sync.schedule import Clocks, Due, Timing


@dataclass(slots=True)
class Lane:
    """One profile. Its passes follow one another and never overlap."""

    profile: Profile
    timing: Timing
    due: Due
    failures: int = 0
    """Passes in a row that were broken off."""
    is_running: bool = False
    is_wanted: bool = False
    """Somebody asked for a pass, whatever the schedule says."""
    is_paused: bool = False
    paused_until: datetime | None = None
    """Aware, in UTC; None: until somebody resumes it, if it is paused."""
    is_retired: bool = False
    """No longer in the configuration; its pass under way is the last."""
    last_exit_code: int | None = None
    """Of the last pass of this service; None: there was none."""
    last_error: str | None = None
    """Why that pass was broken off; None: it was not."""
    _began_wanted: bool = field(default=False, init=False)

    def is_ready(self, now: Clocks) -> bool:
        """Whether a pass is to begin."""
        if self.is_running:
            return False
        return self.is_wanted or (not self.is_paused and self.due.wait_s(now) == 0)

    def begin(self) -> None:
        """A pass begins."""
        self.is_running = True
        self._began_wanted, self.is_wanted = self.is_wanted, False

    def end(self, now: Clocks, chance: float, exit_code: int, error: str | None) -> None:
        """The pass has ended, well or not; `error`: why it was broken off.

        Only passes that were broken off count as failures. A file that fails for ever, for its name
        is refused, must not hold up all others.
        """
        self.is_running = False
        self.failures = 0 if error is None else self.failures + 1
        self.last_exit_code, self.last_error = exit_code, error
        self._plan(now, chance)

    def pass_over(self, now: Clocks, chance: float) -> None:
        """The pass did not take place, for somebody else holds the profile: the next tick, then."""
        self.is_running = False
        self._plan(now, chance)

    def _plan(self, now: Clocks, chance: float) -> None:
        self.due = self.timing.after_pass(
            self.due, now, chance, self.failures, triggered=self._began_wanted
        )

    def pause(self, until: datetime | None) -> None:
        """No pass by schedule from now on; one under way goes on."""
        self.is_paused, self.paused_until = True, until

    def resume(self, now: Clocks, chance: float) -> None:
        """Back to the schedule, from now on."""
        if self.is_paused:
            self.is_paused, self.paused_until = False, None
            self.due = self.timing.from_now(now, chance, self.failures)

    def revise(self, now: Clocks, chance: float) -> None:
        """Heed what became of the clocks, and whether a pause is over."""
        if self.is_paused and self.paused_until is not None and now.wall >= self.paused_until:
            self.resume(now, chance)
        self.due = self.timing.revised(self.due, now)

    def wait_s(self, now: Clocks) -> float | None:
        """Seconds until something happens by itself; None: nothing does before the pass has ended,
        or before somebody asks."""
        if self.is_running:
            return None
        if not self.is_paused:
            return self.due.wait_s(now)
        if self.paused_until is None:
            return None
        return max(0.0, (self.paused_until - now.wall).total_seconds())


@dataclass(slots=True)
class Lanes:
    """All profiles of the service."""

    at_once: int
    """Passes that may be under way at the same time."""
    chance: Callable[[], float]
    """A random number from 0 up to 1, for the jitter."""
    by_name: dict[str, Lane] = field(default_factory=dict)

    @property
    def running(self) -> list[Lane]:
        """Those with a pass under way."""
        return [lane for lane in self.by_name.values() if lane.is_running]

    def ready(self, now: Clocks) -> list[Lane]:
        """Those whose pass is to begin, as far as there is room: who waited longest comes first."""
        for lane in self.by_name.values():
            lane.revise(now, self.chance())
        ready = [lane for lane in self.by_name.values() if lane.is_ready(now)]
        ready.sort(key=lambda lane: (not lane.is_wanted, lane.due.tick.steady_s))
        return ready[: max(0, self.at_once - len(self.running))]

    def wait_s(self, now: Clocks) -> float | None:
        """Seconds until the first of them is to be looked at again; None: nothing is waited for."""
        if len(self.running) >= self.at_once:
            return None  # Whatever comes has to wait for one of those.
        waits = (lane.wait_s(now) for lane in self.by_name.values())
        return min((wait_s for wait_s in waits if wait_s is not None), default=None)

    def ended(self, lane: Lane) -> None:
        """Forget a lane whose last pass has ended."""
        if lane.is_retired and self.by_name.get(lane.profile.name) is lane:
            del self.by_name[lane.profile.name]

    def set_up(
        self,
        wanted: Iterable[tuple[Profile, Timing]],
        now: Clocks,
        paused: Mapping[str, datetime | None],
    ) -> list[str]:
        """Have exactly these profiles; what changed, a line each.

        Those that are the same as before do not notice; one that changed keeps its pass under way,
        its failures and its pause, and is planned anew. `paused`: who is paused at the start, until
        when (None: until resumed).
        """
        changes: list[str] = []
        new = {profile.name: (profile, timing) for profile, timing in wanted}
        for name, lane in list(self.by_name.items()):
            if name not in new:
                changes.append(f"{name} is no longer run")
                lane.is_retired, lane.is_wanted = True, False
                lane.pause(None)
                if not lane.is_running:
                    del self.by_name[name]
        for name, (profile, timing) in new.items():
            known = self.by_name.get(name)
            if known is None:
                changes.append(f"{name} is run from now on")
                self.by_name[name] = self._new(profile, timing, now, paused)
            elif known.is_retired or (known.profile, known.timing) != (profile, timing):
                changes.append(f"{name} has changed")
                self._change(known, profile, timing, now)
        return changes

    def _new(
        self, profile: Profile, timing: Timing, now: Clocks, paused: Mapping[str, datetime | None]
    ) -> Lane:
        lane = Lane(profile, timing, timing.at_start(now, self.chance()))
        if profile.name in paused:
            lane.pause(paused[profile.name])
        return lane

    def _change(self, lane: Lane, profile: Profile, timing: Timing, now: Clocks) -> None:
        lane.profile = profile
        if lane.is_retired:
            lane.is_retired, lane.is_paused = False, False
        elif lane.timing == timing:
            return
        lane.timing = timing
        lane.due = timing.from_now(now, self.chance(), lane.failures)
