"""From a request's method and raw path to the operation that it asks for."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from .calls import Operation
from .providers import Dialect

API_VERSIONS = (b"v2.1", b"v2")

_FILES = (b"projects", b"buckets", b"files")

# Method, number of parts, and every other part of the path: those that are not names.
_SHAPES: dict[tuple[object, ...], Operation] = {
    ("GET", 1, b"status"): Operation.STATUS,
    ("GET", 1, b"user"): Operation.USER,
    ("GET", 1, b"projects"): Operation.PROJECTS_LIST,
    ("GET", 2, b"projects"): Operation.PROJECT_GET,
    ("GET", 3, b"projects", b"buckets"): Operation.BUCKETS_LIST,
    ("POST", 3, b"projects", b"buckets"): Operation.BUCKET_CREATE,
    ("GET", 4, b"projects", b"buckets"): Operation.BUCKET_GET,
    ("PATCH", 4, b"projects", b"buckets"): Operation.BUCKET_UPDATE,
    ("DELETE", 4, b"projects", b"buckets"): Operation.BUCKET_DELETE,
    ("GET", 5, *_FILES): Operation.LIST,
    ("GET", 6, *_FILES): Operation.GET,
    ("DELETE", 6, *_FILES): Operation.DELETE,
    ("POST", 6, *_FILES): Operation.SIGN_UPLOAD,
    ("GET", 7, *_FILES, b"download"): Operation.SIGN_DOWNLOAD,
    ("POST", 7, *_FILES, b"start-multipart-upload"): Operation.START_MULTIPART,
    ("POST", 7, *_FILES, b"complete-multipart-upload"): Operation.COMPLETE_MULTIPART,
}
_PATHS = frozenset(shape[1:] for shape in _SHAPES)

_STORAGE = {
    "PUT": Operation.PUT,
    "GET": Operation.GET_BLOB,
    "HEAD": Operation.HEAD_BLOB,
}


@dataclass(slots=True)
class Route:
    """What a request asks for."""

    operation: Operation
    project: str = ""
    bucket: str = ""
    """Name on the API side, id on the storage side."""
    key: str = ""
    dialect: Dialect | None = None
    """Set on the storage side alone."""
    status: int = 404
    """How an unknown operation is answered."""


def find_route(method: str, raw_path: bytes, query: dict[str, str]) -> Route:
    """The route of a request.

    The path is split before it is unquoted: a file name is one part of it whatever it holds, so
    that a file `x/download` is not taken for the download of a file `x`.
    """
    parts = raw_path.split(b"/")
    if parts[1:2] == [b"storage"]:
        return _storage_route(method, raw_path, query)
    if len(parts) < 3 or parts[1] not in API_VERSIONS:
        return Route(Operation.UNKNOWN)
    # `.../buckets/NAME/files/..` arrives as `.../buckets/NAME/`, and means the bucket.
    words = parts[2:-1] if len(parts) > 3 and not parts[-1] else parts[2:]
    return _api_route(method, words, query)


def _api_route(method: str, words: list[bytes], query: dict[str, str]) -> Route:
    shape = (len(words), *words[::2])
    operation = _SHAPES.get((method, *shape))
    if operation is None:
        return Route(Operation.UNKNOWN, status=405 if shape in _PATHS else 404)
    if operation is Operation.SIGN_UPLOAD and query.get("upload_id"):
        operation = Operation.SIGN_PART
    try:
        names = [unquote_to_bytes(word).decode() for word in words[1::2]]
    except UnicodeDecodeError:
        return Route(Operation.UNKNOWN, status=400)
    project, bucket, key = (*names, "", "", "")[:3]
    return Route(operation, project, bucket, key)


def _storage_route(method: str, raw_path: bytes, query: dict[str, str]) -> Route:
    words = raw_path.split(b"/", 4)
    operation = _STORAGE.get(method)
    if operation is None:
        return Route(Operation.UNKNOWN, status=405)
    if operation is Operation.PUT and ("partNumber" in query or "blockid" in query):
        operation = Operation.PUT_PART
    try:
        dialect, bucket, key = (unquote_to_bytes(word).decode() for word in words[2:])
        return Route(operation, bucket=bucket, key=key, dialect=Dialect(dialect))
    except ValueError:
        return Route(Operation.UNKNOWN)
