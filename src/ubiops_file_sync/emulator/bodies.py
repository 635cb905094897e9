"""The JSON that the API takes and gives, field by field as the official SDK's models have it."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import msgspec

from .clock import iso_time
from .errors import ApiError
from .records import Bucket, Project

WEEK_S = 7 * 24 * 3600

Body = TypeVar("Body")


class BucketBody(msgspec.Struct, forbid_unknown_fields=False):
    """What a client sends to create or change a bucket. Credentials are taken and forgotten."""

    name: str = ""
    provider: str | None = None
    credentials: dict[str, Any] | None = None
    configuration: dict[str, Any] | None = None
    ttl: int | msgspec.UnsetType | None = msgspec.UNSET
    description: Annotated[str, msgspec.Meta(max_length=400)] | None = None
    labels: dict[str, str] | None = None


class CompleteBody(msgspec.Struct):
    """What a client sends to complete a multipart upload."""

    parts: list[dict[str, Any]]
    upload_id: str | None = None


def decode(body: bytes, kind: type[Body]) -> Body:
    """The body, checked against its kind; raises `ApiError`."""
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except msgspec.MsgspecError as problem:
        raise ApiError(400, f"Invalid request body: {problem}") from problem


def settings_of(body: BucketBody) -> dict[str, Any]:
    """The fields of a bucket that the body sets; raises `ApiError`."""
    settings: dict[str, Any] = {
        name: value
        for name in ("description", "labels", "configuration")
        if (value := getattr(body, name)) is not None
    }
    if body.ttl is not msgspec.UNSET:
        if body.ttl is not None and (body.ttl <= 0 or body.ttl % WEEK_S):
            raise ApiError(400, "ttl must be a whole number of weeks, in seconds.")
        settings["ttl_s"] = body.ttl
    return settings


def project_fields(project: Project) -> dict[str, Any]:
    """A project in a list."""
    return {
        "id": project.id,
        "name": project.name,
        "creation_date": iso_time(project.created_us),
        "advanced_permissions": False,
        "credits": None,
        "organization_name": "local",
        "labels": {},
    }


def bucket_fields(bucket: Bucket) -> dict[str, Any]:
    """A bucket in a list."""
    return {
        "id": bucket.id,
        "name": bucket.name,
        "provider": bucket.provider,
        "project": bucket.project,
        "creation_date": iso_time(bucket.created_us),
        "configuration": bucket.configuration,
        "ttl": bucket.ttl_s,
        "description": bucket.description,
        "labels": bucket.labels,
        "last_updated": iso_time(bucket.updated_us),
    }
