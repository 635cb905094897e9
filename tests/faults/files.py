"""What may befall a local file or folder, at every step of a pass that touches one: the table."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from faults.seams import (
    Hits,
    before_opened,
    failing_call,
    failing_reads,
    failing_writes,
    of_descriptor,
    of_name,
    put_in_place,
    trouble,
    while_scanned,
)
from faults.stage import Stage
from ubiops_file_sync.emulator import Fault

ERRORS = {
    "ENOSPC": (errno.ENOSPC, "no space left on device.*make room"),
    "EIO": (errno.EIO, "input/output error.*kernel's log"),
    "EACCES": (
        errno.EACCES,
        "permission denied.*(check (the|its) permissions|may read|right to write)",
    ),
    "EMFILE": (errno.EMFILE, "too many open files.*ulimit -n"),
}
"""By name: the number, and a pattern of what a user reads, who is told what to do."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a pass, and how the operating system's refusal of it is brought about."""

    name: str
    title: str
    scene: Callable[[Stage], None]
    failing: Callable[[Stage, int], AbstractContextManager[Hits]]
    marks: str
    """What comes of ENOSPC, EIO, EACCES, EMFILE; as in `faults.requests`, and `4`."""
    key: str = "target"
    """What the message names."""
    of_all: bool = False
    """It befalls every file that travels."""


def _call(call: str, name: str) -> Callable[[Stage, int], AbstractContextManager[Hits]]:
    return lambda _stage, number: failing_call(call, number, of_name(name))


def _flush(_stage: Stage, number: int) -> AbstractContextManager[Hits]:
    return failing_call("fsync", number, of_descriptor("/.ubiops-sync/tmp/"))


def _flush_names(stage: Stage, number: int) -> AbstractContextManager[Hits]:
    root = f"{stage.world.root}/"
    return failing_call("fsync", number, lambda args, _kwargs: path_is(args[0], root))


def _scan_root(stage: Stage, number: int) -> AbstractContextManager[Hits]:
    root = f"{stage.world.root}/"
    return failing_call("scandir", number, lambda args, _kwargs: path_is(args[0], root))


def path_is(fd: object, path: str) -> bool:
    """Whether that is an open descriptor of that very path."""
    from faults.seams import path_of

    return isinstance(fd, int) and path_of(fd) == path


def _see_root(stage: Stage, number: int) -> AbstractContextManager[Hits]:
    return failing_call("stat", number, lambda args, _kwargs: args[0] == stage.world.root)


def _make_root(stage: Stage, number: int) -> AbstractContextManager[Hits]:
    return failing_call("mkdir", number, lambda args, _kwargs: args[0] == stage.world.root)


def _free(stage: Stage, number: int) -> AbstractContextManager[Hits]:
    root = f"{stage.world.root}/"
    return failing_call("fstatvfs", number, lambda args, _kwargs: path_is(args[0], root))


def _scan_file(_stage: Stage, number: int) -> AbstractContextManager[Hits]:
    def happens() -> None:
        raise trouble(number)

    return while_scanned("target", happens)


def _rename(_stage: Stage, number: int) -> AbstractContextManager[Hits]:
    return failing_call("rename", number, lambda args, _kwargs: args[1] == "target")


def _stage_file(_stage: Stage, number: int) -> AbstractContextManager[Hits]:
    return failing_call("open", number, lambda args, _kwargs: str(args[0]).startswith("p.2"))


def carrying(stage: Stage) -> None:
    """All in step, in a folder too, under a profile whose deletions travel."""
    stage.set(deletions="both")
    stage.in_step(**{"folder/target": b"in a folder", "target": b"at the root", "good": b"1"})
    stage.precious |= {b"in a folder", b"at the root"}
    stage.edit("good", b"changed here")


def no_root(stage: Stage) -> None:
    """The very first pass, for which the directory is to be made."""
    stage.world.root.rmdir()
    stage.store("target", b"there")


def up(stage: Stage) -> None:
    """A file to be sent, and another."""
    stage.in_step(target=b"as it was", good=b"so was this")
    stage.edit("target", b"changed here")
    stage.edit("good", b"changed here too")


