"""Objects that another storage server keeps, with this server as their API alone.

The API answers as ever, but the signed URLs that it hands out lead to that server, and what it
lists is what stands there: nothing about objects is remembered from one call to the next.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from .behaviour import Behaviour
from .clock import Clock
from .records import Blob, Bucket, Part, Provider, StoredObject
from .signing import Grant
from .store import Store


@dataclass(frozen=True, slots=True)
class Standing:
    """What the other server's listing tells of an object."""

    key: str
    size: int
    created_us: int


class OtherStorage(Protocol):
    """One bucket of a real storage server. Every method may be called by any thread."""

    provider: Provider
    """What the API says that it is."""

    def url(self, grant: Grant, lifetime_s: float) -> str:
        """A signed URL for what is granted; on Azure a part is a block id."""
        ...

    def start(self, key: str) -> str:
        """The id of a new upload in parts. Raises ValueError when the storage refuses."""
        ...

    def complete(self, key: str, upload: str, parts: Sequence[dict[str, Any]]) -> None:
        """Make an object of parts, which are as the API got them.

        Raises ValueError when the storage refuses.
        """
        ...

    def standing(self) -> Iterable[Standing]:
        """Every object, in any order."""
        ...

    def read(self, key: str) -> bytes:
        """The bytes of an object that is there."""
        ...

    def write(self, key: str, data: bytes) -> None:
        """Store an object, past any signed URL."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object that is there."""
        ...


class MirrorStore(Store):
    """A store whose index of objects is made anew from the other storage for each look.

    It has one bucket, and none of the behaviour that concerns how objects are stored.
    """

    def __init__(
        self, folder: Path, clock: Clock, behaviour: Behaviour, storage: OtherStorage
    ) -> None:
        super().__init__(folder, clock, behaviour)
        self.elsewhere = storage
        self._storage = storage

    def put(
        self,
        bucket: Bucket,
        key: str,
        blob: Blob,
        *,
        parts: Sequence[Part] = (),
        created_us: int | None = None,
    ) -> StoredObject:
        """Store an object past any signed URL; the time is the other storage's to set."""
        del parts
        if created_us is not None:
            raise ValueError("the other storage sets the time of its objects")
        with self.blobs.open(blob.name) as source:
            self._storage.write(key, source.read())
        self.blobs.remove([blob.name])
        stored = self.find(bucket, key)
        if stored is None:
            raise RuntimeError(f"the other storage does not show {key!r}, which it took")
        return stored

    def delete(self, bucket: Bucket, key: str) -> bool:
        """Remove the object; whether there was one."""
        if self.find(bucket, key) is None:
            return False
        self._storage.delete(key)
        return True

    def open(self, bucket: Bucket, key: str) -> tuple[StoredObject, BinaryIO | None] | None:
        """The object and its bytes."""
        stored = self.find(bucket, key)
        return None if stored is None else (stored, io.BytesIO(self._storage.read(key)))

    def _look(self, bucket: Bucket) -> None:
        with self.database.lock:
            self.objects.clear(bucket)
            self.objects.put_many(
                bucket,
                (
                    StoredObject(seen.key, seen.size, seen.created_us, "", None, None, None)
                    for seen in self._storage.standing()
                ),
            )
