"""A few keys as the two sides and the baseline have them, and hardly a look at anything else.

They come as three short streams in key order, so that the very same merge and the very same table
decide on one file that was asked for by name, and on a whole tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ubiops_file_sync import keys
from ubiops_file_sync.bucket import Bucket
from ubiops_file_sync.errors import (
    AccessRefused,
    Interrupted,
    KeyFailure,
    KeyUnreachable,
    RemoteUnreachable,
)
from ubiops_file_sync.local import LocalTree
from ubiops_file_sync.model import (
    PAGE_ITEMS,
    BaselineRow,
    FolderRules,
    LocalEntry,
    LocalItem,
    PlanSummary,
    Problem,
    RemoteEntry,
    Unknown,
)
from ubiops_file_sync.plan import Scope
from ubiops_file_sync.sight import look_or_unknown
from ubiops_file_sync.store import BaselineStore
from ubiops_file_sync.system_errors import remedy_for, words_of

_MOST_UNANSWERED = 10
"""Keys in a row that get no answer before the service is taken for gone."""


@dataclass(slots=True)
class Chosen:
    """What is known of some keys. First `see_remote`, then `see_local`, then the streams."""

    bucket: Bucket
    store: BaselineStore
    workers: int
    """Keys that the bucket is asked for at the same time."""
    remote: list[RemoteEntry] = field(default_factory=list)
    local: list[LocalItem] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    """Of the keys that are left out of all three streams."""
    _keys: list[str] = field(default_factory=list)
    """Those that are in the streams, sorted."""

    def see_remote(self, chosen: frozenset[str], summary: PlanSummary) -> None:
        """Ask the bucket, by the way that takes fewer calls: one a key, or a listing.

        Raises `RemoteError`; trouble with one key is a problem of that key.
        """
        for key in sorted(chosen):
            refusal = keys.refusal(key)
            if refusal is None:
                self._keys.append(key)
            else:
                self.problems.append(Problem(key, refusal))
        if not self._list(summary):
            summary.others = None
            self._ask(summary)

    def _list(self, summary: PlanSummary) -> bool:
        """Find the keys in a listing, if that takes fewer pages than there are keys.

        How long it is shows only at its end. The baseline has a lower bound; beyond that, to give
        up after as many pages as there are keys costs at most twice what the better way would.
        """
        most = len(self._keys)
        if most < 2 or self.store.count_in_step() // PAGE_ITEMS >= most:
            return False
        found, others = [], 0
        wanted = set(self._keys)
        try:
            for page in self.bucket.pages():
                summary.pages += 1
                if summary.pages > most:
                    return False
                mine = [entry for entry in page if entry.key in wanted]
                found.extend(mine)
                others += len(page) - len(mine)
        except AccessRefused:
            return False  # A restricted reader may ask for files by name.
        # The last word on a key counts, should the listing repeat it.
        self.remote = sorted({entry.key: entry for entry in found}.values())
        summary.others = others
        return True

    def _ask(self, summary: PlanSummary) -> None:
        summary.pages += len(self._keys)
        answered, unanswered = [], 0
        for key, answer in self._answers():
            if isinstance(answer, KeyFailure):
                self.problems.append(Problem(key, str(answer)))
                unanswered = unanswered + 1 if isinstance(answer, KeyUnreachable) else 0
                if unanswered >= min(_MOST_UNANSWERED, len(self._keys)):
                    raise RemoteUnreachable(str(answer).partition("; the next")[0])
                continue
            unanswered = 0
            answered.append(key)
            if answer is not None:
                self.remote.append(answer)
        self._keys = answered

    def _answers(self) -> Iterator[tuple[str, RemoteEntry | KeyFailure | None]]:
        if len(self._keys) == 1:
            yield self._keys[0], self._answer(self._keys[0])
            return
        with ThreadPoolExecutor(self.workers, thread_name_prefix="look") as pool:
            try:
                yield from zip(self._keys, pool.map(self._answer, self._keys), strict=True)
            except BaseException:
                # Also where whoever takes the answers had enough of them: nobody waits for more.
                pool.shutdown(wait=False, cancel_futures=True)
                self.bucket.stop()
                raise

    def _answer(self, key: str) -> RemoteEntry | KeyFailure | None:
        try:
            return self.bucket.get(key)
        except Interrupted:
            raise
        except KeyFailure as failure:
            return failure

    def see_local(self, tree: LocalTree | None, scope: Scope, ready_file: str | None) -> None:
        """Look at the keys here, and at what the folders above them say. Raises `SafetyHalt`."""
        remote = {entry.key: entry for entry in self.remote}
        folders = _Folders(tree, scope, ready_file, self.local)
        in_sight: list[str] = []
        for key in self._keys:
            here = None
            # What cannot be told of a folder covers the key in the merge.
            if tree is not None and folders.lead_to(key):
                here = look_or_unknown(tree, key)
            entry = here if isinstance(here, LocalEntry) else None
            if scope.hides_entry(key, entry, remote.get(key)):
                self.problems.append(Problem(key, _HIDDEN))
                continue
            in_sight.append(key)
            if here is not None:
                self.local.append(here)
        shown = set(in_sight)
        self.remote = [entry for entry in self.remote if entry.key in shown]
        self._keys = in_sight

    def rows(self) -> Iterator[BaselineRow]:
        """What the baseline says of the keys."""
        for key in self._keys:
            row = self.store.row(key)
            if row is not None:
                yield row


_HIDDEN = (
    "it is hidden by a filter (`include`, `exclude`, sizes, age, or an ignore file "
    f"{keys.IGNORE_FILE} here), so it stays as it is on both sides"
)


@dataclass(frozen=True, slots=True)
class _Folders:
    """The folders above the keys, each looked at once; the keys come in order."""

    tree: LocalTree | None
    scope: Scope
    ready_file: str | None
    told: list[LocalItem]
    """Takes what they say of themselves, and those of which nothing can be told."""
    _known: dict[str, bool] = field(default_factory=dict)

    def lead_to(self, key: str) -> bool:
        """Whether `key` is to be looked at: no folder above it is hidden or unknown."""
        for parent in keys.parent_chain(key):
            folder = f"{parent}/" if parent else ""
            if folder not in self._known:
                hidden = folder != "" and self.scope.hides(folder)
                self._known[folder] = not hidden and self._heed(folder)
            if not self._known[folder]:
                return False
        return True

    def _heed(self, folder: str) -> bool:
        if self.tree is None:
            return True
        try:
            rules = self.tree.rules_of(folder, self.ready_file)
            if rules is not None:
                _enter(rules, self.scope)
                self.told.append(rules)
        except (KeyFailure, OSError) as error:
            failure = error if isinstance(error, KeyFailure) else KeyFailure(_unreadable(error))
            if not folder:
                raise self.tree.halt(failure) from error
            self.told.append(Unknown(folder, str(failure), is_problem=True))
            return False
        return True


def _enter(rules: FolderRules, scope: Scope) -> None:
    try:
        scope.enter(rules)
    except ValueError as error:
        raise KeyFailure(f"{keys.IGNORE_FILE}: {error}; correct or remove that line") from error


def _unreadable(error: OSError) -> str:
    remedy = remedy_for(error, "check its permissions")
    return f"it cannot be read ({words_of(error)}); {remedy}"
