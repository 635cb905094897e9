"""What may befall the recorded state, and when: the table."""

from __future__ import annotations

import errno
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from cli.conftest import SAME_PACKAGE
from faults.seams import failing_call
from faults.stage import Stage, Told
from ubiops_file_sync.emulator import Fault
from ubiops_file_sync.store import baseline, scratch, state_file

_HOLDS = """
import sys
from pathlib import Path
from ubiops_file_sync.store import profile_lock
with profile_lock(Path(sys.argv[1]), "p"):
    print("held", flush=True)
    sys.stdin.read()
"""
_OPENS = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that is wrong with the state."""

    name: str
    title: str
    happening: Callable[[Stage], Any]
    """A context in which it is so."""
    exit_code: int
    says: str
    heals: str
    """What makes it well again, as the page says it."""
    mend: Callable[[Stage, Told], None] = lambda _stage, _told: None


def path_of_state(stage: Stage) -> Path:
    """The profile's database."""
    return stage.world.state_dir / "p.sqlite"


def prepare(stage: Stage) -> None:
    """A state of several pages; edits on both sides, and a deletion that is to travel."""
    stage.set(deletions="both")
    names = {f"folder/{n:02}-{'x' * 180}": f"{n}".encode() for n in range(60)}
    stage.in_step(**names, target=b"as it was", gone=b"deleted here")
    stage.precious |= {*names.values(), b"deleted here"}
    stage.edit("target", b"changed here")
    stage.store("down", b"new there")
    (stage.world.root / "gone").unlink()


@contextmanager
def _other_process(code: str, *arguments: str) -> Iterator[None]:
    """A real one, for as long as the block lasts."""
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env={"PYTHONPATH": SAME_PACKAGE},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "held\n"
        yield
        other.stdin.close()


def _locked(stage: Stage) -> Any:
    return _other_process(_HOLDS, str(stage.world.state_dir))


@contextmanager
def _in_use(stage: Stage) -> Iterator[None]:
    with (
        mock.patch.object(state_file, "_BUSY_S", 0.05),
        _other_process(_OPENS, str(path_of_state(stage))),
    ):
        yield


def _folder_denied(stage: Stage) -> Any:
    lock = stage.world.state_dir / "p.lock"
    return failing_call("open", errno.EACCES, lambda args, _kwargs: args[0] == lock)


def _disk_read_only(stage: Stage) -> Any:
    lock = stage.world.state_dir / "p.lock"
    return failing_call("open", errno.EROFS, lambda args, _kwargs: args[0] == lock)


@contextmanager
def _connections(do: Callable[[sqlite3.Connection], object]) -> Iterator[None]:
    """Something is done to each connection to a state that is made."""
    usual = state_file.connect

    def connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
        db = usual(path, read_only=read_only)
        do(db)
        return db

    with mock.patch.object(baseline, "connect", connect):
        yield


def _file_read_only(_stage: Stage) -> Any:
    return _connections(lambda db: db.execute("PRAGMA query_only = ON"))


def _no_room(db: sqlite3.Connection) -> None:
    """SQLite finds the disk full as soon as the file would have to grow."""
    db.execute("VACUUM")
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages}")


@contextmanager
def _full(stage: Stage) -> Iterator[None]:
    for n in range(40):
        stage.edit(f"more/{n:02}-{'y' * 200}", f"more {n}".encode())
    with _connections(_no_room):
        yield


@contextmanager
def _full_at_first(stage: Stage) -> Iterator[None]:
    shutil.rmtree(stage.world.state_dir)
    with _connections(lambda db: db.execute("PRAGMA max_page_count = 2")):
        yield


@contextmanager
def _scratch_full(stage: Stage) -> Iterator[None]:
    old = 1_600_000_000_000_000
    many = [(f"data/many/{n:03}-{'z' * 100}", 0, old) for n in range(100)]
    stage.world.server.add_synthetic(None, many)
    usual = scratch.Scratch.__init__

    def begin(self: scratch.Scratch, schema: str) -> None:
        usual(self, schema)
        self._db.execute("PRAGMA max_page_count = 4")

    with mock.patch.object(scratch.Scratch, "__init__", begin):
        yield
    stage.versions.add(b"")


@contextmanager
def _at_request(stage: Stage, operation: str, do: Callable[[], object]) -> Iterator[None]:
    fault = Fault(operation, "latency", seconds=0, meanwhile=do)
    stage.world.server.faults.add(fault)
    yield
    assert stage.world.server.faults.fired(fault)


def _gone_in_mid_pass(stage: Stage) -> Any:
    return _at_request(stage, "sign_upload", path_of_state(stage).unlink)


@contextmanager
def _overwritten(stage: Stage, at: float, with_: bytes = b"garbage!" * 12) -> Iterator[None]:
    """Some bytes are others, a share `at` into the file."""
    path = path_of_state(stage)
    start = int(at * (path.stat().st_size - len(with_)))
    with path.open("r+b") as file:
        file.seek(start)
        file.write(with_)
    yield


