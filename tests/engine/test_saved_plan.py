"""Saved plans: written whole, read with suspicion, and done only as far as they still hold."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.world import World, assert_in_step, snapshot
from ubiops_file_sync.errors import SafetyHalt, UsageError
from ubiops_file_sync.model import Action, Intent, LocalEntry, Loser, Reason, Report, Verb
from ubiops_file_sync.places import identity, state_path
from ubiops_file_sync.saved_plan import VERSION, load_plan, require_free, save_plan
from ubiops_file_sync.store import BaselineStore


def save(world: World, path: Path, *, force: bool = False) -> Path:
    with world.reconciler.plan() as (plan, _):
        save_plan(
            path,
            world.profile,
            identity(world.profile),
            plan.spool.actions(),
            plan.summary.actions,
            force=force,
        )
    return path


def apply(world: World, path: Path) -> Report:
    with load_plan(path) as saved:
        return world.reconciler.apply(saved)


def loaded(path: Path) -> list[Action]:
    with load_plan(path) as saved:
        return list(saved.spool.actions())


def forged(path: Path, header: dict[str, Any], lines: list[dict[str, Any]]) -> Path:
    """A file whose digest is right, whatever it says."""
    header = {**header, "actions": len(lines)}
    body = b"".join(json.dumps(line).encode() + b"\n" for line in [header, *lines])
    end = json.dumps({"sha256": hashlib.sha256(body).hexdigest()}).encode() + b"\n"
    path.write_bytes(body + end)
    return path


def parts(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    header, *lines, _ = (json.loads(line) for line in path.read_text().splitlines())
    return header, lines


@pytest.fixture
def saved(world: World, tmp_path: Path) -> Path:
    """A plan of one upload, one download and one conflict."""
    world.write("up", b"1", age_s=100)
    world.put("down", b"22", age_s=100)
    world.write("both", b"mine", age_s=10)
    world.put("both", b"theirs", age_s=1000)
    return save(world, tmp_path / "p.plan")


def test_a_plan_comes_back_as_it_was_saved(world: World, saved: Path) -> None:
    assert loaded(saved) == world.plan()
    assert saved.stat().st_mode & 0o777 == 0o600
    header, _ = parts(saved)
    assert header["format"] == "ubiops-file-sync plan"
    assert header["version"] == VERSION
    assert header["profile"] == "p"
    assert header["actions"] == 3
    assert header["counts"] == {"upload": 2, "download": 1}
    assert world.server.token not in saved.read_text()
    assert os.listdir(saved.parent).count("p.plan") == 1
    assert not [name for name in os.listdir(saved.parent) if name.startswith(".p.plan")]


def test_a_saved_plan_is_done_as_a_pass_would(world: World, saved: Path) -> None:
    world.server.reset_calls()
    report = apply(world, saved)
    assert report.exit_code == 0
    assert report.done == {Verb.UPLOAD: 2, Verb.DOWNLOAD: 1}
    assert world.trash() == {"both": [b"theirs"]}
    assert world.server.calls.api_count == sum(report.api_calls.values())
    assert_in_step(world)
    again = apply(world, saved)
    assert again.done == {}
    assert again.problem_count == 3


def test_only_what_was_saved_is_done_and_the_rest_is_told(world: World, saved: Path) -> None:
    world.write("later", b"1", age_s=10)
    world.put("later there", b"1")
    report = apply(world, saved)
    assert report.exit_code == 0
    assert "later" not in world.remote()
    assert "later there" not in world.local()
    assert report.notes[0].startswith("2 more to do since the plan was saved")
    world.run()
    assert_in_step(world)


@pytest.mark.parametrize(
    ("key", "side", "words"),
    [
        ("up", "here", "the local file changed"),
        ("up", "there", "the bucket's version changed"),
        ("down", "here", "the local file changed"),
        ("down", "there", "the bucket's version changed"),
        ("both", "here", "the local file changed"),
        ("both", "there", "the bucket's version changed"),
        ("both", "both", "the local file and the bucket's version changed"),
    ],
)
def test_what_changed_since_is_left_alone_by_itself(
    world: World, saved: Path, key: str, side: str, words: str
) -> None:
    if side != "there":
        world.write(key, b"edited here", age_s=5)
    if side != "here":
        world.put(key, b"edited there too")
    mine, theirs = world.local().get(key), world.remote().get(key)
    report = apply(world, saved)
    (problem,) = report.problems
    assert problem.key == key
    assert problem.message.startswith(f"{words} since the plan was saved")
    assert report.exit_code == 1
    assert sum(report.done.values()) == 2
    assert (world.local().get(key), world.remote().get(key)) == (mine, theirs)
    world.run()
    assert_in_step(world)


@pytest.mark.parametrize("side", ["here", "there"])
def test_what_vanished_since_is_left_alone(world: World, saved: Path, side: str) -> None:
    if side == "here":
        (world.root / "both").unlink()
    else:
        world.server.delete_object("data/both")
    (problem,) = apply(world, saved).problems
    assert problem.key == "both"
    assert "changed since the plan was saved" in problem.message


def test_what_another_pass_did_is_not_done_again(world: World, saved: Path) -> None:
    world.run()
    before = snapshot(world.root)
    report = apply(world, saved)
    assert report.done == {}
    assert [problem.key for problem in report.problems] == ["both", "down", "up"]
    assert snapshot(world.root).keys() == before.keys()
    assert_in_step(world)


def test_a_record_that_changed_makes_a_plan_stale(world: World, tmp_path: Path) -> None:
    """A deletion that was planned of what was in step needs it to have been in step still."""
    there = world.with_settings(deletions="both")
    there.write("a", b"1", age_s=100)
    there.run()
    (there.root / "a").unlink()
    plan = save(there, tmp_path / "p.plan")
    assert [action.verb for action in loaded(plan)] == [Verb.DELETE_REMOTE]
    with BaselineStore.open(
        state_path(there.state_dir, there.profile), identity(there.profile)
    ) as store:
        store.record(forgotten=["a"])
    (problem,) = apply(there, plan).problems
    assert "the record of it or the clock changed the verdict" in problem.message
    assert there.remote() == {"a": b"1"}


def test_guards_watch_over_saved_plans_too(world: World, tmp_path: Path) -> None:
    there = world.with_settings(deletions="both", max_delete="0")
    there.write("a", b"1", age_s=100)
    there.write("b", b"1", age_s=100)
    there.run()
    (there.root / "a").unlink()
    plan = save(there, tmp_path / "p.plan")
    with pytest.raises(SafetyHalt, match="would be deleted"):
        apply(there, plan)
    assert set(there.remote()) == {"a", "b"}


def test_uploads_of_a_killed_pass_stay_known(world: World, tmp_path: Path) -> None:
    """A plan of some keys heeds no other's intents, so it must not drop them (I5)."""
    world.write("a", b"1", age_s=100)
    plan = save(world, tmp_path / "p.plan")
    other = Intent("other", 5, 6, 7, None)
    world.state_dir.mkdir()
    with BaselineStore.open(
        state_path(world.state_dir, world.profile), identity(world.profile)
    ) as store:
        store.record(begun=[other])
    assert apply(world, plan).done == {Verb.UPLOAD: 1}
    with BaselineStore.open(
        state_path(world.state_dir, world.profile), identity(world.profile)
    ) as store:
        assert [row.intent for row in store.rows() if row.intent] == [other]


