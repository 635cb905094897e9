"""What breaks costs nothing: no file, no wrong record, and no other key its turn (I6, I12)."""

from __future__ import annotations

import pytest

from engine.world import QUICK, World, assert_in_step, standing
from ubiops_file_sync.emulator import Fault, Role
from ubiops_file_sync.errors import AccessRefused, NoSuchBucket, RemoteUnreachable, SafetyHalt
from ubiops_file_sync.model import Outcome, Pace
from ubiops_file_sync.progress import Progress
from ubiops_file_sync.reconcile import Reconciler


def three_pages(world: World) -> None:
    old = 1_600_000_000_000_000
    world.server.add_synthetic(None, [(f"data/f{n:05}", 0, old) for n in range(2500)])


@pytest.mark.parametrize("page", [0, 1, 2])
@pytest.mark.parametrize("kind", ["status", "reset_before", "truncate", "truncate_chunked"])
def test_a_listing_that_fails_on_any_page_changes_nothing_at_all(
    world: World, page: int, kind: str
) -> None:
    three_pages(world)
    world.write("only-here", b"1")
    world.with_settings(direction="upload").run()
    world.write("only-here", b"changed since")
    world.server.faults.add(Fault("list", kind, times=None, page=page, length=1000))
    before = standing(world), world.server.objects()
    with pytest.raises(RemoteUnreachable, match="Nothing was changed"):
        world.run()
    world.server.faults.clear()
    assert (standing(world), world.server.objects()) == before


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503])
def test_a_listing_that_stumbles_once_goes_on(world: World, code: int) -> None:
    three_pages(world)
    world.server.faults.add(
        Fault("list", "status", page=1, code=code, headers={"x-ratelimit-reset": "0"})
    )
    report = world.with_settings(workers=16).run()
    assert report.planned.remote_files == 2500
    assert report.api_calls["list"] == 4


@pytest.mark.parametrize(
    "fault",
    [
        Fault("get_blob", "truncate", key="bad", length=10),
        Fault("get_blob", "truncate_chunked", key="bad", length=10),
        Fault("get_blob", "wrong_body", key="bad"),
        Fault("get_blob", "reset_before", key="bad"),
        Fault("get_blob", "status", key="bad", code=403),
        Fault("sign_download", "status", key="bad", code=500),
        Fault("sign_download", "reset_after", key="bad"),
        Fault("sign_download", "wrong_body", key="bad"),
    ],
    ids=lambda fault: f"{fault.match}-{fault.kind}",
)
def test_a_download_that_fails_once_is_tried_again(world: World, fault: Fault) -> None:
    world.put("bad", b"x" * 5000)
    world.server.faults.add(fault)
    assert world.run().problem_count == 0
    assert world.server.faults.fired(fault) == 1
    assert_in_step(world)


@pytest.mark.parametrize("kind", ["truncate", "truncate_chunked", "wrong_body", "reset_before"])
def test_a_download_that_always_fails_leaves_the_old_version_and_stops_no_other(
    world: World, kind: str
) -> None:
    world.write("bad", b"old", age_s=100)
    world.run()
    world.put("bad", b"new" * 1000)
    world.put("good", b"1")
    world.server.faults.add(Fault("get_blob", kind, times=None, key="bad", length=10))
    report = world.run()
    assert [problem.key for problem in report.problems] == ["bad"]
    assert report.exit_code == 1
    assert world.local() == {"bad": b"old", "good": b"1"}
    assert world.staged() == []
    world.server.faults.clear()
    world.run()
    assert_in_step(world)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("put", "status", key="bad", code=500),
        Fault("put", "status", key="bad", code=403),
        Fault("put", "reset_before", key="bad"),
        Fault("put", "reset_after", key="bad"),
        Fault("sign_upload", "status", key="bad", code=503),
        Fault("sign_upload", "reset_after", key="bad"),
        Fault("sign_upload", "truncate", key="bad", length=5),
    ],
    ids=lambda fault: f"{fault.match}-{fault.kind}-{fault.code}",
)
def test_an_upload_that_fails_once_is_tried_again(world: World, fault: Fault) -> None:
    world.write("bad", b"x" * 5000)
    world.server.faults.add(fault)
    assert world.run().problem_count == 0
    assert world.server.faults.fired(fault) == 1
    assert_in_step(world)


