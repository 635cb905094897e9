"""Signed URLs: made by the API, checked by the storage side, in each provider's own dress.

The parameters are named as the provider names them, so that whatever hides signatures from logs
is tried on real names. The signature itself is an HMAC of our own.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

from .clock import US, compact_time, iso_time
from .errors import StorageError
from .providers import Dialect

_SAFE = "/~"


@dataclass(frozen=True, slots=True)
class Grant:
    """What one signed URL allows."""

    method: str
    """PUT or GET."""
    bucket_id: str
    key: str
    upload: str = ""
    """Upload that a part belongs to; empty on Azure, where blocks belong to their blob."""
    part: str = ""
    """Part number, or block id on Azure; empty: the whole object."""


class Signer:
    """Makes and checks signed URLs with one secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def target(self, dialect: Dialect, grant: Grant, now_us: int, lifetime_s: float) -> str:
        """Path and query of a URL that is good for `lifetime_s` seconds."""
        path = f"/storage/{dialect}/{grant.bucket_id}/{quote(grant.key, safe=_SAFE)}"
        second, lifetime = now_us // US, math.ceil(lifetime_s)
        if dialect is Dialect.AZURE:
            query = self._azure_query(grant, second + lifetime)
        else:
            query = self._dated_query(_FORMS[dialect], grant, second, lifetime)
        return f"{path}?{query}"

    def check(self, dialect: Dialect, grant: Grant, query: Mapping[str, str], now_us: int) -> None:
        """Raise `StorageError` unless the query is a signature for `grant` that still holds."""
        if dialect is Dialect.AZURE:
            self._check_azure(grant, query, now_us)
        else:
            self._check_dated(dialect, grant, query, now_us)

    def _sign(self, grant: Grant, starts: str, ends: str) -> bytes:
        fields = (grant.method, grant.bucket_id, grant.key, grant.upload, grant.part, starts, ends)
        return hmac.digest(self._secret, "\n".join(fields).encode(), hashlib.sha256)

    def _dated_query(self, form: _Form, grant: Grant, second: int, lifetime: int) -> str:
        date = compact_time(second)
        mark = form.mark
        query = {
            f"{mark}-Algorithm": form.algorithm,
            f"{mark}-Credential": form.credential.format(day=date[:8]),
            f"{mark}-Date": date,
            f"{mark}-Expires": str(lifetime),
            f"{mark}-SignedHeaders": "host",
        }
        if grant.part:
            query["partNumber"] = grant.part
            query["uploadId"] = grant.upload
        query[f"{mark}-Signature"] = self._sign(grant, date, str(lifetime)).hex()
        return urlencode(query)

    def _azure_query(self, grant: Grant, expires: int) -> str:
        ends = iso_time(expires * US)[:19] + "Z"
        query = {"sv": "2020-04-08", "se": ends, "sr": "b"}
        query["sp"] = "r" if grant.method == "GET" else "cw"
        if grant.part:
            query["comp"] = "block"
            query["blockid"] = grant.part
        query["sig"] = base64.b64encode(self._sign(grant, "", ends)).decode()
        return urlencode(query)

    def _check_dated(
        self, dialect: Dialect, grant: Grant, query: Mapping[str, str], now_us: int
    ) -> None:
        mark = _FORMS[dialect].mark
        date, lifetime = query.get(f"{mark}-Date", ""), query.get(f"{mark}-Expires", "")
        given = query.get(f"{mark}-Signature", "")
        if not hmac.compare_digest(
            given.encode(), self._sign(grant, date, lifetime).hex().encode()
        ):
            raise StorageError(
                403,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided.",
            )
        ends = _second_of(date) + int(lifetime)
        if now_us >= ends * US:
            raise _expired(dialect, ends, lifetime, now_us)

    def _check_azure(self, grant: Grant, query: Mapping[str, str], now_us: int) -> None:
        ends = query.get("se", "")
        expected = base64.b64encode(self._sign(grant, "", ends))
        if not hmac.compare_digest(query.get("sig", "").encode(), expected):
            raise _azure_refusal("Signature did not match.")
        now = iso_time(now_us)[:19] + "Z"
        # Times of one form sort as they follow each other.
        if now >= ends:
            raise _azure_refusal(
                f"Signature not valid in the specified time frame: Expiry [{ends}]"
            )


@dataclass(frozen=True, slots=True)
class _Form:
    """How S3 and GCS, which share one way of signing, name things."""

    mark: str
    algorithm: str
    credential: str


_FORMS = {
    Dialect.S3: _Form("X-Amz", "AWS4-HMAC-SHA256", "EMULATOR/{day}/eu-central-1/s3/aws4_request"),
    Dialect.GCS: _Form(
        "X-Goog",
        "GOOG4-RSA-SHA256",
        "emulator@example.iam.gserviceaccount.com/{day}/auto/storage/goog4_request",
    ),
}


def _second_of(date: str) -> int:
    return int(datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp())


def _expired(dialect: Dialect, ends: int, lifetime: str, now_us: int) -> StorageError:
    """The refusal of an outdated URL. S3 answers 403, but Google answers 400."""
    ends_text = iso_time(ends * US)[:19]
    if dialect is Dialect.GCS:
        return StorageError(
            400,
            "ExpiredToken",
            "The provided token has expired.",
            details={"Details": f"Request signature expired at: {ends_text}+00:00"},
        )
    return StorageError(
        403,
        "AccessDenied",
        "Request has expired",
        details={
            "X-Amz-Expires": lifetime,
            "Expires": f"{ends_text}Z",
            "ServerTime": iso_time(now_us)[:19] + "Z",
        },
    )


def _azure_refusal(detail: str) -> StorageError:
    return StorageError(
        403,
        "AuthenticationFailed",
        "Server failed to authenticate the request. Make sure the value of Authorization header "
        "is formed correctly including the signature.",
        details={"AuthenticationErrorDetail": detail},
    )
