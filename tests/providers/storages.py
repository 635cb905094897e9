"""One bucket of each storage server: URLs signed and objects reached by the provider's own SDK."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import urllib3

from ubiops_file_sync.emulator import Grant, Provider, Standing

AZURE_ACCOUNT = "devstoreaccount1"
AZURE_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
"""The one that every Azurite has, and that its documentation prints."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class S3Storage:
    """A bucket of a server that speaks S3."""

    provider = Provider.AMAZON_S3

    def __init__(self, origin: str, bucket: str) -> None:
        import boto3
        from botocore.config import Config

        self._bucket = bucket
        self._client = boto3.client(
            "s3",
            endpoint_url=origin,
            aws_access_key_id="AKID",
            aws_secret_access_key="SECRET",
            region_name="us-east-1",
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
        )
        self._client.create_bucket(Bucket=bucket)

    def url(self, grant: Grant, lifetime_s: float) -> str:
        params: dict[str, Any] = {"Bucket": self._bucket, "Key": grant.key}
        operation = "get_object" if grant.method == "GET" else "put_object"
        if grant.part:
            operation = "upload_part"
            params |= {"UploadId": grant.upload, "PartNumber": int(grant.part)}
        return str(
            self._client.generate_presigned_url(
                operation, Params=params, ExpiresIn=round(lifetime_s)
            )
        )

    def start(self, key: str) -> str:
        return str(self._client.create_multipart_upload(Bucket=self._bucket, Key=key)["UploadId"])

    def complete(self, key: str, upload: str, parts: Sequence[dict[str, Any]]) -> None:
        from botocore.exceptions import ClientError

        try:
            self._client.complete_multipart_upload(
                Bucket=self._bucket,
                Key=key,
                UploadId=upload,
                MultipartUpload={"Parts": list(parts)},
            )
        except ClientError as refusal:
            raise ValueError(str(refusal)) from refusal

    def standing(self) -> Iterator[Standing]:
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket):
            for item in page.get("Contents", []):
                yield Standing(item["Key"], item["Size"], _us(item["LastModified"]))

    def read(self, key: str) -> bytes:
        data: bytes = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        return data

    def write(self, key: str, data: bytes) -> None:
        self._client.put_object(Bucket=self._bucket, Key=key, Body=data)

    def delete(self, key: str) -> None:
        self._client.delete_object(Bucket=self._bucket, Key=key)


class AzureStorage:
    """A container of Azurite."""

    provider = Provider.AZURE

    def __init__(self, origin: str, bucket: str) -> None:
        from azure.storage.blob import BlobServiceClient

        self._address = f"{origin}/{AZURE_ACCOUNT}/{bucket}"
        self._name = bucket
        service = BlobServiceClient(f"{origin}/{AZURE_ACCOUNT}", credential=AZURE_KEY)
        self._container: Any = service.create_container(bucket)

    def url(self, grant: Grant, lifetime_s: float) -> str:
        from azure.storage.blob import BlobSasPermissions, generate_blob_sas

        reads = grant.method == "GET"
        query = generate_blob_sas(
            AZURE_ACCOUNT,
            self._name,
            grant.key,
            account_key=AZURE_KEY,
            permission=BlobSasPermissions(read=reads, create=not reads, write=not reads),
            expiry=datetime.now(UTC) + timedelta(seconds=lifetime_s),
        )
        if grant.part:
            query += "&" + urlencode({"comp": "block", "blockid": grant.part})
        return f"{self._address}/{quote(grant.key)}?{query}"

    def start(self, key: str) -> str:
        return uuid.uuid4().hex

    def complete(self, key: str, upload: str, parts: Sequence[dict[str, Any]]) -> None:
        from azure.core.exceptions import HttpResponseError
        from azure.storage.blob import BlobBlock

        # The SDK encodes ids itself.
        blocks = [BlobBlock(base64.b64decode(part["BlockId"]).decode()) for part in parts]
        try:
            self._container.get_blob_client(key).commit_block_list(blocks)
        except HttpResponseError as refusal:
            raise ValueError(str(refusal)) from refusal

    def standing(self) -> Iterator[Standing]:
        for blob in self._container.list_blobs():
            yield Standing(blob.name, blob.size, _us(blob.last_modified))

    def read(self, key: str) -> bytes:
        data: bytes = self._container.download_blob(key).readall()
        return data

    def write(self, key: str, data: bytes) -> None:
        self._container.upload_blob(key, data, overwrite=True)

    def delete(self, key: str) -> None:
        self._container.delete_blob(key)


class GoogleStorage:
    """A bucket of fake-gcs-server, by Google's JSON API.

    It verifies no signature, so the one here is none.
    """

    provider = Provider.GOOGLE

    def __init__(self, origin: str, bucket: str) -> None:
        self._pool = urllib3.PoolManager(retries=False, timeout=30.0)
        self._objects = f"{origin}/storage/v1/b/{bucket}/o"
        self._address = f"{origin}/{bucket}"
        self._upload = f"{origin}/upload/storage/v1/b/{bucket}/o"
        self._ask("POST", f"{origin}/storage/v1/b?project=p", json={"name": bucket})

    def url(self, grant: Grant, lifetime_s: float) -> str:
        query = {
            "X-Goog-Algorithm": "GOOG4-RSA-SHA256",
            "X-Goog-Credential": "nobody",
            "X-Goog-Date": f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}",
            "X-Goog-Expires": str(round(lifetime_s)),
            "X-Goog-SignedHeaders": "host",
        }
        if grant.part:
            query |= {"partNumber": grant.part, "uploadId": grant.upload}
        return f"{self._address}/{quote(grant.key)}?{urlencode(query)}&X-Goog-Signature=00"

    def start(self, key: str) -> str:
        answer = self._pool.request("POST", f"{self._address}/{quote(key)}?uploads")
        raise ValueError(f"{answer.status}: {answer.data[:200]!r}")

    def complete(self, key: str, upload: str, parts: Sequence[dict[str, Any]]) -> None:
        raise ValueError("no upload was ever started")

    def standing(self) -> Iterator[Standing]:
        token = ""
        while True:
            page = self._ask("GET", f"{self._objects}?{urlencode({'pageToken': token})}").json()
            for item in page.get("items", []):
                created = _us(datetime.fromisoformat(item["timeCreated"]))
                yield Standing(item["name"], int(item["size"]), created)
            token = page.get("nextPageToken", "")
            if not token:
                return

    def read(self, key: str) -> bytes:
        return self._ask("GET", f"{self._object(key)}?alt=media").data

    def write(self, key: str, data: bytes) -> None:
        query = urlencode({"uploadType": "media", "name": key})
        self._ask("POST", f"{self._upload}?{query}", body=data)

    def delete(self, key: str) -> None:
        self._ask("DELETE", self._object(key))

    def _object(self, key: str) -> str:
        return f"{self._objects}/{quote(key, safe='')}"

    def _ask(self, method: str, url: str, **options: Any) -> urllib3.BaseHTTPResponse:
        answer = self._pool.request(method, url, **options)
        if answer.status >= 300:
            raise RuntimeError(f"{method} {url}: {answer.status} {answer.data[:500]!r}")
        return answer


def _us(when: datetime) -> int:
    return (when - _EPOCH) // timedelta(microseconds=1)
