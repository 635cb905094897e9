"""Files in parts and in ranges, through real storage servers."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pytest

from engine.world import World, assert_idle, assert_in_step
from providers.test_parts import NO_PARTS
from ubiops_file_sync.bucket.ubiops import UbiOpsBucket
from ubiops_file_sync.emulator import BucketServer, Fault, OtherStorage
from ubiops_file_sync.errors import KeyFailure, TransferLost
from ubiops_file_sync.model import Verb
from ubiops_file_sync.parts import MIB

PART = 5 * MIB
BIG = random.Random(1).randbytes(3 * PART - 4321)
OTHER = random.Random(2).randbytes(len(BIG))
NAME = "models/a b ü#?%+.bin"


@pytest.fixture
def world(server: BucketServer, tmp_path: Path) -> World:
    root = tmp_path / "here" / "root"
    root.mkdir(parents=True)
    return World(
        server, root, tmp_path / "here" / "state", {"multipart_threshold": 2 * PART, "workers": 2}
    )


def test_an_upload_in_parts_goes_on_where_it_failed(
    world: World, name: str, server: BucketServer
) -> None:
    if name in NO_PARTS:
        pytest.skip("fake-gcs-server has no XML multipart upload")
    world.write(NAME, BIG, age_s=100)
    server.faults.add(Fault("sign_part", "status", after=2, times=None, code=500))
    assert world.run().problem_count == 1
    server.faults.clear()
    report = world.run()
    assert (report.done, report.problem_count) == ({Verb.UPLOAD: 1}, 0)
    assert 0 < report.bytes_up <= PART
    assert_in_step(world)
    there = world.elsewhere("there")
    assert there.run().done == {Verb.DOWNLOAD: 1}
    assert there.local() == {NAME: BIG}
    assert_idle(there)


def test_an_object_comes_down_in_ranges(world: World) -> None:
    world.put(NAME, BIG)
    report = world.run()
    assert (report.done, report.bytes_down) == ({Verb.DOWNLOAD: 1}, len(BIG))
    assert report.api_calls == {"list": 1, "download": 1}
    assert_in_step(world)


def test_equal_content_is_adopted_without_a_download(world: World) -> None:
    """Every one of them tells a digest of what came in one request, also with a range."""
    world.write(NAME, BIG, age_s=100)
    world.put(NAME, BIG)
    report = world.run()
    assert (report.done, report.bytes_down) == ({Verb.ADOPT: 1}, 0)
    assert_in_step(world)


def test_ranges_of_two_versions_never_mix(
    bucket: UbiOpsBucket, storage: OtherStorage, tmp_path: Path
) -> None:
    """Whatever the server makes of If-Match."""
    storage.write("p/a", BIG)
    entry = bucket.get("a")
    assert entry is not None
    ranges = bucket.ranges(entry)
    with (tmp_path / "sink").open("w+b") as sink:
        ranges.fetch(0, PART, sink.fileno())
        storage.write("p/a", OTHER)
        with pytest.raises(TransferLost):
            ranges.fetch(PART, PART, sink.fileno())
        with pytest.raises(TransferLost):
            bucket.ranges(entry, ranges.version).fetch(0, 1, sink.fileno())
        assert sink.read() == BIG[:PART]


def test_an_object_that_came_meanwhile_is_left_alone_or_not(
    bucket: UbiOpsBucket, storage: OtherStorage, name: str
) -> None:
    """By those that heed If-None-Match."""
    storage.write("p/a", b"theirs")
    try:
        bucket.send("a", io.BytesIO(b"ours"), 4, is_new=True)
    except KeyFailure:
        assert storage.read("p/a") == b"theirs"
        assert name in {"azurite", "moto"}
    else:
        assert storage.read("p/a") == b"ours"
        assert name in {"fake-gcs-server", "rclone"}
