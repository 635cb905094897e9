"""The ASGI application: quota, faults and tokens come before the API; the storage side has none
of them but faults.

There is no framework's router and no middleware here: a benchmark of the program must not measure
the server that it runs against.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from .api import Api, Limits, Request, list_token
from .calls import CallLog, Operation
from .clock import http_date
from .errors import ApiError, StorageError
from .faults import Fault, Faults
from .inject import serve_with
from .providers import Dialect
from .ratelimit import Quota, RateLimiter
from .records import Role
from .replies import add_headers, json_error
from .routes import Route, find_route
from .storage import Storage, StorageRequest, refusal
from .store import Store

MAX_BODY_BYTES = 8 << 20

_READS = frozenset(
    {
        Operation.STATUS,
        Operation.USER,
        Operation.PROJECTS_LIST,
        Operation.PROJECT_GET,
        Operation.BUCKETS_LIST,
        Operation.BUCKET_GET,
        Operation.LIST,
        Operation.GET,
        Operation.SIGN_DOWNLOAD,
    }
)
_ALLOWED = {
    Role.READER: _READS,
    Role.RESTRICTED_READER: _READS - {Operation.LIST},
}
_PHRASES = {400: "Bad request.", 404: "Not found.", 405: "Method not allowed."}


class App:
    """One server's application. `tokens` may be changed at any time."""

    def __init__(
        self,
        store: Store,
        limits: Limits,
        tokens: Mapping[str, Role],
        limiter: RateLimiter,
        faults: Faults,
        calls: CallLog,
    ) -> None:
        self._store = store
        self._tokens = tokens
        self._limiter = limiter
        self._faults = faults
        self._calls = calls
        self._api = Api(store, limits)
        self._storage = Storage(store)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        query = _parse_query(scope["query_string"])
        route = find_route(scope["method"], scope["raw_path"], query)
        record = partial(self._calls.record, route.operation, route.key)
        quota = None if route.dialect else self._limiter.take(_source(scope))
        fault = self._fault(route, query, quota)
        respond = partial(self._respond, route, query, quota, (scope, receive))
        try:
            if fault is not None:
                answer = partial(self._fault_response, route.dialect, quota)
                await serve_with(fault, respond, answer, record, (scope, receive, send))
                return
            response = await respond()
        except ClientDisconnect:
            record(0)
            return
        record(response.status_code)
        await response(scope, receive, send)

    def _fault(self, route: Route, query: dict[str, str], quota: Quota | None) -> Fault | None:
        if not self._faults.in_force or (quota is not None and not quota.allowed):
            return None
        page = None
        if route.operation is Operation.LIST:
            try:
                page = list_token(query).page
            except ApiError:
                page = None
        return self._faults.take(route.operation, route.key, page)

    async def _respond(
        self,
        route: Route,
        query: dict[str, str],
        quota: Quota | None,
        connection: tuple[Scope, Receive],
    ) -> Response:
        """Have the request's effect, and give the response with every header."""
        scope, receive = connection
        headers = _headers(scope)
        if route.dialect is not None:
            request = StorageRequest(route, route.dialect, scope["method"], query, headers, receive)
            response = await self._serve_storage(request)
        elif quota is not None and not quota.allowed:
            response = json_error(429, "Rate limit exceeded. Please, try again later.")
        else:
            response = await self._serve_api(route, query, headers, connection)
        return self._dressed(response, quota)

    async def _serve_storage(self, request: StorageRequest) -> Response:
        try:
            return await self._storage.serve(request)
        except StorageError as error:
            return refusal(request.dialect, error)

    async def _serve_api(
        self,
        route: Route,
        query: dict[str, str],
        headers: dict[str, str],
        connection: tuple[Scope, Receive],
    ) -> Response:
        try:
            self._authorize(route, headers.get("authorization", ""))
            handler = self._api.handlers.get(route.operation)
            if handler is None:
                return json_error(route.status, _PHRASES[route.status])
            scope, receive = connection
            body = await _read_body(receive) if scope["method"] in ("POST", "PATCH") else b""
            return await handler(Request(route, query, body, _origin(scope, headers)))
        except ApiError as error:
            return json_error(error.status, error.message)

    def _authorize(self, route: Route, authorization: str) -> None:
        kind, _, token = authorization.partition(" ")
        role = self._tokens.get(token.strip()) if kind in ("Token", "Bearer") else None
        if role is None:
            raise ApiError(401, "Invalid token.")
        allowed = _ALLOWED.get(role)
        if allowed is not None and route.operation not in allowed:
            raise ApiError(403, "You do not have permission to perform this action.")

    def _fault_response(
        self, dialect: Dialect | None, quota: Quota | None, fault: Fault
    ) -> Response:
        """The answer of a fault that sets the status."""
        if fault.body is not None:
            response = Response(fault.body, fault.code)
        elif dialect is None:
            response = json_error(fault.code, "Fault ordered by a test.")
        else:
            error = StorageError(fault.code, "InternalError", "Fault ordered by a test.")
            response = refusal(dialect, error)
        self._dressed(response, quota)
        for name, value in fault.headers.items():
            response.headers[name] = value
        return response

    def _dressed(self, response: Response, quota: Quota | None) -> Response:
        """The response with the headers that every response has."""
        headers = [("date", http_date(self._store.clock.now_us()))]
        if quota is not None:
            headers.append(("x-ratelimit-limit", str(quota.limit)))
            headers.append(("x-ratelimit-remaining", str(quota.remaining)))
            headers.append(("x-ratelimit-reset", str(quota.reset_s)))
        add_headers(response, headers)
        return response


def _parse_query(query: bytes) -> dict[str, str]:
    return dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True)) if query else {}


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def _origin(scope: Scope, headers: Mapping[str, str]) -> str:
    """Scheme and address by which the client reached us."""
    host, port = scope["server"]
    return f"{scope['scheme']}://{headers.get('host', f'{host}:{port}')}"


def _source(scope: Scope) -> str:
    client = scope["client"]
    return "" if client is None else str(client[0])


async def _read_body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise ApiError(413, "Request body too large.")
        if not message.get("more_body", False):
            return bytes(body)
