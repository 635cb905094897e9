"""What is typed wrong, and plans that cannot be applied."""

from __future__ import annotations

from messages.stage import Stage, scene

USAGE, PLANS = "Wrong usage", "Saved plans"


@scene(USAGE)
def unknown_command(stage: Stage) -> None:
    """There is no such command."""
    stage.run("recnocile")


@scene(USAGE)
def unknown_profile(stage: Stage) -> None:
    """There is no such profile."""
    stage.profile()
    stage.run("reconcile", "model")


@scene(USAGE)
def one_profile_only(stage: Stage) -> None:
    """Several profiles where there can be one."""
    stage.profiles(one="{local_dir: files, bucket_dir: a}", two="{local_dir: other, bucket_dir: b}")
    stage.run("plan", "--save", "a.plan")
    stage.run("doctor", "--contract")


@scene(PLANS)
def stands_there(stage: Stage) -> None:
    """A file stands where the plan is to be saved."""
    stage.profile()
    (stage.cwd / "a.plan").write_text("")
    stage.run("plan", "--save", "a.plan")


@scene(PLANS)
def no_plan(stage: Stage) -> None:
    """The file is no plan, or not all of it."""
    stage.profile()
    (stage.cwd / "a.plan").write_text("hello\n")
    stage.run("apply", "a.plan")
    (stage.files / "a").write_bytes(b"1")
    assert stage("plan", "--save", "b.plan").returncode == 0
    path = stage.cwd / "b.plan"
    path.write_bytes(path.read_bytes()[:-20])
    stage.say("truncate --size=-20 b.plan")
    stage.run("apply", "b.plan")
    stage.run("apply", "c.plan")


@scene(PLANS)
def other_rules(stage: Stage) -> None:
    """The profile is another than when the plan was made."""
    stage.profile()
    (stage.files / "a").write_bytes(b"1")
    assert stage("plan", "--save", "a.plan").returncode == 0
    stage.profile(conflict="local-wins")
    stage.run("apply", "a.plan")
    stage.profile(bucket_dir="elsewhere")
    stage.run("apply", "a.plan")


@scene(PLANS)
def stale(stage: Stage) -> None:
    """Files changed since the plan was made.

    They are left alone, one by one.
    """
    stage.profile()
    for key in ("a", "b", "c"):
        (stage.files / key).write_bytes(b"1")
    assert stage("plan", "--save", "a.plan").returncode == 0
    (stage.files / "a").write_bytes(b"changed since")
    stage.server.put_object("data/b", b"somebody else's")
    stage.run("apply", "a.plan")
