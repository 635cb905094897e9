"""`plan --save` and `apply` as a user types them."""

from __future__ import annotations

import json
import stat

from cli.conftest import Shell


def test_a_plan_is_saved_looked_at_and_applied(shell: Shell) -> None:
    shell.profile()
    (shell.files / "a.txt").write_bytes(b"1")
    shell.server.put_object("data/b.txt", b"22")
    done = shell("plan", "--save", "today.plan")
    assert done.returncode == 0, done.stderr
    assert "saved; to do just this: ubiops-file-sync apply today.plan" in done.stdout
    path = shell.cwd / "today.plan"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not (shell.cwd / "state").exists()
    assert len(path.read_text().splitlines()) == 4
    (shell.files / "later.txt").write_bytes(b"1")
    applied = shell("apply", "today.plan")
    assert applied.returncode == 0, applied.stderr
    assert "models: 1 uploaded, 1 downloaded" in applied.stdout
    assert "note: 1 more to do since the plan was saved" in applied.stdout
    assert set(shell.server.objects()) == {"data/a.txt", "data/b.txt"}


def test_what_changed_since_is_a_problem_of_its_own(shell: Shell) -> None:
    shell.profile()
    (shell.files / "a.txt").write_bytes(b"1")
    (shell.files / "b.txt").write_bytes(b"1")
    shell("plan", "models", "--save", "x.plan")
    shell.server.put_object("data/a.txt", b"somebody else's")
    told = shell.json("apply", "x.plan")
    assert told["exit_code"] == 1
    (report,) = told["profiles"]
    assert report["done"] == {"upload": 1}
    (problem,) = report["problems"]
    assert problem["key"] == "a.txt"
    assert "the bucket's version changed since the plan was saved" in problem["message"]


def test_every_way_to_get_it_wrong(shell: Shell) -> None:
    shell.profile()
    (shell.files / "a.txt").write_bytes(b"1")
    assert shell("plan", "--save", "x.plan").returncode == 0
    whole = (shell.cwd / "x.plan").read_bytes()
    again = shell("plan", "--save", "x.plan")
    assert again.returncode == 2
    assert "--force" in again.stderr
    assert shell("plan", "--save", "x.plan", "--force").returncode == 0
    inside = shell("plan", "--save", "files/x.plan")
    assert inside.returncode == 2
    assert "would itself be uploaded" in inside.stderr
    assert shell("plan", "--save", "no/such/x.plan").returncode == 2
    (shell.cwd / "cut.plan").write_bytes(whole[:-20])
    for words, said in [
        (["apply", "cut.plan"], "cut short"),
        (["apply", "missing.plan"], "cannot be read"),
        (["apply", "ubiops-file-sync.yaml"], "no saved plan"),
    ]:
        done = shell(*words)
        assert done.returncode == 2, done.stderr
        assert said in done.stderr
        assert "Traceback" not in done.stderr
    assert shell.server.objects() == {}
    shell.profile(bucket_dir="elsewhere")
    moved = shell("apply", "x.plan")
    assert moved.returncode == 2
    assert "bucket_dir was 'data' and is 'elsewhere'" in moved.stderr


def test_a_saved_plan_is_of_one_profile(shell: Shell) -> None:
    shell.config(
        f"""
version: 1
api_host: {shell.server.api_host}
state_dir: state
defaults: {{project: demo, settle: 0}}
profiles:
  one: {{local_dir: files, bucket_dir: one}}
  two: {{local_dir: other, bucket_dir: two}}
"""
    )
    (shell.cwd / "other").mkdir()
    (shell.cwd / "other" / "a").write_bytes(b"1")
    done = shell("plan", "--save", "x.plan")
    assert done.returncode == 2
    assert "name one of one, two" in done.stderr
    saved = shell.json("plan", "two", "--save", "x.plan")
    assert saved["profiles"][0]["saved"] == "x.plan"
    header = json.loads((shell.cwd / "x.plan").read_text().splitlines()[0])
    assert header["profile"] == "two"
    assert "two: 1 uploaded" in shell("apply", "x.plan").stdout
