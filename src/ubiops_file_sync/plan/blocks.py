"""Three sorted streams side by side, which come in blocks. Pure.

Most files of most passes are in step. A stretch of them is passed over in one tight loop, a block
at a time, since for a million files each further step in Python is a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import lt
from typing import Any, Generic, TypeVar, cast

from ubiops_file_sync import keys
from ubiops_file_sync.model import (
    BaselineEntry,
    BaselineRow,
    LocalBlock,
    LocalEntry,
    LocalItem,
    PlanSummary,
    RemoteBlock,
    RemoteEntry,
    RowBlock,
    as_row,
)

_NO_KEY = "\0"
"""Begins no key."""

Item = TypeVar("Item")
Hides = Callable[[str, LocalEntry, RemoteEntry], bool]
"""Whether a filter hides a key, by what the two sides have of it. Asked in key order."""


class KeyOutOfOrder(Exception):
    """A stream that must be sorted is not. UbiOps documents no order of listings."""

    def __init__(self, key: str) -> None:
        super().__init__(f"{key!r} came after a key that sorts behind it")
        self.key = key


class Cursor(Generic[Item]):
    """A place in a stream of blocks. Reads no further than to the block of `head`."""

    __slots__ = ("_at", "_block", "_blocks", "head")

    def __init__(self, blocks: Iterable[Sequence[object]]) -> None:
        self._blocks = iter(blocks)
        self._block: Sequence[object] = ()
        self._at = 0
        self.head: Item | None = None
        """The next item; None: the stream has ended."""
        self.skip(0)

    def take(self) -> Item:
        """The next item, which is then passed. There must be one."""
        taken: Item = self.head  # type: ignore[assignment]  # there is one
        self.skip(1)
        return taken

    def skip(self, count: int) -> None:
        """Pass items of the current block."""
        self._at += count
        while self._at == len(self._block):
            block = next(self._blocks, None)
            if block is None:
                self._at, self._block, self.head = 0, (), None
                self._blocks = iter(())
                return
            self._at, self._block = 0, block
        self.head = self._shown(self._block[self._at])

    def rest(self) -> Sequence[object]:
        """What is left of the current block."""
        return self._block[self._at :] if self._at else self._block

    def _shown(self, item: Any) -> Any:
        """The item as it is handed out."""
        return item


class _Rows(Cursor[BaselineRow]):
    """The baseline: rows, or in most blocks just the entries, as bare tuples."""

    __slots__ = ()

    @property
    def is_bare(self) -> bool:
        """Whether the current block holds no intents."""
        return bool(self._block) and not isinstance(self._block[0], BaselineRow)

    def _shown(self, item: Any) -> BaselineRow:
        return as_row(item)


class Streams:
    """Both sides and the baseline, each at its next key."""

    def __init__(
        self,
        local: Iterable[LocalBlock],
        remote: Iterable[RemoteBlock],
        baseline: Iterable[RowBlock],
        summary: PlanSummary,
    ) -> None:
        """`summary` counts what is passed over. Raises `KeyOutOfOrder`, as each step may."""
        self._summary = summary
        self.local: Cursor[LocalItem] = Cursor(local)
        self.remote: Cursor[RemoteEntry] = Cursor(_checked(remote, summary))
        self.baseline = _Rows(baseline)

    @property
    def meeting(self) -> str | None:
        """The next key, if it is that of all three."""
        here, there, row = self.local.head, self.remote.head, self.baseline.head
        if here is None or there is None or row is None:
            return None
        return row.key if here.key == row.key == there.key else None

    def skip_in_step(self, hides: Hides | None) -> list[str]:
        """Pass over keys that are in step and that `hides` does not hide, until one is not.

        Returns those of them that may be prefixes of what comes next: the last one, and such as
        the key behind them begins with. Stops at whatever is a question for the decision table.
        """
        here, there, known = self.local, self.remote, self.baseline
        opened: list[str] = []
        last = _NO_KEY
        while known.is_bare:
            rests = here.rest(), there.rest(), known.rest()
            shortest = min(map(len, rests))
            count = 0
            for mine, theirs, row in zip(
                cast("Sequence[LocalEntry]", rests[0]),
                cast("Sequence[RemoteEntry]", rests[1]),
                cast("Sequence[BaselineEntry]", rests[2]),
                strict=False,
            ):
                # Whatever the walk tells besides files is a triple too, and agrees with no row.
                key, size, mtime_ns = mine
                key_there, size_there, created_us = theirs
                base_key, base_size, base_mtime_ns, base_created_us = row
                if (
                    key != base_key
                    or key_there != base_key
                    or size != base_size
                    or size_there != base_size
                    or mtime_ns != base_mtime_ns
                    or created_us != base_created_us
                    or (hides is not None and hides(key, mine, theirs))
                ):
                    break
                if key.startswith(last):
                    opened.append(last)
                last = key
                count += 1
            self._pass(count)
            if count < shortest or not shortest:
                break
        return opened if last == _NO_KEY else [*opened, last]

    def _pass(self, count: int) -> None:
        if count:
            self.local.skip(count)
            self.remote.skip(count)
            self.baseline.skip(count)
            self._summary.local_files += count
            self._summary.in_step += count


def _checked(remote: Iterable[RemoteBlock], summary: PlanSummary) -> Iterator[RemoteBlock]:
    """The listing without folder markers, as long as it is sorted and free of repeats.

    The markers are counted too: they take up room in the pages.
    """
    last = ""
    for page in remote:
        if not page:
            continue
        names = [entry[0] for entry in page]
        if (last and names[0] <= last) or not all(map(lt, names, names[1:])):
            raise KeyOutOfOrder(_late_one(last, names))
        last = names[-1]
        summary.remote_files += len(page)
        sizes = [entry[1] for entry in page]
        yield page if all(sizes) else _without_markers(page)


def _late_one(last: str, names: list[str]) -> str:
    return next(name for before, name in zip([last, *names], names, strict=False) if name <= before)


def _without_markers(page: RemoteBlock) -> RemoteBlock:
    return [entry for entry in page if not keys.is_folder_marker(entry.key, entry.size)]
