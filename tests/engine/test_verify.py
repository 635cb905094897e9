"""Verifying: what is told of both sides, what it costs, and that nothing is changed."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from engine.world import QUICK, World, snapshot
from ubiops_file_sync.bucket import download
from ubiops_file_sync.emulator import Behaviour, Fault
from ubiops_file_sync.errors import RemoteUnreachable
from ubiops_file_sync.plan import Finding
from ubiops_file_sync.progress import Progress
from ubiops_file_sync.verify import Verification, Verifier


def verify(
    world: World, *, content: bool = False, foretold: list[int] | None = None
) -> Verification:
    heard = [] if foretold is None else foretold
    verifier = Verifier(world.profile, world.state_dir, {}, Progress(), QUICK)
    return verifier.verify(content=content, foretell=lambda calls, _: heard.append(calls))


def findings(told: Verification) -> dict[str, Finding]:
    return {one.key: one.finding for one in told.found}


@pytest.fixture
def in_step(world: World) -> World:
    """A folder and a bucket in step: three files that went up, one that came down."""
    for key, content in (("a", b"1"), ("b/c", b"12345"), ("empty", b"")):
        world.write(key, content, age_s=1000)
    world.put("down", b"from the bucket")
    world.run()
    return world


Rot = Callable[[World, str, bytes], None]


def rot_here(world: World, key: str, content: bytes) -> None:
    """Other bytes under the old size and time, as a bad disk makes them."""
    path = world.root / key
    before = path.stat()
    assert len(content) == before.st_size
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def rot_there(world: World, key: str, content: bytes) -> None:
    size, created_us = world.server.objects("data/" + key)["data/" + key]
    assert len(content) == size
    world.server.put_object("data/" + key, content, created_us=created_us)


def test_all_in_step_costs_the_listing_and_changes_nothing(in_step: World) -> None:
    before = snapshot(in_step.root, in_step.state_dir)
    objects = in_step.server.objects()
    in_step.server.reset_calls()
    told = verify(in_step)
    assert told.exit_code == 0
    assert told.counts == {Finding.IN_STEP: 4}
    assert told.api_calls == {"list": 1}
    assert in_step.server.calls.api_count == 1
    assert verify(in_step, content=True).exit_code == 0
    assert snapshot(in_step.root, in_step.state_dir) == before
    assert in_step.server.objects() == objects


def test_every_kind_of_difference_is_counted_and_told_with_its_reason(in_step: World) -> None:
    in_step.write("a", b"changed", age_s=10)
    in_step.put("b/c", b"changed there")
    (in_step.root / "empty").unlink()
    in_step.server.delete_object("data/down")
    in_step.write("new here", b"1")
    in_step.put("new there", b"1")
    in_step.write("both", b"1")
    in_step.put("both", b"22")
    (in_step.root / "link").symlink_to("a")
    in_step.put("link", b"1")
    (in_step.root / "stray link").symlink_to("a")
    told = verify(in_step)
    assert told.exit_code == 1
    assert findings(told) == {
        "a": Finding.DIFFERS,
        "b/c": Finding.DIFFERS,
        "both": Finding.DIFFERS,
        "down": Finding.ONLY_HERE,
        "empty": Finding.ONLY_IN_BUCKET,
        "link": Finding.UNKNOWN,
        "new here": Finding.ONLY_HERE,
        "new there": Finding.ONLY_IN_BUCKET,
    }
    why = {one.key: one.why for one in told.found}
    assert "here since it was last in step, the size was 1 byte, is 7 bytes" in why["a"]
    assert why["b/c"].startswith("in the bucket since it was last in step, the size was 5 bytes")
    assert "never recorded as in step; 1 byte here, 2 bytes in the bucket" in why["both"]
    assert why["down"] == "gone in the bucket since it was last in step"
    assert why["new here"] == "never in step in the bucket"


def test_a_key_that_both_sides_lost_is_a_difference_to_the_record(in_step: World) -> None:
    (in_step.root / "a").unlink()
    in_step.server.delete_object("data/a")
    told = verify(in_step)
    assert findings(told) == {"a": Finding.DIFFERS}
    assert "gone from both sides" in told.found[0].why


@pytest.mark.parametrize("rot", [rot_here, rot_there])
def test_silent_damage_is_found_by_content_alone(in_step: World, rot: Rot) -> None:
    rot(in_step, "b/c", b"1234X")
    assert verify(in_step).exit_code == 0
    in_step.server.reset_calls()
    foretold: list[int] = []
    told = verify(in_step, content=True, foretold=foretold)
    assert told.exit_code == 1
    assert findings(told) == {"b/c": Finding.DAMAGED}
    assert told.found[0].why.startswith("damaged here or in the bucket")
    assert "touch" in told.found[0].why
    assert foretold == [3]
    # One call a file, the listing, and a second look before anything is called damaged.
    assert told.api_calls == {"list": 1, "download": 3, "get": 1}
    assert in_step.server.calls.api_count == 5


def test_the_remedy_never_leads_to_a_deletion(in_step: World) -> None:
    rot_here(in_step, "a", b"X")
    told = verify(in_step.with_settings(deletions="to_bucket"), content=True)
    assert "move the file out" not in told.found[0].why
    told = verify(in_step.with_settings(direction="download"), content=True)
    assert "touch" not in told.found[0].why


def test_where_the_provider_tells_a_hash_nothing_is_downloaded(in_step: World) -> None:
    told = verify(in_step, content=True)
    assert told.compared == 3  # The empty one needs no look.
    assert told.bytes_down == 0


def test_where_it_tells_none_the_content_is_downloaded_and_kept_nowhere(
    in_step: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "provider_digest", lambda _headers, **_: None)
    before = snapshot(in_step.root)
    told = verify(in_step, content=True)
    assert told.exit_code == 0
    assert told.bytes_down == len(b"1" + b"12345" + b"from the bucket")
    assert snapshot(in_step.root) == before
    rot_here(in_step, "b/c", b"1234X")
    assert findings(verify(in_step, content=True)) == {"b/c": Finding.DAMAGED}


def test_a_touched_file_with_the_same_content_is_verified_by_content(in_step: World) -> None:
    in_step.write("a", b"1", age_s=5)
    assert verify(in_step).exit_code == 1
    told = verify(in_step, content=True)
    assert told.exit_code == 0
    assert told.times_only == 1


def test_a_change_of_the_same_size_is_a_difference_and_no_damage(in_step: World) -> None:
    in_step.write("a", b"2", age_s=5)
    told = verify(in_step, content=True)
    assert findings(told) == {"a": Finding.DIFFERS}
    assert told.found[0].why.endswith("; the content differs")


def test_a_key_that_cannot_be_compared_is_unknown_and_stops_no_other(in_step: World) -> None:
    in_step.server.faults.add(Fault("sign_download", "status", times=None, key="b/c", code=500))
    told = verify(in_step, content=True)
    assert findings(told) == {"b/c": Finding.UNKNOWN}
    assert told.counts[Finding.IN_STEP] == 3
    assert told.exit_code == 1


def test_what_a_filter_hides_is_not_told_of(in_step: World) -> None:
    in_step.write("x.log", b"1")
    in_step.put("y.log", b"1")
    told = verify(in_step.with_settings(exclude=["*.log"]))
    assert told.exit_code == 0
    assert told.hidden == 2


def test_an_unsorted_listing_costs_a_second_one_and_nothing_else(in_step: World) -> None:
    in_step.write("new", b"1")
    in_step.server.behaviour = Behaviour(unsorted=True)
    told = verify(in_step)
    assert told.counts == {Finding.IN_STEP: 4, Finding.ONLY_HERE: 1}


def test_a_listing_that_fails_tells_nothing(in_step: World) -> None:
    in_step.server.faults.add(Fault("list", "status", times=None, code=500))
    with pytest.raises(RemoteUnreachable):
        verify(in_step)


def test_before_the_first_pass_nothing_is_in_step(world: World) -> None:
    world.write("a", b"1")
    world.put("a", b"1")
    assert findings(verify(world)) == {"a": Finding.DIFFERS}
    assert verify(world, content=True).exit_code == 0
    assert not world.state_dir.exists()
