"""Recording what really happened: outcomes into the baseline, in batches."""

from __future__ import annotations

import time
from collections import Counter

from ubiops_file_sync.errors import TRIED_AGAIN, Interrupted
from ubiops_file_sync.local import LocalTree
from ubiops_file_sync.model import (
    BaselineEntry,
    Direction,
    Intent,
    Outcome,
    Part,
    Problem,
    Settled,
    Unfinished,
    Verb,
)
from ubiops_file_sync.store import BaselineStore
from ubiops_file_sync.system_errors import remedy_for, words_of

_CHANGES_NAMES = {Verb.DOWNLOAD, Verb.DELETE_LOCAL, Verb.DELETE_REMOTE}
_BATCH = 500
_LONGEST_WAIT_S = 2.0
KEPT_PROBLEMS = 1000
"""Problems kept for the report; the rest are counted, so that memory stays flat (I11)."""


class Recorder:
    """Gathers the outcomes of a pass, and writes them into the store a batch at a time.

    Only outcomes are recorded, never intentions; and a file's name is durable before the baseline
    says that it is there. A kill loses at most the last batch, which the next pass adopts.
    """

    def __init__(self, store: BaselineStore, tree: LocalTree) -> None:
        self._store = store
        self._tree = tree
        self._in_step: list[BaselineEntry] = []
        self._begun: list[Intent] = []
        self._forgotten: list[str] = []
        self._written: list[str] = []
        self._ended: list[str] = []
        begun = store.unfinished_transfers()
        self._in_parts = {one.key for one in begun}
        self._part_bytes = {(one.key, one.direction): one.part_bytes for one in begun}
        self._moved: Counter[tuple[str, Direction]] = Counter()
        """Bytes of the parts of files that have not travelled to their end."""
        self._flushed_at = time.monotonic()
        self.done: Counter[Verb] = Counter()
        self._bytes_up = 0
        self._bytes_down = 0
        self.problems: list[Problem] = []
        self.problem_count = 0
        self.extra_keys: list[str] = []
        self.notes: list[str] = []

    @property
    def bytes_up(self) -> int:
        """Bytes that went up, parts of files that did not get to their end among them."""
        return self._bytes_up + self._moved_in_parts(Direction.UPLOAD)

    @property
    def bytes_down(self) -> int:
        """Bytes that came down, likewise."""
        return self._bytes_down + self._moved_in_parts(Direction.DOWNLOAD)

    def _moved_in_parts(self, direction: Direction) -> int:
        return sum(count for (_, way), count in self._moved.items() if way is direction)

    def take(self, outcome: Outcome) -> None:
        """Heed one outcome."""
        self._bytes_up += outcome.bytes_up
        self._bytes_down += outcome.bytes_down
        if self._moved and outcome.did is not None:
            for way in (Direction.UPLOAD, Direction.DOWNLOAD):
                self._moved.pop((outcome.action.key, way), None)  # The outcome has counted them.
        self.extra_keys.extend(outcome.extra_keys)
        if outcome.problem is not None and not isinstance(outcome.error, Interrupted):
            self.report(outcome.problem)
        if outcome.did is not None:
            self.done[outcome.did] += 1
            if outcome.action.key in self._in_parts:
                self._in_parts.discard(outcome.action.key)
                self._ended.append(outcome.action.key)
        if outcome.baseline is not None:
            self._in_step.append(outcome.baseline)
        self._begun.extend(outcome.intents)
        if outcome.forgotten:
            self._forgotten.append(outcome.action.key)
        if outcome.did in _CHANGES_NAMES or outcome.extra_keys:
            self._written.extend((outcome.action.key, *outcome.extra_keys))
        waiting = len(self._in_step) + len(self._begun) + len(self._forgotten)
        if waiting >= _BATCH or time.monotonic() - self._flushed_at > _LONGEST_WAIT_S:
            self.flush()

    def settle(self, some: Settled) -> None:
        """Write what only the baseline has to learn."""
        self.flush()
        mine = [*(entry[0] for entry in some.in_step), *some.forgotten] if self._in_parts else []
        ended = self._in_parts.intersection(mine)
        self._in_parts -= ended
        self._store.record(in_step=some.in_step, forgotten=some.forgotten, ended=ended)
        for verb, keys in ((Verb.ADOPT, some.in_step), (Verb.FORGET, some.forgotten)):
            if keys:
                self.done[verb] += len(keys)

    def note(self, news: Unfinished | Part) -> None:
        """Write down at once what the next pass needs to go on with a big file."""
        place = (news.key, news.direction)
        if isinstance(news, Unfinished):
            self._in_parts.add(news.key)
            self._part_bytes[place] = news.part_bytes
        else:
            self._moved[place] += self._part_bytes.get(place, 0)
        self._store.note_transfer(news)

    def take_over(self, problems: list[Problem], count: int) -> None:
        """Begin with the problems that the comparison found: all of them, or the first ones."""
        self.problems.extend(problems)
        self.problem_count += count

    def report(self, problem: Problem) -> None:
        """Add a problem to the report."""
        self.problem_count += 1
        if len(self.problems) < KEPT_PROBLEMS:
            self.problems.append(problem)

    def flush(self) -> None:
        """Write what has gathered."""
        self._flushed_at = time.monotonic()
        if self._written:
            self._flush_names()
        if self._in_step or self._begun or self._forgotten or self._ended:
            self._store.record(
                in_step=self._in_step,
                begun=self._begun,
                forgotten=self._forgotten,
                ended=self._ended,
            )
        self._in_step, self._begun, self._forgotten, self._written = [], [], [], []
        self._ended = []

    def _flush_names(self) -> None:
        """Without a durable name nothing is recorded; the next pass finds the files and adopts."""
        try:
            self._tree.flush(self._written)
        except OSError as error:
            lost = set(self._written)
            self._in_step = [entry for entry in self._in_step if entry.key not in lost]
            self._forgotten = [key for key in self._forgotten if key not in lost]
            remedy = remedy_for(error, "see whether its disk is well")
            self.report(
                Problem(
                    self._written[0],
                    f"it stands there, but its folder could not be flushed to the disk "
                    f"({words_of(error)}); {remedy}{TRIED_AGAIN}",
                )
            )