def down(stage: Stage) -> None:
    """An object to be fetched, over an older version of it, and another."""
    stage.in_step(target=b"as it was", good=b"so was this")
    stage.precious |= {b"as it was", b"so was this"}
    stage.store("target", b"changed there")
    stage.store("good", b"new there too")


def down_into_folder(stage: Stage) -> None:
    """An object to be fetched into a folder that is not there yet."""
    stage.in_step()
    stage.store("new folder/target", b"new there")
    stage.store("good", b"new there too")


def deleted_there(stage: Stage) -> None:
    """A file to be moved to the trash."""
    stage.set(deletions="both")
    stage.in_step(target=b"deleted there", good=b"1")
    stage.world.server.delete_object("data/target")
    stage.precious |= {b"deleted there"}
    stage.edit("good", b"changed here")


def deleted_here(stage: Stage) -> None:
    """An object to be deleted, once it is in the trash."""
    stage.set(deletions="both")
    stage.in_step(target=b"deleted here", good=b"1")
    (stage.world.root / "target").unlink()
    stage.precious |= {b"deleted here"}
    stage.edit("good", b"changed here")


STEPS = {
    one.name: one
    for one in (
        Step("see root", "looking for the directory", carrying, _see_root, "- 4 4 -", "p"),
        Step("make root", "making it, before the first pass", no_root, _make_root, "4 4 4 -", "p"),
        Step("free", "asking for the free space", carrying, _free, "- 4 - -", "p"),
        Step("scan root", "reading the directory", carrying, _scan_root, "- 4 4 4", "p"),
        Step("scan folder", "opening a folder in it", carrying, _call("open", "folder"),
             "- 1 1 1", "folder"),
        Step("scan file", "looking at a file", carrying, _scan_file, "- 1 1 -"),
        Step("open", "opening a file to send it", up, _call("open", "target"), "- 1 1 1"),
        Step("read", "reading it", up, lambda _stage, number: failing_reads(number, "target"),
             "- 1 - -"),
        Step("stage", "making the file that a download goes to", down, _stage_file, "1 1 1 1",
             of_all=True),
        Step("write", "writing it", down,
             lambda _stage, number: failing_writes(number, b"changed there"), "1 1 - -"),
        Step("flush", "having it on the disk", down, _flush, "1 1 - -", of_all=True),
        Step("mkdir", "making its folder", down_into_folder, _call("mkdir", "new folder"),
             "1 1 1 -"),
        Step("trash", "putting the old version into the trash", down, _call("link", "target"),
             "1 1 1 -"),
        Step("rename", "putting the new one in its place", down, _rename, "1 1 1 -"),
        Step("flush names", "having the names on the disk", down, _flush_names, "1 1 - -",
             "(good|target)", of_all=True),
        Step("remove", "removing a file that is in the trash", deleted_there,
             _call("unlink", "target"), "- 1 1 -"),
        Step("keep", "having an object in the trash before it is deleted", deleted_here, _flush,
             "1 1 - -"),
    )
}  # fmt: skip
STEP_REASONS = {
    "ENOSPC": "takes no room",
    "EACCES": "asks for no permission",
    "EMFILE": "opens no file",
}
"""Why an error cannot come of a step."""


CHANGES = ("vanishes", "grows", "directory", "symlink")
"""What somebody else does to a file in the middle of a pass."""
MORE = b", and more"
SECRET = b"outside of the root, and nobody's business"


@dataclass(frozen=True, slots=True)
class Moment:
    """When it happens, and what comes of it."""

    name: str
    title: str
    scene: Callable[[Stage], None]
    happening: Callable[[Stage, Callable[[], None]], AbstractContextManager[Hits]]
    marks: str
    """The exit code for each of `CHANGES`; `-`: cannot be, see `MOMENT_REASONS`."""
    says: str
    """A pattern of what a user reads where the exit code is 1."""
    place: str = "target"


