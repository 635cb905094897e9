"""The calls of the UbiOps API that concern buckets and files."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeVar

import msgspec
from starlette.responses import Response

from .calls import Operation
from .clock import iso_time
from .errors import ApiError
from .listing import ListRequest, Token
from .providers import Dialect, dialect_of
from .records import Bucket, Project, Provider
from .replies import json_reply
from .routes import Route
from .signing import Grant, Signer
from .store import Store

WEEK_S = 7 * 24 * 3600
DEFAULT_LIMIT = 50
MAX_KEY_BYTES = 1024

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


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


@dataclass(slots=True)
class Limits:
    """Settings of the API that may be changed while the server runs."""

    url_lifetime_s: float
    min_part_bytes: int


@dataclass(frozen=True, slots=True)
class Request:
    """One API call."""

    route: Route
    query: dict[str, str]
    body: bytes
    origin: str
    """Scheme and address that the client used; signed URLs go there too."""


Body = TypeVar("Body")

Handler = Callable[[Request], Awaitable[Response]]


class Api:
    """Answers API calls; refuses by raising `ApiError`."""

    def __init__(self, store: Store, limits: Limits) -> None:
        self._store = store
        self._limits = limits
        self._signer = Signer(store.secret)
        self.handlers: dict[Operation, Handler] = {
            Operation.STATUS: self._status,
            Operation.PROJECTS_LIST: self._projects_list,
            Operation.PROJECT_GET: self._project_get,
            Operation.BUCKETS_LIST: self._buckets_list,
            Operation.BUCKET_CREATE: self._bucket_create,
            Operation.BUCKET_GET: self._bucket_get,
            Operation.BUCKET_UPDATE: self._bucket_update,
            Operation.BUCKET_DELETE: self._bucket_delete,
            Operation.LIST: self._list,
            Operation.GET: self._get,
            Operation.DELETE: self._delete,
            Operation.SIGN_UPLOAD: self._sign_upload,
            Operation.SIGN_PART: self._sign_part,
            Operation.SIGN_DOWNLOAD: self._sign_download,
            Operation.START_MULTIPART: self._start_multipart,
            Operation.COMPLETE_MULTIPART: self._complete_multipart,
        }

    async def _status(self, request: Request) -> Response:
        del request
        return json_reply({"status": "ok"})

    async def _projects_list(self, request: Request) -> Response:
        del request
        return json_reply([_project_fields(item) for item in self._store.buckets.projects()])

    async def _project_get(self, request: Request) -> Response:
        details: dict[str, Any] = {"suspended": False, "suspended_reason": None, "cors_origins": []}
        return json_reply({**_project_fields(self._project(request)), **details})

    async def _buckets_list(self, request: Request) -> Response:
        project = self._project(request)
        wanted = _label_filter(request.query.get("labels", ""))
        return json_reply(
            [
                _bucket_fields(bucket)
                for bucket in self._store.buckets.of_project(project.name)
                if wanted <= bucket.labels.items()
            ]
        )

    async def _bucket_create(self, request: Request) -> Response:
        project = self._project(request)
        body = _decode(request.body, BucketBody)
        if not _NAME.fullmatch(body.name):
            raise ApiError(400, "Invalid bucket name.")
        try:
            provider = Provider(body.provider or Provider.UBIOPS)
        except ValueError as problem:
            raise ApiError(400, f"Unknown provider {body.provider}.") from problem
        settings = _settings(body)
        bucket = self._store.buckets.add(project.name, body.name, provider)
        if bucket is None:
            raise ApiError(400, f"Bucket with name {body.name} already exists.")
        bucket = self._store.buckets.save(replace(bucket, **settings))
        return json_reply(self._bucket_details(bucket), 201)

    async def _bucket_get(self, request: Request) -> Response:
        return json_reply(self._bucket_details(self._bucket(request)))

    async def _bucket_update(self, request: Request) -> Response:
        bucket = self._bucket(request)
        settings = _settings(_decode(request.body, BucketBody))
        bucket = self._store.save_bucket(replace(bucket, **settings), bucket)
        return json_reply(self._bucket_details(bucket))

    async def _bucket_delete(self, request: Request) -> Response:
        self._store.remove_bucket(self._bucket(request))
        return Response(status_code=204)

    async def _list(self, request: Request) -> Response:
        bucket, query = self._bucket(request), request.query
        page = self._store.list_page(
            bucket,
            ListRequest(
                prefix=query.get("prefix", ""),
                delimiter=query.get("delimiter", ""),
                limit=self._limit(query.get("limit")),
                token=list_token(query),
            ),
        )
        behaviour = self._store.behaviour
        return json_reply(
            {
                "files": [
                    {"file": key, "size": size, "time_created": iso_time(created_us, behaviour)}
                    for key, size, created_us in page.rows
                ],
                "prefixes": page.prefixes,
                "continuation_token": None if page.next is None else page.next.text(),
            }
        )

    async def _get(self, request: Request) -> Response:
        stored = self._store.find(self._bucket(request), request.route.key)
        if stored is None:
            raise _no_such_file(request)
        created = iso_time(stored.created_us, self._store.behaviour)
        return json_reply({"file": stored.key, "size": stored.size, "time_created": created})

    async def _delete(self, request: Request) -> Response:
        if not self._store.delete(self._bucket(request), request.route.key):
            raise _no_such_file(request)
        return Response(status_code=204)

    async def _sign_upload(self, request: Request) -> Response:
        bucket = self._bucket(request)
        return self._signed(request, bucket, Grant("PUT", bucket.id, _new_key(request)))

    async def _sign_part(self, request: Request) -> Response:
        bucket, query = self._bucket(request), request.query
        key, upload = _new_key(request), query["upload_id"]
        if dialect_of(bucket.provider) is Dialect.AZURE:
            return self._signed(request, bucket, Grant("PUT", bucket.id, key, "", upload))
        part = query.get("part_number", "")
        if not part:
            raise ApiError(400, "part_number is required with upload_id.")
        return self._signed(request, bucket, Grant("PUT", bucket.id, key, upload, part))

    async def _sign_download(self, request: Request) -> Response:
        bucket = self._bucket(request)
        if self._store.find(bucket, request.route.key) is None:
            raise _no_such_file(request)
        return self._signed(request, bucket, Grant("GET", bucket.id, request.route.key))

    async def _start_multipart(self, request: Request) -> Response:
        bucket = self._bucket(request)
        upload = self._store.uploads.start(bucket, _new_key(request))
        return json_reply({"upload_id": upload, "provider": bucket.provider})

    async def _complete_multipart(self, request: Request) -> Response:
        bucket, key = self._bucket(request), request.route.key
        body = _decode(request.body, CompleteBody)
        upload = body.upload_id or ""
        place = self._store.upload_place(bucket, key, upload)
        if place is None:
            raise ApiError(404, f"Multipart upload {upload} not found.")
        parts = self._store.plan_join(bucket, place, body.parts, self._limits.min_part_bytes)
        # Parts may hold gigabytes; other requests go on meanwhile.
        await asyncio.to_thread(self._store.join, bucket, key, place, parts)
        return json_reply({"upload_id": upload, "provider": bucket.provider})

    def _signed(self, request: Request, bucket: Bucket, grant: Grant) -> Response:
        target = self._signer.target(
            dialect_of(bucket.provider),
            grant,
            self._store.clock.now_us(),
            self._limits.url_lifetime_s,
        )
        return json_reply({"url": request.origin + target, "provider": bucket.provider})

    def _project(self, request: Request) -> Project:
        project = self._store.buckets.project(request.route.project)
        if project is None:
            raise ApiError(404, f"Project {request.route.project} not found.")
        return project

    def _bucket(self, request: Request) -> Bucket:
        route = request.route
        bucket = self._store.buckets.find(route.project, route.bucket)
        if bucket is None:
            self._project(request)
            raise ApiError(404, f"Bucket {route.bucket} not found.")
        return bucket

    def _bucket_details(self, bucket: Bucket) -> dict[str, Any]:
        size, measured_us = self._store.measured_size(bucket)
        measured = {"size": size, "size_measurement_date": iso_time(measured_us)}
        return {**_bucket_fields(bucket), **measured}

    def _limit(self, text: str | None) -> int:
        if text is None:
            return DEFAULT_LIMIT
        largest = self._store.behaviour.max_limit
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= largest):
            raise ApiError(400, f"limit must be an integer between 1 and {largest}.")
        return int(text)


def list_token(query: dict[str, str]) -> Token:
    """The place where the call's page begins; raises `ApiError`."""
    text = query.get("continuation_token")
    return Token.parse(text) if text else Token()


def _decode(body: bytes, kind: type[Body]) -> Body:
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except msgspec.MsgspecError as problem:
        raise ApiError(400, f"Invalid request body: {problem}") from problem


def _settings(body: BucketBody) -> dict[str, Any]:
    """The fields of a bucket that the body sets."""
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


def _label_filter(text: str) -> set[tuple[str, str]]:
    pairs = (item.partition(":") for item in text.split(",") if item)
    return {(name.strip(), value.strip()) for name, _, value in pairs}


def _new_key(request: Request) -> str:
    key = request.route.key
    if not key or len(key.encode()) > MAX_KEY_BYTES:
        raise ApiError(400, f"File names have 1 to {MAX_KEY_BYTES} bytes.")
    return key


def _no_such_file(request: Request) -> ApiError:
    return ApiError(404, f"File {request.route.key} not found.")


def _project_fields(project: Project) -> dict[str, Any]:
    return {
        "id": project.id,
        "name": project.name,
        "creation_date": iso_time(project.created_us),
        "advanced_permissions": False,
        "credits": None,
        "organization_name": "local",
        "labels": {},
    }


def _bucket_fields(bucket: Bucket) -> dict[str, Any]:
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
