"""Progress as a person sees it on a terminal; silence everywhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from ubiops_file_sync.model import Outcome, PlanSummary
from ubiops_file_sync.progress import Progress
from ubiops_file_sync.report import forecast, printable

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID


def progress_for(stream: TextIO) -> Progress:
    """Bars if `stream` is a terminal, else a progress that says next to nothing."""
    return TerminalProgress(stream) if stream.isatty() else LogProgress(stream)


class LogProgress(Progress):
    """Silent, but for a pass that will keep whoever reads the log waiting."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._profile = ""

    def comparing(self, profile: str) -> None:
        """Remember whom it is about."""
        self._profile = profile

    def planned(self, summary: PlanSummary) -> None:
        """Say how long it takes, if that is a minute or more."""
        if summary.minutes:
            self._stream.write(f"{self._profile}: {forecast(summary)}\n")
            self._stream.flush()


class TerminalProgress(Progress):
    """A line that counts while the sides are compared, then a bar of files and bytes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._profile = ""
        self._bars: Bars | None = None
        self._task: TaskID | None = None

    def comparing(self, profile: str) -> None:
        """Begin anew for a profile."""
        from rich.console import Console
        from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        self.ended()
        self._profile = profile
        self._bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[counts]}", markup=False),
            TimeElapsedColumn(),
            console=Console(file=self._stream),
            transient=True,
        )
        self._bars.start()
        self._task = self._bars.add_task(f"{profile}: comparing", total=None, counts="")

    def compared(self, summary: PlanSummary) -> None:
        """Show how far the comparison has come."""
        self._show(
            counts=f"{summary.local_files:,} files here, {summary.remote_files:,} in the bucket"
        )

    def planned(self, summary: PlanSummary) -> None:
        """Turn to the actions, and say how long they take, if that is a minute or more."""
        if self._bars is not None and summary.minutes:
            self._bars.console.print(f"{self._profile}: {forecast(summary)}", markup=False)
        self._show(description="files", total=summary.action_count, completed=0, counts="")

    def did(self, outcome: Outcome) -> None:
        """One more."""
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, advance=1, counts=printable(outcome.action.key)[-40:])

    def settling(self, files: int, seconds: float) -> None:
        """Say why it waits."""
        self._show(counts=f"waiting {seconds:g} s for {files:,} fresh files to come to rest")

    def confirming(self, uploads: int) -> None:
        """Say what the last calls are for."""
        self._show(counts=f"asking the bucket about {uploads:,} uploads")

    def ended(self) -> None:
        """Leave the terminal as it was."""
        if self._bars is not None:
            self._bars.stop()
        self._bars = self._task = None

    def _show(self, **changes: object) -> None:
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, **changes)  # type: ignore[arg-type]  # rich's own names
