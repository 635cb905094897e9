"""`install-service`: units for systemd, with the paths of one configuration."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ubiops_file_sync.cli.output import say, warn
from ubiops_file_sync.errors import UsageError

if TYPE_CHECKING:
    from ubiops_file_sync.service.install import Service


@click.command(
    "install-service",
    epilog="""\b
Examples:
  ubiops-file-sync install-service --dry-run     show the units; change nothing
  sudo ubiops-file-sync install-service          for the machine
  ubiops-file-sync install-service --user        for your own systemd
""",
)
@click.option("--user", "for_user", is_flag=True, help="For your own systemd, not the machine's.")
@click.option("--dry-run", is_flag=True, help="Print the files, and change nothing.")
@click.option("--force", is_flag=True, help="Overwrite units that differ.")
@click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write below this folder, the root of an image.",
    hidden=True,
)
@click.pass_obj
def install_service(
    config: Path | None, *, for_user: bool, dry_run: bool, force: bool, root: Path | None
) -> None:
    """Write units for systemd, with the paths that the configuration names.

    Starts nothing, and changes nothing else: what is left to do is printed, command by command.
    """
    from ubiops_file_sync.service.install import SYSTEM_FOLDERS, user_folders, write_files
    from ubiops_file_sync.service.next_steps import obstacles
    from ubiops_file_sync.service.units import SERVICE

    service = _service(config, for_user=for_user)
    folders = user_folders(os.environ) if for_user else SYSTEM_FOLDERS
    if root is not None:
        folders = folders.below(root)
    files = service.files(folders)
    for warning in (*service.settings.warnings, *obstacles(service)):
        warn(warning)
    if dry_run:
        for path, text in files.items():
            say(f"# ---- {path}\n{text}")
        return
    if not for_user and root is None and os.geteuid() != 0:
        raise UsageError(
            "units for the machine are root's; run it with sudo "
            f"(sudo {service.program[0]} --config {service.config} install-service), or with "
            "--user for your own systemd, which then runs it as you"
        )
    is_new = not os.path.lexists(folders.units / SERVICE)
    written = write_files(files, force=force)
    _tell(service, list(files), written, is_new=is_new)


def _service(config: Path | None, *, for_user: bool) -> Service:
    """What the configuration says to a service that systemd runs. Raises `SyncError`."""
    from ubiops_file_sync.config import SYSTEM_STATE_DIR, find_config, load_settings
    from ubiops_file_sync.service.install import Service, called_as

    env = {name: value for name, value in os.environ.items() if name != "STATE_DIRECTORY"}
    found = find_config(config, env, Path.cwd())
    if found is None:
        raise UsageError(
            "a service needs a file to read its profiles from; write one, such as "
            "/etc/ubiops-file-sync/config.yaml, or name it with --config PATH"
        )
    by_hand = load_settings(found, env)
    of_service = {**env, "STATE_DIRECTORY": str(SYSTEM_STATE_DIR)}
    return Service(
        settings=by_hand if for_user else load_settings(found, of_service),
        config=Path(os.path.abspath(found)),  # noqa: PTH100  a link in it stays one
        program=called_as(sys.argv[0]),
        env=env,
        for_user=for_user,
        state_dir_by_hand=by_hand.state_dir,
    )


def _tell(service: Service, files: list[Path], written: list[Path], *, is_new: bool) -> None:
    from ubiops_file_sync.service.next_steps import next_commands

    for path in files:
        say(f"{'written' if path in written else 'as it was'}: {path}")
    say("\nWhat is left to do:\n" if service.for_user else "\nWhat is left to do, as root:\n")
    for command in next_commands(service, is_new=is_new):
        say(f"  {command}")
