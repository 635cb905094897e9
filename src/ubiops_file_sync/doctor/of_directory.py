"""The local side: whether the directory is there, and what may be done there."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from ubiops_file_sync import places
from ubiops_file_sync.config import Profile
from ubiops_file_sync.doctor.finding import Finding, ok, problem, problem_of, warning
from ubiops_file_sync.doctor.of_file_system import of_file_system
from ubiops_file_sync.errors import KeyFailure, SyncError
from ubiops_file_sync.local import LocalTree
from ubiops_file_sync.model import Direction
from ubiops_file_sync.phrases import bytes_words, counted

_LITTLE_SHARE = 0.05
_LITTLE_BYTES = 1 << 30
_FEW_FILES = 1_000


@dataclass(frozen=True, slots=True)
class DirectoryCheck:
    """A look at the directory of one profile."""

    profile: Profile
    is_busy: bool
    """A pass is under way: nothing is tried out beside it."""
    in_step: int = 0
    """Files that were in step there."""

    def findings(self) -> Iterator[Finding]:
        """What there is to say, the most telling first."""
        root = self.profile.local_dir
        if not os.path.lexists(root):
            yield self._missing()
            return
        try:
            with places.existing_root(self.profile, "doctor") as tree:
                yield self._access(tree)
                yield self._room(tree)
                yield from self._marker(tree)
        except SyncError as error:
            yield problem_of("directory", error)
            return
        yield from of_file_system(self.profile, is_busy=self.is_busy)

    def _missing(self) -> Finding:
        root = self.profile.local_dir
        if self.profile.direction is Direction.UPLOAD or not root.parent.is_dir():
            return problem(
                "directory", f"{root} does not exist", f"mkdir -p {shlex.quote(str(root))}"
            )
        if not os.access(root.parent, os.W_OK | os.X_OK):
            return problem(
                "directory",
                f"{root} does not exist, and this user may not make it",
                f"make it, and let this user write to it: mkdir {shlex.quote(str(root))}",
            )
        if self.in_step:
            quoted = shlex.quote(str(root))
            return problem(
                "directory",
                f"{root} is missing, but {counted(self.in_step, 'file')} were in step there, so "
                "that a pass halts",
                "mount its disk; or if the folder is gone for good, begin with an empty one: mkdir "
                f"{quoted} && ubiops-file-sync reconcile {self.profile.name} --allow empty-root",
            )
        return ok("directory", f"{root} does not exist yet; the first pass makes it")

    def _access(self, tree: LocalTree) -> Finding:
        profile, writable = self.profile, tree.is_writable()
        words = f"{profile.local_dir} can be read{' and written to' if writable else ''}"
        if writable or profile.direction is Direction.UPLOAD:
            return ok("directory", words)
        return problem(
            "directory",
            f"{words}, but not written to, which 'direction: {profile.direction}' needs",
            "give this user the right to write there, or set 'direction: upload'",
        )

    def _room(self, tree: LocalTree) -> Finding:
        profile, status = self.profile, os.statvfs(tree.root)
        free, total = tree.free_bytes(), status.f_blocks * status.f_frsize
        words = f"{bytes_words(free)} free of {bytes_words(total)}"
        if profile.min_free and free < profile.min_free:
            return problem(
                "disk",
                f"{words}, less than min_free ({bytes_words(profile.min_free)}), so that a pass "
                "that downloads anything halts",
                "make room, or lower min_free",
            )
        if free < min(total * _LITTLE_SHARE, _LITTLE_BYTES):
            return warning("disk", f"{words}: it is nearly full", "make room")
        if status.f_files and status.f_favail < _FEW_FILES:
            return warning(
                "disk",
                f"{words}, but room for {counted(status.f_favail, 'more file')} only",
                "remove small files: it is out of inodes",
            )
        return ok("disk", words)

    def _marker(self, tree: LocalTree) -> Iterator[Finding]:
        marker = self.profile.marker
        if marker is None:
            return
        try:
            found = tree.look(marker) is not None
        except (KeyFailure, OSError):
            found = False
        if found:
            yield ok("marker", f"{marker} is there")
            return
        path = shlex.quote(os.path.join(self.profile.local_dir, marker))  # noqa: PTH118
        yield problem(
            "marker",
            f"{marker} is missing, so that no pass runs",
            f"mount the disk that it is on; or if it is mounted, make the file: touch {path}",
        )
