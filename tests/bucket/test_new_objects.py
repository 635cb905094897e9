"""An object that came in the way of a new one is not overwritten, where the storage sees to it."""

from __future__ import annotations

import io

import pytest

from bucket.conftest import connect
from ubiops_file_sync.bucket.ubiops import UbiOpsBucket
from ubiops_file_sync.emulator import BucketServer, Fault, Provider
from ubiops_file_sync.errors import KeyFailure


def send_new(bucket: UbiOpsBucket, content: bytes = b"ours") -> None:
    receipt = bucket.send("a", io.BytesIO(content), len(content), is_new=True)
    assert receipt.started_us <= receipt.finished_us + 1_000_000


def test_somebody_else_s_object_is_not_overwritten(server: BucketServer) -> None:
    bucket = connect(server)
    send_new(bucket)
    assert server.read_object("p/a") == b"ours"
    server.put_object("p/a", b"theirs")
    # Google wants such a condition signed, which the API does not do.
    if bucket.facts().provider == Provider.GOOGLE:
        send_new(bucket)
        return
    with pytest.raises(KeyFailure, match="an object came under this key"):
        send_new(bucket)
    assert server.read_object("p/a") == b"theirs"


@pytest.mark.parametrize("kind", ["reset_after", "truncate"])
def test_our_own_object_whose_answer_was_lost_is_no_stranger(
    server: BucketServer, kind: str
) -> None:
    bucket = connect(server)
    bucket.facts()
    server.faults.add(Fault("put", kind, length=0))
    send_new(bucket)
    assert server.read_object("p/a") == b"ours"


def test_a_storage_that_knows_no_conditions_is_asked_without(any_server: BucketServer) -> None:
    bucket = connect(any_server)
    any_server.faults.add(Fault("put", "status", code=501))
    send_new(bucket)
    assert any_server.read_object("p/a") == b"ours"
    any_server.put_object("p/a", b"theirs")
    send_new(bucket)
    assert any_server.read_object("p/a") == b"ours"
