"""What stands under the SDK's `CoreApi` in place of its own REST client.

The SDK stays the definition of the API: its paths, parameters and headers. Its client opens a new
session for every call, has no default timeout, sleeps inside on a 429 and logs bodies (which hold
signed URLs) at DEBUG, so it is replaced by the pooled one.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from ubiops_file_sync.bucket.exchange import Answer
from ubiops_file_sync.bucket.http import READ_TIMEOUT_S, HttpClient, interrupted
from ubiops_file_sync.bucket.quota import Quota
from ubiops_file_sync.bucket.retry import Damaged, Refused
from ubiops_file_sync.json_text import parsed

_NOT_FOUND = 404
NOT_OF_THE_API = (
    "the answer is not what the UbiOps API sends; check `api_host`, and whether something stands "
    "in between (a proxy, a page to sign in)"
)


class PooledRest:
    """The one method of `ubiops.rest.RESTClientObject` that `ApiClient` calls."""

    def __init__(self, http: HttpClient, quota: Quota) -> None:
        self._http = http
        self._quota = quota

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
        """The answer to one call, made as soon as the quota allows it.

        Raises `Refused` for any other status than 2xx, `Damaged` for a 404 of somebody else,
        `NoAnswer`, and `Interrupted`.
        """
        url = host + resource_path + (f"?{urlencode(query_params)}" if query_params else "")
        all_headers = {"Content-Type": "application/json", **(headers or {})}
        data = None if body is None else json.dumps(body).encode()
        sent_at = self._quota.take(self._http.stopping)
        if sent_at is None:
            raise interrupted()
        try:
            response = self._http.ask(
                method, url, all_headers, data, read_timeout_s=_request_timeout or READ_TIMEOUT_S
            )
        except BaseException:
            self._quota.lost()
            raise
        self._quota.heard(response.status, response.headers, sent_at)
        if not 200 <= response.status <= 299:
            raise _refusal(response)
        return response


def _refusal(response: Answer) -> Refused | Damaged:
    """What to raise. Its words are the API's own, never the raw body: that may hold anything.

    A 404 says that an object is gone, on which deletions depend (invariant I2). So it must be the
    API's, and not that of a proxy whose service is just being replaced.
    """
    try:
        body = parsed(response.data)
    except ValueError:
        body = None
    if isinstance(body, dict):
        for name in ("error", "error_message", "detail"):
            if isinstance(body.get(name), str):
                return Refused(response.status, str(body[name])[:300].rstrip("."))
    elif response.status == _NOT_FOUND:
        return Damaged(NOT_OF_THE_API)
    return Refused(response.status, response.reason)
