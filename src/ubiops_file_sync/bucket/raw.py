"""The API and its signed URLs as they stand: one request a method, and its answer of any status.

For those who look at the service itself; the engine's way to it is `ubiops`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any

from ubiops_file_sync import keys
from ubiops_file_sync.bucket.exchange import Answer, Take
from ubiops_file_sync.bucket.http import HttpClient
from ubiops_file_sync.bucket.problems import Place
from ubiops_file_sync.bucket.quota import Quota, quota_for
from ubiops_file_sync.bucket.rest import PooledRest
from ubiops_file_sync.bucket.retry import Refused, RetryPolicy, attempt, passes_by_itself
from ubiops_file_sync.bucket.sdk import core_api
from ubiops_file_sync.bucket.upload import put_headers
from ubiops_file_sync.errors import KeyFailure
from ubiops_file_sync.json_text import parsed

_FEW_TRIES = RetryPolicy(tries=3, total_s=120)
_UNKNOWN_TOKEN = "Token 0000000000000000000000000000000000000000"  # noqa: S105  of nobody


class OutOfCalls(Exception):
    """As many calls were made as were allowed."""


class RawBucket:
    """A bucket's endpoints. For one thread.

    Every method returns an answer of any status, but raises `NoAnswer` if none comes, and
    `Refused` for what passes by itself and did not in three tries.
    """

    def __init__(
        self,
        place: Place,
        token: str,
        retries: RetryPolicy = _FEW_TRIES,
        quota: Quota | None = None,
    ) -> None:
        """No call is made yet. The place's prefix is not heeded: names are whole ones.

        `quota`: another than the usual one of the host.
        """
        self.calls = 0
        """API calls until now, each try of its own."""
        self.allowed = 300
        """API calls after which `OutOfCalls` is raised instead of one more."""
        self._retries = retries
        self._http = _Remembering()
        rest = PooledRest(self._http, quota or quota_for(place.api_host))
        self._api = core_api(place.api_host, token, rest)
        self._stranger = core_api(place.api_host, _UNKNOWN_TOKEN, rest)
        self._names = {"project_name": place.project, "bucket_name": place.bucket}

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def bucket(self) -> Answer:
        """The bucket's details."""
        return self._call(self._api.buckets_get)

    def bucket_for_a_stranger(self) -> Answer:
        """The bucket's details, asked for with a token that nobody has."""
        return self._call(self._stranger.buckets_get)

    def other_bucket(self, name: str) -> Answer:
        """The details of another bucket of the project."""
        return self._call(self._api.buckets_get, bucket_name=name)

    def list_page(self, prefix: str, limit: int, token: str | None = None) -> Answer:
        """One page of a listing."""
        options = {"continuation_token": token} if token else {}
        return self._call(self._api.files_list, prefix=prefix, limit=limit, **options)

    def get(self, file: str) -> Answer:
        """The details of a file."""
        return self._call(self._api.files_get, file=_safe(file))

    def delete(self, file: str) -> Answer:
        """Delete a file."""
        return self._call(self._api.files_delete, file=_safe(file))

    def sign_download(self, file: str) -> Answer:
        """A signed URL to GET."""
        return self._call(self._api.files_download, file=_safe(file))

    def sign_upload(self, file: str, **part: str) -> Answer:
        """A signed URL to PUT; `upload_id` and `part_number` make it that of a part."""
        return self._call(self._api.files_upload, file=_safe(file), **part)

    def start_multipart(self, file: str) -> Answer:
        """Begin an upload in parts."""
        return self._call(self._api.files_start_multipart_upload, file=_safe(file))

    def complete_multipart(
        self, file: str, upload_id: str, parts: list[dict[str, object]]
    ) -> Answer:
        """Make parts a file."""
        data = {"upload_id": upload_id, "parts": parts}
        return self._call(self._api.files_complete_multipart_upload, file=_safe(file), data=data)

    def put_bytes(self, url: str, provider: str, data: bytes) -> Answer:
        """PUT to a signed URL, with the headers that the SDK sends. No API call."""
        return self._tried(
            lambda: self._http.put(url, put_headers(provider), _Bytes(data), len(data))
        )

    def get_bytes(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        """GET from a signed URL, the whole body in memory. No API call."""

        def once() -> Answer:
            blocks: list[bytes] = []

            def begin(_answer: Answer) -> Take:
                return blocks.extend

            answer = self._http.get(url, headers or {}, begin)
            answer.data = b"".join(blocks)
            return answer

        return self._tried(once)

    def _call(self, method: Callable[..., Any], **options: Any) -> Answer:
        def once() -> Answer:
            if self.calls >= self.allowed:
                raise OutOfCalls
            self.calls += 1
            try:
                answer: Answer = method(**{**self._names, **options}, _preload_content=False)
            except Refused as refused:
                if passes_by_itself(refused):
                    raise
                return self._http.last
            return answer

        return self._tried(once)

    def _tried(self, once: Callable[[], Answer]) -> Answer:
        return attempt(self._retries, once, self._http.stopping)


class _Remembering(HttpClient):
    """Keeps the last answer: of a refusal, only the words are left in the exception."""

    last = Answer(0, "", {})

    def ask(self, *args: Any, **options: Any) -> Answer:
        """The answer to one small request."""
        self.last = super().ask(*args, **options)
        return self.last


class _Bytes(io.BytesIO):
    """A request body."""

    def rewind(self) -> None:
        """Begin anew."""
        self.seek(0)


def _safe(file: str) -> str:
    """`file`, if it is safe in a request path: a DELETE of `..` would address the bucket."""
    refusal = keys.refusal(file)
    if refusal is not None:
        raise KeyFailure(refusal)
    return file


def json_of(answer: Answer) -> dict[str, Any]:
    """The answer's JSON object; an empty one if it is none."""
    try:
        body = parsed(answer.data)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
