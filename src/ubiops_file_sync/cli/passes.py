"""`reconcile`, `plan` and `apply`: passes over profiles, done or only shown."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ubiops_file_sync.cli import turns
from ubiops_file_sync.cli.output import loudness, say
from ubiops_file_sync.errors import SyncError, UsageError

if TYPE_CHECKING:
    from ubiops_file_sync.compare import Plan
    from ubiops_file_sync.config import Profile, Settings
    from ubiops_file_sync.model import Report
    from ubiops_file_sync.saved_plan import SavedPlan

EXIT_SOMETHING_TO_DO = 10

_ALLOW = click.option(
    "--allow",
    multiple=True,
    metavar="GUARD",
    help="Let this pass go on where the named guard would halt it; the halt's message names it.",
)


@click.command(
    short_help="Bring profiles in step: one pass over each.",
    epilog="""\b
Examples:
  ubiops-file-sync reconcile
  ubiops-file-sync reconcile models datasets
  ubiops-file-sync reconcile --dry-run
""",
)
@click.argument("profiles", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Change nothing; show what would be done.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@_ALLOW
@click.pass_obj
def reconcile(
    config: Path | None,
    profiles: tuple[str, ...],
    *,
    allow: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Bring PROFILES (default: all that are enabled) in step: one pass over each."""
    settings = turns.settings_of(config)

    if not dry_run:
        turns.log_passes(settings)

    def turn(profile: Profile) -> dict[str, Any]:
        mine = _Turn(profile, settings, allow, as_json=as_json)
        return mine.planned() if dry_run else mine.reconciled()

    documents = turns.take_turns(settings.select_to_run(profiles), turn, as_json=as_json)
    _finish(documents, as_json=as_json)


