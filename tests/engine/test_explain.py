"""Explaining a key: what stands there, which rules were asked, and that it comes true."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from engine.world import QUICK, World, snapshot
from ubiops_file_sync.addresses import Address, find_address
from ubiops_file_sync.errors import SafetyHalt, UsageError
from ubiops_file_sync.explain import Explainer, Explanation
from ubiops_file_sync.model import Intent, LocalEntry, Reason, Unknown, Verb
from ubiops_file_sync.places import identity, state_path
from ubiops_file_sync.store import BaselineStore


def explain(world: World, key: str) -> Explanation:
    return Explainer(world.state_dir, {}, QUICK).explain(Address(world.profile, key))


def foretold(world: World, key: str) -> None:
    """The explanation and the plan say the same of a key."""
    told = explain(world, key)
    action = next((action for action in world.plan() if action.key == key), None)
    planned = None if action is None else (action.verb, action.reason, action.loser)
    decision = told.decision
    assert decision is not None
    assert planned == (decision.verb and (decision.verb, decision.reason, decision.loser))


def test_a_new_file_is_explained_with_one_call_and_nothing_is_changed(world: World) -> None:
    world.write("a/b.txt", b"12", age_s=100)
    world.run()
    world.write("a/b.txt", b"1234", age_s=50)
    before = snapshot(world.root, world.state_dir)
    objects = world.server.objects()
    world.server.reset_calls()
    told = explain(world, "a/b.txt")
    assert world.server.calls.api_count == 1
    assert told.api_calls == {"get": 1}
    assert snapshot(world.root, world.state_dir) == before
    assert world.server.objects() == objects
    assert isinstance(told.local, LocalEntry)
    assert told.local.size == 4
    assert told.remote is not None
    assert told.row is not None
    assert told.row.base is not None
    assert told.row.base.size == told.remote.size == 2
    assert told.decision is not None
    assert told.decision.reason is Reason.CHANGED_LOCAL
    assert told.verdict.text == "the next pass uploads it"
    assert told.verdict.because == "changed here since the last pass"
    assert told.verdict.go_on.endswith("ubiops-file-sync reconcile p")
    foretold(world, "a/b.txt")


def test_what_is_explained_is_what_the_plan_says(world: World) -> None:
    for key in ("same", "mine", "theirs", "both", "lost here", "lost there", "gone"):
        world.write(key, b"12", age_s=1000)
    world.run()
    world.write("mine", b"1", age_s=10)
    world.put("theirs", b"123")
    world.write("both", b"1", age_s=10)
    world.put("both", b"123")
    for key in ("lost here", "gone"):
        (world.root / key).unlink()
    for key in ("lost there", "gone"):
        world.server.delete_object("data/" + key)
    world.write("new here", b"1", age_s=10)
    world.put("new there", b"1")
    for deletions in ("none", "both"):
        there = world.with_settings(deletions=deletions)
        for key in [*world.local(), *world.remote(), "gone"]:
            foretold(there, key)


def test_a_conflict_names_what_becomes_of_the_loser(world: World) -> None:
    world.write("a.txt", b"here", age_s=10)
    world.put("a.txt", b"there too", age_s=1000)
    told = explain(world, "a.txt")
    assert "The bucket's version goes to the trash here first." in told.verdict.besides
    both = explain(world.with_settings(conflict="keep-both"), "a.txt")
    assert any("kept as a.conflict-2" in sentence for sentence in both.verdict.besides)


def test_a_link_is_explained_and_never_followed(world: World) -> None:
    (world.root / "link").symlink_to("/etc/passwd")
    world.put("link", b"1")
    told = explain(world, "link")
    assert isinstance(told.local, Unknown)
    assert told.decision is None
    assert told.verdict.text == "the next pass leaves both sides as they are"
    assert "link" in told.verdict.because


def test_a_refused_name_is_explained_and_not_asked_for(world: World) -> None:
    world.server.reset_calls()
    for key in ("../escape", "a//b", ".ubiops-sync/x", "x" * 300, "bad\udcff"):
        told = explain(world, key)
        assert told.verdict.text == "no pass ever transfers or deletes it"
        assert "rename" in told.verdict.because or "shorten" in told.verdict.because
        assert not told.remote_asked
    assert world.server.calls.api_count == 0


def test_a_key_that_neither_side_knows(world: World) -> None:
    told = explain(world, "nowhere")
    assert told.verdict.because == "neither side knows it, and it was never in step"
    assert told.decision is None


def test_an_upload_that_was_begun_is_told(world: World) -> None:
    world.write("a", b"1", age_s=100)
    world.run()
    with BaselineStore.open(
        state_path(world.state_dir, world.profile), identity(world.profile)
    ) as store:
        store.record(begun=[Intent("a", 1, 5, 6, None)])
    told = explain(world, "a")
    assert told.row is not None
    assert told.row.intent == Intent("a", 1, 5, 6, None)
    assert "is the object surely what an earlier pass" in told.asked[0].question


def test_a_bucket_with_a_ttl_is_asked_once_more(world: World) -> None:
    there = world.with_settings(deletions="to_local")
    there.write("a", b"1", age_s=100)
    there.run()
    there.server.delete_object("data/a")
    told = explain(there, "a")
    assert told.api_calls == {"get": 1, "bucket": 1}
    assert told.decision is not None
    assert told.decision.verb is Verb.DELETE_LOCAL
    assert told.verdict.go_on.endswith("ubiops-file-sync plan p")


def test_a_fresh_file_is_said_to_wait(world: World) -> None:
    world.write("a", b"1")
    told = explain(world.with_settings(settle=100), "a")
    assert "`settle` (100 s)" in told.notes[0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_file_that_cannot_be_read_is_said_to_be_so(world: World) -> None:
    world.write("a", b"1", age_s=100).chmod(0)
    assert "permission denied" in explain(world, "a").notes[0]


def test_a_profile_that_would_halt_says_so(world: World) -> None:
    world.write("a", b"1", age_s=100)
    world.run()
    shutil.rmtree(world.root)
    with pytest.raises(SafetyHalt, match="is missing"):
        explain(world, "a")


def test_the_ways_to_name_a_file(world: World, tmp_path: Path) -> None:
    profile = world.profile
    world.write("sub/a.txt", b"1")
    for text, cwd in [
        ("sub/a.txt", tmp_path),
        ("sub/a.txt", world.root),
        ("a.txt", world.root / "sub"),
        ("./a.txt", world.root / "sub"),
        ("../sub/a.txt", world.root / "sub"),
        ("here/root/sub/a.txt", tmp_path),
        ("root/../root/sub/a.txt", tmp_path / "here"),
        (str(world.root / "sub/a.txt"), tmp_path),
        (f"ubiops-file://{profile.bucket}/data/sub/a.txt", tmp_path),
    ]:
        assert find_address(text, [profile], cwd) == Address(profile, "sub/a.txt"), (text, cwd)
    # What is on neither side is a key, unless one stands in the profile's directory.
    assert find_address("x", [profile], tmp_path).key == "x"
    assert find_address("x", [profile], world.root / "sub").key == "sub/x"
    # A key that is there goes before a path that is not.
    assert find_address("sub/a.txt", [profile], world.root / "sub").key == "sub/a.txt"


def test_a_directory_that_is_reached_by_a_link_is_found_both_ways(
    world: World, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(world.root)
    profile = world.with_settings(local_dir=tmp_path / "link").profile
    world.write("a", b"1")
    for root in (world.root, tmp_path / "link"):
        assert find_address(str(root / "a"), [profile], tmp_path).key == "a"


def test_a_name_that_is_none_or_of_several_profiles(world: World, tmp_path: Path) -> None:
    one = world.profile
    (tmp_path / "other").mkdir()
    two = world.with_settings(name="q", local_dir=tmp_path / "other", bucket_dir="data/sub").profile
    both = [one, two]
    with pytest.raises(UsageError, match=r"several profiles: p, q\. .* --profile p"):
        find_address("a.txt", both, tmp_path)
    with pytest.raises(UsageError, match="several profiles"):
        find_address("ubiops-file://default/data/sub/x", both, tmp_path)
    assert find_address("other/x", both, tmp_path) == Address(two, "x")
    assert find_address("ubiops-file://default/data/x", both, tmp_path) == Address(one, "x")
    with pytest.raises(UsageError, match=r"below no profile's `local_dir`; .* q \("):
        find_address("/etc/passwd", both, tmp_path)
    with pytest.raises(UsageError, match="in no profile's part"):
        find_address("ubiops-file://another/data/x", both, tmp_path)
    with pytest.raises(UsageError, match="whole of profile 'q'"):
        find_address("other", both, tmp_path)


def test_a_filter_that_hides_it_is_named(world: World) -> None:
    for key in ("a.log", "sub/b.tmp", "big", "plain"):
        world.write(key, b"12345" if key == "big" else b"1", age_s=100)
    world.run()
    world.write("sub/.ubiopsignore", b"*.tmp\n", age_s=100)
    there = world.with_settings(exclude=["*.log"], max_size=4)
    for key, words in [
        ("a.log", "`include` or `exclude`"),
        ("sub/b.tmp", "a line of .ubiopsignore"),
        ("big", "`max_size`"),
    ]:
        told = explain(there, key)
        assert told.decision is None
        assert words in told.verdict.because
        assert "The next pass forgets that it was in step." in told.verdict.besides
        assert [action.verb for action in there.plan() if action.key == key] == [Verb.FORGET]
    plain = explain(there, "plain")
    assert (plain.asked[0].question, plain.asked[0].answer) == ("does a filter hide it?", "no")
    (there.root / "a.log").unlink()
    (there.root / "a.log").symlink_to("plain")
    assert "`exclude`" in explain(there, "a.log").verdict.because


def test_a_folder_that_is_not_ready_is_said_to_wait(world: World) -> None:
    there = world.with_settings(ready_file="READY")
    there.write("run/a", b"1", age_s=100)
    told = explain(there, "run/a")
    assert told.decision is not None
    assert told.decision.reason is Reason.NOT_READY
    assert "once READY stands in its folder" in told.verdict.go_on
    there.write("run/READY", b"", age_s=100)
    told = explain(there, "run/a")
    assert told.decision is not None
    assert told.decision.verb is Verb.UPLOAD


def test_what_a_link_within_the_root_leads_to_is_explained_where_links_are_followed(
    world: World,
) -> None:
    there = world.with_settings(symlinks="follow", direction="upload")
    there.write("real/a", b"12345", age_s=100)
    (there.root / "link").symlink_to("real")
    told = explain(there, "link/a")
    assert isinstance(told.local, LocalEntry)
    assert told.local.size == 5
    foretold(there, "link/a")
