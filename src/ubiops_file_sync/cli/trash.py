"""`trash list`: the versions that passes replaced or deleted."""

from __future__ import annotations

import sys
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ubiops_file_sync.cli.output import complain, say, say_json
from ubiops_file_sync.cli.versions import (
    human,
    read_settings,
    restorer_of,
    version_json,
    when,
    when_trashed,
)
from ubiops_file_sync.errors import SyncError

if TYPE_CHECKING:
    from ubiops_file_sync.config import Profile
    from ubiops_file_sync.local import Version
    from ubiops_file_sync.restore import Restorer


@click.group(short_help="List the versions that passes replaced or deleted.")
def trash() -> None:
    """The versions that passes replaced or deleted, and that can be put back."""


@trash.command(
    "list",
    epilog="""\b
Examples:
  ubiops-file-sync trash list
  ubiops-file-sync trash list reports/2026
  ubiops-file-sync trash list --profile models --json

\b
To put one of them back: ubiops-file-sync restore KEY --pass ID
To put back all of a pass: ubiops-file-sync undo ID
""",
)
@click.argument("prefix", metavar="[KEY-PREFIX]", default="")
@click.option("--profile", help="Only this profile.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def list_trash(config: Path | None, prefix: str, profile: str | None, *, as_json: bool) -> None:
    """Show what is in the trash, newest first, of keys that begin with KEY-PREFIX."""
    from ubiops_file_sync import report

    settings = read_settings(config)
    selected = settings.select([profile] if profile else [])
    documents: list[dict[str, Any]] = []
    for one in selected:
        zone = settings.zone(one)
        listing = _Listing(one, prefix, zone, as_json=as_json, named=len(selected) > 1)
        try:
            documents.append(listing.told(restorer_of(settings, one)))
        except SyncError as error:
            documents.append(
                {"profile": one.name, "error": str(error), "exit_code": error.exit_code}
            )
            complain(str(error))
    code = report.worst_exit_code(document["exit_code"] for document in documents)
    if as_json:
        say_json({"version": report.JSON_VERSION, "exit_code": code, "profiles": documents})
    sys.exit(code)


class _Listing:
    """One profile's versions, printed as they are found unless JSON was asked for."""

    def __init__(
        self, profile: Profile, prefix: str, zone: tzinfo | None, *, as_json: bool, named: bool
    ) -> None:
        self._profile = profile
        self._prefix = prefix
        self._zone = zone
        self._as_json = as_json
        self._named = named
        self._pass_id = ""
        self._versions: list[dict[str, Any]] = []
        self._problems: list[dict[str, str]] = []
        self._count = 0
        self._bytes = 0

    def told(self, restorer: Restorer) -> dict[str, Any]:
        """The JSON document; all has been printed that is for people."""
        from ubiops_file_sync.model import Unknown

        if self._named:
            self._say(f"{self._profile.name}: {self._profile.local_dir}")
        for found in restorer.versions(self._prefix):
            if isinstance(found, Unknown):
                self._tell_problem(found.key, found.reason)
            else:
                self._tell(found)
        self._tell_total()
        return {
            "profile": self._profile.name,
            "exit_code": 1 if self._problems else 0,
            "versions": self._versions,
            "problems": self._problems,
        }

    def _tell(self, version: Version) -> None:
        from ubiops_file_sync.phrases import printable

        self._count += 1
        self._bytes += version.size
        if self._as_json:
            self._versions.append(version_json(version))
            return
        if version.pass_id != self._pass_id:
            self._pass_id = version.pass_id
            say(f"pass {version.pass_id}, {when_trashed(version.pass_id, self._zone)}")
        say(
            f"  {human(version.size):>11}  {printable(version.key)}"
            f"  (last changed {when(version.mtime_ns, self._zone)})"
        )

    def _tell_problem(self, key: str, reason: str) -> None:
        from ubiops_file_sync.phrases import printable

        self._problems.append({"key": key, "message": reason})
        if not self._as_json:
            say(f"  problem: {printable(key)}: {reason}")

    def _tell_total(self) -> None:
        from ubiops_file_sync.phrases import counted

        below = " of such keys" if self._prefix else ""
        if not self._count:
            self._say(f"{self._profile.name}: no versions{below} in the trash")
            return
        kept = self._profile.trash
        self._say(
            f"{self._profile.name}: {counted(self._count, 'version')}{below}, "
            f"{human(self._bytes)}; kept for {counted(kept.keep_days, 'day')}, the oldest less "
            f"long once there are {human(kept.max_size)}"
        )

    def _say(self, line: str) -> None:
        if not self._as_json:
            say(line)
