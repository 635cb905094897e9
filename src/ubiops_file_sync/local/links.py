"""Following symbolic links below one root, and never out of it (invariant I7).

The kernel cannot be asked to follow a link and stay below a folder, so each link is read and
walked here: component by component with O_NOFOLLOW, from the descriptor of the root. A component
that is swapped for a link meanwhile makes the open fail; it does not lead anywhere.

Links are followed for reading alone: nothing is ever written through one.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

from ubiops_file_sync.errors import KeyFailure
from ubiops_file_sync.keys import CONTROL_DIR

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

_MOST_LINKS = 40
"""Links on the way to one file, as many as Linux follows."""

_REMEDY = "so nothing at or below it was touched; mend the link, or add it to `exclude`"
LEADS_OUT = f"it is a link that leads out of the profile's folder, {_REMEDY}"
LEADS_NOWHERE = f"it is a link to something that is not there, {_REMEDY}"
GOES_ROUND = f"it is a link that leads back to itself or to a folder above it, {_REMEDY}"
LEADS_INSIDE = (
    f"it is a link into {CONTROL_DIR}/, where this program keeps its own files, {_REMEDY}"
)


@dataclass(frozen=True, slots=True)
class Links:
    """The way through the links below one root. Safe for use by several threads at once."""

    root_fd: int
    root_names: tuple[Path, ...]
    """Absolute paths of the root: a link may begin with any of them."""

    @classmethod
    def below(cls, root: Path, root_fd: int) -> Self:
        """Those below `root`, which `root_fd` holds open."""
        return cls(root_fd, (root.absolute(), root.resolve()))

    @contextmanager
    def opened(self, key: str) -> Iterator[tuple[int, str]]:
        """The open directory that `key` leads to when links are followed, and the name in it.

        The name is no link at that moment; it is ``.`` where the key leads to the directory
        itself. Raises `KeyFailure` where a link must not be followed or leads nowhere, and
        FileNotFoundError where `key` itself is not there.
        """
        parts = key.split("/")
        if not {"", ".", ".."}.isdisjoint(parts):
            raise KeyFailure("a part of the name is empty, '.' or '..'")
        way = _Way(self)
        try:
            yield way.to(parts)
        finally:
            way.leave()

    def inside(self, target: str) -> list[str]:
        """The parts of an absolute link's target, from the root."""
        parts = [part for part in target.split("/") if part not in {"", "."}]
        for root in self.root_names:
            above = root.parts[1:]
            if tuple(parts[: len(above)]) == above:
                return parts[len(above) :]
        raise KeyFailure(LEADS_OUT)


class _Step(NamedTuple):
    part: str
    of_link: bool
    """It comes from what a link says, and not from the key itself."""


class _Way:
    """The real directories from the root down to the current one, each held open."""

    def __init__(self, links: Links) -> None:
        self._links = links
        self._fds = [os.dup(links.root_fd)]
        self._followed = 0

    def leave(self) -> None:
        while self._fds:
            os.close(self._fds.pop())

    def to(self, parts: Sequence[str]) -> tuple[int, str]:
        ahead = [_Step(part, of_link=False) for part in reversed(parts)]
        while ahead:
            step = ahead.pop()
            part = step.part
            if part in {"", "."}:
                continue
            if part == "..":
                self._up()
                continue
            if self._followed and part == CONTROL_DIR:
                raise KeyFailure(LEADS_INSIDE)
            status = self._status(step)
            if stat.S_ISLNK(status.st_mode):
                target = reversed(self._follow(part))
                ahead.extend(_Step(part, of_link=True) for part in target)
            elif ahead:
                self._down(step)
            else:
                return self._fds[-1], part
        return self._fds[-1], "."

    def _status(self, step: _Step) -> os.stat_result:
        try:
            return os.stat(step.part, dir_fd=self._fds[-1], follow_symlinks=False)
        except FileNotFoundError:
            if step.of_link:
                raise KeyFailure(LEADS_NOWHERE) from None
            raise

    def _follow(self, part: str) -> Sequence[str]:
        self._followed += 1
        if self._followed > _MOST_LINKS:
            raise KeyFailure(GOES_ROUND)
        target = os.readlink(part, dir_fd=self._fds[-1])
        if not target.startswith("/"):
            return target.split("/")
        while len(self._fds) > 1:
            self._up()
        return self._links.inside(target)

    def _up(self) -> None:
        """`..` of a real directory: the one that it was reached through."""
        if len(self._fds) == 1:
            raise KeyFailure(LEADS_OUT)
        os.close(self._fds.pop())

    def _down(self, step: _Step) -> None:
        try:
            self._fds.append(os.open(step.part, _DIRECTORY, dir_fd=self._fds[-1]))
        except OSError as error:
            if error.errno not in {errno.ENOTDIR, errno.ELOOP}:
                raise
            if step.of_link:
                raise KeyFailure(LEADS_NOWHERE) from None
            raise KeyFailure(
                f"{step.part!r} on the way to it is a file, not a folder; rename one of them"
            ) from None


def is_above(status: os.stat_result, fds: Iterable[int]) -> bool:
    """Whether a directory is one of those that are open."""
    return any(os.path.samestat(status, os.fstat(fd)) for fd in fds)
