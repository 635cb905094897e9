"""Servers that live for one test, each with a data folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from emulator.client import Client
from no_secrets import hushed
from ubiops_file_sync.emulator import BucketServer

MakeClient = Callable[..., Client]


@pytest.fixture(autouse=True)
def _no_errors_inside(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fails a test in which the server met an error of its own, even while it stopped."""
    yield
    records = caplog.get_records("call") + caplog.get_records("teardown")
    assert [record for record in records if record.name.startswith("uvicorn")] == []


@pytest.fixture(autouse=True)
def _test_clients_are_not_watched() -> Iterator[None]:
    """They log each signed URL that they ask for."""
    with hushed("urllib3", "ubiops"):
        yield


@pytest.fixture
def make_client(tmp_path: Path) -> Iterator[MakeClient]:
    """Starts a server with these settings and gives a client for it."""
    with ExitStack() as stack:

        def make(**settings: Any) -> Client:
            folder = settings.pop("data_dir", tmp_path / "server")
            server = stack.enter_context(BucketServer(folder, **settings))
            client = Client(server)
            stack.callback(client.pool.clear)
            return client

        yield make


@pytest.fixture
def client(make_client: MakeClient) -> Client:
    """A client of a server with default settings, but no quota."""
    return make_client(rate_limit=None)


@pytest.fixture
def server(client: Client) -> BucketServer:
    """The server of `client`."""
    return client.server


@pytest.fixture(params=["amazon_s3", "google_cloud_storage", "azure_blob_storage", "ubiops"])
def any_client(make_client: MakeClient, request: pytest.FixtureRequest) -> Client:
    """A client of a server for each provider."""
    return make_client(rate_limit=None, provider=request.param)
