"""The values that the embedded server stores and passes around."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Provider(StrEnum):
    """Who keeps a bucket's bytes, by the names of the UbiOps API."""

    UBIOPS = "ubiops"
    """UbiOps' own storage, which speaks S3 here."""
    AMAZON_S3 = "amazon_s3"
    GOOGLE = "google_cloud_storage"
    AZURE = "azure_blob_storage"


class Role(StrEnum):
    """What a token may do."""

    ADMIN = "admin"
    WRITER = "writer"
    READER = "reader"
    RESTRICTED_READER = "restricted_reader"
    """May fetch a file whose name it knows, but may not list."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket's settings."""

    id: str
    """A new one each time, so that a bucket that was made again can be told from the old one."""
    project: str
    name: str
    provider: Provider
    created_us: int
    updated_us: int
    ttl_s: int | None = None
    """Age in seconds at which objects vanish."""
    description: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    configuration: dict[str, str] = field(default_factory=dict)
    seq: int = 0
    """The number that its objects are filed under."""


@dataclass(frozen=True, slots=True)
class Project:
    """A project, which holds buckets."""

    id: str
    name: str
    created_us: int


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes on disk, complete, with what was computed while they came in."""

    name: str
    size: int
    md5: bytes | None
    crc32c: bytes | None
    """Big-endian; None where the provider does not tell it."""
    crc64: bytes | None
    """CRC-64/NVME, likewise."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One version of an object."""

    key: str
    size: int
    created_us: int
    etag: str
    """Without its quotes."""
    md5: bytes | None
    crc32c: bytes | None
    blob: str | None
    """Name of the file that holds the bytes; None: synthetic, every byte is zero."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part, or block, of an upload that is not complete yet."""

    name: str
    """The part number, or on Azure the block id."""
    size: int
    md5: bytes
    blob: str
