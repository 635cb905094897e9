"""No belief about the service is load-bearing without need: whole stories under the other answer.

Under each of them a first pass, edits, conflicts and deletions end as they do under the common
one; what differs is at most the number of calls, and of passes until all is recorded.
"""

from __future__ import annotations

import time

import pytest

from engine.behaviours import BEHAVIOURS
from engine.world import QUICK, World, assert_in_step
from ubiops_file_sync.emulator import Behaviour
from ubiops_file_sync.model import Verb
from ubiops_file_sync.reconcile import Reconciler

ALL = sorted(BEHAVIOURS)


@pytest.fixture(params=ALL)
def odd(world: World, request: pytest.FixtureRequest) -> World:
    """A world whose bucket is another than we believe, with deletions both ways."""
    world.server.behaviour = BEHAVIOURS[request.param]
    return world.with_settings(deletions="both")


def settle(*worlds: World) -> int:
    """Two passes each, of which the third has nothing to do (I4); how many files they sent."""
    worlds[0].server.reset_calls()
    for _ in range(2):
        for world in worlds:
            assert world.run().problem_count == 0
    sent = worlds[0].server.calls.count("sign_upload")
    for world in worlds:
        assert_in_step(world)
    return sent


def fill(world: World, count: int = 230) -> dict[str, bytes]:
    """Local files of several pages of 100."""
    files = {f"d{n % 7}/f{n:03}": f"content {n}".encode() for n in range(count)}
    for key, content in files.items():
        world.write(key, content, age_s=100)
    return files


def test_a_first_upload_and_a_first_download_elsewhere(odd: World) -> None:
    files = fill(odd)
    assert odd.run().done == {Verb.UPLOAD: len(files)}
    there = odd.elsewhere("there")
    assert there.run().done == {Verb.DOWNLOAD: len(files)}
    assert settle(odd, there) == 0, "nothing was sent twice"
    assert there.local() == odd.local() == files
    assert there.trash() == odd.trash() == {}


@pytest.mark.parametrize("edit", [b"edited", b"one"], ids=["longer", "of one size"])
def test_edits_here_travel_there(odd: World, edit: bytes) -> None:
    there = odd.elsewhere("there")
    odd.put("a", b"two", age_s=100)
    odd.put("b", b"stays", age_s=100)
    settle(odd, there)
    odd.write("a", edit)
    assert odd.run().done == {Verb.UPLOAD: 1}
    if odd.server.behaviour.keep_time_on_overwrite and len(edit) == 3:
        assert settle(odd) == 0, "nothing was sent twice"
        return  # Nothing in the listing tells the others of it.
    assert settle(odd, there) == 0, "nothing was sent twice"
    assert there.local() == odd.local() == {"a": edit, "b": b"stays"}


def test_edits_in_the_bucket_travel_here(odd: World) -> None:
    odd.write("a", b"one", age_s=100)
    settle(odd)
    odd.put("a", b"two, and longer")
    settle(odd)
    assert odd.local() == {"a": b"two, and longer"}


@pytest.mark.parametrize("conflict", ["newer-wins", "local-wins", "remote-wins", "keep-both"])
def test_a_conflict_loses_no_version(odd: World, conflict: str) -> None:
    here = odd.with_settings(conflict=conflict)
    here.write("a", b"of old", age_s=1000)
    settle(here)
    here.write("a", b"edited here", age_s=100)
    here.put("a", b"and edited there")
    settle(here)
    kept = {*here.local().values(), *(one for many in here.trash().values() for one in many)}
    assert kept >= {b"edited here", b"and edited there"}
    if conflict == "keep-both":
        assert len(here.local()) == 2


def test_a_deletion_travels_each_way_and_into_the_trash(odd: World) -> None:
    there = odd.elsewhere("there")
    for n in range(8):
        odd.write(f"f{n}", b"1", age_s=100)
    settle(odd, there)
    (odd.root / "f1").unlink()
    (there.root / "f2").unlink()
    odd.run()
    there.run()
    settle(odd, there)
    assert set(odd.local()) == set(there.local()) == {f"f{n}" for n in (0, 3, 4, 5, 6, 7)}
    assert set(odd.trash()) == {"f1", "f2"}


