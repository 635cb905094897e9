"""The official SDK, unchanged, against the server: its own transfer code and its API classes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ubiops
import ubiops.utils
from ubiops.exceptions import ApiException
from ubiops.utils import file_operations

from emulator.client import Client
from emulator.conftest import MakeClient
from ubiops_file_sync.emulator import BucketServer, Fault, FaultKind, Role

NAMES = [
    "plain.txt",
    "with space.txt",
    "hash#.txt",
    "per%cent%20.txt",
    "plus+.txt",
    "what?.txt",
    "and&and=.txt",
    "ünïcödé 日本語 🙂.txt",
    "deep/er/file.bin",
    "deep/download",
]


@pytest.fixture
def core(any_client: Client) -> Iterator[ubiops.CoreApi]:
    """The SDK's API class for a server of each provider."""
    yield from core_of(any_client.server)


def core_of(server: BucketServer, token: str | None = None) -> Iterator[ubiops.CoreApi]:
    configuration = ubiops.Configuration(
        host=server.api_host, api_key={"Authorization": token or f"Token {server.token}"}
    )
    api = ubiops.CoreApi(ubiops.ApiClient(configuration))
    yield api
    api.api_client.close()


def write_tree(folder: Path) -> dict[str, bytes]:
    tree = {name: name.encode() * 100 for name in NAMES}
    for name, data in tree.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tree


def read_tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_tree_goes_up_and_comes_down(
    any_client: Client, core: ubiops.CoreApi, tmp_path: Path
) -> None:
    tree, down = write_tree(tmp_path / "up"), tmp_path / "down"
    down.mkdir()
    uris = ubiops.utils.upload_files(
        core.api_client, "demo", [str(tmp_path / "up")], file_prefix="pre/", _progress_bar=False
    )
    assert sorted(uris) == sorted(f"ubiops-file://default/pre/{name}" for name in NAMES)
    assert sorted(any_client.keys()) == sorted(f"pre/{name}" for name in NAMES)
    ubiops.utils.download_files(
        core.api_client, "demo", prefix="pre/", output_path=str(down), _progress_bar=False
    )
    assert read_tree(down / "pre") == tree


@pytest.mark.parametrize("stream", [True, False])
def test_one_file_goes_up_and_comes_down(
    any_client: Client, core: ubiops.CoreApi, tmp_path: Path, stream: bool
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"data" * 100_000)
    client = core.api_client
    uri = ubiops.utils.upload_file(
        client, "demo", str(source), file_name="a/b #1?.txt", _progress_bar=False
    )
    ubiops.utils.download_file(
        client, "demo", None, file_uri=uri, output_path=str(target), stream=stream,
        _progress_bar=False,
    )  # fmt: skip
    assert target.read_bytes() == source.read_bytes()
    assert any_client.server.read_object("a/b #1?.txt") == source.read_bytes()


def test_a_large_file_goes_up_in_parts(
    make_client: MakeClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_operations, "MULTIPART_CHUNK_SIZE", 1000)
    monkeypatch.setattr(file_operations, "MULTIPART_MIN_SIZE", 2000)
    source = tmp_path / "source"
    source.write_bytes(bytes(range(250)) * 14)
    for provider in ("amazon_s3", "google_cloud_storage", "azure_blob_storage", "ubiops"):
        client = make_client(provider=provider, min_part_bytes=1000, data_dir=tmp_path / provider)
        (core,) = core_of(client.server)
        ubiops.utils.upload_file(
            core.api_client, "demo", str(source), file_name="a b", _progress_bar=False
        )
        assert client.server.read_object("a b") == source.read_bytes()
        assert client.server.calls.count("put_part") == 4


