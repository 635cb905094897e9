"""What is wrong with a directory, and what halts a whole profile."""

from __future__ import annotations

import shutil

from messages.stage import Stage, scene

DIRECTORY, GUARDS = "The directory", "Guards"


@scene(DIRECTORY)
def missing(stage: Stage) -> None:
    """It is not there, and neither is the folder above it.

    If only its last part is missing, the first pass makes it.
    """
    stage.profile(local_dir="data/models")
    stage.run("reconcile")
    stage.run("doctor", "-q")


@scene(DIRECTORY)
def missing_source(stage: Stage) -> None:
    """It is not there, and would be what is uploaded."""
    stage.profile(local_dir="models", direction="upload")
    stage.run("reconcile")


@scene(DIRECTORY)
def gone(stage: Stage) -> None:
    """It was there, and is gone."""
    stage.in_step("a", "b")
    shutil.rmtree(stage.files)
    stage.run("reconcile")
    stage.run("doctor", "-q")


@scene(DIRECTORY)
def a_file(stage: Stage) -> None:
    """It is a file."""
    (stage.cwd / "models").write_text("")
    stage.profile(local_dir="models")
    stage.run("reconcile")
    stage.run("doctor", "-q")


@scene(DIRECTORY)
def unreadable(stage: Stage) -> None:
    """It may not be read."""
    stage.profile()
    stage.forbid(stage.files)
    stage.run("reconcile")
    stage.run("doctor", "-q")
    stage.files.chmod(0o700)


@scene(DIRECTORY)
def unwritable(stage: Stage) -> None:
    """It may not be written to."""
    stage.profile()
    stage.forbid(stage.files)
    stage.files.chmod(0o555)
    stage.run("reconcile")
    stage.run("doctor", "-q")
    stage.files.chmod(0o700)


@scene(DIRECTORY)
def read_only_disk(stage: Stage) -> None:
    """Its disk is mounted read-only."""
    with stage.disk("models", "ro"):
        stage.profile(local_dir="models")
        stage.run("reconcile")
        stage.run("doctor", "-q", checks=("file system",))


@scene(DIRECTORY)
def full_disk(stage: Stage) -> None:
    """Its disk is full.

    What has room is fetched, and nothing stays of what has not.
    """
    with stage.disk("models", "size=256k"):
        # One after the other, or the small one may come while the disk is full.
        stage.profile(local_dir="models", workers=1)
        stage.server.put_object("data/big.bin", b"x" * 2_000_000)
        stage.server.put_object("data/small.txt", b"1")
        stage.run("reconcile")


@scene(GUARDS)
def empty_root(stage: Stage) -> None:
    """The directory is empty, and was not.

    `--allow empty-root`.
    """
    stage.in_step("a", "b", "c", deletions="to_bucket")
    for name in ("a", "b", "c"):
        (stage.files / name).unlink()
    stage.run("reconcile")
    stage.run("plan")


@scene(GUARDS)
def marker_missing(stage: Stage) -> None:
    """The marker file is not there.

    `--allow marker-missing`.
    """
    stage.profile(marker=".mounted")
    stage.run("reconcile")
    stage.run("doctor", "-q")


@scene(GUARDS)
def max_delete(stage: Stage) -> None:
    """More files would be deleted than `max_delete` allows.

    `--allow max-delete`.
    """
    names = [f"f{n:02}" for n in range(30)]
    stage.in_step(*names, deletions="both")
    for name in names[:20]:
        (stage.files / name).unlink()
    stage.run("reconcile")


@scene(GUARDS)
def everything_changed(stage: Stage) -> None:
    """All files changed at once.

    `--allow everything-changed`.
    """
    names = [f"f{n:02}" for n in range(12)]
    stage.in_step(*names)
    for name in names:
        (stage.files / name).write_bytes(b"encrypted by somebody")
    stage.run("reconcile")


@scene(GUARDS)
def bucket_replaced(stage: Stage) -> None:
    """The bucket was deleted and made anew.

    `--allow bucket-replaced`.
    """
    stage.in_step("a", "b", deletions="both")
    stage.server.delete_bucket("default")
    stage.server.create_bucket("default")
    stage.run("reconcile")


@scene(GUARDS)
def min_free(stage: Stage) -> None:
    """The downloads would leave less than `min_free`.

    `--allow min-free`.
    """
    with stage.disk("models", "size=64m"):
        stage.profile(local_dir="models", min_free="63MiB")
        stage.server.put_object("data/big.bin", b"x" * 2_000_000)
        stage.run("reconcile")


@scene(GUARDS)
def other_places(stage: Stage) -> None:
    """What was in step belongs to other places.

    `--allow other-places`.
    """
    stage.in_step("a")
    (stage.cwd / "elsewhere").mkdir()
    stage.profile(local_dir="elsewhere", bucket_dir="other")
    stage.run("reconcile")
    stage.run("doctor", "-q")


@scene(GUARDS)
def no_such_guard(stage: Stage) -> None:
    """A guard that does not exist was allowed."""
    stage.profile()
    stage.run("reconcile", "--allow", "everything")