def test_an_upload_that_always_fails_stops_no_other_and_heals(world: World) -> None:
    for name in ("a", "bad", "c"):
        world.write(name, b"1")
    world.server.faults.add(Fault("put", "status", times=None, key="bad", code=500))
    report = world.run()
    assert [problem.key for problem in report.problems] == ["bad"]
    assert set(world.remote()) == {"a", "c"}
    world.server.faults.clear()
    assert world.run().problem_count == 0
    assert_in_step(world)


def test_an_upload_that_failed_is_never_taken_for_a_deletion(world: World) -> None:
    world = world.with_settings(deletions="both")
    world.write("a", b"1")
    world.server.faults.add(Fault("put", "status", times=None, code=400))
    assert world.run().problem_count == 1
    world.server.faults.clear()
    world.run()
    assert world.local() == {"a": b"1"}
    assert_in_step(world)


def test_an_upload_that_was_stored_though_no_answer_came_is_adopted(world: World) -> None:
    world.write("a", b"1")
    world.server.faults.add(Fault("put", "reset_after", times=None))
    assert world.run().problem_count == 1
    world.server.faults.clear()
    report = world.run()
    assert report.bytes_up == 0
    assert_in_step(world)


class EndAtFirst(Progress):
    """Breaks a pass off after its first action."""

    def did(self, outcome: Outcome) -> None:
        raise KeyboardInterrupt


def test_an_upload_without_an_answer_outlives_a_pass_that_breaks_off(world: World) -> None:
    world = world.with_settings(workers=1)
    world.write("b", b"lost in the bucket, and sent again")
    world.run()
    world.server.delete_object("data/b")
    world.server.faults.add(Fault("put", "reset_after", times=None))
    assert world.run().problem_count == 1
    world.server.faults.clear()
    for number in range(5):  # More than are under way or ready when the first one ends.
        world.write(f"a{number}", b"1")
    with pytest.raises(KeyboardInterrupt):
        Reconciler(world.profile, world.state_dir, retries=QUICK, progress=EndAtFirst()).run()
    report = world.run()
    assert (report.bytes_down, world.trash()) == (0, {}), "compared, and not fetched"
    assert_in_step(world)


def test_what_cannot_be_confirmed_is_recognised_by_the_next_pass(world: World) -> None:
    world.write("a", b"1")
    world.write("b", b"2")
    world.server.faults.add(Fault("list", "status", times=None, after=1))
    report = world.run()
    assert report.exit_code == 0
    assert "was not asked to the end" in report.notes[0]
    world.server.faults.clear()
    report = world.run()
    assert report.api_calls == {"list": 1}, "recognised by time and size, without a comparison"
    assert_in_step(world)


def test_an_edit_after_an_unconfirmed_upload_still_wins(world: World) -> None:
    world = world.with_settings(conflict="remote-wins")
    world.write("a", b"first")
    world.server.faults.add(Fault("put", "reset_after", times=None))
    world.run()
    world.server.faults.clear()
    world.write("a", b"edited since, so it is newer than our own upload")
    assert world.run().problem_count == 0
    assert world.remote() == {"a": b"edited since, so it is newer than our own upload"}
    assert_in_step(world)


def test_a_429_pauses_everybody_until_the_window_ends(world: World) -> None:
    world.server.faults.add(
        Fault("sign_upload", "status", code=429, headers={"x-ratelimit-reset": "0"})
    )
    for n in range(12):
        world.write(f"f{n}", b"1")
    report = world.run()
    assert report.problem_count == 0
    assert len(world.remote()) == 12
    assert report.seconds >= 1, "a second more than was told"


def test_a_pass_longer_than_the_quota_meets_no_429(world: World) -> None:
    world.server.quota.window_s = 1.0
    world.server.quota.limit = 10
    for n in range(12):
        world.write(f"f{n}", b"1")
    assert world.run().problem_count == 0
    assert len(world.remote()) == 12
    assert not [call for call in world.server.calls if call.status == 429]