def test_its_block_ids_break_at_the_tenth_part(
    make_client: MakeClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its ids end in the number without padding; Azure wants all of one length.
    monkeypatch.setattr(file_operations, "MULTIPART_CHUNK_SIZE", 100)
    monkeypatch.setattr(file_operations, "MULTIPART_MIN_SIZE", 100)
    source = tmp_path / "source"
    source.write_bytes(bytes(1200))
    client = make_client(provider="azure_blob_storage")
    (core,) = core_of(client.server)
    with pytest.raises(ApiException, match="specified blob or block content is invalid"):
        ubiops.utils.upload_file(core.api_client, "demo", str(source), _progress_bar=False)


@pytest.mark.parametrize(
    ("provider", "message"),
    [
        ("amazon_s3", "functionality that is not implemented"),
        ("azure_blob_storage", "Content-Length header was not specified"),
        ("google_cloud_storage", None),
    ],
)
def test_it_sends_empty_files_without_a_length(
    make_client: MakeClient, tmp_path: Path, provider: str, message: str | None
) -> None:
    source = tmp_path / "empty"
    source.write_bytes(b"")
    client = make_client(provider=provider)
    (core,) = core_of(client.server)
    arguments: tuple[Any, ...] = (core.api_client, "demo", str(source))
    if message is None:
        ubiops.utils.upload_file(*arguments, _progress_bar=False)
        assert client.server.read_object("empty") == b""
        return
    with pytest.raises(ApiException, match=message):
        ubiops.utils.upload_file(*arguments, _progress_bar=False)


def test_files_by_the_api_class(any_client: Client, core: ubiops.CoreApi) -> None:
    for name in NAMES:
        any_client.server.put_object(name, name.encode())
    listed = core.files_list("demo", "default", limit=1000)
    assert sorted(item.file for item in listed.files) == sorted(NAMES)
    level = core.files_list("demo", "default", prefix="deep/", delimiter="/")
    assert [item.file for item in level.files] == ["deep/download"]
    assert level.prefixes == ["deep/er/"]
    first = core.files_list("demo", "default", limit=3)
    rest = core.files_list("demo", "default", continuation_token=first.continuation_token)
    assert len(first.files) + len(rest.files) == len(NAMES)
    assert rest.continuation_token is None
    for item in listed.files:
        shown = core.files_get("demo", "default", item.file)
        assert (shown.file, shown.size) == (item.file, len(item.file.encode()))
        assert shown.time_created == item.time_created
        assert core.files_download("demo", "default", item.file).url.startswith("http")
        assert core.files_upload("demo", "default", item.file).provider
        core.files_delete("demo", "default", item.file)
    assert core.files_list("demo", "default").files == []


def test_buckets_and_projects_by_the_api_class(core: ubiops.CoreApi) -> None:
    assert core.service_status().status == "ok"
    assert [project.name for project in core.projects_list()] == ["demo"]
    assert core.projects_get("demo").organization_name
    made = core.buckets_create(
        "demo", ubiops.BucketCreate(name="new", provider="amazon_s3", labels={"a": "b"})
    )
    assert (made.name, made.provider, made.ttl) == ("new", "amazon_s3", None)
    changed = core.buckets_update(
        "demo", "new", ubiops.BucketUpdate(ttl=604800, description="words")
    )
    assert (changed.ttl, changed.description) == (604800, "words")
    assert [bucket.name for bucket in core.buckets_list("demo", labels="a:b")] == ["new"]
    shown = core.buckets_get("demo", "new")
    assert (shown.id, shown.size) == (made.id, 0)
    core.buckets_delete("demo", "new")
    with pytest.raises(ApiException) as caught:
        core.buckets_get("demo", "new")
    assert caught.value.status == 404


def test_errors_read_as_the_sdk_reads_them(make_client: MakeClient) -> None:
    client = make_client(tokens={"r": Role.READER})
    (wrong,) = core_of(client.server, "Token wrong")
    with pytest.raises(ApiException, match="Invalid token") as caught:
        wrong.projects_list()
    assert caught.value.status == 401
    (reader,) = core_of(client.server, "Token r")
    with pytest.raises(ApiException, match="do not have permission") as caught:
        reader.files_upload("demo", "default", "a")
    assert caught.value.status == 403


def test_it_waits_for_the_quota(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    client = make_client(rate_limit=1)
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        client.server.quota.reset()

    monkeypatch.setattr("ubiops.rest.time.sleep", sleep)
    (core,) = core_of(client.server)
    core.service_status()
    core.service_status()
    assert len(waited) == 1
    assert 55 <= waited[0] <= 61


def test_it_keeps_a_truncated_download(make_client: MakeClient, tmp_path: Path) -> None:
    # Without a length nobody can tell; this is what a listed size is for.
    client = make_client()
    client.server.put_object("a", b"0123456789")
    client.server.faults.add(Fault("get_blob", FaultKind.TRUNCATE_CHUNKED, length=4))
    (core,) = core_of(client.server)
    target = tmp_path / "a"
    ubiops.utils.download_file(
        core.api_client, "demo", file_name="a", output_path=str(target), _progress_bar=False
    )
    assert target.read_bytes() == b"0123"
