"""One suite of what we believe about the service, for every implementation of the bucket."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ubiops_file_sync.bucket.problems import Place
from ubiops_file_sync.bucket.raw import RawBucket
from ubiops_file_sync.bucket.retry import RetryPolicy
from ubiops_file_sync.config import load_settings
from ubiops_file_sync.contract import (
    BELIEFS,
    MOST_CALLS,
    Examination,
    Holds,
    examine,
    raw_bucket,
    scratch_prefix,
)
from ubiops_file_sync.contract.look import Look
from ubiops_file_sync.contract.seen import IN_PARTS, NAMES, Seen
from ubiops_file_sync.emulator import Behaviour, BucketServer, Fault, Provider, Role
from ubiops_file_sync.errors import AccessRefused, NoSuchBucket, RemoteUnreachable, UsageError

QUICK = RetryPolicy(tries=3, first_wait_s=0.005, longest_wait_s=0.02)
UNTOLD = {"forbidden"}
"""What no admin's token can tell."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[BucketServer]:
    with BucketServer(tmp_path / "server") as running:
        yield running


def place_in(server: BucketServer) -> Place:
    return Place("p", server.api_host, server.project, server.bucket, "", "a test")


def look_at(
    server: BucketServer, prefix: str = "scratch/", token: str | None = None
) -> Examination:
    raw = RawBucket(place_in(server), token or server.token, QUICK)
    told: list[str] = []

    def sleep(seconds: float) -> None:
        server.clock.offset_s += seconds

    try:
        examination = examine(raw, place_in(server), prefix, told.append, sleep)
    finally:
        raw.close()
    assert told == list(examination.left)
    return examination


def differing(examination: Examination) -> dict[str, str]:
    return {
        belief.name: found.holds.name
        for belief, found in examination.findings
        if found.holds is not Holds.YES
    }


@pytest.mark.parametrize("provider", Provider)
def test_every_belief_holds_of_the_embedded_server(tmp_path: Path, provider: Provider) -> None:
    with BucketServer(tmp_path / "server", provider=provider) as server:
        server.put_object("scratch and more", b"of somebody else")
        server.put_object("scratched/a", b"of somebody else")
        examination = look_at(server)
        assert differing(examination) == dict.fromkeys(UNTOLD, "OPEN")
        assert examination.exit_code == 0
        assert examination.provider == provider.value
        assert set(server.objects()) == {"scratch and more", "scratched/a"}
        assert examination.api_calls == server.calls.api_count <= 46


SWITCHES = {
    "order": Behaviour(unsorted=True),
    "full-pages": Behaviour(short_pages=True),
    "once": Behaviour(repeat_item_between_pages=True),
    "page-limit": Behaviour(max_limit=100),
    "precision": Behaviour(time_precision="s"),
    "time-format": Behaviour(time_suffix="+00:00"),
    "overwrite": Behaviour(keep_time_on_overwrite=True),
    "visible": Behaviour(slow_visibility_s=0.3),
    "stored-hash": Behaviour(tells_crc64=False),
}


def test_every_switch_of_the_embedded_server_is_tried() -> None:
    tried = {
        name
        for behaviour in SWITCHES.values()
        for name in Behaviour.__slots__
        if getattr(behaviour, name) != getattr(Behaviour(), name)
    }
    assert tried == set(Behaviour.__slots__)


@pytest.mark.parametrize("name", SWITCHES)
def test_each_other_answer_is_found_by_the_belief_that_is_about_it(
    server: BucketServer, name: str
) -> None:
    server.behaviour = SWITCHES[name]
    examination = look_at(server)
    assert differing(examination) == {name: "COVERED", **dict.fromkeys(UNTOLD, "OPEN")}
    assert examination.exit_code == 0
    assert examination.api_calls == server.calls.api_count <= MOST_CALLS
    assert server.objects() == {}