@contextmanager
def _cut(stage: Stage, share: float) -> Iterator[None]:
    path = path_of_state(stage)
    with path.open("r+b") as file:
        file.truncate(int(share * path.stat().st_size))
    yield


@contextmanager
def _killed(stage: Stage, *, damaged: bool = False) -> Iterator[None]:
    """A transaction that was killed half-way: what it wrote, and the journal to take it back."""
    path = path_of_state(stage)
    journal = path.with_name("p.sqlite-journal")
    with ExitStack() as stack:
        db = stack.enter_context(closing(sqlite3.connect(path, isolation_level=None)))
        db.execute("PRAGMA cache_size = 1")
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE baseline SET size = size + 1, created_us = 1")
        copies = path.read_bytes(), journal.read_bytes()
        db.execute("ROLLBACK")
    path.write_bytes(copies[0])
    kept = bytearray(copies[1])
    assert len(kept) > 4096, "nothing was written before the end of the transaction"
    if damaged:
        kept[len(kept) // 2 : len(kept) // 2 + 64] = b"garbage!" * 8
    journal.write_bytes(kept)
    yield


@contextmanager
def _foreign_journal(stage: Stage) -> Iterator[None]:
    path_of_state(stage).with_name("p.sqlite-journal").write_bytes(b"garbage!" * 1000)
    yield


@contextmanager
def _newer(stage: Stage) -> Iterator[None]:
    with closing(sqlite3.connect(path_of_state(stage))) as db:
        db.execute("PRAGMA user_version = 99")
    yield


@contextmanager
def _removed(stage: Stage) -> Iterator[None]:
    path_of_state(stage).unlink()
    yield


@contextmanager
def _all_removed(stage: Stage) -> Iterator[None]:
    shutil.rmtree(stage.world.state_dir)
    yield


def as_told(stage: Stage, told: Told) -> None:
    """Type the command that the message names."""
    found = re.search(r"move it away: (mv \S+ \S+)\. The next", told.text)
    assert found, told.text
    subprocess.run(found[1].split(), check=True)


def _move_away(stage: Stage, _told: Told) -> None:
    path_of_state(stage).rename(stage.folder / "moved away")


_DAMAGED = r"is damaged \(.*move it away: mv .*loses nothing"

DAMAGES = {
    one.name: one
    for one in (
        Damage("locked", "another process has the profile", _locked, 5,
               r"profile 'p' is being reconciled already, by process \d+", "it ends"),
        Damage("in use", "another program has the file open, and keeps it locked", _in_use, 78,
               "database is locked.*another program has it open: end that one", "it ends"),
        Damage("folder read-only", "its folder may not be written to", _folder_denied, 78,
               r"profile 'p': cannot write its state .*\(permission denied\); set `state_dir`",
               "it may"),
        Damage("disk read-only", "its disk is mounted read-only", _disk_read_only, 78,
               r"profile 'p': cannot write its state .*\(read-only file system\); see why",
               "it is mounted for writing"),
        Damage("file read-only", "the file may not be written to", _file_read_only, 78,
               "attempt to write a readonly database.*see to it that this user may write",
               "it may"),
        Damage("full", "its disk gets full in the middle of a pass", _full, 78,
               "database or disk is full.*make room on its disk", "there is room"),
        Damage("full at first", "its disk is full at the first pass", _full_at_first, 78,
               "database or disk is full.*make room on its disk", "there is room"),
        Damage("scratch full", "the disk of temporary files is full", _scratch_full, 78,
               "temporary files of the pass cannot be used.*make room where they are",
               "there is room"),
        Damage("header", "garbage at its beginning", lambda stage: _overwritten(stage, 0), 78,
               _DAMAGED, "the command that the message names", as_told),
        Damage("empty", "cut to nothing", lambda stage: _cut(stage, 0), 78,
               _DAMAGED, "the command that the message names", as_told),
        Damage("half", "cut in the middle", lambda stage: _cut(stage, 0.5), 78,
               _DAMAGED, "the command that the message names", as_told),
        Damage("killed", "a transaction was cut short by a kill", _killed, 0, "", "the same pass"),
        Damage("journal", "so it was, and its journal is damaged",
               lambda stage: _killed(stage, damaged=True), 0, "", "the same pass"),
        Damage("foreign journal", "garbage in place of a journal", _foreign_journal, 0, "",
               "the same pass"),
        Damage("newer", "a newer version has used it", _newer, 78,
               "was written by a newer version.*use that version, or move the file away",
               "that version, or the file moved away", _move_away),
        Damage("removed", "the file is removed between two passes", _removed, 0, "",
               "the same pass, by comparing contents"),
        Damage("all removed", "the whole folder is", _all_removed, 0, "",
               "the same pass, by comparing contents"),
        Damage("gone in mid pass", "the file is removed while a pass uses it", _gone_in_mid_pass,
               78, "moved or removed while it was in use.*found again by the next pass",
               "the next pass"),
    )
}  # fmt: skip
