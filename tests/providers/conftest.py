"""The embedded server as the API, and a storage server of each provider's kind behind it.

`UBIOPS_FILE_SYNC_PROVIDERS=required` makes a server that is not installed a failure.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from emulator.client import Client
from no_secrets import hushed
from providers import servers
from providers.storages import AzureStorage, GoogleStorage, S3Storage
from ubiops_file_sync.bucket.problems import Place
from ubiops_file_sync.bucket.retry import RetryPolicy
from ubiops_file_sync.bucket.ubiops import UbiOpsBucket
from ubiops_file_sync.emulator import BucketServer, OtherStorage

QUICK = RetryPolicy(first_wait_s=0.005, longest_wait_s=0.02)

PROGRAMS: dict[str, tuple[Callable[[], servers.Program], Callable[[str, str], OtherStorage]]] = {
    "azurite": (servers.azurite, AzureStorage),
    "fake-gcs-server": (servers.fake_gcs_server, GoogleStorage),
    "moto": (servers.moto, S3Storage),
    "rclone": (servers.rclone, S3Storage),
}


@pytest.fixture(autouse=True)
def _signing_libraries_are_not_watched() -> Iterator[None]:
    """They stand for UbiOps' own side here, and log what they sign."""
    with hushed("azure", "boto3", "botocore", "s3transfer", "urllib3"):
        yield


@pytest.fixture(scope="session")
def origin_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """The address of a storage server by its name; it is started when it is first asked for."""
    origins: dict[str, str] = {}
    with ExitStack() as stack:

        def origin(name: str) -> str:
            if name not in origins:
                program = PROGRAMS[name][0]()
                folder = tmp_path_factory.mktemp(name)
                origins[name] = stack.enter_context(servers.running(program, folder))
            return origins[name]

        yield origin


@pytest.fixture(params=list(PROGRAMS))
def name(request: pytest.FixtureRequest) -> str:
    """The storage server's name."""
    told: str = request.param
    return told


@pytest.fixture
def storage(name: str, origin_of: Callable[[str], str]) -> OtherStorage:
    """An empty bucket of the storage server."""
    try:
        origin = origin_of(name)
    except servers.NotInstalled as missing:
        remedy = f"install the storage servers with: {servers.install_line()}"
        if os.environ.get("UBIOPS_FILE_SYNC_PROVIDERS") == "required":
            pytest.fail(f"{missing}; {remedy}")
        pytest.skip(remedy)
    return PROGRAMS[name][1](origin, f"bucket-{uuid.uuid4().hex[:12]}")


@pytest.fixture
def server(storage: OtherStorage, tmp_path: Path) -> Iterator[BucketServer]:
    """The API before that bucket."""
    with BucketServer(tmp_path / "server", rate_limit=None, storage=storage) as running:
        yield running


@pytest.fixture
def bucket(server: BucketServer) -> Iterator[UbiOpsBucket]:
    """The product's own view of it."""
    place = Place(
        profile="models",
        api_host=server.api_host,
        project=server.project,
        bucket=server.bucket,
        prefix="p/",
        token_source="a test",
    )
    bucket = UbiOpsBucket(place, server.token, retries=QUICK)
    yield bucket
    bucket.close()


@pytest.fixture
def client(server: BucketServer) -> Iterator[Client]:
    """A client that shows what the storage server says."""
    client = Client(server)
    yield client
    client.pool.clear()
