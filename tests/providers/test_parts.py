"""Uploads in parts and reads of ranges, at the level of HTTP: what they can be built on.

The tables say where a server differs from the provider that it stands for.
"""

from __future__ import annotations

import base64
import hashlib
import random

import pytest

from emulator.client import Client
from ubiops_file_sync.bucket.digest import provider_digest
from ubiops_file_sync.emulator import OtherStorage, Provider

MIB = 1 << 20
NAME = "a b/ü#?%+.bin"
PARTS = [
    random.Random(number).randbytes(size) for number, size in ((1, 5 * MIB), (2, 5 * MIB), (3, 7))
]
WHOLE = b"".join(PARTS)

NO_PARTS = {"fake-gcs-server"}
"""It has no XML multipart upload, which Google has."""

SMALL_PARTS = {"azurite", "rclone"}
"""Where a part that is not the last may be small; Azure has no least size, Amazon has 5 MiB."""

DIGEST_OF_PARTS = {"azurite": False, "moto": False, "rclone": True}
"""Whether an object of parts carries a digest of the whole; rclone computes it from the file."""

RANGE_STATUS = {"azurite": 206, "fake-gcs-server": 206, "moto": 206, "rclone": 200}
"""rclone sends the range under a 200, with its Content-Range."""

AT_THE_END = {"azurite": 206, "fake-gcs-server": 416, "moto": 416, "rclone": 416}
"""The answer to a range that begins where the object ends; Azure itself says 416."""

IF_MATCH_OF_THE_OLD = {"azurite": 412, "fake-gcs-server": 206, "moto": 412, "rclone": 200}
"""The answer to a range of an object that changed: two servers do not heed If-Match."""


def block_id(number: int) -> str:
    return base64.b64encode(f"{number:08d}".encode()).decode()


def send_part(
    client: Client, storage: OtherStorage, upload: str, number: int, data: bytes
) -> dict[str, object]:
    """Send one part as the provider wants it; its entry for the completion."""
    if storage.provider is not Provider.AZURE:
        return client.put_part(NAME, upload, number, data)
    reply = client.put(client.upload_url(NAME, upload_id=block_id(number)), data)
    assert reply.status == 201, reply.data
    return {"BlockId": block_id(number)}


def test_three_parts_become_the_object(client: Client, storage: OtherStorage, name: str) -> None:
    if name in NO_PARTS:
        path = client.file_path(NAME) + "/start-multipart-upload"
        assert client.call("POST", path).status == 400
        return
    upload = client.start_multipart(NAME)
    # The first comes last, and the second twice.
    order = ((3, PARTS[2]), (2, b"x" * 5 * MIB), (2, PARTS[1]), (1, PARTS[0]))
    entries = {number: send_part(client, storage, upload, number, part) for number, part in order}
    assert client.keys() == []
    reply = client.complete(NAME, upload, [entries[number] for number in (1, 2, 3)])
    assert reply.status == 200, reply.data
    assert client.get(NAME)["size"] == len(WHOLE)
    reply = client.download(NAME)
    assert reply.data == WHOLE
    digest = provider_digest({key.lower(): value for key, value in reply.headers.items()})
    assert (digest is not None) == DIGEST_OF_PARTS[name]
    assert digest is None or digest.value == hashlib.md5(WHOLE).digest()


@pytest.mark.parametrize("name", sorted({*DIGEST_OF_PARTS} - NO_PARTS))
def test_small_parts(client: Client, storage: OtherStorage, name: str) -> None:
    upload = client.start_multipart(NAME)
    entries = [send_part(client, storage, upload, number, b"12") for number in (1, 2)]
    reply = client.complete(NAME, upload, entries)
    assert reply.status == (200 if name in SMALL_PARTS else 400), reply.data
    assert client.keys() == ([NAME] if name in SMALL_PARTS else [])


@pytest.mark.parametrize("name", sorted({*DIGEST_OF_PARTS} - NO_PARTS))
def test_a_part_that_never_came_makes_no_object(
    client: Client, storage: OtherStorage, name: str
) -> None:
    storage.write(NAME, b"as it was")
    upload = client.start_multipart(NAME)
    entries = [send_part(client, storage, upload, 1, PARTS[0])]
    missing = dict(entries[0])
    missing.update({"BlockId": block_id(2)} if "BlockId" in missing else {"PartNumber": 2})
    assert client.complete(NAME, upload, [*entries, missing]).status == 400
    assert storage.read(NAME) == b"as it was"


def test_a_range_of_an_object(client: Client, storage: OtherStorage, name: str) -> None:
    storage.write(NAME, WHOLE)
    for asked, first, last in (("10-19", 10, 19), (f"{6 * MIB}-", 6 * MIB, len(WHOLE) - 1)):
        reply = client.download(NAME, Range=f"bytes={asked}")
        assert reply.status == RANGE_STATUS[name]
        assert reply.headers["Content-Range"] == f"bytes {first}-{last}/{len(WHOLE)}"
        assert reply.data == WHOLE[first : last + 1]
    at_the_end = client.download(NAME, Range=f"bytes={len(WHOLE)}-")
    assert at_the_end.status == AT_THE_END[name]
    assert at_the_end.status == 416 or at_the_end.data == b""
    assert client.download(NAME, Range=f"bytes={len(WHOLE) + 1}-").status == 416


def test_a_range_of_an_object_that_changed(
    client: Client, storage: OtherStorage, name: str
) -> None:
    storage.write(NAME, b"as it was")
    old = client.download(NAME).headers["ETag"]
    assert client.download(NAME, Range="bytes=0-1", If_Match=old).data == b"as"
    storage.write(NAME, b"by others")
    reply = client.download(NAME, Range="bytes=0-1", If_Match=old)
    assert reply.status == IF_MATCH_OF_THE_OLD[name]
    assert reply.status == 412 or (reply.data, reply.headers["ETag"] != old) == (b"by", True)
    # If-Range would have the new object's whole: no server heeds it.
    reply = client.download(NAME, Range="bytes=0-1", If_Range=old)
    assert (reply.status, reply.data) == (RANGE_STATUS[name], b"by")