@pytest.mark.parametrize(
    ("settings_", "words"),
    [
        ({"direction": "download"}, "direction was 'two-way' and is 'download'"),
        ({"conflict": "remote-wins"}, "conflict was 'newer-wins' and is 'remote-wins'"),
        ({"bucket_dir": "other"}, "bucket_dir was 'data' and is 'other'"),
        ({"project": "other"}, "project was 'demo' and is 'other'"),
    ],
)
def test_a_plan_for_other_places_or_rules_is_refused(
    world: World, saved: Path, settings_: dict[str, Any], words: str
) -> None:
    world.server.reset_calls()
    with pytest.raises(UsageError) as refusal:
        apply(world.with_settings(**settings_), saved)
    assert words in str(refusal.value)
    assert "--save FILE" in str(refusal.value)
    assert world.server.calls.api_count == 0


def test_nothing_is_overwritten_unless_forced(world: World, saved: Path) -> None:
    before = saved.read_bytes()
    with pytest.raises(UsageError, match="exists already"):
        save(world, saved)
    with pytest.raises(UsageError, match="exists already"):
        require_free(saved, world.profile, force=False)
    assert saved.read_bytes() == before
    world.write("more", b"1")
    save(world, saved, force=True)
    assert len(loaded(saved)) == 4


def test_a_dangling_link_is_not_written_through(world: World, tmp_path: Path) -> None:
    link = tmp_path / "link.plan"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="exists already"):
        save(world, link)
    save(world, link, force=True)
    assert not link.is_symlink()
    assert not (tmp_path / "elsewhere").exists()


