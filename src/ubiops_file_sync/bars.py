"""Progress as lines of text that fit a terminal of any width. Pure.

Widths are counted in cells: some characters take two of them, some none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, chop_cells, set_cell_size

from ubiops_file_sync.bucket.traffic import Transfer
from ubiops_file_sync.meter import Standing
from ubiops_file_sync.model import Direction
from ubiops_file_sync.phrases import (
    bytes_words,
    counted,
    duration_words,
    printable,
    rate_words,
    span_us,
)

MOST_TRANSFERS = 4
"""Files that are shown, of those that travel at the moment."""
_WIDE = 60
"""Cells from which on there is room for more than a percentage."""
_LONGEST_BAR = 40
_SHORTEST_NAME = 8


@dataclass(frozen=True, slots=True)
class Signs:
    """What a terminal can show."""

    full: str
    empty: str
    up: str
    down: str
    cut: str
    between: str


FANCY = Signs("━", "─", "↑", "↓", "…", " · ")
PLAIN = Signs("#", "-", "up", "down", "...", ", ")
"""For encodings other than UTF-8."""


@dataclass(frozen=True, slots=True)
class View:
    """What is to be shown of a pass."""

    profile: str
    elapsed_s: float
    said: tuple[str, ...]
    """What it is at, in a few phrases."""
    standing: Standing | None = None
    """None: both sides are being compared."""
    transfers: Sequence[Transfer] = ()
    latest: str = ""
    """The key of the action that ended last."""


def drawn(view: View, width: int, signs: Signs) -> list[str]:
    """The lines that show it, none of them wider than `width` cells."""
    if view.standing is None:
        said = (*view.said, duration_words(view.elapsed_s))
        return list(_packed(f"{view.profile}: ", said, width, signs))
    told = [*_phrases(view.standing), *view.said]
    return [
        _bar_line(view.profile, view.standing.share, width, signs),
        *_packed("  ", told, width, signs),
        *_transfer_lines(view.transfers, width, signs),
        *_latest_line(view, width, signs),
    ]


def one_line(profile: str, standing: Standing) -> str:
    """The same for a log."""
    return f"{profile}: {', '.join(_phrases(standing))}"


def _phrases(now: Standing) -> Iterator[str]:
    yield f"{now.files_done:,} of {counted(now.files, 'file')}"
    if now.bytes_all:
        yield f"{bytes_words(now.bytes_done)} of {bytes_words(now.bytes_all)}"
        yield rate_words(now.bytes_per_s)
    if now.left_s is not None:
        yield f"{_about(now.left_s)} left"


def _about(seconds: float) -> str:
    """Of a guess nobody wants the seconds, once there are minutes."""
    if seconds < 60:
        return f"{max(round(seconds), 1)} s"
    return span_us(round(seconds / 60) * 60_000_000)


def _bar_line(profile: str, share: float, width: int, signs: Signs) -> str:
    percent = f"{int(share * 100):3d} %"
    name = shortened(profile, max(_SHORTEST_NAME, width // 2), signs)
    cells = min(width - cell_len(name) - len(percent) - 2, _LONGEST_BAR)
    if cells < 1:
        return set_cell_size(f"{name} {percent}", width).rstrip()
    full = int(share * cells)
    return f"{name} {signs.full * full}{signs.empty * (cells - full)} {percent}"


def _packed(start: str, told: Sequence[str], width: int, signs: Signs) -> Iterator[str]:
    """Phrases, as many to a line as there is room for; those after the first are indented."""
    line = start
    is_empty = True
    for words in told:
        added = words if is_empty else f"{signs.between}{words}"
        if not is_empty and cell_len(line) + cell_len(added) > width:
            yield _cut(line, width)
            line, added = "  ", words
        line += added
        is_empty = False
    if not is_empty:
        yield _cut(line, width)


def _cut(line: str, width: int) -> str:
    return line if cell_len(line) <= width else set_cell_size(line, width).rstrip()


def _transfer_lines(transfers: Sequence[Transfer], width: int, signs: Signs) -> Iterator[str]:
    shown = sorted(transfers, key=lambda one: one.size_bytes, reverse=True)[:MOST_TRANSFERS]
    rows = [(_way(one, signs), printable(one.key), _how_far(one, width)) for one in shown]
    widest = max((cell_len(right) for *_, right in rows), default=0)
    room = width - max((len(way) for way, *_ in rows), default=0) - widest - 5
    for way, key, right in rows:
        name = shortened(key, max(room, _SHORTEST_NAME), signs)
        gap = " " * max(room - cell_len(name), 0)
        yield _cut(f"  {way} {name}{gap}  {right:>{widest}}", width)
    if len(transfers) > len(shown):
        yield _cut(f"  and {counted(len(transfers) - len(shown), 'more big file')}", width)


def _latest_line(view: View, width: int, signs: Signs) -> Iterator[str]:
    """What was last done, where nothing is shown that is being done: files are too small."""
    if view.latest and not view.transfers:
        start = "  done: "
        name = shortened(printable(view.latest), max(width - len(start), _SHORTEST_NAME), signs)
        yield _cut(f"{start}{name}", width)


def _way(one: Transfer, signs: Signs) -> str:
    return signs.up if one.way is Direction.UPLOAD else signs.down


def _how_far(one: Transfer, width: int) -> str:
    if width < _WIDE:
        return f"{int(100 * one.done_bytes / max(one.size_bytes, 1))} %"
    done, size = bytes_words(one.done_bytes), bytes_words(one.size_bytes)
    speed = rate_words(one.bytes_per_s) if one.done_bytes else ""
    return f"{done} of {size}  {speed:>11}"


def shortened(name: str, width: int, signs: Signs) -> str:
    """A name in at most so many cells. Its end tells more than its beginning."""
    if cell_len(name) <= width:
        return name
    room = width - cell_len(signs.cut)
    # From the end, character by character, since one may take two cells.
    kept = chop_cells(name[::-1], max(room, 1))[0][::-1]
    return f"{signs.cut}{kept}"