def _at(operation: str, key: str) -> Callable[..., AbstractContextManager[Hits]]:
    """At that request, before it has any effect."""

    @contextmanager
    def happening(stage: Stage, happens: Callable[[], None]) -> Iterator[Hits]:
        hits = Hits()

        def now() -> None:
            hits.append(operation)
            happens()

        fault = Fault(operation, "latency", seconds=0, key=key, meanwhile=now)
        stage.world.server.faults.add(fault)
        yield hits

    return happening


def _one_by_one(scene: Callable[[Stage], None]) -> Callable[[Stage], None]:
    """One file at a time, in the order of their names, the first one `a first`."""

    def ordered(stage: Stage) -> None:
        scene(stage)
        stage.set(workers=1)
        if scene is up:
            stage.edit("a first", b"sent before")
        else:
            stage.store("a first", b"fetched before")

    return ordered


def _scanned(_stage: Stage, happens: Callable[[], None]) -> AbstractContextManager[Hits]:
    return while_scanned("target", happens, once=True)


def _entered(_stage: Stage, happens: Callable[[], None]) -> AbstractContextManager[Hits]:
    return before_opened("folder", happens)


def in_folder(stage: Stage) -> None:
    """As `carrying`, with no file of that name at the root."""
    stage.set(deletions="both")
    stage.in_step(**{"folder/target": b"in a folder", "good": b"1"})
    stage.precious |= {b"in a folder"}
    stage.edit("good", b"changed here")


_AGAIN = "(changed|vanished|came|stands here).*(next|rename)"
_IN_BETWEEN = (
    "removed or renamed while the folder was read; the next pass|symbolic link|are also files below"
)

MOMENTS = {
    one.name: one
    for one in (
        Moment("scanned", "between the reading of its folder and the look at it", in_folder,
               _scanned, "0 0 1 1", _IN_BETWEEN, "folder/target"),
        Moment("entered", "a folder, just before it is entered", in_folder, _entered,
               "1 - - 1", _IN_BETWEEN, "folder"),
        Moment("before up", "before it is opened to be sent", _one_by_one(up),
               _at("sign_upload", "a first"), "1 1 1 1",
               f"no such file.*next pass|{_AGAIN}"),
        Moment("while up", "while it is sent", up, _at("put", "target"), "0 0 0 0", _AGAIN),
        Moment("before down", "before its new version is fetched", _one_by_one(down),
               _at("sign_download", "a first"), "1 1 1 1", _AGAIN),
        Moment("while down", "while its new version comes", down, _at("get_blob", "target"),
               "1 1 1 1", _AGAIN),
        Moment("at deletion", "just before it is deleted here", deleted_there,
               _at("get", "target"), "1 1 1 1", f"no such file.*next pass|{_AGAIN}"),
        Moment("back", "comes back while its object is being deleted", deleted_here,
               _at("sign_download", "target"), "- 0 0 0", _AGAIN),
    )
}  # fmt: skip
MOMENT_REASONS = {
    ("entered", "grows"): "a folder does not grow by itself: files that come are the next pass's",
    ("entered", "directory"): "it is one already",
    ("back", "vanishes"): "it is not there",
}


def change(stage: Stage, place: str, become: str) -> None:
    """Do it, and know what must not be lost from now on."""
    path = stage.world.root / place
    outside = stage.folder / "outside"
    was = path.read_bytes() if path.is_file() else b""
    stage.precious.discard(was)
    if become == "grows":
        stage.note(was + MORE)
    elif become == "directory":
        stage.note(MORE)
    elif become == "symlink":
        stage.versions.add(SECRET)  # It is read through the link, by the test itself.
    if path.is_dir():
        path.rename(stage.folder / "moved away")
    put_in_place(path, become, MORE, outside)


def undo(stage: Stage, place: str) -> None:
    """Take away the directory or link that nobody wants there."""
    path = stage.world.root / place
    if path.is_symlink():
        path.unlink()
    elif path.is_dir() and (path / "inner").exists():
        (path / "inner").unlink()
        path.rmdir()
        stage.precious.discard(MORE)
    moved = stage.folder / "moved away"
    if moved.exists():
        moved.rename(path)


def outside_of(stage: Stage) -> Path:
    """A file that no pass may read or write (I7)."""
    path = stage.folder / "outside"
    path.write_bytes(SECRET)
    return path