def test_a_plan_is_not_saved_where_it_would_be_uploaded(world: World, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(world.root)
    for folder in (world.root, world.root / "sub", tmp_path / "link"):
        with pytest.raises(UsageError, match="would itself be uploaded"):
            require_free(folder / "p.plan", world.profile, force=True)
    require_free(tmp_path / "p.plan", world.profile, force=False)


def test_a_folder_that_is_not_there_is_said_to_be_so(world: World, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be saved"):
        save(world, tmp_path / "no" / "p.plan")


def test_a_plan_cut_short_anywhere_is_refused(saved: Path) -> None:
    whole = saved.read_bytes()
    for length in range(len(whole)):
        saved.write_bytes(whole[:length])
        with pytest.raises(UsageError, match=r"cut short|damaged|no saved plan"):
            loaded(saved)


def test_every_single_byte_counts(saved: Path) -> None:
    whole = saved.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        saved.write_bytes(bytes(damaged))
        with pytest.raises(UsageError):
            loaded(saved)


def test_a_line_too_few_or_too_many_is_seen(saved: Path) -> None:
    lines = saved.read_bytes().splitlines(keepends=True)
    for wrong in (
        lines[:1] + lines[2:],
        [*lines[:1], lines[2], lines[1], *lines[3:]],
        [*lines[:2], lines[1], *lines[2:]],
        [*lines, b"\n"],
        [*lines, *lines],
    ):
        saved.write_bytes(b"".join(wrong))
        with pytest.raises(UsageError, match="damaged"):
            loaded(saved)


def test_a_plan_of_a_newer_version_names_the_remedy(saved: Path) -> None:
    header, lines = parts(saved)
    forged(saved, {**header, "version": VERSION + 1, "novelty": []}, lines)
    with pytest.raises(UsageError, match="newer version"):
        loaded(saved)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for content in (b"", b"hello\n", b'{"format": "other", "version": 1}\n', b"\0" * 200_000):
        path.write_bytes(content)
        with pytest.raises(UsageError):
            loaded(path)
    with pytest.raises(UsageError, match="cannot be read"):
        loaded(tmp_path / "missing")
    with pytest.raises(UsageError, match="cannot be read"):
        loaded(tmp_path)


HOSTILE_KEYS = [
    "../escape",
    "a/../../escape",
    "/abs",
    "a//b",
    "./x",
    "nul\0",
    "x" * 256,
    ".ubiops-sync/tmp/x",
    "bad\udcff",
    "",
]


@pytest.mark.parametrize("key", HOSTILE_KEYS)
@pytest.mark.parametrize("verb", ["upload", "download", "delete-local", "delete-remote"])
def test_a_forged_key_never_leaves_the_root(world: World, saved: Path, key: str, verb: str) -> None:
    header, lines = parts(saved)
    forged(saved, header, [{**lines[0], "key": key, "verb": verb}])
    with pytest.raises(UsageError, match="damaged"):
        loaded(saved)


def test_a_forged_action_that_no_pass_would_do_is_not_done(world: World, saved: Path) -> None:
    """Digest and shapes are right, yet what is done is only what a comparison finds as well."""
    header, _ = parts(saved)
    world.run()
    world.write("up", b"other", age_s=50)
    (local,) = [action.local for action in world.plan()]
    assert isinstance(local, LocalEntry)
    created = world.server.objects("data/up")["data/up"][1]
    remote = {"size": 1, "created_us": created}
    before = (world.local(), world.remote())
    for verb in ("delete-local", "delete-remote", "download", "adopt", "forget"):
        line = {
            "key": "up",
            "verb": verb,
            "reason": "deleted_local",
            "loser": "none",
            "compare": False,
            "local": {"size": local.size, "mtime_ns": local.mtime_ns},
            "remote": remote,
        }
        forged(saved, header, [line])
        report = apply(world, saved)
        assert report.done == {}
        assert report.problem_count == 1
    assert (world.local(), world.remote()) == before


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=st.binary(max_size=400) | st.text().map(lambda t: t.encode(errors="replace")))
def test_no_bytes_whatsoever_cause_more_than_a_refusal(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(UsageError):
        loaded(path)


ODD_LINES = st.fixed_dictionaries(
    {
        "key": st.sampled_from(["up", "down", "both", *HOSTILE_KEYS]) | st.text() | JSON,
        "verb": st.sampled_from([verb.value for verb in Verb]) | JSON,
        "reason": st.sampled_from([reason.name.lower() for reason in Reason]) | JSON,
        "loser": st.sampled_from([loser.value for loser in Loser]) | JSON,
        "compare": st.booleans() | JSON,
        "local": st.fixed_dictionaries({"size": st.integers(), "mtime_ns": st.integers()}) | JSON,
        "remote": st.fixed_dictionaries({"size": st.integers(), "created_us": st.integers()})
        | JSON,
    }
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(lines=st.lists(ODD_LINES, max_size=3), odd=st.dictionaries(st.text(), JSON, max_size=1))
def test_no_forged_plan_changes_anything_that_was_in_step(
    world: World, tmp_path: Path, lines: list[dict[str, Any]], odd: dict[str, Any]
) -> None:
    path = tmp_path / "x.plan"
    if not world.local():
        for key in ("up", "down", "both"):
            world.write(key, key.encode(), age_s=100)
        world.run()
    save(world, path, force=True)
    header, _ = parts(path)
    forged(path, {**header, **odd}, lines)
    outside = snapshot(tmp_path / "here")
    with suppress(UsageError):
        apply(world, path)
    assert world.local() == world.remote() == {key: key.encode() for key in ("up", "down", "both")}
    assert not (tmp_path / "escape").exists()
    assert not (tmp_path / "here" / "escape").exists()
    new = set(snapshot(tmp_path / "here")) - set(outside)
    assert all("/state/" in name or "/.ubiops-sync" in name for name in new), new
