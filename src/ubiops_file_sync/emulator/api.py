"""The calls of the UbiOps API that concern buckets and files."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from starlette.responses import Response

from .bodies import (
    BucketBody,
    CompleteBody,
    bucket_fields,
    decode,
    project_fields,
    settings_of,
)
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

DEFAULT_LIMIT = 50
MAX_KEY_BYTES = 1024

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


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


Handler = Callable[[Request], Awaitable[Response]]
Result = TypeVar("Result")


class Api:
    """Answers API calls; refuses by raising `ApiError`."""

    def __init__(self, store: Store, limits: Limits) -> None:
        self._store = store
        self._limits = limits
        self._signer = Signer(store.secret)
        self.handlers: dict[Operation, Handler] = {
            Operation.STATUS: self._status,
            Operation.USER: self._user,
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

    async def _user(self, request: Request) -> Response:
        del request
        return json_reply({"id": str(uuid.UUID(int=0)), "email": "emulator@localhost"})

    async def _projects_list(self, request: Request) -> Response:
        del request
        return json_reply([project_fields(item) for item in self._store.buckets.projects()])

    async def _project_get(self, request: Request) -> Response:
        details: dict[str, Any] = {"suspended": False, "suspended_reason": None, "cors_origins": []}
        return json_reply({**project_fields(self._project(request)), **details})

    async def _buckets_list(self, request: Request) -> Response:
        project = self._project(request)
        wanted = _label_filter(request.query.get("labels", ""))
        return json_reply(
            [
                bucket_fields(bucket)
                for bucket in self._store.buckets.of_project(project.name)
                if wanted <= bucket.labels.items()
            ]
        )

    async def _bucket_create(self, request: Request) -> Response:
        project = self._project(request)
        body = decode(request.body, BucketBody)
        if not _NAME.fullmatch(body.name):
            raise ApiError(400, "Invalid bucket name.")
        try:
            provider = Provider(body.provider or Provider.UBIOPS)
        except ValueError as problem:
            raise ApiError(400, f"Unknown provider {body.provider}.") from problem
        settings = settings_of(body)
        bucket = self._store.buckets.add(project.name, body.name, provider)
        if bucket is None:
            raise ApiError(400, f"Bucket with name {body.name} already exists.")
        bucket = self._store.buckets.save(replace(bucket, **settings))
        return json_reply(bucket_fields(bucket), 201)

    async def _bucket_get(self, request: Request) -> Response:
        return json_reply(self._bucket_details(self._bucket(request)))

    async def _bucket_update(self, request: Request) -> Response:
        bucket = self._bucket(request)
        settings = settings_of(decode(request.body, BucketBody))
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
        bucket, key, elsewhere = self._bucket(request), _new_key(request), self._store.elsewhere
        if elsewhere is not None:
            upload = await _asked(elsewhere.start, key)
        else:
            upload = self._store.uploads.start(bucket, key)
        return json_reply({"upload_id": upload, "provider": bucket.provider})

    async def _complete_multipart(self, request: Request) -> Response:
        bucket, key = self._bucket(request), request.route.key
        body = decode(request.body, CompleteBody)
        upload = body.upload_id or ""
        if self._store.elsewhere is not None:
            await _asked(self._store.elsewhere.complete, key, upload, body.parts)
            return json_reply({"upload_id": upload, "provider": bucket.provider})
        place = self._store.upload_place(bucket, key, upload)
        if place is None:
            raise ApiError(404, f"Multipart upload {upload} not found.")
        parts = self._store.plan_join(bucket, place, body.parts, self._limits.min_part_bytes)
        # Parts may hold gigabytes; other requests go on meanwhile.
        await asyncio.to_thread(self._store.join, bucket, key, place, parts)
        return json_reply({"upload_id": upload, "provider": bucket.provider})

    def _signed(self, request: Request, bucket: Bucket, grant: Grant) -> Response:
        if self._store.elsewhere is not None:
            url = self._store.elsewhere.url(grant, self._limits.url_lifetime_s)
            return json_reply({"url": url, "provider": bucket.provider})
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
        return {**bucket_fields(bucket), **measured}

    def _limit(self, text: str | None) -> int:
        if text is None:
            return DEFAULT_LIMIT
        largest = self._store.behaviour.max_limit
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= largest):
            raise ApiError(400, f"limit must be an integer between 1 and {largest}.")
        return int(text)


async def _asked(work: Callable[..., Result], *asked: Any) -> Result:
    """What another storage answers, whose refusal is the API's."""
    try:
        return await asyncio.to_thread(work, *asked)
    except ValueError as refusal:
        raise ApiError(400, str(refusal)) from refusal


def list_token(query: dict[str, str]) -> Token:
    """The place where the call's page begins; raises `ApiError`."""
    text = query.get("continuation_token")
    return Token.parse(text) if text else Token()


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
