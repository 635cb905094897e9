"""What the embedded server was asked: the names of operations, and the log that tests read."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

KEPT_CALLS = 200_000
"""Calls that the log keeps one by one; its counts go on beyond."""


class Operation(StrEnum):
    """One thing that a client can ask for."""

    STATUS = "status"
    USER = "user"
    """Whose token it is; the command line asks it at sign-in."""
    PROJECTS_LIST = "projects_list"
    PROJECT_GET = "project_get"
    BUCKETS_LIST = "buckets_list"
    BUCKET_CREATE = "bucket_create"
    BUCKET_GET = "bucket_get"
    BUCKET_UPDATE = "bucket_update"
    BUCKET_DELETE = "bucket_delete"
    LIST = "list"
    GET = "get"
    DELETE = "delete"
    SIGN_UPLOAD = "sign_upload"
    SIGN_PART = "sign_part"
    """A signed URL for one part of a multipart upload."""
    SIGN_DOWNLOAD = "sign_download"
    START_MULTIPART = "start_multipart"
    COMPLETE_MULTIPART = "complete_multipart"
    PUT = "put"
    PUT_PART = "put_part"
    GET_BLOB = "get_blob"
    HEAD_BLOB = "head_blob"
    UNKNOWN = "unknown"
    """A path or method that does not exist."""

    @property
    def is_storage(self) -> bool:
        """Whether it goes to the storage side, which no API quota counts."""
        return self in _STORAGE


_STORAGE = frozenset(
    {Operation.PUT, Operation.PUT_PART, Operation.GET_BLOB, Operation.HEAD_BLOB},
)


class Call(NamedTuple):
    """One request that was answered, or that was not."""

    operation: Operation
    key: str
    """The object's key; empty where the operation has none."""
    status: int
    """HTTP status; 0: the connection was broken without an answer."""


class CallLog:
    """Every request since the start or the last `clear`, in the order of their answers.

    A call is logged just before its answer is sent, so that a client that has the answer also
    finds the call. May be used by several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: deque[Call] = deque(maxlen=KEPT_CALLS)
        self._counts: Counter[Operation] = Counter()

    def record(self, operation: Operation, key: str, status: int) -> None:
        """Append one call."""
        with self._lock:
            self._calls.append(Call(operation, key, status))
            self._counts[operation] += 1

    def clear(self) -> None:
        """Forget every call."""
        with self._lock:
            self._calls.clear()
            self._counts.clear()

    def all(self) -> list[Call]:
        """A copy of the calls, oldest first."""
        with self._lock:
            return list(self._calls)

    def of(self, operation: str, key: str | None = None) -> list[Call]:
        """The calls of one operation, and of one key if given."""
        return [
            call
            for call in self.all()
            if call.operation == operation and (key is None or call.key == key)
        ]

    def counts(self) -> Counter[Operation]:
        """How often each operation was asked for."""
        with self._lock:
            return self._counts.copy()

    def count(self, *operations: str) -> int:
        """How often these operations were asked for, taken together; none given: all of them."""
        counts = self.counts()
        if not operations:
            return counts.total()
        return sum(counts[Operation(operation)] for operation in operations)

    @property
    def api_count(self) -> int:
        """How many calls count against the API's quota."""
        counts = self.counts()
        return sum(number for operation, number in counts.items() if not operation.is_storage)

    def __iter__(self) -> Iterator[Call]:
        return iter(self.all())

    def __len__(self) -> int:
        return self.count()
