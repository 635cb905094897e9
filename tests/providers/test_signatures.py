"""Signed URLs that are none: who refuses them, and what the product makes of a refusal."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import pytest

from emulator.client import Client
from ubiops_file_sync.bucket.ubiops import UbiOpsBucket
from ubiops_file_sync.emulator import BucketServer, Grant, OtherStorage
from ubiops_file_sync.errors import KeyFailure

REFUSALS = {
    "azurite": {"other signature": 403, "other key": 403, "unsigned": 403, "expired": 403},
    "fake-gcs-server": {"unsigned": 400},
    "moto": {},
    "rclone": {"other signature": 403, "other key": 403, "unsigned": 400, "expired": 400},
}
"""What each server answers to a PUT; what is not here it takes. moto verifies nothing; nor does
fake-gcs-server, which sees no more than that a PUT without any query is no upload."""

READING_URL_WRITES = {"fake-gcs-server", "moto"}
"""Where a URL that was signed for GET serves a PUT too."""

SIGNS_ANEW = {"azurite"}
"""Whose refusal of an expired URL the product can tell from others. Amazon and Google say so too;
rclone speaks of a difference between clocks, as if it were the client's."""


def other_signature(url: str) -> str:
    """The URL with another first character in its signature."""
    return re.sub(
        r"((?:sig|Signature)=)(.)", lambda found: found[1] + ("0" if found[2] != "0" else "1"), url
    )


FORGERIES: dict[str, Callable[[str], str]] = {
    "other signature": other_signature,
    "other key": lambda url: url.replace("a.bin", "b.bin"),
    "unsigned": lambda url: url.partition("?")[0],
    "expired": lambda url: url,
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_url_that_is_not_as_it_was_signed(
    client: Client, storage: OtherStorage, name: str, forgery: str
) -> None:
    if forgery == "expired":
        client.server.limits.url_lifetime_s = -60
    url = FORGERIES[forgery](client.upload_url("a.bin"))
    reply = client.put(url, b"1", x_ms_blob_type="BlockBlob")
    refusal = REFUSALS[name].get(forgery)
    assert reply.status == (refusal or 200), reply.data
    assert bool(list(storage.standing())) == (refusal is None)


def test_a_url_for_reading_does_not_write(client: Client, storage: OtherStorage, name: str) -> None:
    storage.write("a.bin", b"as it was")
    reply = client.put(client.download_url("a.bin"), b"1", x_ms_blob_type="BlockBlob")
    assert reply.status == (200 if name in READING_URL_WRITES else 403)
    assert (storage.read("a.bin") == b"1") == (name in READING_URL_WRITES)


@pytest.mark.parametrize("forgery", ["other signature", "expired"])
@pytest.mark.parametrize("name", [name for name in REFUSALS if "expired" in REFUSALS[name]])
def test_the_product_tells_of_a_refusal_and_not_the_url(
    bucket: UbiOpsBucket,
    server: BucketServer,
    storage: OtherStorage,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    forgery: str,
) -> None:
    storage.write("p/a", b"as it was")
    entry = next(entry for page in bucket.pages() for entry in page)
    if forgery == "expired":
        server.limits.url_lifetime_s = -60
    else:
        sign = storage.url
        monkeypatch.setattr(storage, "url", lambda grant, life: other_signature(sign(grant, life)))
    refusal = REFUSALS[name][forgery]
    for act in (
        lambda: bucket.fetch(entry, io.BytesIO()),
        lambda: bucket.send("a", io.BytesIO(b"other"), 5),
    ):
        with pytest.raises(KeyFailure, match=f"the storage provider answered {refusal}") as failure:
            act()
        assert not re.search("http|sig=|Signature=", str(failure.value))
    assert storage.read("p/a") == b"as it was"


@pytest.mark.parametrize("name", SIGNS_ANEW)
def test_an_expired_url_is_signed_anew(
    bucket: UbiOpsBucket, storage: OtherStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign = storage.url
    lifetimes = iter([-60.0, -60.0])

    def soon_expired(grant: Grant, lifetime_s: float) -> str:
        return sign(grant, next(lifetimes, lifetime_s))

    monkeypatch.setattr(storage, "url", soon_expired)
    bucket.send("a", io.BytesIO(b"1"), 1)
    assert storage.read("p/a") == b"1"
    assert bucket.calls.by_endpoint() == {"upload": 3}
