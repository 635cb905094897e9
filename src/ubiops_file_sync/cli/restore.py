"""`restore`: one version, put back from the trash."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ubiops_file_sync.cli.versions import (
    ambiguous,
    ask,
    human,
    listed,
    read_settings,
    what_next,
    when,
)
from ubiops_file_sync.errors import SyncError, UsageError

if TYPE_CHECKING:
    from ubiops_file_sync.config import Settings
    from ubiops_file_sync.local import Version
    from ubiops_file_sync.restore import Restorer


@click.command(
    epilog="""\b
Examples:
  ubiops-file-sync restore reports/a.csv
  ubiops-file-sync restore reports/a.csv --pass 20261123T042015Z-ab12cd
  ubiops-file-sync restore reports/a.csv --to /tmp/a-as-it-was.csv

\b
In its own place the file counts as changed just now, whatever its age, so that the next pass
takes it to the bucket. With --to it keeps its own time.
"""
)
@click.argument("key")
@click.option("--profile", help="The profile; needed only if several hold such a version.")
@click.option("--pass", "pass_id", metavar="ID", help="The version of this pass, not the newest.")
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    help="Write a copy there, and leave the file in its place. Never overwrites.",
)
@click.pass_obj
def restore(
    config: Path | None, key: str, profile: str | None, pass_id: str | None, to: Path | None
) -> None:
    """Put a version of KEY back from the trash; the file that stands there goes to the trash."""
    settings = read_settings(config)
    restorer, version = _find_version(settings, profile, key, pass_id)
    if to is None:
        _restore_in_place(restorer, version)
    else:
        target = to / Path(key).name if to.is_dir() else to
        restorer.copy_out(version, target)
        where = click.format_filename(target)
        click.echo(f"{restorer.profile.name}: copied {_named(version)} to {where}")


def _restore_in_place(restorer: Restorer, version: Version) -> None:
    from ubiops_file_sync.report import printable
    from ubiops_file_sync.restore import Fate

    step = restorer.put_back(version)
    name, key = restorer.profile.name, printable(version.key)
    if step.fate is Fate.FAILED:
        raise SyncError(f"profile {name!r}: {key} was not put back: {step.why}")
    if step.fate is Fate.AS_THEN:
        click.echo(f"{name}: {key} holds that content already; nothing was changed")
        return
    click.echo(f"{name}: put back {_named(version)}")
    if step.kept_under is not None:
        click.echo(f"  the file that stood there is in the trash as pass {step.kept_under}")
    click.echo(f"  {what_next(restorer, [step.next_verb])}")


def _named(version: Version) -> str:
    from ubiops_file_sync.report import printable

    return (
        f"{printable(version.key)} ({human(version.size)}, last changed {when(version.mtime_ns)}) "
        f"from pass {version.pass_id}"
    )


def _find_version(
    settings: Settings, profile: str | None, key: str, pass_id: str | None
) -> tuple[Restorer, Version]:
    """The version that is meant, and whose it is. Raises `UsageError` where that is not clear."""
    from ubiops_file_sync.report import printable

    def newest(restorer: Restorer) -> Version | None:
        if pass_id is not None:
            return restorer.find(pass_id, key)
        return next(iter(restorer.history(key)), None)

    found = [(restorer, version) for restorer, version in ask(settings, profile, newest) if version]
    if len(found) == 1:
        return found[0]
    shown = printable(key)
    if found:
        raise UsageError(ambiguous(f"a version of {shown}", [one for one, _ in found]))
    histories = ask(settings, profile, lambda restorer: restorer.history(key))
    passes = [version.pass_id for _, history in histories for version in history]
    if passes:
        raise UsageError(
            f"pass {printable(pass_id or '')} has no version of {shown} in the trash; "
            f"{listed(passes)}"
        )
    raise UsageError(
        f"the trash has no version of {shown}; see what it has: ubiops-file-sync trash list"
    )
