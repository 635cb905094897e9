"""One action on one key, from what the plan expects to what really became of it."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import BinaryIO, TypeVar

from ubiops_file_sync import keys
from ubiops_file_sync.bucket.contract import Bucket, Fetched, Receipt
from ubiops_file_sync.bucket.digest import digest_of
from ubiops_file_sync.errors import TRIED_AGAIN, InTheWay, KeyFailure
from ubiops_file_sync.execute.parted import Parted, SameAs, Sent
from ubiops_file_sync.execute.steps import Steps, Stepwise
from ubiops_file_sync.local import LocalTree, Staged
from ubiops_file_sync.model import (
    Action,
    Direction,
    Intent,
    LocalEntry,
    Loser,
    Outcome,
    Problem,
    RemoteEntry,
    Verb,
    in_step,
)
from ubiops_file_sync.system_errors import remedy_for, words_of

_MAX_CONFLICT_NAMES = 100
Entry = TypeVar("Entry", LocalEntry, RemoteEntry)


@dataclass(frozen=True, slots=True)
class Executor:
    """Does single actions of one pass. Safe for use by several threads at once."""

    bucket: Bucket
    tree: LocalTree
    parted: Parted
    direction: Direction
    settle_ns: int
    now_ns: Callable[[], int]

    def run(self, action: Action) -> Steps:
        """Do one action. Trouble with its key comes back as the outcome's problem (I12).

        Raises `RemoteError` where every other key would meet the same trouble, and
        `KeyUnreachable` is left to the caller to count.
        """
        if self._is_young(action):
            return Outcome(action, None, deferred=True)
        began = time.monotonic()
        outcome = yield from self._tried(action)
        outcome.seconds = time.monotonic() - began
        return outcome

    def _tried(self, action: Action) -> Steps:
        try:
            if action.verb in self._STEPWISE:
                return (yield from self._STEPWISE[action.verb](self, action))
            return self._AT_ONCE[action.verb](self, action)
        except (KeyFailure, OSError) as error:
            return _failed(action, error)

    def run_settled(self, action: Action) -> Steps:
        """Do an action that was deferred, after its file has had the time to come to rest."""
        try:
            settled = self.tree.look(action.key) == action.local
        except (KeyFailure, OSError) as error:
            return _failed(action, error)
        if not settled:
            return Outcome(
                action,
                None,
                problem=Problem(action.key, "it is still being written; the next pass takes it"),
            )
        return (yield from replace(self, settle_ns=0).run(action))

    def _is_young(self, action: Action) -> bool:
        """Whether the local file may still be being written.

        A time in the future tells nothing of that; such a file is not held back.
        """
        if action.local is None or action.verb is Verb.ADOPT:
            return False
        return 0 <= self.now_ns() - action.local.mtime_ns < self.settle_ns

    def _upload(self, action: Action) -> Steps:
        """Store the local file; a version that somebody else stored is kept first, and looked at.

        Two races remain, since the API has no conditional write: somebody else's upload of this
        key after that look (about one round trip), and, where the listing showed the object as it
        was, after the listing (the whole pass: to look again would double the calls of every
        upload). Where the listing did not show it at all, S3 and Azure refuse to overwrite one that
        came since, unless the file travels in parts; Google does not. Their version is then
        overwritten, and not in the trash.
        """
        local = _present(action.local)
        down, extra = 0, _Extra()
        if action.remote is not None and (action.compare or action.loser is not Loser.NONE):
            with self._staging(action.remote) as staged:
                fetched = yield from self._fetch(action.remote, staged, self._same_as(action))
                if fetched.equal:
                    return _adopted(action, fetched.bytes_down)
                down = fetched.bytes_down
                if action.loser is not Loser.NONE:
                    extra = yield from self._keep_remote_loser(action, action.remote, staged)
                staged.is_kept = False
            self._require_unchanged(action.remote)
        with self.tree.reading(local) as reading:
            sent = yield from self._send(
                local,
                reading.file,
                reading.check_at_end,
                noted=True,
                is_new=action.remote is None,
            )
        return Outcome(
            action,
            Verb.UPLOAD,
            intents=(_intent(local, sent.receipt), *extra.intents),
            bytes_up=sent.bytes_up + extra.bytes_up,
            bytes_down=down,
            extra_keys=extra.keys,
        )

    def _download(self, action: Action) -> Steps:
        remote = _present(action.remote)
        if not action.compare:
            # Equal content needs no place to be written to.
            self.tree.check_place(action.key, action.local)
        with self._staging(remote) as staged:
            fetched = yield from self._fetch(remote, staged, self._same_as(action))
            if fetched.equal:
                return _adopted(action, fetched.bytes_down)
            extra = _Extra()
            if action.loser is Loser.RENAME and action.local is not None:
                extra = yield from self._keep_local_loser(action.local)
            entry = self.tree.commit(staged, action.key, action.local, remote.created_us * 1000)
        return Outcome(
            action,
            Verb.DOWNLOAD,
            baseline=in_step(entry, remote),
            intents=extra.intents,
            bytes_up=extra.bytes_up,
            bytes_down=fetched.bytes_down,
            extra_keys=extra.keys,
        )

    def _delete_remote(self, action: Action) -> Steps:
        """Delete an object, its last version in the trash first.

        The race that remains is a write to the object between the look and the deletion, about one
        round trip: the API has no conditional delete.
        """
        remote = _present(action.remote)
        if self.tree.look(action.key) is not None:
            raise KeyFailure("a local file came back during the pass; the next one takes it")
        with self._staging(remote) as staged:
            fetched = yield from self._fetch(remote, staged)
            self.tree.keep_in_trash(staged, action.key)
        self._require_unchanged(remote)
        self.bucket.delete(action.key)
        return Outcome(action, Verb.DELETE_REMOTE, forgotten=True, bytes_down=fetched.bytes_down)

    def _delete_local(self, action: Action) -> Outcome:
        """Move a local file to the trash, since its object is gone from the bucket."""
        if self.bucket.get(action.key) is not None:
            raise KeyFailure("the object came back during the pass; the next one takes it")
        self.tree.remove(_present(action.local))
        return Outcome(action, Verb.DELETE_LOCAL, forgotten=True)

    def _require_unchanged(self, remote: RemoteEntry) -> None:
        """Look again before a version that somebody else stored is overwritten or deleted (I2)."""
        if self.bucket.get(remote.key) != remote:
            raise KeyFailure("the object changed in the bucket during the pass; the next takes it")

    def _adopt(self, action: Action) -> Outcome:
        """Adopt what turns out to hold the same. Where nothing is to be found out, no executor is
        needed: `Spool.settled`."""
        with self.tree.staging() as staged:
            fetched = self.bucket.fetch(_present(action.remote), staged.file, self._same_as(action))
        if fetched.equal:
            return _adopted(action, fetched.bytes_down)
        return Outcome(action, None, bytes_down=fetched.bytes_down)

    # Constant tables; a dataclass takes no annotated ones.
    _STEPWISE = {  # noqa: RUF012
        Verb.UPLOAD: _upload,
        Verb.DOWNLOAD: _download,
        Verb.DELETE_REMOTE: _delete_remote,
    }
    _AT_ONCE = {  # noqa: RUF012
        Verb.ADOPT: _adopt,
        Verb.DELETE_LOCAL: _delete_local,
    }

    def _staging(self, remote: RemoteEntry) -> AbstractContextManager[Staged]:
        """A place for an object's content; where an earlier pass began to fetch it, that one."""
        earlier = self.parted.unfinished.get((remote.key, Direction.DOWNLOAD))
        return self.tree.staging(None if earlier is None else earlier.handle)

    def _fetch(
        self, remote: RemoteEntry, staged: Staged, same_as: SameAs | None = None
    ) -> Stepwise[Fetched]:
        if remote.size < self.parted.threshold:
            return self.bucket.fetch(remote, staged.file, same_as)
        return (yield from self.parted.fetch(remote, staged, same_as))

    def _send(
        self,
        local: LocalEntry,
        file: BinaryIO,
        check: Callable[[], None] | None,
        *,
        noted: bool,
        is_new: bool,
    ) -> Stepwise[Sent]:
        """Store the content of `file` under the key of `local`.

        `noted` as in `Parted.send`, `is_new` as in `Bucket.send`: an upload in parts has no such
        condition.
        """
        if local.size < self.parted.threshold:
            try:
                receipt = self.bucket.send(local.key, file, local.size, check, is_new=is_new)
            except InTheWay:
                # Perhaps a killed pass sent it, or it is the loser of a conflict that this pass
                # keeps under that name as well.
                there = self.bucket.get(local.key)
                if there is None or not self._holds(there, file, local.size):
                    raise
                return Sent(Receipt(there.created_us, there.created_us), 0)
            return Sent(receipt, local.size)
        return (yield from self.parted.send(local, file, check, noted=noted))

    def _same_as(self, action: Action) -> SameAs | None:
        """The digest of the local file by algorithm, where the plan asks for a comparison."""
        local = action.local
        if not action.compare or local is None:
            return None

        def digest(algorithm: str) -> bytes:
            with self.tree.reading(local) as reading:
                return digest_of(reading.file, algorithm)

        return digest

    def _keep_remote_loser(
        self, action: Action, remote: RemoteEntry, staged: Staged
    ) -> Stepwise[_Extra]:
        """Keep the bucket's version that an upload is about to overwrite (invariant I1).

        Where it stands already under a name that it would get, a killed pass put it there: it is
        not kept a second time.
        """
        if action.loser is Loser.TRASH:
            self.tree.keep_in_trash(staged, action.key)
            return _Extra()
        for attempt in range(_MAX_CONFLICT_NAMES):
            name = keys.conflict_key(action.key, remote.created_us, attempt)
            there = self.bucket.get(name)
            if there is not None:
                if self._holds(there, staged.file, remote.size):
                    return _Extra(keys=(name,))
                continue
            local: LocalEntry | None = None
            if self.direction is Direction.TWO_WAY:
                local = self.tree.look(name)
                if local is None:
                    local = self.tree.commit(staged, name, None, remote.created_us * 1000)
                elif not self.tree.holds(local, staged):
                    continue
            sending = local or LocalEntry(name, remote.size, remote.created_us * 1000)
            return (yield from self._send_extra(sending, staged.file, local))
        raise KeyFailure(
            "no free name is left for the losing version; tidy up the .conflict- files"
        )

    def _keep_local_loser(self, local: LocalEntry) -> Stepwise[_Extra]:
        """Give the local version that a download is about to replace a name of its own.

        As with a bucket's version, a name under which it stands already is the one that a killed
        pass gave it.
        """
        for attempt in range(_MAX_CONFLICT_NAMES):
            name = keys.conflict_key(local.key, local.mtime_ns // 1000, attempt)
            is_there = False
            if self.direction is Direction.TWO_WAY:
                there = self.bucket.get(name)
                if there is not None:
                    with self.tree.reading(local) as reading:
                        is_there = self._holds(there, reading.file, local.size)
                    if not is_there:
                        continue
            if not self.tree.copy_name(local, name):
                continue
            if is_there or self.direction is not Direction.TWO_WAY:
                return _Extra(keys=(name,))
            renamed = LocalEntry(name, local.size, local.mtime_ns)
            with self.tree.reading(renamed) as reading:
                return (yield from self._send_extra(renamed, reading.file, renamed))
        raise KeyFailure(
            "no free name is left for the losing version; tidy up the .conflict- files"
        )

    def _holds(self, there: RemoteEntry, file: BinaryIO, size: int) -> bool:
        """Whether an object holds the same bytes as a file of `size` bytes."""
        if there.size != size:
            return False
        with self.tree.staging() as sink:
            return self.bucket.fetch(there, sink.file, partial(digest_of, file)).equal

    def _send_extra(
        self, renamed: LocalEntry, file: BinaryIO, local: LocalEntry | None
    ) -> Stepwise[_Extra]:
        """Store a loser under its new name; `local`: the file of that name, if there is one."""
        sent = yield from self._send(renamed, file, None, noted=False, is_new=True)
        intents = () if local is None else (_intent(local, sent.receipt),)
        return _Extra((renamed.key,), intents, sent.bytes_up)


@dataclass(frozen=True, slots=True)
class _Extra:
    """What was written besides the key itself: the renamed loser of a conflict."""

    keys: tuple[str, ...] = ()
    intents: tuple[Intent, ...] = ()
    bytes_up: int = 0


def _present(entry: Entry | None) -> Entry:
    if entry is None:  # pragma: no cover - no plan holds such an action
        raise AssertionError("the action lacks the entry that its verb needs")
    return entry


def _intent(local: LocalEntry, receipt: Receipt) -> Intent:
    return Intent(local.key, local.size, local.mtime_ns, receipt.started_us, receipt.finished_us)


def _adopted(action: Action, bytes_down: int) -> Outcome:
    baseline = in_step(_present(action.local), _present(action.remote))
    return Outcome(action, Verb.ADOPT, baseline=baseline, bytes_down=bytes_down)


def _failed(action: Action, error: KeyFailure | OSError) -> Outcome:
    message = str(error)
    if isinstance(error, OSError):
        is_forbidden = error.errno in {errno.EACCES, errno.EPERM}
        permissions = "check the permissions of it and of its folder" if is_forbidden else ""
        remedy = remedy_for(error, permissions)
        message = f"{words_of(error)}{remedy and f'; {remedy}'}{TRIED_AGAIN}"
        if error.errno == errno.EXDEV:
            message = (
                "another file system is mounted on the way to it, and files cannot be put there "
                "safely from the root; give that folder a profile of its own"
            )
    return Outcome(action, None, problem=Problem(action.key, message), error=error)