def test_what_was_sent_and_is_not_shown_yet_is_waited_for(world: World) -> None:
    """However many passes it takes: nothing is sent twice, and nothing is deleted."""
    here = world.with_settings(deletions="both")
    for key in ("edited", "edited and deleted", "of one size", "stays"):
        here.put(key, b"first", age_s=100)
    settle(here)
    here.server.behaviour = Behaviour(slow_visibility_s=3600)
    here.write("new", b"new")
    here.write("edited", b"and longer")
    here.write("edited and deleted", b"and longer")
    here.write("of one size", b"other")
    here.server.reset_calls()
    assert here.reconciler.run().done == {Verb.UPLOAD: 4}
    (here.root / "edited and deleted").unlink()
    for _ in range(3):
        waiting = here.reconciler.run()
        assert waiting.done == {}
        assert waiting.problem_count == 0
    here.server.show_all()
    assert here.reconciler.run().done == {Verb.ADOPT: 3, Verb.DELETE_REMOTE: 1}
    assert_in_step(here)
    assert here.server.calls.count("sign_upload") == 0
    assert here.remote() == {
        "new": b"new",
        "edited": b"and longer",
        "of one size": b"other",
        "stays": b"first",
    }
    assert here.trash() == {"edited and deleted": [b"and longer"]}


def test_the_version_before_an_edit_is_not_taken_for_the_edit(world: World) -> None:
    """Both are of one size and of one second, and only the first one shows."""
    path = world.write("a", b"one")
    world.run()
    world.server.behaviour = Behaviour(slow_visibility_s=3600)
    path.write_bytes(b"two")
    world.reconciler.run()
    assert world.reconciler.run().done == {}
    world.server.show_all()
    report = world.reconciler.run()
    assert report.done == {Verb.ADOPT: 1}
    assert (report.bytes_up, report.bytes_down) == (0, 0)
    assert_in_step(world)


def test_what_was_allowed_and_sent_does_not_halt_the_next_pass(world: World) -> None:
    """Until the bucket shows it, all that was edited still differs from the record."""
    for n in range(12):
        world.put(f"f{n}", b"of old", age_s=100)
    world.run()
    for n in range(12):
        world.write(f"f{n}", b"edited, all of them")
    world.server.behaviour = Behaviour(slow_visibility_s=3600)
    allowed = Reconciler(
        world.profile, world.state_dir, retries=QUICK, allow=["everything-changed"]
    )
    assert allowed.run().done == {Verb.UPLOAD: 12}
    assert world.reconciler.run().done == {}
    world.write("f3", b"and edited again")
    assert world.reconciler.run().done == {Verb.UPLOAD: 1}


def test_what_never_shows_is_sent_again_after_a_while(world: World) -> None:
    """Somebody deleted it before we ever saw it."""
    world.write("a", b"1", age_s=100)
    world.server.behaviour = Behaviour(slow_visibility_s=3600)
    world.reconciler.run()
    world.server.delete_object("data/a")
    world.server.behaviour = Behaviour()
    assert world.run().done == {}
    world.server.clock.offset_s = 31
    later = Reconciler(world.profile, world.state_dir, retries=QUICK, now_ns=_in_31_s)
    assert later.run().done == {Verb.UPLOAD: 1}
    assert world.remote() == {"a": b"1"}


def test_an_hour_later_a_time_that_was_kept_still_costs_no_second_upload(world: World) -> None:
    world.put("a", b"one", age_s=100)
    world.run()
    world.server.behaviour = Behaviour(keep_time_on_overwrite=True)
    world.write("a", b"two")
    world.reconciler.run()
    world.server.clock.offset_s = 31
    later = Reconciler(world.profile, world.state_dir, retries=QUICK, now_ns=_in_31_s)
    report = later.run()
    assert report.done == {Verb.ADOPT: 1}
    assert (report.bytes_up, report.bytes_down) == (0, 0)


def test_a_listing_limit_that_is_refused_costs_one_call(world: World) -> None:
    for n in range(150):
        world.put(f"f{n:03}", b"1")
    world.server.behaviour = Behaviour(max_limit=100)
    assert world.run().api_calls["list"] == 3
    world.server.behaviour = Behaviour(max_limit=99)
    with pytest.raises(Exception, match="limit must be an integer between 1 and 99"):
        world.run()


def _in_31_s() -> int:
    return time.time_ns() + 31_000_000_000
