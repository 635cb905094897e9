"""What the file system below a directory can do, and what it is: for whoever looks for trouble.

Passes ask nothing of this; they cope with each quirk where they meet it.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ubiops_file_sync import keys
from ubiops_file_sync.local.descend import DIRECTORY, NO_LINKS, open_directory
from ubiops_file_sync.local.staging import TMP_DIR

_MOUNTS = Path("/proc/self/mountinfo")
_OCTAL = re.compile(r"\\([0-7]{3})")
_NETWORK = re.compile(
    r"nfs\d?|cifs|smb\w*|9p|afs|ceph|glusterfs|lustre|gpfs|beegfs|ncpfs|davfs"
    r"|fuse\.(?:sshfs|s3fs|rclone|gcsfuse|davfs2?|glusterfs|ceph\w*|nfs\w*|smb\w*|blobfuse2?)",
    re.ASCII,
)
_IN_MEMORY = {"tmpfs", "ramfs"}
_ODD_TIME_NS = 1_600_000_001_123_456_789
"""An odd second, and a digit in each place, so that each way of cutting it shows."""
_STEPS_NS = (1, 100, 1_000, 1_000_000, 10_000_000, 1_000_000_000, 2_000_000_000)


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted file system."""

    at: Path
    kind: str
    """As the kernel calls it, such as `ext4`."""
    is_read_only: bool

    @property
    def is_network(self) -> bool:
        """Whether it is another machine's."""
        return _NETWORK.fullmatch(self.kind) is not None

    @property
    def is_in_memory(self) -> bool:
        """Whether a restart of the machine empties it."""
        return self.kind in _IN_MEMORY


def read_mounts() -> list[Mount]:
    """Every mounted file system, in the order of mounting; none where the kernel does not tell."""
    try:
        return parse_mounts(_MOUNTS.read_text(errors="surrogateescape"))
    except OSError:
        return []


def parse_mounts(text: str) -> list[Mount]:
    """The file systems of a text as proc_pid_mountinfo(5) describes it."""
    return [mount for line in text.splitlines() if (mount := _mount(line)) is not None]


def _mount(line: str) -> Mount | None:
    """One line; any number of optional fields stands before the ` - `."""
    head, dash, tail = line.partition(" - ")
    fields, kind = head.split(" "), tail.split(" ")[0]
    if not dash or len(fields) < 6:
        return None
    at = _OCTAL.sub(lambda octal: chr(int(octal[1], 8)), fields[4])
    return Mount(Path(at), kind, "ro" in fields[5].split(","))


def mount_of(path: Path, mounts: list[Mount]) -> Mount | None:
    """The file system that a path is on; None: not known. A later mount hides an earlier one."""
    real = Path(os.path.realpath(path))
    above = [mount for mount in mounts if real.is_relative_to(mount.at)]
    return max(reversed(above), key=lambda mount: len(mount.at.parts), default=None)


def mounted_below(path: Path, mounts: list[Mount]) -> list[Path]:
    """Where other file systems are mounted within a directory."""
    real = Path(os.path.realpath(path))
    return [mount.at for mount in mounts if mount.at != real and mount.at.is_relative_to(real)]


@dataclass(frozen=True, slots=True)
class Quirks:
    """What a file system does otherwise than most."""

    folds_case: bool
    """Upper and lower case are one."""
    recomposes: bool
    """Letters with accents come back composed in another way."""
    has_links: bool
    time_step_ns: int
    """To how many nanoseconds a file's time is cut."""
    keeps_modes: bool
    """A file can be made private."""


def find_quirks(root: Path) -> Quirks:
    """What is so below a directory, found out with some small files in the control directory.

    Nothing is left of them. Raises OSError, and `KeyFailure` if a link stands in the way.
    """
    root_fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with _scratch(root_fd) as fd:
            return Quirks(
                folds_case=_folds_case(fd),
                recomposes=_recomposes(fd),
                has_links=_has_links(fd),
                time_step_ns=_time_step_ns(fd),
                keeps_modes=_keeps_modes(fd),
            )
    finally:
        os.close(root_fd)


@contextmanager
def _scratch(root_fd: int) -> Iterator[int]:
    """A folder of its own in the control directory, which goes as well if it was not there."""
    missing = [name for name in (TMP_DIR, keys.CONTROL_DIR) if not _is_there(root_fd, name)]
    # Not of the form of a staged file, which a pass may remove.
    name = f".doctor-{secrets.token_hex(6)}"
    try:
        with open_directory(root_fd, TMP_DIR, create=True, mode=0o700) as tmp_fd:
            os.mkdir(name, 0o700, dir_fd=tmp_fd)
            try:
                fd = os.open(name, DIRECTORY, dir_fd=tmp_fd)
                try:
                    yield fd
                finally:
                    for one in os.listdir(fd):  # noqa: PTH208  a descriptor, not a path
                        os.unlink(one, dir_fd=fd)
                    os.close(fd)
            finally:
                os.rmdir(name, dir_fd=tmp_fd)
    finally:
        for folder in missing:
            with suppress(OSError):  # Somebody else is using it by now.
                os.rmdir(folder, dir_fd=root_fd)


def _is_there(root_fd: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=root_fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _make(fd: int, name: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    os.close(os.open(name, flags, 0o600, dir_fd=fd))


def _folds_case(fd: int) -> bool:
    _make(fd, "Case")
    return _is_there(fd, "cASE")


def _recomposes(fd: int) -> bool:
    _make(fd, "accent-e\u0301")
    return "accent-e\u0301" not in os.listdir(fd)


def _has_links(fd: int) -> bool:
    _make(fd, "linked")
    try:
        os.link("linked", "link", src_dir_fd=fd, dst_dir_fd=fd, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        return False
    return True


def _time_step_ns(fd: int) -> int:
    _make(fd, "time")
    os.utime("time", ns=(_ODD_TIME_NS, _ODD_TIME_NS), dir_fd=fd)
    kept = os.stat("time", dir_fd=fd).st_mtime_ns
    fitting = (n for n in _STEPS_NS if kept % n == 0 and abs(kept - _ODD_TIME_NS) < n)
    return next(fitting, _STEPS_NS[-1])


def _keeps_modes(fd: int) -> bool:
    _make(fd, "mode")
    os.chmod("mode", 0o600, dir_fd=fd)
    return os.stat("mode", dir_fd=fd).st_mode & 0o777 == 0o600