def test_two_profiles_of_a_host_share_one_quota(world: World) -> None:
    world.server.quota.limit = 300
    thrifty = world.elsewhere("thrifty").with_settings(quota_share=0.5, bucket_dir="other")
    with thrifty.reconciler.plan() as (_, told):
        assert told.planned.pace == Pace(limit=300, share=0.5, a_minute=150)
    assert world.run().planned.pace == told.planned.pace, "the smallest share counts for both"


def test_calls_are_counted_by_endpoint_as_promised(world: World) -> None:
    """Pages, transfers, deletions, and the cheaper way to learn what was stored (I10)."""
    carrying = world.with_settings(deletions="both")
    for n in range(3):
        world.write(f"gone{n}", b"1")
    assert world.run().api_calls == {"list": 2, "upload": 3}
    for n in range(3):
        (world.root / f"gone{n}").unlink()
    world.write("up", b"2")
    for n in range(2):
        world.put(f"down{n}", b"3")
    world.server.reset_calls()
    report = carrying.run()
    pages, confirming, ttl = 1, 1, 1
    deletions = 3
    assert report.api_calls == {
        "list": pages,
        "upload": 1,
        "download": 2 + deletions,  # the last version goes to the trash
        "delete": deletions,
        "get": deletions + confirming,  # each is looked at once more
        "bucket": ttl,
    }
    assert sum(report.api_calls.values()) == world.server.calls.api_count
    assert sum(report.api_calls.values()) == report.planned.api_calls


def test_a_wrong_token_is_said_once_and_leaves_no_folder(world: World) -> None:
    world.root.rmdir()
    wrong = world.with_settings(token="not-the-token")
    with pytest.raises(AccessRefused, match="does not know the token") as caught:
        wrong.run()
    assert "not-the-token" not in str(caught.value)
    assert caught.value.exit_code == 3
    assert world.server.calls.api_count == 1, "a refusal is not tried again"
    assert not world.root.exists()


def test_an_unknown_bucket_is_named(world: World) -> None:
    with pytest.raises(NoSuchBucket, match="no bucket 'typo' in project 'demo'") as caught:
        world.with_settings(bucket="typo").run()
    assert caught.value.exit_code == 3


def test_an_unreachable_host_is_named(world: World) -> None:
    world.server.stop()
    with pytest.raises(RemoteUnreachable, match="no connection to http://127") as caught:
        world.run()
    assert caught.value.exit_code == 3


def test_a_reader_may_download_and_is_told_why_it_may_not_upload(world: World) -> None:
    world.server.tokens["reader-token"] = Role.READER
    reader = world.with_settings(token="reader-token")
    reader.put("a", b"1")
    assert reader.with_settings(direction="download").run().problem_count == 0
    reader.write("b", b"2")
    with pytest.raises(AccessRefused, match=r"may not write to the bucket.*direction: download"):
        reader.run()
    assert reader.local() == {"a": b"1", "b": b"2"}


def test_a_server_that_dies_in_the_middle_ends_the_pass(world: World) -> None:
    for n in range(100):
        world.write(f"f{n:03}", b"1")
    world.server.faults.add(Fault("sign_upload", "reset_before", times=None, after=20))
    with pytest.raises(RemoteUnreachable, match="in a row"):
        world.run()
    world.server.faults.clear()
    assert world.run().problem_count == 0
    assert_in_step(world)


def test_a_missing_root_that_was_in_step_halts(world: World) -> None:
    world.write("a", b"1")
    world.run()
    world.root.rename(world.root.with_name("moved"))
    with pytest.raises(SafetyHalt, match="Is its disk mounted"):
        world.run()
    assert not world.root.exists()
    assert world.remote() == {"a": b"1"}


def test_a_missing_root_of_an_upload_halts(world: World) -> None:
    world.root.rmdir()
    with pytest.raises(SafetyHalt, match="does not exist"):
        world.with_settings(direction="upload").run()
