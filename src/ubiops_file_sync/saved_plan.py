"""A plan in a file, to look at today and to do tomorrow: JSON Lines that prove to be whole.

A header, an action a line in key order, and a last line with a digest of all before it. Whoever
wrote the file is not trusted: every line is checked against strict shapes before anything is done,
and what is done in the end is what a new comparison finds as well (`narrow`).
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, BinaryIO, TypeVar

import msgspec

from ubiops_file_sync import keys
from ubiops_file_sync.config import Profile
from ubiops_file_sync.errors import UsageError
from ubiops_file_sync.model import (
    Action,
    ConflictPolicy,
    Deletions,
    Direction,
    Expired,
    LocalEntry,
    Loser,
    Reason,
    RemoteEntry,
    Verb,
)
from ubiops_file_sync.store import Identity, Spool

FORMAT = "ubiops-file-sync plan"
VERSION = 1

_LONGEST_LINE = 65_536
"""Bytes; a longest path, every byte of it escaped, leaves half of this free."""
_LARGEST = 2**63 - 1

Shape = TypeVar("Shape")

_Bytes = Annotated[int, msgspec.Meta(ge=0, le=_LARGEST)]
_Time = Annotated[int, msgspec.Meta(ge=-_LARGEST, le=_LARGEST)]
_Text = Annotated[str, msgspec.Meta(max_length=4096)]


class _Kind(msgspec.Struct):
    """As much of a header as every version has."""

    format: str
    version: int


class _Strict(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """No field that is not known, and none that is not there."""


class _Places(_Strict, frozen=True):
    local_dir: _Text
    api_host: _Text
    project: _Text
    bucket: _Text
    bucket_dir: _Text


class _Policy(_Strict, frozen=True):
    """The settings that decide; under others the plan would have been another."""

    direction: Direction
    conflict: ConflictPolicy
    deletions: Deletions
    expired: Expired
    refresh_before: float | None
    max_skew: float


class _Header(_Strict, frozen=True):
    format: str
    version: int
    profile: _Text
    places: _Places
    policy: _Policy
    created: _Text
    actions: _Bytes
    counts: dict[Verb, _Bytes]


class _Local(_Strict, frozen=True):
    size: _Bytes
    mtime_ns: _Time


class _Remote(_Strict, frozen=True):
    size: _Bytes
    created_us: _Time


class _Line(_Strict, frozen=True):
    key: Annotated[str, msgspec.Meta(min_length=1, max_length=keys.MAX_KEY_BYTES)]
    verb: Verb
    reason: _Text
    loser: Loser
    compare: bool
    local: _Local | None
    remote: _Remote | None


class _End(_Strict, frozen=True):
    sha256: str


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan that was read from a file, whole and undamaged."""

    path: Path
    profile: str
    created: str
    spool: Spool
    _header: _Header

    def require_same(self, profile: Profile, places: Identity) -> None:
        """Raise `UsageError` if the plan was made for other places, or by other rules."""
        was, now = _flat(self._header.places), _flat(_Places(**asdict(places)))
        was |= _flat(self._header.policy)
        now |= _flat(_policy(profile))
        changes = "; ".join(
            f"{name} was {was[name]!r} and is {now[name]!r}"
            for name in was
            if was[name] != now[name]
        )
        if changes:
            raise UsageError(
                f"{self.path}: profile {self.profile!r} is not what it was when the plan was saved "
                f"({self.created}): {changes}. Nothing was changed. Make a new plan: "
                f"ubiops-file-sync plan {self.profile} --save FILE"
            )


def require_free(path: Path, profile: Profile, *, force: bool) -> None:
    """Raise `UsageError` if a plan must not be saved at `path`: asked before the work is done."""
    if not force and os.path.lexists(path):
        raise _taken(path)
    folder = os.path.realpath(path.parent)
    root = os.path.realpath(profile.local_dir)
    if folder == root or folder.startswith(root.rstrip("/") + "/"):
        raise UsageError(
            f"{path} is below the profile's `local_dir` and would itself be uploaded; save the "
            "plan somewhere else"
        )


def save_plan(
    path: Path,
    profile: Profile,
    places: Identity,
    actions: Iterable[Action],
    counts: dict[Verb, int],
    *,
    force: bool,
) -> None:
    """Write a plan at once and whole, for its owner's eyes only. Raises `UsageError`.

    Without `force` nothing that stands at `path` is overwritten, even if it came this moment.
    """
    header = _Header(
        format=FORMAT,
        version=VERSION,
        profile=profile.name,
        places=_Places(**asdict(places)),
        policy=_policy(profile),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        actions=sum(counts.values()),
        counts=counts,
    )
    new = path.with_name(f".{path.name[:200]}.{secrets.token_hex(6)}")
    try:
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            _write(file, header, actions)
            file.flush()
            os.fsync(file.fileno())
        _put(new, path, force=force)
    except OSError as error:
        raise UsageError(f"the plan cannot be saved as {path} ({error.strerror})") from error
    finally:
        new.unlink(missing_ok=True)


