"""Putting versions back from the trash: one of them, or all that a pass replaced or deleted.

Nothing is taken out of the trash by that. A version is copied to its place, and what stood there
goes to the trash first, under a pass id of its own: so an undo can be undone, and one that is
killed half-way is done by running it again (invariants I1, I5). The bucket is not asked; the next
pass carries what was put back there.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from ubiops_file_sync import keys, places
from ubiops_file_sync.config import Profile
from ubiops_file_sync.errors import KeyFailure, SyncError, UsageError
from ubiops_file_sync.local import LocalTree, Version, export
from ubiops_file_sync.model import BaselineEntry, LocalEntry, RemoteEntry, Unknown, Verb
from ubiops_file_sync.pass_id import new_pass_id
from ubiops_file_sync.plan import Policy, decide
from ubiops_file_sync.store import BaselineStore, profile_lock
from ubiops_file_sync.unfinished import half_fetched

_COARSEST_NS = 2_000_000_000
"""File systems keep times to two seconds (FAT) or better."""

_FLUSH_EVERY = 500
"""Files between two flushes of their folders' names."""


class Fate(StrEnum):
    """What becomes of one version when it is to be put back."""

    PUT_BACK = "put-back"
    AS_THEN = "as-then"
    """The file holds that content already."""
    EDITED = "edited-since"
    """The file was changed by somebody since, and holds what stands nowhere else."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Step:
    """One version on its way back."""

    key: str
    fate: Fate
    then: Version | None = None
    """The version; None: it cannot be read."""
    now: LocalEntry | None = None
    """The file that stands there; None: it was deleted since, or cannot be looked at."""
    why: str = ""
    """What is wrong, in words, for a step that failed."""
    kept_under: str | None = None
    """The pass id under which the file that was replaced is in the trash now."""
    next_verb: Verb | None = None
    """What the next pass does with the file that was put back, if the bucket stays as it is."""


@dataclass(frozen=True, slots=True)
class _Site:
    """The places that putting back works on, open."""

    tree: LocalTree
    store: BaselineStore
    policy: Policy
    pass_id: str
    now_ns: Callable[[], int]

    def judge(self, version: Version, *, force: bool) -> Step:
        """What is to become of a version."""
        key = version.key
        refusal = keys.refusal(key)
        if refusal is not None:
            return Step(key, Fate.FAILED, version, why=refusal)
        try:
            now = self.tree.look(key)
            return Step(key, self._fate(version, now, force=force), version, now)
        except (KeyFailure, OSError) as error:
            return Step(key, Fate.FAILED, version, why=_words(error))

    def _fate(self, version: Version, now: LocalEntry | None, *, force: bool) -> Fate:
        if now is None:
            return Fate.PUT_BACK
        if self.tree.same_content(version.entry, now):
            return Fate.AS_THEN
        if force or self._is_in_step(now) or self._is_in_trash(now):
            return Fate.PUT_BACK
        return Fate.EDITED

    def _is_in_step(self, now: LocalEntry) -> bool:
        base = self.store.base(now.key)
        return base is not None and (now.size, now.mtime_ns) == (base.size, base.mtime_ns)

    def _is_in_trash(self, now: LocalEntry) -> bool:
        """Whether the trash holds the file's content: an earlier undo put it there, say."""
        history = self.tree.trash.history(now.key)
        # What cannot be read is not surely there.
        with suppress(KeyFailure, OSError):
            return any(self.tree.same_content(version.entry, now) for version in history)
        return False

    def act(self, step: Step) -> Step:
        """Do what the step says. Returns what became of it."""
        if step.fate is not Fate.PUT_BACK or step.then is None:
            return step
        key = step.key
        base = self.store.base(key)
        mtime_ns = fresh_mtime_ns(self.now_ns(), base)
        try:
            entry = self.tree.copy(step.then.entry, key, step.now, mtime_ns)
        except (KeyFailure, OSError) as error:
            return replace(step, fate=Fate.FAILED, why=_words(error))
        remote = None if base is None else RemoteEntry(key, base.size, base.created_us)
        decision = decide(entry, remote, base, self.policy, mtime_ns // 1000)
        kept_under = None if step.now is None else self.pass_id
        return replace(step, kept_under=kept_under, next_verb=decision.verb)

    def steps(self, pass_id: str, *, force: bool) -> Iterator[Step]:
        """What is to become of each version that a pass put into the trash, in key order."""
        for found in self.tree.trash.versions(pass_id):
            if isinstance(found, Unknown):
                yield Step(found.key, Fate.FAILED, why=found.reason)
            else:
                yield self.judge(found, force=force)


class Restorer:
    """Reads one profile's trash, and puts versions back from it. All of it raises `SyncError`."""

    def __init__(
        self, profile: Profile, state_dir: Path, *, now_ns: Callable[[], int] = time.time_ns
    ) -> None:
        """Nothing is read yet."""
        self.profile = profile
        self._state_dir = state_dir
        self._now_ns = now_ns

    def passes(self) -> list[str]:
        """The passes that have a trash, newest first."""
        with self._root() as tree:
            return tree.trash.passes()

    def versions(self, prefix: str = "") -> Iterator[Version | Unknown]:
        """Everything in the trash below `prefix`, newest passes first, by key within a pass."""
        with self._root() as tree:
            for pass_id in tree.trash.passes():
                for found in tree.trash.versions(pass_id):
                    unknown_above = isinstance(found, Unknown) and prefix.startswith(found.key)
                    if found.key.startswith(prefix) or unknown_above:
                        yield found

    def history(self, key: str) -> list[Version]:
        """Every version of `key` in the trash, newest first."""
        with self._root() as tree:
            return list(tree.trash.history(key))

    def find(self, pass_id: str, key: str) -> Version | None:
        """The version of `key` that a pass replaced or deleted; None: it did neither."""
        with self._root() as tree:
            return tree.trash.find(pass_id, key)

    def copy_out(self, version: Version, target: Path) -> None:
        """Write a version to a new file anywhere, with its own time. Needs no lock.

        Raises `UsageError` if something stands there, or its folder does not exist.
        """
        if not target.parent.is_dir():
            raise UsageError(f"there is no folder {target.parent}; create it first")
        try:
            with (
                places.existing_root(self.profile, "") as tree,
                tree.reading(version.entry) as reading,
            ):
                export(reading, target)
        except FileExistsError:
            raise UsageError(f"{target} exists already; name another place") from None
        except (KeyFailure, OSError) as error:
            raise SyncError(f"cannot copy it to {target} ({_words(error)})") from error

    def put_back(self, version: Version) -> Step:
        """Put one version back to its own place, whatever stands there."""
        with self._site() as site:
            step = site.act(site.judge(version, force=True))
            _flush(site.tree, [step])
        return step

    def plan_undo(self, pass_id: str, *, force: bool = False) -> Iterator[Step]:
        """What an undo of a pass would do. Changes nothing, and takes no lock (I8)."""
        with self._root() as tree, self._store() as store:
            site = _Site(tree, store, self._policy, "", self._now_ns)
            yield from site.steps(pass_id, force=force)

    def undo(self, pass_id: str, take: Callable[[Step], None], *, force: bool = False) -> None:
        """Put back everything that a pass replaced or deleted, and tell `take` of each.

        Every file is looked at anew: what a plan said may be old by now. Trouble with one key does
        not stop the others.
        """
        with self._site() as site:
            steps = site.steps(pass_id, force=force)
            while block := list(itertools.islice(steps, _FLUSH_EVERY)):
                done = [site.act(step) for step in block]
                _flush(site.tree, done)
                for step in done:
                    take(step)

    @property
    def _policy(self) -> Policy:
        return Policy(self.profile.direction, self.profile.conflict)

    def _store(self) -> BaselineStore:
        path = places.state_path(self._state_dir, self.profile)
        return BaselineStore.open_read_only(path, places.identity(self.profile))

    @contextmanager
    def _site(self) -> Iterator[_Site]:
        """The places, with the profile held: no pass runs meanwhile."""
        with ExitStack() as stack:
            stack.enter_context(profile_lock(self._state_dir, places.state_name(self.profile)))
            pass_id = new_pass_id(self._now_ns())
            tree = stack.enter_context(self._root(pass_id))
            store = stack.enter_context(self._store())
            tree.sweep(half_fetched(store.unfinished_transfers()))
            yield _Site(tree, store, self._policy, pass_id, self._now_ns)

    @contextmanager
    def _root(self, pass_id: str = "") -> Iterator[LocalTree]:
        with places.existing_root(self.profile, pass_id) as tree:
            try:
                yield tree
            except (KeyFailure, OSError) as error:
                raise SyncError(
                    f"profile {self.profile.name!r}: the trash below {self.profile.local_dir} "
                    f"cannot be used ({_words(error)})"
                ) from error


def fresh_mtime_ns(now_ns: int, base: BaselineEntry | None) -> int:
    """The time that a file gets when it is put back, so that the next pass takes it for changed.

    Now, and not the version's own time: putting back is the latest thing that somebody wanted of
    the key. With its old time it would lose to whatever the bucket was given since, or, where it
    is what the baseline records, pass for unchanged and be overwritten by the version that it was
    to replace. In case the baseline holds this very moment, a little later.
    """
    if base is not None and abs(now_ns - base.mtime_ns) < _COARSEST_NS:
        return base.mtime_ns + _COARSEST_NS
    return now_ns


def _flush(tree: LocalTree, steps: list[Step]) -> None:
    """Make the names durable, before anybody is told that the files are back."""
    tree.flush(step.key for step in steps if step.fate is Fate.PUT_BACK)


def _words(error: KeyFailure | OSError) -> str:
    if isinstance(error, OSError):
        return (error.strerror or str(error)).lower()
    # The remedy that names the next pass is not the one here.
    return str(error).partition("; the next")[0]
