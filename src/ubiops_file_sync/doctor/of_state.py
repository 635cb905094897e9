"""What is remembered: whether the state folder is this user's alone, and each state whole."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from ubiops_file_sync import places
from ubiops_file_sync.config import Profile, Settings
from ubiops_file_sync.doctor.finding import Finding, ok, problem, problem_of, warning
from ubiops_file_sync.errors import SyncError
from ubiops_file_sync.local.filesystem import mount_of, read_mounts
from ubiops_file_sync.phrases import counted
from ubiops_file_sync.store import OTHER_PLACES, BaselineStore, Holder

_CHECK = "state"
_ENDING = ".sqlite"


def of_state_folder(settings: Settings) -> Iterator[Finding]:
    """The findings about the folder of all states."""
    folder = settings.state_dir
    if not os.path.lexists(folder):
        yield _missing(folder)
        return
    try:
        status = folder.stat()
        names = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        yield problem(
            _CHECK,
            f"{folder} cannot be read ({(error.strerror or '').lower()})",
            "ask as the user whose passes these are, or set 'state_dir' to a folder of this user's",
        )
        return
    yield from _of_its_place(folder)
    if not os.access(folder, os.W_OK | os.X_OK):
        yield problem(
            _CHECK,
            f"{folder} cannot be written to",
            f"give it to this user: chown -R $(id -u) {shlex.quote(str(folder))}",
        )
    elif status.st_mode & 0o077:
        yield warning(
            _CHECK,
            f"{folder} is open to other users, who can read the names of all files in it",
            f"chmod 700 {shlex.quote(str(folder))}",
        )
    else:
        yield ok(_CHECK, f"{folder} is this user's alone")
    yield from _of_strangers(settings, names)


def _missing(folder: Path) -> Finding:
    above = next((one for one in folder.parents if one.is_dir()), folder)
    if os.access(above, os.W_OK | os.X_OK):
        return ok(_CHECK, f"{folder} does not exist yet; the first pass makes it")
    return problem(
        _CHECK,
        f"{folder} does not exist, and this user may not make it",
        "set 'state_dir' to a folder that this user may write to",
    )


def _of_its_place(folder: Path) -> Iterator[Finding]:
    mount = mount_of(folder, read_mounts())
    if mount is not None and mount.is_network:
        yield warning(
            _CHECK,
            f"{folder} is on another machine ({mount.kind}), where locks cannot be relied upon",
            "set 'state_dir' to a folder on a disk of this machine",
        )
    if mount is not None and mount.is_in_memory:
        yield warning(
            _CHECK,
            f"{folder} is in memory ({mount.kind}): after a restart each profile begins anew",
            "set 'state_dir' to a folder on a disk",
        )


def _of_strangers(settings: Settings, names: list[str]) -> Iterator[Finding]:
    """States that no profile of this configuration has."""
    ours = {places.state_name(profile) for profile in settings.profiles.values()}
    strangers = [name.removesuffix(_ENDING) for name in names if name.endswith(_ENDING)]
    for name in strangers:
        if name in ours:
            continue
        met = _meets(settings, settings.state_dir / f"{name}{_ENDING}")
        if met is not None:
            yield warning(
                _CHECK,
                f"a state {name!r}, of no profile of this configuration, is about the directory of "
                f"profile {met!r} too",
                "if another configuration still runs it, stop that: two must not share one. If "
                f"it was renamed: rm {shlex.quote(str(settings.state_dir / name) + _ENDING)}",
            )
    others = [name for name in strangers if name not in ours]
    if others:
        yield ok(
            _CHECK,
            f"{counted(len(others), 'state')} of other configurations, or of profiles that were "
            f"renamed or removed: {', '.join(others[:5])}{', …' if len(others) > 5 else ''}",
        )


def _meets(settings: Settings, path: Path) -> str | None:
    """The profile whose directory a state speaks of."""
    try:
        store = BaselineStore.look(path)
        if store is None:
            return None
        with store:
            there = store.recorded_places().get("local_dir")
    except SyncError:
        return None  # Nobody uses it, so nobody minds.
    for profile in settings.profiles.values():
        if there is not None and os.path.realpath(there) == os.path.realpath(profile.local_dir):
            return profile.name
    return None


def count_in_step(profile: Profile, state_dir: Path) -> int:
    """Files that were in step at the end of the last pass; 0 also where that cannot be told."""
    try:
        store = BaselineStore.look(places.state_path(state_dir, profile))
        if store is None:
            return 0
        with store:
            return store.count_in_step()
    except SyncError:
        return 0


def of_state(profile: Profile, state_dir: Path, holder: Holder | None) -> Iterator[Finding]:
    """The findings about the state of one profile; its `holder` is left in peace."""
    path = places.state_path(state_dir, profile)
    if holder is not None:
        yield ok(_CHECK, f"in use by {holder.words}, so that it was not looked through")
        return
    try:
        store = BaselineStore.look(path)
        if store is None:
            yield ok(_CHECK, "no pass yet: the first one compares both sides, and deletes nothing")
            return
        with store:
            yield from _of_store(profile, path, store)
    except SyncError as error:
        yield problem_of(_CHECK, error)


def _of_store(profile: Profile, path: Path, store: BaselineStore) -> Iterator[Finding]:
    damage = store.damage()
    if damage is not None:
        aside = shlex.quote(f"{path}.damaged")
        yield problem(
            _CHECK,
            f"{path} is damaged ({damage})",
            f"mv {shlex.quote(str(path))} {aside}: the next pass then compares both sides by "
            "content and loses nothing. See to the disk, too",
        )
        return
    if store.is_of_other_places(places.identity(profile)):
        yield problem(
            _CHECK,
            "what was in step belongs to another directory or bucket, so that a pass halts",
            "if these are the right ones now: ubiops-file-sync reconcile "
            f"{profile.name} --allow {OTHER_PLACES}",
        )
        return
    words = f"whole; {counted(store.count_in_step(), 'file')} in step"
    unfinished = len(store.unfinished_transfers())
    if unfinished:
        words += f", {counted(unfinished, 'big file')} to go on with"
    if path.with_name(f"{path.name}-journal").exists():
        words += "; a pass was cut short, and the next one takes back what it left half-written"
    yield ok(_CHECK, words)