def _write(file: BinaryIO, header: _Header, actions: Iterable[Action]) -> None:
    digest = hashlib.sha256()
    encode = msgspec.json.Encoder().encode

    def line(value: msgspec.Struct) -> None:
        text = encode(value) + b"\n"
        digest.update(text)
        file.write(text)

    line(header)
    for action in actions:
        line(_line(action))
    line(_End(digest.hexdigest()))


def _line(action: Action) -> _Line:
    local, remote = action.local, action.remote
    return _Line(
        key=action.key,
        verb=action.verb,
        reason=action.reason.name.lower(),
        loser=action.loser,
        compare=action.compare,
        local=None if local is None else _Local(local.size, local.mtime_ns),
        remote=None if remote is None else _Remote(remote.size, remote.created_us),
    )


def _put(new: Path, path: Path, *, force: bool) -> None:
    if force:
        new.replace(path)
    else:
        try:
            # A link fails where a rename would overwrite a file that came meanwhile.
            os.link(new, path)
        except FileExistsError:
            raise _taken(path) from None
        except OSError:
            # No links on this file system; an instant remains in which a file may come.
            if os.path.lexists(path):
                raise _taken(path) from None
            new.rename(path)
    fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _taken(path: Path) -> UsageError:
    return UsageError(f"{path} exists already; choose another name, or overwrite it with --force")


@contextmanager
def load_plan(path: Path) -> Iterator[SavedPlan]:
    """The plan in a file, once every line of it has proved good; open for the block.

    Raises `UsageError` for a file that is damaged, cut short, or of a newer version.
    """
    with Spool() as spool:
        try:
            with path.open("rb") as file:
                header = _read(file, spool)
        except OSError as error:
            raise UsageError(f"{path} cannot be read ({error.strerror})") from error
        except _Damaged as damage:
            raise UsageError(
                f"{path} {damage}. Nothing was changed. Make a new plan: "
                "ubiops-file-sync plan PROFILE --save FILE"
            ) from None
        yield SavedPlan(path, header.profile, header.created, spool, header)


class _Damaged(Exception):
    """What is wrong with a file, as the end of a sentence."""


def _read(file: BinaryIO, spool: Spool) -> _Header:
    """Read a plan into the spool, whose actions are worth nothing until this has returned."""
    digest = hashlib.sha256()
    first = _next_line(file)
    header = _header(first)
    digest.update(first)
    last_key = ""
    for number in range(2, header.actions + 2):
        text = _next_line(file)
        action = _action(text, number)
        if action.key <= last_key:
            raise _Damaged(f"is damaged: line {number} is out of order")
        last_key = action.key
        spool.add(action)
        digest.update(text)
    end = _decoded(_next_line(file), _End, header.actions + 2)
    if end.sha256 != digest.hexdigest():
        raise _Damaged("is damaged: its content does not match the digest at its end")
    if file.read(1):
        raise _Damaged("is damaged: something follows its end")
    return header


def _next_line(file: BinaryIO) -> bytes:
    text = file.readline(_LONGEST_LINE)
    if not text.endswith(b"\n"):
        if len(text) == _LONGEST_LINE:
            raise _Damaged("is no saved plan, or damaged: a line is too long")
        raise _Damaged("was cut short, or is no saved plan")
    return text


def _header(text: bytes) -> _Header:
    try:
        kind = msgspec.json.decode(text, type=_Kind)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise _Damaged("is no saved plan, or damaged in its first line") from None
    if kind.format != FORMAT:
        raise _Damaged("is no saved plan")
    if kind.version > VERSION:
        raise _Damaged("was saved by a newer version of ubiops-file-sync; apply it with that one")
    return _decoded(text, _Header, 1)


def _action(text: bytes, number: int) -> Action:
    line = _decoded(text, _Line, number)
    reason = Reason.__members__.get(line.reason.upper())
    if reason is None:
        raise _Damaged(f"is damaged: line {number} gives no reason that there is")
    refusal = keys.refusal(line.key)
    if refusal is not None and line.verb is not Verb.FORGET:
        raise _Damaged(f"is damaged: line {number} names what no plan may: {refusal}")
    return Action(
        line.verb,
        line.key,
        reason,
        None if line.local is None else LocalEntry(line.key, *_values(line.local)),
        None if line.remote is None else RemoteEntry(line.key, *_values(line.remote)),
        line.loser,
        line.compare,
    )


def _values(entry: _Local | _Remote) -> tuple[int, int]:
    first, second = msgspec.structs.astuple(entry)
    return first, second


def _decoded(text: bytes, shape: type[Shape], number: int) -> Shape:
    try:
        return msgspec.json.decode(text, type=shape)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        # msgspec's own words quote the line, which may be anything.
        raise _Damaged(f"is damaged: line {number} is not what a saved plan holds") from None


def _policy(profile: Profile) -> _Policy:
    return _Policy(
        direction=profile.direction,
        conflict=profile.conflict,
        deletions=profile.deletions,
        expired=profile.expired,
        refresh_before=profile.refresh_before,
        max_skew=profile.max_skew,
    )


def _flat(value: msgspec.Struct) -> dict[str, str]:
    return {name: str(part) for name, part in msgspec.structs.asdict(value).items()}
