"""What bad input may lead to: a refusal in words for people, and not a byte outside of the root."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ubiops_file_sync.cli import _code_of, cli
from ubiops_file_sync.cli.output import loudness
from ubiops_file_sync.errors import SyncError

EXIT_CODES = {0, 1, 2, 3, 4, 5, 10, 78, 130}
_OF_A_TRACEBACK = ("Traceback", 'File "', " object at 0x", "a bug in ubiops-file-sync")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {
    "os.chmod",
    "os.link",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.symlink",
    "os.truncate",
    "os.utime",
    "shutil.copyfile",
    "shutil.move",
}


def require_words(text: str) -> None:
    """Fail unless `text` is something to show to a person, on a terminal."""
    assert text.strip(), "nothing is said"
    for words in _OF_A_TRACEBACK:
        assert words not in text, text
    for line in text.split("\n"):
        assert line.isprintable(), f"a terminal would obey this: {line!r}"


heard: list[str] = []
"""What was refused, in words, since somebody cleared it."""


@contextmanager
def only_refusals(*further: type[Exception]) -> Iterator[None]:
    """Let nothing out of the block but an error with words for a person, and that not either."""
    expected: tuple[type[Exception], ...] = (SyncError, *further)
    said = "nothing came out"
    try:
        yield
    except expected as error:
        said = str(error)
        heard.append(said)
    assert said.strip(), "an error says nothing"
    for words in _OF_A_TRACEBACK:
        assert words not in said, said


class Said(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


def command(*words: str) -> Said:
    """Run the command line within this process, and check what a user gets to see.

    `UBIOPS_FILE_SYNC_DEBUG` is set, so that what would be called a bug is raised.
    """
    out, err = io.StringIO(), io.StringIO()
    loudness.quiet = loudness.verbose = loudness.as_json = False
    before = os.environ.get("UBIOPS_FILE_SYNC_DEBUG")
    os.environ["UBIOPS_FILE_SYNC_DEBUG"] = "1"
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = _code_of(
                lambda: cli.main(list(words), prog_name="ubiops-file-sync", standalone_mode=False)
            )
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        if before is None:
            del os.environ["UBIOPS_FILE_SYNC_DEBUG"]
        else:
            os.environ["UBIOPS_FILE_SYNC_DEBUG"] = before
    said = Said(code, out.getvalue(), err.getvalue())
    assert code in EXIT_CODES, said
    if code != 0:
        require_words(said.out + said.err)
        heard.append(f"{' '.join(words)} ended with {code}: {said.out}{said.err}")
    for line in (said.out + said.err).split("\n"):
        assert line.isprintable(), f"a terminal would obey this: {line!r}"
    return said


class _Auditor:
    """Hears of everything that this process opens, makes, renames and removes."""

    def __init__(self) -> None:
        self.allowed: tuple[str, ...] | None = None
        self.trespasses: list[str] = []
        self._is_hooked = False

    def hook(self) -> None:
        """An audit hook stays for as long as the process, so there is one."""
        if not self._is_hooked:
            sys.addaudithook(self._heard)
            self._is_hooked = True

    def _heard(self, event: str, args: tuple[Any, ...]) -> None:
        if self.allowed is None:
            return
        if event == "open":
            if isinstance(args[2], int) and args[2] & _WRITES:
                self._judge(event, args[0])
        elif event in _CHANGES:
            self._judge(event, args[0])
            if event in {"os.link", "os.rename", "shutil.move"}:
                self._judge(event, args[1])

    def _judge(self, event: str, path: object) -> None:
        if not isinstance(path, str | bytes | os.PathLike) or self.allowed is None:
            return  # A descriptor, which something before this opened.
        name = os.fsdecode(path)
        if name.startswith("/"):
            is_fine = os.path.realpath(os.path.dirname(name)).startswith(self.allowed)
        else:
            # From an open folder, or from the working directory, which is one of the allowed.
            is_fine = ".." not in name.split("/")
        if not is_fine:
            self.trespasses.append(f"{event} {name!r}")


_auditor = _Auditor()


@dataclass
class Surroundings:
    """A root, a state folder, and what must not be touched around them."""

    folder: Path
    links: tuple[str, ...] = ("link", "d/link")
    """Links in the root that lead out of it, to a folder with a file `secret`."""
    _before: dict[str, tuple[int, int, bytes]] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        return self.folder / "inside" / "root"

    @property
    def state_dir(self) -> Path:
        return self.folder / "inside" / "state"

    @property
    def outside(self) -> Path:
        return self.folder / "outside"

    def make(self) -> None:
        """Make all of it."""
        self.root.mkdir(parents=True)
        self.state_dir.mkdir(mode=0o700)
        self.outside.mkdir()
        (self.outside / "secret").write_bytes(b"untouched")
        (self.folder / "secret").write_bytes(b"untouched")
        (self.folder / "inside" / "secret").write_bytes(b"untouched")
        for name in self.links:
            (self.root / name).parent.mkdir(exist_ok=True)
            (self.root / name).symlink_to(self.outside)
        (self.root / "secret").symlink_to(self.outside / "secret")
        self._before = self._look()

    def _look(self) -> dict[str, tuple[int, int, bytes]]:
        places = [self.folder, self.outside, *self.outside.iterdir()]
        places += [above / "secret" for above in (self.folder, self.folder / "inside")]
        return {
            str(path): (
                path.lstat().st_mode,
                path.lstat().st_mtime_ns,
                path.read_bytes() if path.is_file() else b"",
            )
            for path in places
        }

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Fail if anything outside of root and state is changed within the block (I7)."""
        _auditor.hook()
        _auditor.trespasses.clear()
        # SQLite's and Python's own temporary files are nobody's input.
        _auditor.allowed = (os.path.realpath(self.folder / "inside"), "/tmp", "/var/tmp", "/dev")
        try:
            yield
        finally:
            _auditor.allowed = None
        assert _auditor.trespasses == []
        assert self._look() == self._before, "something outside of the root was changed"
        for name in (*self.links, "secret"):
            path = self.root / name
            assert not path.is_symlink() or path.readlink().is_relative_to(self.outside)
