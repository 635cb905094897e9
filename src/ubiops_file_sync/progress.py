"""What a pass tells while it runs. The default tells nobody."""

from __future__ import annotations

from ubiops_file_sync.model import Outcome, PlanSummary


class Progress:
    """Told of a pass as it goes on, always from the thread that runs the pass."""

    def comparing(self, profile: str) -> None:
        """The two sides of a profile are being listed."""

    def compared(self, summary: PlanSummary) -> None:
        """More of both sides has been compared; `summary` counts on."""

    def planned(self, summary: PlanSummary) -> None:
        """The plan is complete, and its actions begin."""

    def did(self, outcome: Outcome) -> None:
        """An action has ended, well or not."""

    def settling(self, files: int, seconds: float) -> None:
        """Some files are fresh, and are looked at again after a while."""

    def confirming(self, uploads: int) -> None:
        """The bucket is asked what it stored."""

    def ended(self) -> None:
        """The pass is over."""
