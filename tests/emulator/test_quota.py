"""The request quota, and what clients are told of it."""

from __future__ import annotations

from emulator.conftest import MakeClient
from ubiops_file_sync.emulator.ratelimit import RateLimiter


def test_every_answer_tells_of_the_quota(make_client: MakeClient) -> None:
    client = make_client()
    replies = [
        client.call("GET", "status"),
        client.call("GET", "status", token="Token wrong"),
        client.call("GET", "nothing"),
        client.call("POST", client.file_path("a")),
    ]
    assert [reply.headers["x-ratelimit-remaining"] for reply in replies] == [
        "299",
        "298",
        "297",
        "296",
    ]
    assert {reply.headers["x-ratelimit-limit"] for reply in replies} == {"300"}
    assert all(1 <= int(reply.headers["x-ratelimit-reset"]) <= 60 for reply in replies)


def test_beyond_the_limit_nothing_is_done(make_client: MakeClient) -> None:
    client = make_client(rate_limit=2)
    client.server.put_object("a", b"1")
    assert [client.call("GET", "status").status for _ in range(2)] == [200, 200]
    refused = client.call("DELETE", client.file_path("a"))
    assert (refused.status, refused.headers["x-ratelimit-remaining"]) == (429, "0")
    assert refused.json()["error"]
    assert list(client.server.objects()) == ["a"]
    client.server.reset_calls()
    assert client.call("GET", "status").status == 200


def test_without_a_limit_there_are_no_headers(make_client: MakeClient) -> None:
    client = make_client(rate_limit=None)
    assert "x-ratelimit-limit" not in client.call("GET", "status").headers
    client.server.quota.limit = 5
    assert client.call("GET", "status").headers["x-ratelimit-limit"] == "5"


def test_a_window_ends() -> None:
    now = 100.0
    limiter = RateLimiter(2, 60.0, lambda: now)
    quotas = [limiter.take("a") for _ in range(3)]
    assert quotas == [(True, 2, 1, 60), (True, 2, 0, 60), (False, 2, 0, 60)]
    assert limiter.take("b") == (True, 2, 1, 60)
    now = 159.5
    assert limiter.take("a") == (False, 2, 0, 1)
    now = 160.0
    assert limiter.take("a") == (True, 2, 1, 60)
