"""`restore`: one version, put back from the trash."""

from __future__ import annotations

from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ubiops_file_sync.cli.output import say, say_json
from ubiops_file_sync.cli.versions import (
    ambiguous,
    ask,
    human,
    listed,
    read_settings,
    version_json,
    what_next,
    when,
)
from ubiops_file_sync.errors import SyncError, UsageError

if TYPE_CHECKING:
    from ubiops_file_sync.config import Settings
    from ubiops_file_sync.local import Version
    from ubiops_file_sync.restore import Restorer


@click.command(
    short_help="Put one version of a file back from the trash.",
    epilog="""\b
Examples:
  ubiops-file-sync restore reports/a.csv
  ubiops-file-sync restore reports/a.csv --pass 20261123T042015Z-ab12cd
  ubiops-file-sync restore reports/a.csv --to /tmp/a-as-it-was.csv

\b
In its own place the file counts as changed just now, whatever its age, so that the next pass
takes it to the bucket. With --to it keeps its own time.
""",
)
@click.argument("key")
@click.option("--profile", help="The profile; needed only if several hold such a version.")
@click.option("--pass", "pass_id", metavar="ID", help="The version of this pass, not the newest.")
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    help="Write a copy there, and leave the file in its place. Never overwrites.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def restore(
    config: Path | None,
    key: str,
    profile: str | None,
    pass_id: str | None,
    to: Path | None,
    *,
    as_json: bool,
) -> None:
    """Put a version of KEY back from the trash; the file that stands there goes to the trash."""
    settings = read_settings(config)
    restorer, version = _find_version(settings, profile, key, pass_id)
    turn = _Restoration(restorer, version, settings.zone(restorer.profile))
    told = turn.put_back() if to is None else turn.copied(to)
    if as_json:
        say_json(_document(restorer, version, told))
        return
    for line in told.lines:
        say(line)


class _Told(NamedTuple):
    """What came of it."""

    lines: list[str]
    done: str
    """A `Fate`, or `copied`."""
    target: Path | None = None
    kept_under: str | None = None


class _Restoration:
    """One version that is put back, or copied out."""

    def __init__(self, restorer: Restorer, version: Version, zone: tzinfo | None) -> None:
        self._restorer = restorer
        self._version = version
        self._zone = zone

    def copied(self, to: Path) -> _Told:
        """Write a copy to a place of its own."""
        target = to / Path(self._version.key).name if to.is_dir() else to
        self._restorer.copy_out(self._version, target)
        where = click.format_filename(target)
        name = self._restorer.profile.name
        return _Told([f"{name}: copied {self._named()} to {where}"], "copied", target)

    def put_back(self) -> _Told:
        """Put it in its own place. Raises `SyncError` if that fails."""
        from ubiops_file_sync.phrases import printable
        from ubiops_file_sync.restore import Fate

        step = self._restorer.put_back(self._version)
        name, key = self._restorer.profile.name, printable(self._version.key)
        if step.fate is Fate.FAILED:
            raise SyncError(f"profile {name!r}: {key} was not put back: {step.why}")
        if step.fate is Fate.AS_THEN:
            line = f"{name}: {key} holds that content already; nothing was changed"
            return _Told([line], Fate.AS_THEN.value)
        lines = [f"{name}: put back {self._named()}"]
        if step.kept_under is not None:
            lines.append(f"  the file that stood there is in the trash as pass {step.kept_under}")
        lines.append(f"  {what_next(self._restorer, [step.next_verb])}")
        return _Told(lines, Fate.PUT_BACK.value, kept_under=step.kept_under)

    def _named(self) -> str:
        from ubiops_file_sync.phrases import printable

        version = self._version
        return (
            f"{printable(version.key)} ({human(version.size)}, last changed "
            f"{when(version.mtime_ns, self._zone)}) from pass {version.pass_id}"
        )


def _document(restorer: Restorer, version: Version, told: _Told) -> dict[str, Any]:
    from ubiops_file_sync.report import JSON_VERSION

    return {
        "version": JSON_VERSION,
        "exit_code": 0,
        "profile": restorer.profile.name,
        "restored": version_json(version),
        "done": told.done,
        "target": None if told.target is None else str(told.target),
        "kept_under": told.kept_under,
    }


def _find_version(
    settings: Settings, profile: str | None, key: str, pass_id: str | None
) -> tuple[Restorer, Version]:
    """The version that is meant, and whose it is. Raises `UsageError` where that is not clear."""
    from ubiops_file_sync.phrases import printable

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
