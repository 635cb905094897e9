"""What `trash`, `restore` and `undo` share: whose versions are meant, and how they are told of."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ubiops_file_sync.cli import turns
from ubiops_file_sync.cli.output import warn
from ubiops_file_sync.errors import SyncError
from ubiops_file_sync.model import Verb

if TYPE_CHECKING:
    from ubiops_file_sync.config import Profile, Settings
    from ubiops_file_sync.local import Version
    from ubiops_file_sync.restore import Restorer

_MOST_LISTED = 20
"""Passes that a message lists at most; `trash list` has them all."""

Found = TypeVar("Found")


def read_settings(config: Path | None) -> Settings:
    """The settings; what they warn of is told."""
    return turns.settings_of(config)


def restorer_of(settings: Settings, profile: Profile) -> Restorer:
    """What reads a profile's trash, and puts back from it."""
    from ubiops_file_sync.restore import Restorer

    return Restorer(profile, settings.state_dir)


def human(size: int) -> str:
    """A number of bytes as people read it."""
    from ubiops_file_sync.phrases import bytes_words

    return bytes_words(size)


def when(time_ns: int, zone: tzinfo | None) -> str:
    """A time as people read it, in the time zone of the profile; None: the machine's."""
    from ubiops_file_sync.phrases import moment_here

    return moment_here(time_ns // 1000, zone)


def when_trashed(pass_id: str, zone: tzinfo | None) -> str:
    """When a pass took place, as `when` has it."""
    from ubiops_file_sync.pass_id import begun_at

    begun = begun_at(pass_id)
    return "" if begun is None else when(int(begun.timestamp()) * 1_000_000_000, zone)


def version_json(version: Version) -> dict[str, Any]:
    """A version as programs read it."""
    from ubiops_file_sync.pass_id import begun_at

    begun = begun_at(version.pass_id)
    return {
        "pass_id": version.pass_id,
        "key": version.key,
        "size": version.size,
        "trashed": None if begun is None else begun.isoformat(),
        "mtime_ns": version.mtime_ns,
        "path": version.entry.key,
    }


def ask(
    settings: Settings, profile: str | None, question: Callable[[Restorer], Found]
) -> list[tuple[Restorer, Found]]:
    """The answers of the named profile, or of all of them.

    A profile that cannot be asked is warned of, so that it does not keep another's files from
    coming back; raises its `SyncError` only if there is no answer at all.
    """
    answers: list[tuple[Restorer, Found]] = []
    troubles: list[SyncError] = []
    for one in settings.select([profile] if profile else []):
        restorer = restorer_of(settings, one)
        try:
            answers.append((restorer, question(restorer)))
        except SyncError as error:
            troubles.append(error)
    if troubles and not answers:
        raise troubles[0]
    for trouble in troubles:
        warn(str(trouble))
    return answers


def ambiguous(what: str, restorers: list[Restorer]) -> str:
    """The message for something that more than one profile has."""
    names = ", ".join(restorer.profile.name for restorer in restorers)
    return f"several profiles have {what}: {names}; say which with --profile"


def listed(passes: list[str]) -> str:
    """Some passes, for the end of a message."""
    lines = "".join(f"\n  {pass_id}" for pass_id in passes[:_MOST_LISTED])
    more = len(passes) - _MOST_LISTED
    return f"these have, newest first:{lines}" + (f"\n  and {more:,} more" if more > 0 else "")


def what_next(restorer: Restorer, verbs: Collection[Verb | None]) -> str:
    """What the next pass does with files that were put back, unless the bucket changes too.

    `verbs`: what it does with each of them.
    """
    direction = restorer.profile.direction.value
    if Verb.DOWNLOAD in verbs:
        return (
            f"attention: with `direction: {direction}` and "
            f"`conflict: {restorer.profile.conflict.value}` the next pass fetches the bucket's "
            "version again; change one of the two before, or take copies with `restore --to`"
        )
    if Verb.UPLOAD in verbs:
        return "the next `reconcile` carries this to the bucket: it uploads what was put back"
    return f"with `direction: {direction}` it stays here, and the bucket is left as it is"