def test_milliseconds_are_found_too(server: BucketServer) -> None:
    server.behaviour = Behaviour(time_precision="ms")
    examination = look_at(server)
    assert set(differing(examination)) == {"precision", *UNTOLD}
    (words,) = [found.words for belief, found in examination.findings if belief.name == "precision"]
    assert words == "3 digits of the second"


def test_without_a_quota_the_beliefs_about_it_say_so(server: BucketServer) -> None:
    server.quota.limit = None
    expected = {"quota-told": "COVERED", "one-a-call": "OPEN", **dict.fromkeys(UNTOLD, "OPEN")}
    assert differing(look_at(server)) == expected


@pytest.mark.parametrize(
    ("fault", "names"),
    [
        (Fault("put", "status", times=None, code=400, key="scratch/empty"), {"empty", "names"}),
        (Fault("complete_multipart", "status", times=None, code=400), {"parts"}),
        (Fault("put_part", "status", times=None, code=400), {"parts"}),
    ],
)
def test_what_nothing_covers_is_said_and_ends_with_1(
    server: BucketServer, fault: Fault, names: set[str]
) -> None:
    server.faults.add(fault)
    examination = look_at(server)
    wrong = {name for name, holds in differing(examination).items() if holds == "NO"}
    assert wrong == names
    assert examination.exit_code == 1
    assert server.objects() == {}


def test_a_step_that_fails_leaves_its_beliefs_open_and_the_others_go_on(
    server: BucketServer,
) -> None:
    server.faults.add(Fault("get_blob", "reset_before", times=None))
    examination = look_at(server)
    assert {"bytes", "hash", "range", "altered-url"} <= set(differing(examination))
    assert "overwrite" not in differing(examination)
    assert examination.exit_code == 1
    assert server.objects() == {}


def test_files_of_others_are_never_touched(server: BucketServer) -> None:
    server.put_object("scratch/theirs", b"1")
    with pytest.raises(UsageError, match="there are files below 'scratch/'"):
        look_at(server)
    assert set(server.objects()) == {"scratch/theirs"}
    assert server.calls.count("delete", "sign_upload") == 0


@pytest.mark.parametrize("prefix", ["..", "a/../b", "/", "a//b", ".ubiops-sync/x", "x" * 300])
def test_a_prefix_that_would_address_something_else_is_refused(
    server: BucketServer, prefix: str
) -> None:
    raw = RawBucket(place_in(server), server.token, QUICK)
    with pytest.raises(UsageError, match="--prefix"):
        examine(raw, place_in(server), prefix, lambda _: None)
    assert server.calls.count() == 0


def test_it_tidies_up_after_an_interruption_at_any_moment(server: BucketServer) -> None:
    """Ctrl-C in each of the waits and after each kind of step."""
    for step in ("_store_in_parts", "_list", "_overwrite", "_delete"):
        look = Look(RawBucket(place_in(server), server.token, QUICK), place_in(server), "s/")

        def interrupt() -> None:
            raise KeyboardInterrupt

        setattr(look, step, interrupt)
        with pytest.raises(KeyboardInterrupt):
            look.take()
        assert server.objects() != {}
        assert look.tidy() == []
        assert server.objects() == {}


def test_an_interruption_is_passed_on_once_all_is_tidy(server: BucketServer) -> None:
    naps = iter([None, None])

    def sleep(_seconds: float) -> None:
        if next(naps, "over") == "over":
            raise KeyboardInterrupt

    server.behaviour = Behaviour(slow_visibility_s=3600)
    raw = RawBucket(place_in(server), server.token, QUICK)
    with pytest.raises(KeyboardInterrupt):
        examine(raw, place_in(server), "s/", lambda _: None, sleep)
    server.show_all()
    assert server.objects() == {}


