"""The API's calls on buckets and files, over real HTTP."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from emulator.client import Client
from emulator.conftest import MakeClient
from ubiops_file_sync.emulator import BucketServer, Role

WEEK_S = 7 * 24 * 3600
ODD_NAMES = [
    "plain.txt",
    "a/b #?%.txt",
    "x/download",
    "download",
    "start-multipart-upload",
    "plus+and&and=.txt",
    "100%25.txt",
    "é/日本語/🙂.bin",
    "two//slashes",
    "trailing/",
    " spaces ",
    "quote'\"<>;:@$,",
    "..hidden/...",
]


def test_status_answers_ok(client: Client) -> None:
    reply = client.call("GET", "status")
    assert (reply.status, reply.json()) == (200, {"status": "ok"})


def test_both_versions_of_the_api_are_served(client: Client) -> None:
    url = client.server.origin + "/v2/status"
    reply = client.pool.request("GET", url, headers={"Authorization": f"Token {client.token}"})
    assert reply.status == 200


def test_projects_are_listed_and_shown(client: Client) -> None:
    (listed,) = client.call("GET", "projects").json()
    shown = client.call("GET", "projects/demo").json()
    assert listed["name"] == shown["name"] == "demo"
    assert listed["organization_name"]
    assert uuid.UUID(listed["id"])
    assert client.call("GET", "projects/other").status == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "nothing", 404),
        ("GET", "projects/demo/deployments", 404),
        ("PUT", "projects", 405),
        ("GET", "projects/other/buckets", 404),
        ("GET", "projects/demo/buckets/other", 404),
        ("GET", "projects/demo/buckets/other/files", 404),
        ("GET", "projects/demo/buckets/default/files/other", 404),
        ("GET", "projects/demo/buckets/default/files/other/download", 404),
        ("DELETE", "projects/demo/buckets/default/files/other", 404),
        ("GET", "projects/demo/buckets/default/files/%FF", 400),
    ],
)
def test_what_is_not_there_is_refused_in_json(
    client: Client, method: str, path: str, status: int
) -> None:
    reply = client.call(method, path)
    assert reply.status == status
    assert isinstance(reply.json()["error"], str)


def test_paths_outside_of_the_api_are_not_there(client: Client) -> None:
    assert client.pool.request("GET", client.server.origin + "/").status in (401, 404)


@pytest.mark.parametrize("token", ["Token wrong", "Bearer wrong", "Basic x", "emulator-token"])
def test_a_wrong_token_is_refused(client: Client, token: str) -> None:
    reply = client.call("GET", "status", token=token)
    assert (reply.status, reply.json()) == (401, {"error": "Invalid token."})


def test_both_forms_of_a_token_are_taken(client: Client) -> None:
    assert client.call("GET", "status", token=f"Token {client.token}").status == 200
    assert client.call("GET", "status", token=f"Bearer {client.token}").status == 200


def test_roles_allow_what_they_should(make_client: MakeClient) -> None:
    roles = {"w": Role.WRITER, "r": Role.READER, "rr": Role.RESTRICTED_READER}
    client = make_client(tokens=roles)
    client.server.put_object("a", b"1")
    files, file = client.bucket_path() + "/files", client.file_path("a")
    calls = [("GET", files), ("GET", file), ("GET", file + "/download"), ("POST", file)]
    calls += [("POST", file + "/start-multipart-upload"), ("DELETE", file)]
    statuses = {
        token: [client.call(*call, token=f"Token {token}").status for call in calls]
        for token in ("r", "rr", "w")
    }
    assert statuses == {
        "r": [200, 200, 200, 403, 403, 403],
        "rr": [403, 200, 200, 403, 403, 403],
        "w": [200, 200, 200, 200, 200, 204],
    }


def test_a_new_bucket_has_every_field(client: Client) -> None:
    body = {"name": "new", "provider": "google_cloud_storage", "ttl": WEEK_S, "description": "d"}
    body |= {"labels": {"a": "b"}, "credentials": {"secret": "s"}, "configuration": {"x": "y"}}
    reply = client.call("POST", "projects/demo/buckets", json=body)
    made = reply.json()
    assert reply.status == 201
    shown = client.call("GET", "projects/demo/buckets/new").json()
    assert made.items() < shown.items()
    assert "secret" not in reply.data.decode()
    assert shown["size"] == 0
    assert uuid.UUID(made["id"])
    expected = {"name": "new", "project": "demo", "ttl": WEEK_S, "labels": {"a": "b"}}
    assert expected.items() <= made.items()
    for name in ("creation_date", "last_updated", "size_measurement_date"):
        assert datetime.fromisoformat(shown[name]).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "body",
    [
        {"name": "default"},
        {"name": ""},
        {},
        {"name": "no spaces"},
        {"name": "n", "provider": "floppy"},
        {"name": "n", "ttl": 3600},
        {"name": "n", "ttl": 0},
        {"name": "n", "ttl": "soon"},
        {"name": "n", "labels": {"a": 1}},
        {"name": "n", "description": "d" * 401},
        [],
    ],
)
def test_a_bucket_that_may_not_be_is_refused(client: Client, body: object) -> None:
    reply = client.call("POST", "projects/demo/buckets", json=body)
    assert reply.status == 400
    assert reply.json()["error"]
    assert len(client.call("GET", "projects/demo/buckets").json()) == 1


def test_a_bucket_can_be_changed(client: Client) -> None:
    path = client.bucket_path()
    before = client.call("GET", path).json()
    changed = client.call("PATCH", path, json={"ttl": 2 * WEEK_S, "labels": {"k": "v"}}).json()
    assert (changed["ttl"], changed["labels"]) == (2 * WEEK_S, {"k": "v"})
    assert changed["last_updated"] > before["last_updated"]
    unset = client.call("PATCH", path, json={"ttl": None}).json()
    assert (unset["ttl"], unset["labels"]) == (None, {"k": "v"})
    assert client.call("PATCH", path, json={"ttl": 1}).status == 400


def test_buckets_are_listed_by_labels(client: Client) -> None:
    for name, labels in (("one", {"a": "1", "b": "2"}), ("two", {"a": "1"})):
        client.call("POST", "projects/demo/buckets", json={"name": name, "labels": labels})

    def names(**query: Any) -> list[str]:
        found = client.call("GET", "projects/demo/buckets", **query).json()
        return [bucket["name"] for bucket in found]

    assert names() == ["default", "one", "two"]
    assert names(labels="a:1") == ["one", "two"]
    assert names(labels="a:1,b:2") == ["one"]


def test_a_bucket_made_again_is_another_and_empty(client: Client) -> None:
    old = client.call("GET", client.bucket_path()).json()["id"]
    client.server.put_object("a", b"1")
    url = client.upload_url("b")
    assert client.call("DELETE", client.bucket_path()).status == 204
    assert client.call("GET", client.bucket_path()).status == 404
    assert client.put(url, b"2").status == 404
    client.call("POST", "projects/demo/buckets", json={"name": "default"})
    assert client.call("GET", client.bucket_path()).json()["id"] != old
    assert client.keys() == []


def test_a_path_that_collapsed_means_the_bucket(client: Client) -> None:
    # What HTTP clients make of `.../files/..`.
    assert client.call("DELETE", client.bucket_path() + "/").status == 204
    assert client.call("GET", client.bucket_path()).status == 404


@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_name_goes_round(client: Client, name: str) -> None:
    data = name.encode()
    assert client.upload(name, data).status == 200
    assert client.keys() == [name]
    assert client.get(name)["size"] == len(data)
    assert client.download(name).data == data
    assert client.server.read_object(name) == data
    assert client.call("DELETE", client.file_path(name)).status == 204
    assert client.keys() == []


def test_names_have_a_largest_length(client: Client) -> None:
    assert client.call("POST", client.file_path("é" * 512)).status == 200
    assert client.call("POST", client.file_path("é" * 512 + "a")).status == 400


def test_a_file_named_like_a_verb_is_not_the_verb(client: Client) -> None:
    client.server.put_object("x", b"short")
    client.server.put_object("x/download", b"longer")
    assert client.get("x/download")["size"] == 6
    assert client.download("x").data == b"short"
    assert client.download("x/download").data == b"longer"


def test_times_are_never_equal(client: Client) -> None:
    for number in range(50):
        client.server.put_object(f"{number}", b"")
    client.server.put_object("0", b"again")
    times = [item["time_created"] for item in client.list_page()["files"]]
    assert len(set(times)) == 50
    assert client.get("0")["time_created"] == max(times)
    assert all(datetime.fromisoformat(time).microsecond is not None for time in times)


def test_objects_vanish_with_the_ttl(client: Client) -> None:
    server = client.server
    client.call("PATCH", client.bucket_path(), json={"ttl": WEEK_S})
    now_us = server.clock.now_us()
    server.put_object("old", b"1", created_us=now_us - (WEEK_S + 1) * 1_000_000)
    server.put_object("young", b"1", created_us=now_us - (WEEK_S - 60) * 1_000_000)
    assert client.keys() == ["young"]
    assert list(server.objects()) == ["young"]
    assert client.call("GET", client.file_path("old")).status == 404
    assert client.call("GET", client.file_path("old") + "/download").status == 404
    server.clock.offset_s = 61
    assert client.keys() == []
    assert client.call("PATCH", client.bucket_path(), json={"ttl": None}).status == 200
    assert client.keys() == []


def test_the_clock_can_be_off(make_client: MakeClient) -> None:
    client = make_client(clock_offset_s=-3600)
    client.upload("a", b"1")
    created = datetime.fromisoformat(client.get("a")["time_created"])
    date = parsedate_to_datetime(client.call("GET", "status").headers["Date"])
    wall = datetime.now(created.tzinfo)
    assert wall - created > timedelta(minutes=59)
    assert abs(created - date) < timedelta(seconds=5)


def test_a_body_that_is_too_large_is_refused(client: Client) -> None:
    body = {"name": "n", "description": "d" * (9 << 20)}
    assert client.call("POST", "projects/demo/buckets", json=body).status == 413


def test_calls_are_logged_before_they_are_answered(client: Client, server: BucketServer) -> None:
    client.upload("a", b"1")
    client.call("GET", client.file_path("b"))
    assert [(call.operation, call.key, call.status) for call in server.calls] == [
        ("sign_upload", "a", 200),
        ("put", "a", 200),
        ("get", "b", 404),
    ]
    assert server.calls.api_count == 2
    assert server.calls.count("put", "get") == 2
    assert server.calls.of("get", "b")[0].status == 404
    server.reset_calls()
    assert len(server.calls) == 0
