"""A client with no manners of its own: it says what it is told and shows what it gets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import urllib3

from ubiops_file_sync.emulator import BucketServer

Reply = urllib3.BaseHTTPResponse


class Client:
    """Talks to one server's API and to the signed URLs that it gives."""

    def __init__(self, server: BucketServer, **pool_settings: Any) -> None:
        self.server = server
        self.pool = urllib3.PoolManager(retries=False, timeout=10.0, **pool_settings)
        self.token = server.token

    def call(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        **query: Any,
    ) -> Reply:
        """One API call."""
        url = f"{self.server.api_host}/{path}"
        if query:
            url += "?" + urlencode(query)
        authorization = {"Authorization": token or f"Token {self.token}"}
        return self.pool.request(
            method, url, json=json, headers={**authorization, **(headers or {})}
        )

    def bucket_path(self, bucket: str | None = None) -> str:
        return f"projects/{self.server.project}/buckets/{bucket or self.server.bucket}"

    def file_path(self, key: str, bucket: str | None = None) -> str:
        return f"{self.bucket_path(bucket)}/files/{quote(key, safe='')}"

    def list_page(self, **query: Any) -> dict[str, Any]:
        """The decoded answer to one listing call."""
        reply = self.call("GET", f"{self.bucket_path()}/files", **query)
        assert reply.status == 200, reply.data
        page: dict[str, Any] = reply.json()
        return page

    def pages(self, **query: Any) -> list[dict[str, Any]]:
        """Every page of a listing."""
        pages = [self.list_page(**query)]
        while token := pages[-1]["continuation_token"]:
            pages.append(self.list_page(continuation_token=token, **query))
        return pages

    def keys(self, **query: Any) -> list[str]:
        """Every key of a listing, in its order."""
        return [item["file"] for page in self.pages(**query) for item in page["files"]]

    def get(self, key: str) -> dict[str, Any]:
        reply = self.call("GET", self.file_path(key))
        assert reply.status == 200, reply.data
        item: dict[str, Any] = reply.json()
        return item

    def upload_url(self, key: str, bucket: str | None = None, **query: Any) -> str:
        reply = self.call("POST", self.file_path(key, bucket), **query)
        assert reply.status == 200, reply.data
        return str(reply.json()["url"])

    def download_url(self, key: str) -> str:
        reply = self.call("GET", self.file_path(key) + "/download")
        assert reply.status == 200, reply.data
        return str(reply.json()["url"])

    def put(self, url: str, data: bytes, **headers: str) -> Reply:
        """Send bytes to a signed URL. Underscores in header names stand for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.pool.request("PUT", url, body=data, headers=named)

    def upload(self, key: str, data: bytes) -> Reply:
        return self.put(self.upload_url(key), data, x_ms_blob_type="BlockBlob")

    def download(self, key: str, method: str = "GET", **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.pool.request(method, self.download_url(key), headers=named)

    def start_multipart(self, key: str) -> str:
        reply = self.call("POST", self.file_path(key) + "/start-multipart-upload")
        assert reply.status == 200, reply.data
        return str(reply.json()["upload_id"])

    def put_part(self, key: str, upload: str, part: int, data: bytes) -> dict[str, object]:
        """Send one part; returns its entry for the completion."""
        url = self.upload_url(key, upload_id=upload, part_number=part)
        reply = self.put(url, data)
        assert reply.status == 200, reply.data
        return {"ETag": reply.headers["ETag"], "PartNumber": part}

    def complete(self, key: str, upload: str, parts: list[dict[str, object]]) -> Reply:
        path = self.file_path(key) + "/complete-multipart-upload"
        return self.call("POST", path, json={"upload_id": upload, "parts": parts})
