"""Passes over some keys only: the same verdicts, at the price of those keys."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from engine.test_big_files import BIG, PART
from engine.world import QUICK, World, assert_idle, assert_in_step, snapshot, standing
from ubiops_file_sync.emulator import Behaviour, BucketServer, Fault
from ubiops_file_sync.emulator.records import Role
from ubiops_file_sync.errors import RemoteUnreachable, SafetyHalt, Stopped
from ubiops_file_sync.model import Action, BaselineEntry, Report, Verb
from ubiops_file_sync.places import identity
from ubiops_file_sync.reconcile import Reconciler
from ubiops_file_sync.status import read_history, read_status, status_lines
from ubiops_file_sync.stop import Stop
from ubiops_file_sync.store import BaselineStore


def run(world: World, *keys: str) -> Report:
    return world.reconciler.run(only=keys)


def plan(world: World, *keys: str) -> list[Action]:
    with world.reconciler.plan(only=keys) as (found, _):
        return list(found.spool.actions())


def problems(report: Report) -> dict[str, str]:
    return {problem.key: problem.message for problem in report.problems}


# -- what it costs, and what it leaves alone -------------------------------------------------------


def test_a_file_goes_up_at_the_price_of_three_calls(world: World) -> None:
    for key in ("a/one", "a/other", "another"):
        world.write(key, b"1", age_s=100)
    for n in range(5):
        world.put(f"many/{n}", b"2")
    report = run(world, "a/one")
    assert report.api_calls == {"get": 2, "upload": 1}
    assert report.done == {Verb.UPLOAD: 1}
    assert set(world.remote()) == {"a/one", *(f"many/{n}" for n in range(5))}
    assert run(world, "a/one").api_calls == {"get": 1}, "in step: one look"


def test_a_file_comes_down_at_the_price_of_two_calls(world: World) -> None:
    world.put("a/one", b"1")
    world.put("a/other", b"1")
    report = run(world, "a/one")
    assert report.api_calls == {"get": 1, "download": 1}
    assert world.local() == {"a/one": b"1"}


def test_no_other_folder_is_read(world: World) -> None:
    world.write("here/a", b"1", age_s=100)
    shut = world.write("shut/b", b"1", age_s=100).parent
    shut.chmod(0)
    try:
        if os.access(shut, os.R_OK):
            pytest.skip("root may read anything")
        assert run(world, "here/a").problem_count == 0
    finally:
        shut.chmod(0o755)


def test_several_keys_cost_a_listing_where_that_is_cheaper(world: World) -> None:
    for n in range(20):
        world.write(f"{n}", b"1", age_s=100)
    report = run(world, *map(str, range(20)))
    assert report.api_calls == {"list": 2, "upload": 20}, "the second one to learn what was stored"
    world.server.reset_calls()
    assert run(world, *map(str, range(20))).api_calls == {"list": 1}
    assert_idle(world)


@pytest.mark.parametrize("is_known", [False, True])
def test_a_few_keys_of_a_big_bucket_are_asked_for_one_by_one(
    world: World, *, is_known: bool
) -> None:
    """A bucket whose size is not known is listed for as long as that may pay."""
    world.server.add_synthetic(None, ((f"data/x{n:05}", 1, 10**15 + n) for n in range(5000)))
    if is_known:
        world.with_settings(direction="upload").run()
        places = identity(world.profile)
        with BaselineStore.open(world.state_dir / "p.sqlite", places) as store:
            store.record(in_step=(BaselineEntry(f"x{n:05}", 1, n, n) for n in range(5000)))
    for key in ("a", "b"):
        world.write(key, b"1", age_s=100)
    calls = run(world, "a", "b").api_calls
    assert calls["get"] == 4
    assert calls.get("list", 0) == (0 if is_known else 3)
    assert {"a", "b"} <= set(world.remote())


def test_no_keys_are_nothing_to_do(world: World) -> None:
    world.write("a", b"1", age_s=100)
    report = run(world)
    assert (report.done, report.api_calls) == ({}, {})


# -- the verdict is that of a whole pass -----------------------------------------------------------


def test_each_key_gets_the_verdict_that_a_whole_pass_gives_it(world: World) -> None:
    step = ("same", "mine", "theirs", "both", "d/lost here", "d/lost there", "gone", "d/e/f/edit")
    for key in step:
        world.write(key, b"12", age_s=1000)
    world.run()
    for key in ("mine", "d/e/f/edit", "d/new here"):
        world.write(key, b"1", age_s=10)
    world.put("theirs", b"123")
    world.write("both", b"1", age_s=10)
    world.put("both", b"123")
    world.put("d/new there", b"1")
    for key in ("d/lost here", "gone"):
        (world.root / key).unlink()
    for key in ("d/lost there", "gone"):
        world.server.delete_object("data/" + key)
    every = {*step, *world.local(), *world.remote()}
    variants = [
        {"deletions": deletions, "direction": direction, "conflict": conflict}
        for deletions in ("none", "both")
        for direction in ("two-way", "upload", "download")
        for conflict in ("newer-wins", "local-wins", "remote-wins", "keep-both")
    ]
    before = snapshot(world.root, world.state_dir)
    for variant in variants:
        there = world.with_settings(**variant, max_delete="100")
        whole = {action.key: action for action in there.plan()}
        for key in every:
            assert plan(there, key) == ([whole[key]] if key in whole else []), (variant, key)
        assert plan(there, *every) == list(whole.values())
    assert snapshot(world.root, world.state_dir) == before, "only planned"


def test_what_is_done_by_keys_is_done_for_a_whole_pass(world: World) -> None:
    for n in range(6):
        world.write(f"d/{n}", b"1", age_s=100)
        world.put(f"e/{n}", b"1")
    for key in [*world.local(), *world.remote()]:
        assert run(world, key).problem_count == 0
    assert_in_step(world)


def test_a_fresh_file_is_waited_for(world: World) -> None:
    world = world.with_settings(settle=0.2)
    world.write("a", b"1")
    assert run(world, "a").done == {Verb.UPLOAD: 1}


# -- what cannot be done ---------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", ["secret/", "a", "*.key"])
def test_a_hidden_file_is_said_to_be_hidden(world: World, pattern: str) -> None:
    key = {"secret/": "d/secret/x", "a": "d/a", "*.key": "d/x.key"}[pattern]
    world.write("d/.ubiopsignore", pattern.encode(), age_s=100)
    world.write(key, b"1", age_s=100)
    report = run(world, key)
    assert "hidden by a filter" in problems(report)[key]
    assert world.remote() == {}
    elsewhere = world.with_settings(exclude=[pattern])
    (world.root / "d/.ubiopsignore").unlink()
    assert "hidden by a filter" in problems(run(elsewhere, key))[key]


def test_a_file_beyond_the_limits_is_said_to_be_hidden(world: World) -> None:
    world.write("a", b"12345", age_s=100)
    world.put("b", b"12345")
    report = run(world.with_settings(max_size=3), "a", "b")
    assert set(problems(report)) == {"a", "b"}
    assert (set(world.local()), set(world.remote())) == ({"a"}, {"b"})


def test_a_malformed_ignore_file_stops_what_is_below_it(world: World) -> None:
    world.write("d/.ubiopsignore", b"[[:alpha:]]\n", age_s=100)
    for key in ("d/x", "e/x"):
        world.write(key, b"1", age_s=100)
    report = run(world, "d/x", "e/x")
    assert ".ubiopsignore" in problems(report)["d"]
    assert set(world.remote()) == {"e/x"}
    world.write(".ubiopsignore", b"[[:alpha:]]\n", age_s=100)
    with pytest.raises(SafetyHalt, match="ubiopsignore"):
        run(world, "e/x")


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "../x", "a/../b", "a//b", ".ubiops-sync/x", "a/"]
)
def test_a_name_that_no_file_has_is_refused_before_anything_is_asked(
    world: World, key: str
) -> None:
    report = run(world, key)
    assert list(problems(report)) == [key]
    assert report.api_calls == {}


def test_a_link_or_a_socket_is_no_file(world: World, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x").write_bytes(b"1")
    (world.root / "link").symlink_to(outside)
    (world.root / "file").symlink_to(outside / "x")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(world.root / "socket"))
        report = run(world, "link/x", "file", "socket")
    assert set(problems(report)) == {"link", "file", "socket"}
    assert world.remote() == {}
    followed = world.with_settings(symlinks="follow")
    assert set(problems(run(followed, "file"))) == {"file"}, "it leads out"


def test_links_within_the_root_are_followed_if_that_is_wanted(world: World) -> None:
    world.write("real/d/x", b"1", age_s=100)
    world.write("real/.ubiopsignore", b"y\n", age_s=100)
    world.write("real/y", b"1", age_s=100)
    (world.root / "link").symlink_to("real")
    followed = world.with_settings(symlinks="follow")
    report = run(followed, "link/d/x", "link/y")
    assert report.done == {Verb.UPLOAD: 1}
    assert set(problems(report)) == {"link/y"}


def test_a_folder_here_that_is_an_object_there_is_left(world: World) -> None:
    world.write("a/b", b"1", age_s=100)
    world.put("a", b"2")
    assert set(problems(run(world, "a"))) == {"a"}
    assert world.local() == {"a/b": b"1"}


def test_a_ready_file_waits_for_a_pass_that_knows_its_folder(world: World) -> None:
    world = world.with_settings(ready_file="_SUCCESS")
    for key in ("d/_SUCCESS", "d/x"):
        world.write(key, b"1", age_s=100)
    report = run(world, "d/_SUCCESS")
    assert "a pass over the whole profile sends it" in problems(report)["d/_SUCCESS"]
    assert run(world, "d/x").done == {Verb.UPLOAD: 1}, "it may go: the ready file is here"
    assert set(world.remote()) == {"d/x"}
    world.run()
    assert set(world.remote()) == {"d/x", "d/_SUCCESS"}


def test_one_key_that_cannot_be_asked_for_does_not_stop_the_others(world: World) -> None:
    world.server.add_synthetic(None, ((f"data/x{n:05}", 1, 10**15 + n) for n in range(4000)))
    for key in ("bad", "good"):
        world.write(key, b"1", age_s=100)
    world.server.faults.add(Fault("get", "status", key="bad", times=None, code=500))
    report = run(world, "bad", "good")
    assert set(problems(report)) == {"bad"}
    assert report.done == {Verb.UPLOAD: 1}


def test_a_service_that_is_gone_ends_it(world: World) -> None:
    world.write("a", b"1", age_s=100)
    world.server.stop()
    with pytest.raises(RemoteUnreachable, match=r"no connection.*Nothing was changed"):
        run(world, "a")
    for n in range(40):
        world.write(f"{n}", b"1", age_s=100)
    with pytest.raises(RemoteUnreachable):
        run(world, *map(str, range(40)))


def test_a_token_that_may_not_list_still_fetches_files_by_name(tmp_path: Path) -> None:
    tokens = {"a-token-that-may-not-list": Role.RESTRICTED_READER}
    with BucketServer(tmp_path / "server", tokens=tokens, rate_limit=None) as server:
        root = tmp_path / "root"
        root.mkdir()
        settings = {"token": "a-token-that-may-not-list", "direction": "download"}
        world = World(server, root, tmp_path / "state", settings)
        for key in ("a", "b", "c"):
            world.put(key, b"1")
        assert run(world, "a").problem_count == 0
        assert run(world, "b", "c").problem_count == 0
        assert set(world.local()) == {"a", "b", "c"}


# -- guards ----------------------------------------------------------------------------------------


def test_an_empty_root_is_no_reason_to_delete_the_one_that_was_asked_for(world: World) -> None:
    """Whoever mounts nothing must lose nothing, however few keys a pass is about."""
    world = world.with_settings(deletions="both")
    for key in ("a", "b"):
        world.write(key, b"1", age_s=100)
    world.run()
    for key in ("a", "b"):
        (world.root / key).unlink()
    with pytest.raises(SafetyHalt, match="Is its disk mounted"):
        run(world, "a")
    world.write("c", b"1", age_s=100)
    assert run(world, "a").done == {Verb.DELETE_REMOTE: 1}
    assert set(world.remote()) == {"b"}


def test_more_deletions_than_are_allowed_halt_it(world: World) -> None:
    world = world.with_settings(deletions="both", max_delete="2")
    for n in range(5):
        world.write(f"{n}", b"1", age_s=100)
    world.run()
    for n in range(3):
        (world.root / f"{n}").unlink()
    with pytest.raises(SafetyHalt, match="3 of 5 files would be deleted"):
        run(world, "0", "1", "2")
    assert run(world, "0", "1").done == {Verb.DELETE_REMOTE: 2}


# -- what is remembered ----------------------------------------------------------------------------


def test_only_what_it_did_is_in_the_history_and_it_says_nothing_of_the_whole(world: World) -> None:
    world.write("a", b"1", age_s=100)
    run(world, "a")
    run(world, "a")
    [remembered] = read_history(world.profile, world.state_dir)
    assert remembered.account.only == 1
    assert remembered.account.done == {Verb.UPLOAD: 1}
    status = read_status(world.profile, world.state_dir, 0)
    assert status.last is None
    assert next(status_lines(status)) == "p: no pass yet"
    world.run()
    world.write("a", b"12", age_s=50)
    run(world, "a")
    status = read_status(world.profile, world.state_dir, 0)
    assert status.last is not None
    assert status.last.account.only is None


def test_what_fails_is_in_the_history(world: World) -> None:
    world.write("a", b"1", age_s=100)
    world.server.faults.add(Fault("put", "status", times=None, code=400))
    run(world, "a")
    [remembered] = read_history(world.profile, world.state_dir)
    assert [problem.key for problem in remembered.problems] == ["a"]


def test_an_upload_of_before_that_is_not_confirmed_is_left_to_a_whole_pass(world: World) -> None:
    for key in ("a", "b"):
        world.write(key, b"1", age_s=100)
    fault = world.server.faults.add(Fault("get", "status", after=1, times=None, code=500))
    assert run(world, "a").done == {Verb.UPLOAD: 1}
    assert world.server.faults.fired(fault) > 0, "nobody knows when it was stored"
    world.server.faults.clear()
    assert run(world, "b").api_calls == {"get": 2, "upload": 1}, "of `b` alone"
    report = world.run()
    assert report.done == {Verb.ADOPT: 1}
    assert_in_step(world)


@pytest.mark.parametrize(
    "behaviour", [Behaviour(slow_visibility_s=3600), Behaviour(keep_time_on_overwrite=True)]
)
def test_a_bucket_that_is_slow_to_show_an_upload_is_not_sent_it_again(
    world: World, behaviour: Behaviour
) -> None:
    world.server.behaviour = behaviour
    world.write("a", b"1", age_s=100)
    assert run(world, "a").bytes_up == 1
    world.write("a", b"2", age_s=50)
    assert run(world, "a").bytes_up == 1
    for _ in range(3):
        assert run(world, "a").bytes_up == 0
    assert world.remote() == {"a": b"2"}
    for _ in range(2):
        assert run(world, "a").bytes_up == 0
    assert_idle(world)


def test_big_files_that_others_began_are_gone_on_with(world: World) -> None:
    world = world.with_settings(multipart_threshold=2 * PART)
    world.put("big", BIG)
    world.server.faults.add(Fault("get_blob", "status", after=2, times=None, code=500))
    world.run()
    world.server.faults.clear()
    world.write("small", b"1", age_s=100)
    assert run(world, "small").problem_count == 0
    assert len(world.staged()) == 1, "what has arrived of the other one"
    report = run(world, "big")
    assert report.done == {Verb.DOWNLOAD: 1}
    assert report.bytes_down < len(BIG)


@pytest.mark.parametrize("way", ["upload", "download"])
def test_a_pass_the_other_way_leaves_alone_what_has_arrived(world: World, way: str) -> None:
    world = world.with_settings(multipart_threshold=2 * PART)
    other = "download" if way == "upload" else "upload"
    if way == "download":
        world.put("big", BIG)
    else:
        world.write("big", BIG, age_s=100)
    operation = "get_blob" if way == "download" else "put_part"
    world.server.faults.add(Fault(operation, "status", after=2, times=None, code=500))
    world.run()
    world.server.faults.clear()
    world.with_settings(direction=other).run()
    report = world.run()
    assert 0 < report.bytes_up + report.bytes_down < len(BIG)
    assert_in_step(world)


def test_nothing_is_forgotten_but_what_was_asked_for(world: World) -> None:
    for key in ("a", "b"):
        world.write(key, b"1", age_s=100)
    world.run()
    for key in ("a", "b"):
        (world.root / key).unlink()
        world.server.delete_object("data/" + key)
    world.write("c", b"1", age_s=100)
    _, before = standing(world)
    assert run(world, "a").done == {Verb.FORGET: 1}
    _, after = standing(world)
    assert [row[0] for row in before["baseline"]] == ["a", "b"]
    assert [row[0] for row in after["baseline"]] == ["b"]


def test_what_was_asked_for_is_stopped_like_any_pass(world: World) -> None:
    stop = Stop()
    stop.ask()
    with pytest.raises(Stopped):
        Reconciler(world.profile, world.state_dir, retries=QUICK, stop=stop).run(only=["a"])
