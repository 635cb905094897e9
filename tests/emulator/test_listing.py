"""Listings: order, pages, prefixes, and what a page costs."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from emulator.client import Client
from ubiops_file_sync.emulator import Behaviour, BucketServer
from ubiops_file_sync.emulator.clock import Clock
from ubiops_file_sync.emulator.listing import prefix_end
from ubiops_file_sync.emulator.objects import END, SORTED_PAGE
from ubiops_file_sync.emulator.records import Provider
from ubiops_file_sync.emulator.store import Store

KEYS = sorted(
    [f"{level}/{number:03d}" for level in ("a", "b/x", "b/y", "c") for number in range(30)]
    + ["a", "a-", "b", "é", "z\U0001f642", "z\ud7ff", "z\ue000"],
    key=str.encode,
)


@pytest.fixture
def filled(server: BucketServer) -> BucketServer:
    server.add_synthetic(None, ((key, 1, 1_700_000_000_000_000 + n) for n, key in enumerate(KEYS)))
    return server


def test_keys_come_in_the_order_of_their_bytes(client: Client, filled: BucketServer) -> None:
    assert client.keys() == KEYS
    assert list(filled.objects()) == KEYS


@pytest.mark.parametrize("limit", [1, 7, 50, 1000])
def test_pages_are_as_long_as_the_limit(client: Client, filled: BucketServer, limit: int) -> None:
    pages = client.pages(limit=limit)
    assert [item["file"] for page in pages for item in page["files"]] == KEYS
    assert {len(page["files"]) for page in pages[:-1]} <= {limit}
    assert len(pages) == -(-len(KEYS) // limit)


def test_a_page_has_fifty_items_by_default(client: Client, filled: BucketServer) -> None:
    assert len(client.list_page()["files"]) == 50


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "x", ""])
def test_a_limit_out_of_bounds_is_refused(client: Client, limit: str) -> None:
    assert client.call("GET", client.bucket_path() + "/files", limit=limit).status == 400


@pytest.mark.parametrize("token", ["%%%", "bm9uc2Vuc2U", "WzEsMl0"])
def test_a_token_that_is_none_is_refused(client: Client, token: str) -> None:
    path = client.bucket_path() + "/files"
    assert client.call("GET", path, continuation_token=token).status == 400


@pytest.mark.parametrize("prefix", ["", "a", "a/", "b/", "b/x/00", "nothing", "z", "é"])
def test_a_prefix_is_any_beginning_of_a_key(
    client: Client, filled: BucketServer, prefix: str
) -> None:
    expected = [key for key in KEYS if key.startswith(prefix)]
    assert client.keys(prefix=prefix, limit=7) == expected
    assert list(filled.objects(prefix)) == expected


@pytest.mark.parametrize("limit", [1, 3, 1000])
@pytest.mark.parametrize("prefix", ["", "b/", "b"])
def test_a_delimiter_rolls_levels_up(
    client: Client, filled: BucketServer, prefix: str, limit: int
) -> None:
    pages = client.pages(prefix=prefix, delimiter="/", limit=limit)
    rests = [(key, key[len(prefix) :]) for key in KEYS if key.startswith(prefix)]
    files = [key for key, rest in rests if "/" not in rest]
    levels = sorted({prefix + rest.split("/")[0] + "/" for _, rest in rests if "/" in rest})
    assert [item["file"] for page in pages for item in page["files"]] == files
    assert [level for page in pages for level in page["prefixes"]] == levels
    assert all(len(page["files"]) + len(page["prefixes"]) <= limit for page in pages)


def test_an_empty_bucket_has_one_empty_page(client: Client) -> None:
    assert client.list_page() == {"files": [], "prefixes": [], "continuation_token": None}


def test_the_end_of_a_prefix() -> None:
    assert prefix_end("a/") == "a0"
    assert prefix_end("a\U0010ffff") == "b"
    assert prefix_end("a\ud7ff") == "a\ue000"
    assert prefix_end("") == prefix_end("\U0010ffff") == END


def test_unsorted_listings_are_complete_and_stable(client: Client, filled: BucketServer) -> None:
    filled.behaviour = Behaviour(unsorted=True)
    found = client.keys(limit=7)
    assert found != KEYS
    assert sorted(found, key=str.encode) == KEYS
    assert client.keys(limit=50) == found
    filled.put_object("new", b"")
    assert len(client.keys(limit=7)) == len(KEYS) + 1
    assert sorted(client.keys(prefix="b/", limit=4)) == [key for key in KEYS if key[:2] == "b/"]


@pytest.mark.parametrize("unsorted", [False, True])
def test_short_pages_go_on_after_an_empty_one(
    client: Client, filled: BucketServer, unsorted: bool
) -> None:
    filled.behaviour = Behaviour(short_pages=True, unsorted=unsorted)
    pages = client.pages(limit=20)
    found = [item["file"] for page in pages for item in page["files"]]
    assert sorted(found, key=str.encode) == KEYS
    assert 0 in {len(page["files"]) for page in pages[:-1]}
    assert max(len(page["files"]) for page in pages) < 20


@pytest.mark.parametrize("unsorted", [False, True])
def test_items_can_come_twice(client: Client, filled: BucketServer, unsorted: bool) -> None:
    filled.behaviour = Behaviour(repeat_item_between_pages=True, unsorted=unsorted)
    pages = client.pages(limit=10)
    for one, other in pairwise(pages):
        assert one["files"][-1] == other["files"][0]
        assert len(other["files"]) <= 10
    assert {item["file"] for page in pages for item in page["files"]} == set(KEYS)
    assert client.keys(limit=1)


def test_the_largest_limit_can_be_another(client: Client, filled: BucketServer) -> None:
    filled.behaviour = Behaviour(max_limit=10)
    assert client.call("GET", client.bucket_path() + "/files", limit=11).status == 400
    assert len(client.list_page(limit=10)["files"]) == 10


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        (Behaviour(), "2023-11-14T22:13:20.000123Z"),
        (Behaviour(time_precision="ms"), "2023-11-14T22:13:20.000Z"),
        (Behaviour(time_precision="s"), "2023-11-14T22:13:20Z"),
        (Behaviour(time_suffix="+00:00"), "2023-11-14T22:13:20.000123+00:00"),
        (Behaviour(time_precision="s", time_suffix="+00:00"), "2023-11-14T22:13:20+00:00"),
    ],
)
def test_times_come_in_several_forms(
    client: Client, server: BucketServer, behaviour: Behaviour, expected: str
) -> None:
    server.put_object("a", b"", created_us=1_700_000_000_000_123)
    server.behaviour = behaviour
    assert client.list_page()["files"][0]["time_created"] == expected
    assert client.get("a")["time_created"] == expected
    assert datetime.fromisoformat(expected)


def test_the_time_can_outlive_an_overwrite(client: Client, server: BucketServer) -> None:
    client.upload("a", b"1")
    first = client.get("a")
    client.upload("a", b"22")
    second = client.get("a")
    server.behaviour = Behaviour(keep_time_on_overwrite=True)
    client.upload("a", b"333")
    third = client.get("a")
    assert first["time_created"] < second["time_created"] == third["time_created"]
    assert third["size"] == 3


def test_new_versions_can_be_slow_to_show(client: Client, server: BucketServer) -> None:
    server.put_object("old", b"old")
    server.behaviour = Behaviour(slow_visibility_s=60)
    client.upload("old", b"newer")
    client.upload("new", b"new")
    assert client.keys() == ["old"]
    assert client.download("old").data == b"old"
    assert client.call("GET", client.file_path("new")).status == 404
    server.clock.offset_s = 61
    assert client.keys() == ["new", "old"]
    assert client.download("old").data == b"newer"


def test_a_restart_shows_what_was_slow(client: Client, server: BucketServer) -> None:
    server.behaviour = Behaviour(slow_visibility_s=60)
    client.upload("a", b"1")
    assert client.keys() == []
    server.stop()
    server.start()
    assert client.keys() == ["a"]


def test_a_deleted_key_takes_its_unseen_version_along(client: Client, server: BucketServer) -> None:
    server.put_object("a", b"old")
    server.behaviour = Behaviour(slow_visibility_s=60)
    client.upload("a", b"new")
    client.call("DELETE", client.file_path("a"))
    server.clock.offset_s = 61
    assert client.keys() == []


def test_a_page_costs_the_same_wherever_it_begins(tmp_path: Path) -> None:
    store = Store(tmp_path, Clock(), Behaviour())
    bucket = store.buckets.add("p", "b", Provider.AMAZON_S3)
    assert bucket is not None
    store.add_synthetic(bucket, 20_000)
    keys = [key for key, _, _ in store.every_object(bucket)]

    def steps(start: str) -> int:
        return store.database.count_steps(SORTED_PAGE, (bucket.seq, start, END, -1, 100))

    plan = store.database.rows("EXPLAIN QUERY PLAN " + SORTED_PAGE, (1, "", END, -1, 1))
    first, last = steps(""), steps(keys[19_000])
    store.close()
    assert [row[3] for row in plan] == [
        "SEARCH objects USING PRIMARY KEY (bucket=? AND key>? AND key<?)"
    ]
    assert first == pytest.approx(last, abs=20)
    assert last < 100 * 20


def test_synthetic_objects_read_as_zeros(client: Client, server: BucketServer) -> None:
    server.add_synthetic(None, 3)
    server.add_synthetic("default", [("big", 1_000_000, 5)])
    keys = client.keys()
    assert len(keys) == 4
    assert client.download("big").data == bytes(1_000_000)
    assert client.download("big", Range="bytes=5-9").data == bytes(5)
    assert client.call("DELETE", client.file_path("big")).status == 204
