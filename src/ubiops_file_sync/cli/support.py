"""`support-bundle`: what somebody needs who is to help, and a decision made a second time."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from ubiops_file_sync.cli.output import say, talk, warn
from ubiops_file_sync.cli.owner import act_as_owner
from ubiops_file_sync.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from ubiops_file_sync.support.replay import Replayed


@click.command(
    "support-bundle",
    epilog="""\b
Examples:
  ubiops-file-sync support-bundle
  ubiops-file-sync support-bundle for-them.zip --key weights/a.bin --hash-names
  ubiops-file-sync support-bundle --replay for-them.zip

\b
Exit codes: 0 written; with --replay, all decisions come out as they did; 1 one does not.
""",
)
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--key", "keys", multiple=True, metavar="KEY", help="Record the decision on KEY too.")
@click.option("--profile", "names", multiple=True, help="Only this profile; may be given again.")
@click.option("--hash-names", is_flag=True, help="Hide the names of files; leaves the logs out.")
@click.option(
    "--replay",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Make the decisions of a bundle again, and say whether they come out the same.",
)
@click.pass_obj
def support_bundle(
    config: Path | None,
    file: Path | None,
    *,
    keys: tuple[str, ...],
    names: tuple[str, ...],
    hash_names: bool,
    replay: Path | None,
) -> None:
    """Write FILE, a zip that only you may read, with what somebody needs who is to help.

    Versions, the configuration without its tokens, what doctor finds, how each profile is doing,
    its last passes, the last lines of the log, and the decision on each KEY and each problem of the
    last pass, with all that it rests on. No token and no content of a file. Changes nothing else,
    and costs 5 API calls a bucket and one or two a key.
    """
    if replay is not None:
        if file is not None or keys or names or hash_names:
            raise UsageError("--replay goes with nothing else; give it the bundle alone")
        _replay(replay)
    path = file or Path(f"ubiops-file-sync-support-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.zip")
    _write(config, path, keys, names, hash_names=hash_names)
    talk("look through it before you hand it to anybody: it is text throughout")
    say(str(path))


def _write(
    config: Path | None,
    path: Path,
    keys: tuple[str, ...],
    names: tuple[str, ...],
    *,
    hash_names: bool,
) -> None:
    from ubiops_file_sync.addresses import find_address
    from ubiops_file_sync.cli.config import origins_of
    from ubiops_file_sync.config import load_settings
    from ubiops_file_sync.doctor import of_no_configuration
    from ubiops_file_sync.logs import set_up
    from ubiops_file_sync.support.archive import write_bundle
    from ubiops_file_sync.support.bundle import Bundle, files_without_settings
    from ubiops_file_sync.support.names import HashedNames

    set_up()
    try:
        settings = load_settings(config)
    except ConfigError as error:
        warn(f"the configuration cannot be used: {error}")
        write_bundle(path, files_without_settings(error, of_no_configuration(error)))
        return
    profiles = settings.select(names)
    bundle = Bundle(
        settings=settings,
        origins=origins_of(config),
        profiles=profiles,
        keys=[find_address(key, profiles, Path.cwd()) for key in keys],
        env=os.environ,
        now_us=time.time_ns() // 1000,
        names=HashedNames() if hash_names else None,
    )

    def gathered() -> Iterator[tuple[str, str]]:
        # Once the file is open, which is to be of whoever asked for it.
        act_as_owner(settings, os.environ)
        yield from bundle.files()

    write_bundle(path, gathered())


def _replay(path: Path) -> NoReturn:
    from ubiops_file_sync.support.archive import read_decisions
    from ubiops_file_sync.support.replay import replay

    same = differ = 0
    for record in read_decisions(path):
        try:
            replayed = replay(record)
        except ValueError as error:
            raise UsageError(
                f"{path}: the decision on {record.key!r} makes no sense ({error})"
            ) from error
        differences = list(replayed.differences)
        same, differ = same + (not differences), differ + bool(differences)
        for line in _lines(replayed, differences):
            say(line)
    if not same and not differ:
        say("no decision is recorded in it; --key records one")
    else:
        say(f"{same} the same, {differ} different")
    sys.exit(1 if differ else 0)


def _lines(replayed: Replayed, differences: list[str]) -> Iterator[str]:
    from ubiops_file_sync.phrases import printable

    record = replayed.record
    then = f"{record.verdict.text}, because: {record.verdict.because}"
    yield printable(f"{record.profile}: {record.key}: {then}")
    for asked in record.verdict.asked:
        yield printable(f"  {asked.question} {asked.answer}: {asked.because}")
    if not differences:
        yield "  made again: the same"
    for difference in differences:
        yield printable(f"  made again: {difference}")