@click.command(
    short_help="Do what a saved plan says, and nothing else.",
    epilog="""\b
Examples:
  ubiops-file-sync plan models --save models.plan
  ubiops-file-sync apply models.plan
""",
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@_ALLOW
@click.pass_obj
def apply(config: Path | None, file: Path, *, allow: tuple[str, ...], as_json: bool) -> None:
    """Do what 'plan --save FILE' wrote down, and nothing else.

    What changed since is left alone, file by file, and reported. Both sides are compared anew.
    """
    from ubiops_file_sync.saved_plan import load_plan

    settings = turns.settings_of(config)
    turns.log_passes(settings)
    with load_plan(file) as saved:

        def turn(profile: Profile) -> dict[str, Any]:
            return _Turn(profile, settings, allow, as_json=as_json).applied(saved)

        documents = turns.take_turns(settings.select((saved.profile,)), turn, as_json=as_json)
    _finish(documents, as_json=as_json)


@click.command(
    short_help="Show what a pass would do, and why.",
    epilog="""\b
Examples:
  ubiops-file-sync plan
  ubiops-file-sync plan models --all
  ubiops-file-sync plan models --detailed-exitcode
  ubiops-file-sync plan models --save models.plan
""",
)
@click.argument("profiles", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--all", "show_all", is_flag=True, help="Show each action, however many there are.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 10 if there is something to do.")
@click.option(
    "--save",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write the plan to FILE, for 'apply'. Nothing is overwritten without --force.",
)
@click.option("--force", is_flag=True, help="With --save: overwrite FILE.")
@_ALLOW
@click.pass_obj
def plan(
    config: Path | None,
    profiles: tuple[str, ...],
    *,
    allow: tuple[str, ...],
    as_json: bool,
    show_all: bool,
    detailed_exitcode: bool,
    save: Path | None,
    force: bool,
) -> None:
    """Show what a pass over PROFILES (default: all that are enabled) would do, and why.

    Changes nothing. More than 50 actions are summed up by reason and by folder.
    """
    loudness.verbose |= show_all
    settings = turns.settings_of(config)
    selected = settings.select_to_run(profiles)
    if save is not None:
        _require_one(selected, save, force=force)

    def turn(profile: Profile) -> dict[str, Any]:
        mine = _Turn(profile, settings, allow, as_json=as_json)
        return mine.planned(save, force=force)

    documents = turns.take_turns(selected, turn, as_json=as_json)
    _finish(documents, as_json=as_json, detailed=detailed_exitcode)


def _require_one(profiles: list[Profile], save: Path, *, force: bool) -> None:
    """A saved plan is of one profile, and stands where nothing else does."""
    from ubiops_file_sync.saved_plan import require_free

    if len(profiles) != 1:
        names = ", ".join(profile.name for profile in profiles)
        raise UsageError(f"--save takes the plan of one profile; name one of {names}")
    require_free(save, profiles[0], force=force)


def _finish(documents: list[dict[str, Any]], *, as_json: bool, detailed: bool = False) -> None:
    code = turns.worst_of(documents)
    if detailed and code == 0 and any(document["planned"] for document in documents):
        code = EXIT_SOMETHING_TO_DO
    turns.end(documents, code, as_json=as_json)


class _Turn:
    """One profile's turn: run it, and say how it went unless JSON was asked for."""

    def __init__(
        self, profile: Profile, settings: Settings, allow: tuple[str, ...], *, as_json: bool
    ) -> None:
        from ubiops_file_sync.bucket.quota import quota_for
        from ubiops_file_sync.bucket.traffic import Traffic
        from ubiops_file_sync.logs import LogOutcomes
        from ubiops_file_sync.past import Trigger
        from ubiops_file_sync.progress import AllOf
        from ubiops_file_sync.reconcile import Reconciler
        from ubiops_file_sync.terminal import progress_for

        self._profile = profile
        self._as_json = as_json
        is_logged = settings.log.file is not None or loudness.verbose
        self._log = LogOutcomes() if is_logged else None
        traffic = Traffic()
        quota = quota_for(profile.api_host, profile.quota_share)
        progress = progress_for(sys.stderr, traffic, lambda: quota.wait_s, quiet=loudness.quiet)
        self._reconciler = Reconciler(
            profile,
            settings.state_dir,
            env=os.environ,
            progress=progress if self._log is None else AllOf(progress, self._log),
            allow=allow,
            traffic=traffic,
            trigger=Trigger.COMMAND,
            history_days=settings.history_days,
        )

    def reconciled(self) -> dict[str, Any]:
        return self._told(self._reconciler.run)

    def applied(self, saved: SavedPlan) -> dict[str, Any]:
        return self._told(lambda: self._reconciler.apply(saved))

    def _told(self, work: Callable[[], Report]) -> dict[str, Any]:
        from ubiops_file_sync import report

        try:
            done = work()
        except SyncError as error:
            if self._log is not None:
                self._log.failed(self._profile.name, error)
            raise
        if self._log is not None:
            self._log.finished(done)
        if not self._as_json:
            lines = report.trouble_lines if loudness.quiet else report.report_lines
            for line in lines(done, _most_lines()):
                say(line)
        return report.report_json(done)

    def planned(self, save: Path | None = None, *, force: bool = False) -> dict[str, Any]:
        """What a pass would do; saved as `save`, if that is given."""
        from ubiops_file_sync import report

        with self._reconciler.plan() as (found, told):
            document = report.report_json(told)
            if save is not None:
                self._save(found, save, force=force)
                document["saved"] = str(save)
            if self._as_json:
                document["actions"] = [report.action_json(a) for a in found.spool.actions()]
                return document
            if loudness.quiet:
                lines = report.trouble_lines(told, _most_lines())
            else:
                lines = self._plan_lines(found, told)
            for line in lines:
                say(line)
            if save is not None and not loudness.quiet:
                say(f"  saved; to do just this: ubiops-file-sync apply {shlex.quote(str(save))}")
        return document

    def _plan_lines(self, found: Plan, told: Report) -> Iterator[str]:
        from ubiops_file_sync import report

        profile = self._profile
        yield (
            f"{profile.name}: {profile.local_dir} and "
            f"{profile.project}/{profile.bucket}/{profile.prefix}"
        )
        count = found.summary.action_count
        if count <= _most_lines():
            yield from map(report.action_line, found.spool.actions())
        else:
            yield from report.outline_lines(found.spool.outline(report.MOST_FOLDERS))
            name = shlex.quote(profile.name)
            yield f"  each of the {count:,} by itself: ubiops-file-sync plan {name} --all"
        yield from report.problem_lines(told, _most_lines())
        yield from report.plan_lines(told)

    def _save(self, found: Plan, save: Path, *, force: bool) -> None:
        from ubiops_file_sync.places import identity
        from ubiops_file_sync.saved_plan import save_plan

        profile, counts = self._profile, found.summary.actions
        save_plan(save, profile, identity(profile), found.spool.actions(), counts, force=force)


def _most_lines() -> int:
    """How many actions, or problems, are shown one by one."""
    from ubiops_file_sync.report import MOST_LINES

    return sys.maxsize if loudness.verbose else MOST_LINES
