"""What is wrong with single files; the others go on."""

from __future__ import annotations

import os
from pathlib import Path

from messages.stage import Stage, scene
from ubiops_file_sync.emulator import Fault

FILES = "Single files"


@scene(FILES)
def names_in_the_bucket(stage: Stage) -> None:
    """Names in the bucket that cannot be here."""
    stage.profile()
    for key in ("a/../b", "/absolute", "a//b", "x" * 300, "with\0nul", ".ubiops-sync/mine"):
        stage.server.put_object(f"data/{key}", b"1")
    stage.run("reconcile")


@scene(FILES)
def names_here(stage: Stage) -> None:
    """Names here that cannot be in the bucket."""
    stage.profile()
    folder = os.fsencode(stage.files)
    Path(os.fsdecode(folder + b"/caf\xe9.txt")).write_bytes(b"1")
    deep = stage.files / "/".join(["d" * 250] * 4) / ("e" * 100)
    deep.parent.mkdir(parents=True)
    deep.write_bytes(b"1")
    stage.run("reconcile")


@scene(FILES)
def a_file_and_a_folder(stage: Stage) -> None:
    """One name is a file here and a folder there."""
    stage.profile()
    (stage.files / "a").write_bytes(b"1")
    stage.server.put_object("data/a/b", b"1")
    stage.server.put_object("data/c", b"1")
    stage.server.put_object("data/c/d", b"1")
    stage.run("reconcile")


@scene(FILES)
def something_else_of_that_name(stage: Stage) -> None:
    """A link or a pipe stands in the way."""
    stage.profile()
    (stage.files / "link").symlink_to("/etc/passwd")
    os.mkfifo(stage.files / "pipe")
    for key in ("link", "pipe"):
        stage.server.put_object(f"data/{key}", b"1")
    stage.run("reconcile")


@scene(FILES)
def unreadable(stage: Stage) -> None:
    """A file, or a folder, may not be read."""
    stage.profile()
    (stage.files / "secret.txt").write_bytes(b"1")
    (stage.files / "folder").mkdir()
    stage.forbid(stage.files / "secret.txt")
    stage.forbid(stage.files / "folder")
    stage.run("reconcile")
    (stage.files / "folder").chmod(0o700)


@scene(FILES)
def unwritable_folder(stage: Stage) -> None:
    """A folder may not be written to."""
    stage.profile()
    (stage.files / "folder").mkdir()
    stage.forbid(stage.files / "folder")
    (stage.files / "folder").chmod(0o555)
    stage.server.put_object("data/folder/a", b"1")
    stage.run("reconcile")
    (stage.files / "folder").chmod(0o700)


@scene(FILES)
def ignore_files(stage: Stage) -> None:
    """A `.ubiopsignore` cannot be read."""
    stage.profile()
    for name, content in {"one": b"# \xe9\n", "two": b"ok\n[[:digit:]]\n", "three": b""}.items():
        (stage.files / name).mkdir()
        (stage.files / name / "file").write_bytes(b"1")
        (stage.files / name / ".ubiopsignore").write_bytes(content)
    (stage.files / "three/.ubiopsignore").unlink()
    (stage.files / "three/.ubiopsignore").symlink_to("../one/.ubiopsignore")
    stage.run("reconcile")


@scene(FILES)
def another_disk_below(stage: Stage) -> None:
    """Another disk is mounted below the directory."""
    stage.profile()
    with stage.disk("files/inner", "size=1m"):
        stage.server.put_object("data/inner/a", b"1")
        stage.run("reconcile")
        stage.run("doctor", "-q", checks=("file system",))


@scene(FILES)
def refused_by_the_storage(stage: Stage) -> None:
    """The storage provider refuses an upload, or a download."""
    stage.profile()
    (stage.files / "up").write_bytes(b"1")
    stage.server.put_object("data/down", b"1")
    stage.server.faults.add(Fault("put", "status", times=None, code=400))
    stage.server.faults.add(Fault("get_blob", "status", times=None, code=404))
    stage.run("reconcile")


@scene(FILES)
def damaged_on_the_way(stage: Stage) -> None:
    """What arrives is damaged, however often it is asked for."""
    stage.profile()
    stage.server.put_object("data/cut-short", b"x" * 1000)
    stage.server.put_object("data/other-bytes", b"x" * 1000)
    stage.server.faults.add(Fault("get_blob", "truncate", times=None, key="cut-short", length=10))
    stage.server.faults.add(Fault("get_blob", "wrong_body", times=None, key="other-bytes"))
    stage.run("reconcile")


@scene(FILES)
def each_try(stage: Stage) -> None:
    """Each try of each file is told with `-v`."""
    stage.profile()
    stage.server.put_object("data/a", b"x" * 1000)
    stage.server.faults.add(Fault("get_blob", "reset_before", times=2))
    stage.run("reconcile", "-v")


@scene(FILES)
def gone_meanwhile(stage: Stage) -> None:
    """An object vanishes during the pass."""
    stage.profile()
    stage.server.put_object("data/a", b"1")
    stage.server.faults.add(Fault("sign_download", "status", times=None, code=404))
    stage.run("reconcile")


@scene(FILES)
def a_conflict(stage: Stage) -> None:
    """Both sides changed.

    No trouble: the newer one wins, or both are kept. `explain` says which, and why.
    """
    stage.in_step("a", conflict="keep-both")
    (stage.files / "a").write_bytes(b"changed here")
    stage.server.put_object("data/a", b"changed in the bucket too")
    stage.run("plan")
    stage.run("reconcile")


@scene(FILES)
def left_as_they_are(stage: Stage) -> None:
    """Files are left as they are on purpose."""
    stage.profile(direction="download", exclude="['*.tmp']")
    (stage.files / "only-here").write_bytes(b"1")
    stage.server.put_object("data/x.tmp", b"1")
    stage.run("reconcile")
