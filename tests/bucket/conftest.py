"""Every implementation of the bucket contract, to be held to one suite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ubiops_file_sync.bucket.bandwidth import Bandwidth
from ubiops_file_sync.bucket.problems import Place
from ubiops_file_sync.bucket.retry import RetryPolicy
from ubiops_file_sync.bucket.ubiops import UbiOpsBucket
from ubiops_file_sync.emulator import BucketServer, Provider

QUICK = RetryPolicy(first_wait_s=0.005, longest_wait_s=0.02)

_connected: list[UbiOpsBucket] = []


def _close_all() -> None:
    while _connected:
        _connected.pop().close()


def connect(
    server: BucketServer,
    prefix: str = "p/",
    token: str | None = None,
    bandwidth: Bandwidth | None = None,
) -> UbiOpsBucket:
    place = Place(
        profile="models",
        api_host=server.api_host,
        project=server.project,
        bucket=server.bucket,
        prefix=prefix,
        token_source="a test",
    )
    bucket = UbiOpsBucket(place, token or server.token, retries=QUICK, bandwidth=bandwidth)
    _connected.append(bucket)
    return bucket


@pytest.fixture(params=list(Provider), ids=lambda provider: provider.value)
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[BucketServer]:
    with BucketServer(tmp_path / "server", rate_limit=None, provider=request.param) as running:
        yield running
        _close_all()


@pytest.fixture
def bucket(server: BucketServer) -> UbiOpsBucket:
    return connect(server)


@pytest.fixture
def any_server(tmp_path: Path) -> Iterator[BucketServer]:
    """For what has nothing to do with the provider."""
    with BucketServer(tmp_path / "server", rate_limit=None) as running:
        yield running
        _close_all()
