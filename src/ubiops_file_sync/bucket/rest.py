"""What stands under the SDK's `CoreApi` in place of its own REST client.

The SDK stays the definition of the API: its paths, parameters and headers. Its client opens a new
session for every call, has no default timeout, sleeps inside on a 429 and logs bodies (which hold
signed URLs) at DEBUG, so it is replaced by the pooled one.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from ubiops_file_sync.bucket.http import READ_TIMEOUT_S, Answer, HttpClient
from ubiops_file_sync.bucket.retry import RATE_LIMITED, Pause, Refused

_DEFAULT_RESET_S = 59
"""What the SDK waits for when a 429 does not say how long."""

_LONGEST_RESET_S = 300
"""A window is a minute; a server that says more is not believed to the end."""


class PooledRest:
    """The one method of `ubiops.rest.RESTClientObject` that `ApiClient` calls."""

    def __init__(self, http: HttpClient, pause: Pause) -> None:
        self._http = http
        self._pause = pause

    def request(
        self,
        method: str,
        host: str,
        resource_path: str,
        query_params: list[tuple[str, str]] | None = None,
        headers: dict[str, str] | None = None,
        body: Any = None,
        _request_timeout: float | None = None,
        **_unused: Any,
    ) -> Answer:
        """The answer to one call. Raises `Refused` for any other status than 2xx."""
        url = host + resource_path + (f"?{urlencode(query_params)}" if query_params else "")
        all_headers = {"Content-Type": "application/json", **(headers or {})}
        self._pause.wait()
        response = self._http.ask(
            method,
            url,
            all_headers,
            None if body is None else json.dumps(body).encode(),
            read_timeout_s=_request_timeout or READ_TIMEOUT_S,
        )
        if response.status == RATE_LIMITED:
            self._pause.begin(_reset_s(response))
        if not 200 <= response.status <= 299:
            raise Refused(response.status, _words(response))
        return response


def _reset_s(response: Answer) -> float:
    """Seconds until the quota's window ends, and one more for the rounding of the header."""
    text = response.headers.get("x-ratelimit-reset", "")
    told_s = int(text) if text.isdigit() else _DEFAULT_RESET_S
    return min(told_s, _LONGEST_RESET_S) + 1


def _words(response: Answer) -> str:
    """The API's own explanation. Never the raw body: that may hold anything."""
    try:
        body = json.loads(response.data)
    except ValueError:
        return response.reason
    if isinstance(body, dict):
        for name in ("error", "error_message", "detail"):
            if isinstance(body.get(name), str):
                return str(body[name])[:300]
    return response.reason