def test_what_cannot_be_removed_is_named(server: BucketServer) -> None:
    server.faults.add(Fault("delete", "status", times=None, code=500))
    examination = look_at(server)
    assert set(examination.left) == set(server.objects()) >= {"scratch/a", f"scratch/{IN_PARTS}"}
    assert examination.exit_code == 1
    assert examination.api_calls <= MOST_CALLS


def test_a_bucket_that_wants_many_calls_gets_no_more_than_are_allowed(
    server: BucketServer,
) -> None:
    server.behaviour = Behaviour(short_pages=True, slow_visibility_s=1.6, max_limit=100)
    examination = look_at(server)
    assert server.calls.api_count <= MOST_CALLS
    assert server.objects() == {}
    assert set(differing(examination)) >= {"full-pages", "visible", "page-limit"}


@pytest.mark.parametrize(
    ("role", "words"), [(Role.READER, "may not write"), (Role.RESTRICTED_READER, "may not list")]
)
def test_a_token_that_may_not_is_told_so(server: BucketServer, role: Role, words: str) -> None:
    server.tokens["theirs"] = role
    with pytest.raises(AccessRefused, match=words):
        look_at(server, token="theirs")


def test_a_service_that_is_not_there_is_unreachable(server: BucketServer) -> None:
    with pytest.raises(AccessRefused, match="does not know the token"):
        look_at(server, token="nobody's")
    server.delete_bucket("default")
    with pytest.raises(NoSuchBucket):
        look_at(server)
    place = place_in(server)
    server.stop()
    raw = RawBucket(place, server.token, QUICK)
    with pytest.raises(RemoteUnreachable, match="no connection"):
        examine(raw, place, "s/", lambda _: None)


def test_beliefs_have_names_of_their_own_and_fit_into_a_table() -> None:
    assert len({belief.name for belief in BELIEFS}) == len(BELIEFS)
    assert max(len(belief.words) for belief in BELIEFS) <= 64


def test_of_nothing_seen_nothing_is_said() -> None:
    for belief in BELIEFS:
        assert belief.find(Seen()).holds is not Holds.YES or belief.name == "quota-told"


def test_the_names_tell_orders_apart() -> None:
    by_utf8 = sorted(NAMES)
    assert by_utf8 != sorted(NAMES, key=lambda name: name.encode("utf-16-be"))
    assert by_utf8 != sorted(NAMES, key=str.lower)


LIVE = ("TOKEN", "PROJECT", "BUCKET")


def test_every_belief_holds_of_live_ubiops(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """`UBIOPS_FILE_SYNC_LIVE_{TOKEN,PROJECT,BUCKET}`, or the default profile's and `--live`."""
    names = {
        "UBIOPS_API_TOKEN": os.environ.get("UBIOPS_FILE_SYNC_LIVE_TOKEN", ""),
        "UBIOPS_API_HOST": os.environ.get("UBIOPS_FILE_SYNC_LIVE_HOST", ""),
        "BUCKET_PROJECT_NAME": os.environ.get("UBIOPS_FILE_SYNC_LIVE_PROJECT", ""),
        "BUCKET_NAME": os.environ.get("UBIOPS_FILE_SYNC_LIVE_BUCKET", ""),
    }
    given = {name: value for name, value in names.items() if value}
    if request.config.getoption("--live"):
        given = {**os.environ, **given}
    elif len(given.keys() - {"UBIOPS_API_HOST"}) < len(LIVE):
        needed = ", ".join(f"UBIOPS_FILE_SYNC_LIVE_{name}" for name in LIVE)
        pytest.skip(f"no live bucket: set {needed} (and _HOST), or give --live")
    env = {**given, "BUCKET_DIR": "", "LOCAL_SYNC_DIR": str(tmp_path)}
    (profile,) = load_settings(None, env).select(())
    with raw_bucket(profile, env) as (raw, place):
        examination = examine(raw, place, scratch_prefix(), print)
    assert examination.exit_code == 0, differing(examination)
    assert examination.api_calls <= MOST_CALLS
