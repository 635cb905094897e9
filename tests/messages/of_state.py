"""What is wrong with the state, or with who holds it."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from messages.stage import Stage, scene
from ubiops_file_sync.store import profile_lock

STATE = "The state"


@scene(STATE)
def busy(stage: Stage) -> None:
    """Another pass is under way."""
    stage.profile()
    with profile_lock(stage.cwd / "state", "models"):
        stage.run("reconcile")


@scene(STATE)
def unwritable(stage: Stage) -> None:
    """Its folder may not be written to."""
    stage.profile()
    (stage.cwd / "state").mkdir()
    stage.forbid(stage.cwd / "state")
    stage.run("reconcile")
    stage.run("doctor", "-q")
    (stage.cwd / "state").chmod(0o700)


@scene(STATE)
def a_file(stage: Stage) -> None:
    """A file stands where its folder should be."""
    stage.profile()
    (stage.cwd / "state").write_text("")
    stage.run("reconcile")


@scene(STATE)
def damaged(stage: Stage) -> None:
    """It is damaged."""
    stage.in_step("a")
    (stage.cwd / "state/models.sqlite").write_bytes(b"garbage" * 1000)
    stage.run("reconcile")
    stage.run("doctor", "-q")


@scene(STATE)
def newer(stage: Stage) -> None:
    """A newer version of the program has used it."""
    stage.in_step("a")
    with closing(sqlite3.connect(stage.cwd / "state/models.sqlite")) as db:
        db.execute("PRAGMA user_version = 99")
    stage.run("reconcile")


@scene(STATE)
def open_to_others(stage: Stage) -> None:
    """Others may read it."""
    stage.in_step("a")
    (stage.cwd / "state").chmod(0o755)
    stage.run("doctor", "-q")
