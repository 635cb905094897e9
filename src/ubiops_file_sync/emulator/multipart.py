"""Uploads in parts: what has come of them, and the providers' rules for completing them.

S3 and GCS open an upload and number its parts. Azure has no uploads: blocks are put beside the
blob under ids that must all have one length, and a list of ids makes them the blob.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .database import Database
from .errors import ApiError, StorageError
from .providers import Dialect
from .records import Blob, Bucket, Part

MAX_PARTS = 10_000
MAX_BLOCK_ID_BYTES = 64


@dataclass(frozen=True, slots=True)
class PartClaim:
    """One entry of the list that completes an upload."""

    name: str
    etag: str | None
    """Without quotes; None on Azure."""


class Uploads:
    """Uploads that are not complete. May be used by several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(self, bucket: Bucket, key: str) -> str:
        """The id of a new upload."""
        upload = secrets.token_urlsafe(24)
        self._database.run("INSERT INTO uploads VALUES (?, ?, ?)", (upload, bucket.seq, key))
        return upload

    def is_open(self, bucket: Bucket, key: str, upload: str) -> bool:
        """Whether parts of that upload are still taken."""
        return (
            self._database.one(
                "SELECT 1 FROM uploads WHERE id = ? AND bucket = ? AND key = ?",
                (upload, bucket.seq, key),
            )
            is not None
        )

    def put(self, bucket: Bucket, upload: str, name: str, blob: Blob) -> list[str | None]:
        """Record a part; returns the blob of the part that it replaces."""
        with self._database.lock:
            place = (bucket.seq, upload, name)
            old = self._database.one(
                "SELECT blob FROM parts WHERE bucket = ? AND upload = ? AND name = ?", place
            )
            self._database.run(
                "INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?, ?)",
                (*place, blob.size, blob.md5, blob.name),
            )
            return [] if old is None else [old[0]]

    def parts(self, bucket: Bucket, upload: str) -> dict[str, Part]:
        """The parts that have come, by name."""
        rows = self._database.rows(
            "SELECT name, size, md5, blob FROM parts WHERE bucket = ? AND upload = ?",
            (bucket.seq, upload),
        )
        return {row[0]: Part(*row) for row in rows}

    def close(self, bucket: Bucket, upload: str) -> list[str | None]:
        """Forget an upload; returns the blobs of its parts."""
        with self._database.lock:
            blobs: list[str | None] = [part.blob for part in self.parts(bucket, upload).values()]
            values = (bucket.seq, upload)
            self._database.run("DELETE FROM parts WHERE bucket = ? AND upload = ?", values)
            self._database.run("DELETE FROM uploads WHERE bucket = ? AND id = ?", values)
            return blobs

    def clear(self, bucket: Bucket) -> list[str | None]:
        """Forget every upload of the bucket; returns the blobs of their parts."""
        with self._database.lock:
            rows = self._database.rows("SELECT blob FROM parts WHERE bucket = ?", (bucket.seq,))
            self._database.run("DELETE FROM parts WHERE bucket = ?", (bucket.seq,))
            self._database.run("DELETE FROM uploads WHERE bucket = ?", (bucket.seq,))
            return [row[0] for row in rows]


def block_list_of(key: str) -> str:
    """The name under which a blob's blocks are kept on Azure."""
    return f"blocks of {key}"


def parse_claims(dialect: Dialect, entries: Sequence[Any]) -> list[PartClaim]:
    """The list that completes an upload, as the API gets it; raises `ApiError`."""
    if not entries:
        raise ApiError(400, "parts must not be empty.")
    try:
        if dialect is Dialect.AZURE:
            return [PartClaim(str(entry["BlockId"]), None) for entry in entries]
        return [
            PartClaim(str(int(entry["PartNumber"])), str(entry["ETag"]).strip('"'))
            for entry in entries
        ]
    except (KeyError, TypeError, ValueError) as problem:
        raise ApiError(400, f"Invalid parts: {problem}") from problem


def choose_parts(
    dialect: Dialect, claims: Sequence[PartClaim], parts: dict[str, Part], min_part_bytes: int
) -> list[Part]:
    """The parts in the order in which they make the object; raises `ApiError`."""
    if dialect is Dialect.AZURE:
        return _choose_blocks(claims, parts)
    numbers = [int(claim.name) for claim in claims]
    if numbers != sorted(set(numbers)):
        raise ApiError(400, "InvalidPartOrder: the parts are not in ascending order.")
    chosen = []
    for claim in claims:
        part = parts.get(claim.name)
        if part is None or part.md5.hex() != claim.etag:
            raise ApiError(
                400, f"InvalidPart: part {claim.name} is not there or its ETag is another."
            )
        chosen.append(part)
    if any(part.size < min_part_bytes for part in chosen[:-1]):
        raise ApiError(400, "EntityTooSmall: a part is smaller than the minimum allowed size.")
    return chosen


def _choose_blocks(claims: Sequence[PartClaim], parts: dict[str, Part]) -> list[Part]:
    if any(claim.name not in parts for claim in claims):
        raise ApiError(400, "InvalidBlockList: the specified block list is invalid.")
    return [parts[claim.name] for claim in claims]


def joined_etag(parts: Sequence[Part]) -> str:
    """The ETag that S3 gives an object of parts: not the MD5 of anything that anybody holds."""
    together = b"".join(part.md5 for part in parts)
    return f"{hashlib.md5(together, usedforsecurity=False).hexdigest()}-{len(parts)}"


def check_part_name(dialect: Dialect, name: str, others: dict[str, Part]) -> None:
    """Raise `StorageError` unless a part may have that name beside the others."""
    if dialect is not Dialect.AZURE:
        if not (name.isascii() and name.isdigit() and 1 <= int(name) <= MAX_PARTS):
            raise StorageError(
                400, "InvalidArgument", "Part number must be an integer between 1 and 10000."
            )
        return
    length = _block_id_bytes(name)
    if not 1 <= length <= MAX_BLOCK_ID_BYTES:
        raise StorageError(
            400,
            "InvalidQueryParameterValue",
            "Value for one of the query parameters specified in the request URI is invalid.",
            details={"QueryParameterName": "blockid", "QueryParameterValue": name},
        )
    if any(_block_id_bytes(other) != length for other in others):
        raise StorageError(
            400, "InvalidBlobOrBlock", "The specified blob or block content is invalid."
        )


def _block_id_bytes(name: str) -> int:
    """Length of a block id before its encoding; 0: it is none."""
    try:
        return len(base64.b64decode(name, validate=True))
    except (binascii.Error, ValueError):
        return 0
