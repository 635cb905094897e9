"""What a pass tells while it runs. The default tells nobody."""

from __future__ import annotations

from ubiops_file_sync.model import Outcome, PlanSummary, Settled


class Progress:
    """Told of a pass as it goes on, always from the thread that runs the pass."""

    def began(self, profile: str, pass_id: str) -> None:
        """A pass over a profile begins that may change things; nobody else has one under way."""

    def comparing(self, profile: str) -> None:
        """The two sides of a profile are being listed."""

    def compared(self, summary: PlanSummary) -> None:
        """More of both sides has been compared; `summary` counts on."""

    def planned(self, summary: PlanSummary) -> None:
        """The plan is complete, and its actions begin."""

    def did(self, outcome: Outcome) -> None:
        """An action has ended, well or not."""

    def settled(self, some: Settled) -> None:
        """Many actions have ended well that only wrote the baseline; `did` is not told of them."""

    def settling(self, files: int, seconds: float) -> None:
        """Some files are fresh, and are looked at again after a while."""

    def confirming(self, uploads: int) -> None:
        """The bucket is asked what it stored."""

    def ended(self) -> None:
        """The pass is over."""


class AllOf(Progress):
    """Tells several, in their order."""

    def __init__(self, *those: Progress) -> None:
        self._those = those

    def began(self, profile: str, pass_id: str) -> None:
        """Tell them."""
        for one in self._those:
            one.began(profile, pass_id)

    def comparing(self, profile: str) -> None:
        """Tell them."""
        for one in self._those:
            one.comparing(profile)

    def compared(self, summary: PlanSummary) -> None:
        """Tell them."""
        for one in self._those:
            one.compared(summary)

    def planned(self, summary: PlanSummary) -> None:
        """Tell them."""
        for one in self._those:
            one.planned(summary)

    def did(self, outcome: Outcome) -> None:
        """Tell them."""
        for one in self._those:
            one.did(outcome)

    def settled(self, some: Settled) -> None:
        """Tell them."""
        for one in self._those:
            one.settled(some)

    def settling(self, files: int, seconds: float) -> None:
        """Tell them."""
        for one in self._those:
            one.settling(files, seconds)

    def confirming(self, uploads: int) -> None:
        """Tell them."""
        for one in self._those:
            one.confirming(uploads)

    def ended(self) -> None:
        """Tell them."""
        for one in self._those:
            one.ended()
