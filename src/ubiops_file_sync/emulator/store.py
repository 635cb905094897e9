"""Everything that the embedded server keeps, in one data folder that survives restarts."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from .behaviour import Behaviour
from .blobs import BlobFolder, BlobWriter
from .buckets import Buckets
from .clock import US, Clock
from .database import Database
from .errors import ApiError, StorageError
from .listing import ListRequest, Page, list_page, prefix_end
from .multipart import (
    PartClaim,
    Uploads,
    block_list_of,
    check_part_name,
    choose_parts,
    joined_etag,
    parse_claims,
)
from .objects import Objects
from .providers import Dialect, dialect_of, etag_of, hashes_of, hashes_of_parts, opaque_etag
from .records import Blob, Bucket, Part, StoredObject

if TYPE_CHECKING:
    from .elsewhere import OtherStorage

SYNTHETIC_BYTES = 1024
_SCAN_ROWS = 10_000


class Store:
    """Buckets, objects and unfinished uploads. May be used by several threads.

    `behaviour` may be changed at any time.
    """

    elsewhere: OtherStorage | None = None
    """The storage that keeps the objects in place of this one."""

    def __init__(self, folder: Path, clock: Clock, behaviour: Behaviour) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        self.clock = clock
        self.behaviour = behaviour
        self.database = Database(folder / "index.sqlite")
        self.blobs = BlobFolder(folder / "blobs")
        self.buckets = Buckets(self.database, clock)
        self.objects = Objects(self.database, clock)
        self.show_all()
        self.uploads = Uploads(self.database)
        self.secret = self._secret()
        self._sizes: dict[int, tuple[int, int]] = {}

    def close(self) -> None:
        """Close the index. Nothing may be called after it."""
        self.database.close()

    def writer(self, bucket: Bucket) -> BlobWriter:
        """A blob to write an object or a part of that bucket to."""
        return self.blobs.writer(hashes_of(dialect_of(bucket.provider)))

    def put(
        self,
        bucket: Bucket,
        key: str,
        blob: Blob,
        *,
        parts: Sequence[Part] = (),
        created_us: int | None = None,
    ) -> StoredObject:
        """Make a complete blob the object of that key.

        `parts` is what it was joined from, `created_us` a time that is not now.
        """
        dialect = dialect_of(bucket.provider)
        with self.database.lock:
            now_us = self.clock.stamp_us()
            if created_us is None and self.behaviour.keep_time_on_overwrite:
                created_us = self.objects.newest_created_us(bucket, key)
            created_us = now_us if created_us is None else created_us
            if parts and dialect is Dialect.S3:
                etag = joined_etag(parts)
            else:
                etag = etag_of(dialect, blob, now_us)
            stored = StoredObject(
                key, blob.size, created_us, etag, blob.md5, blob.crc32c, blob.name
            )
            return self._put(bucket, stored, dialect)

    def _put(self, bucket: Bucket, stored: StoredObject, dialect: Dialect) -> StoredObject:
        delay_us = int(self.behaviour.slow_visibility_s * US)
        due_us = self.clock.now_us() + delay_us if delay_us else None
        replaced = self.objects.put(bucket, stored, due_us)
        if dialect is Dialect.AZURE:
            # Putting a blob discards its uncommitted blocks.
            replaced += self.uploads.close(bucket, block_list_of(stored.key))
        self.blobs.remove(replaced)
        return stored

    def _look(self, bucket: Bucket) -> None:
        """Bring the index up to what may be seen now."""
        del bucket
        self.blobs.remove(self.objects.show_due())

    def find(self, bucket: Bucket, key: str) -> StoredObject | None:
        """The object as it may be seen now."""
        self._look(bucket)
        return self.objects.find(bucket, key)

    def show_all(self) -> None:
        """Let every version be seen that waits for its time."""
        self.blobs.remove(self.objects.show_all())

    def list_page(self, bucket: Bucket, request: ListRequest) -> Page:
        """One page of a listing."""
        self._look(bucket)
        return list_page(self.objects, bucket, request, self.behaviour)

    def every_object(self, bucket: Bucket, prefix: str = "") -> Iterator[tuple[str, int, int]]:
        """Key, size and `created_us` of every object that may be seen now, by key."""
        self._look(bucket)
        start, stop = prefix, prefix_end(prefix)
        while rows := self.objects.page(bucket, start, stop, _SCAN_ROWS):
            yield from rows
            start = rows[-1].key + "\0"

    def delete(self, bucket: Bucket, key: str) -> bool:
        """Remove the object; whether there was one."""
        was_there = self.find(bucket, key) is not None
        self.blobs.remove(self.objects.delete(bucket, key))
        return was_there

    def open(self, bucket: Bucket, key: str) -> tuple[StoredObject, BinaryIO | None] | None:
        """The object and its bytes, to be closed by the caller; no bytes: they are all zero."""
        # A blob is removed only after its row, so that under the lock a row has its blob.
        with self.database.lock:
            stored = self.find(bucket, key)
            if stored is None:
                return None
            return stored, None if stored.blob is None else self.blobs.open(stored.blob)

    def add_synthetic(self, bucket: Bucket, objects: int | Iterable[tuple[str, int, int]]) -> None:
        """Add objects without bytes of their own: a number of them, or (key, size, created_us)."""
        if isinstance(objects, int):
            objects = self._numbered(objects)
        dialect = dialect_of(bucket.provider)
        self.objects.put_many(
            bucket,
            (
                StoredObject(key, size, time_us, opaque_etag(dialect, time_us), None, None, None)
                for key, size, time_us in objects
            ),
        )

    def _numbered(self, count: int) -> Iterator[tuple[str, int, int]]:
        for number in range(count):
            key = f"synthetic/{number // 1000:06d}/{number:09d}.bin"
            yield key, SYNTHETIC_BYTES, self.clock.stamp_us()

    def remove_bucket(self, bucket: Bucket) -> None:
        """Remove the bucket with all that is in it."""
        with self.database.lock:
            self.buckets.remove(bucket)
            blobs = self.objects.clear(bucket) + self.uploads.clear(bucket)
        self.blobs.remove(blobs)

    def save_bucket(self, bucket: Bucket, old: Bucket) -> Bucket:
        """Write changed settings of `old`."""
        # What has expired stays so when the ttl grows.
        self.blobs.remove(self.objects.purge(old))
        return self.buckets.save(bucket)

    def measured_size(self, bucket: Bucket) -> tuple[int, int]:
        """Bytes in the bucket, and when they were counted.

        As with the real service the number is an old one, counted once an hour: it would cost
        more than all else that a call does.
        """
        now_us = self.clock.now_us()
        size, measured_us = self._sizes.get(bucket.seq, (0, 0))
        if abs(now_us - measured_us) > 3600 * US:
            size, measured_us = self.objects.total_size(bucket), now_us
            self._sizes[bucket.seq] = size, measured_us
        return size, measured_us

    def put_part(self, bucket: Bucket, key: str, upload: str, name: str, blob: Blob) -> None:
        """Record a complete part; raises `StorageError`."""
        dialect = dialect_of(bucket.provider)
        place = self.upload_place(bucket, key, upload)
        if place is None:
            raise StorageError(
                404,
                "NoSuchUpload",
                "The specified multipart upload does not exist. The upload ID might be invalid, "
                "or the multipart upload might have been aborted or completed.",
            )
        with self.database.lock:
            others = self.uploads.parts(bucket, place) if dialect is Dialect.AZURE else {}
            check_part_name(dialect, name, others)
            replaced = self.uploads.put(bucket, place, name, blob)
        self.blobs.remove(replaced)

    def upload_place(self, bucket: Bucket, key: str, upload: str) -> str | None:
        """Where the parts of an upload are kept; None: there is no such upload."""
        if dialect_of(bucket.provider) is Dialect.AZURE:
            return block_list_of(key)
        return upload if self.uploads.is_open(bucket, key, upload) else None

    def plan_join(
        self, bucket: Bucket, upload: str, claims: Sequence[object], min_part_bytes: int
    ) -> list[Part]:
        """The parts that `claims` make an object of; raises `ApiError` when they make none."""
        dialect = dialect_of(bucket.provider)
        wanted: list[PartClaim] = parse_claims(dialect, claims)
        return choose_parts(dialect, wanted, self.uploads.parts(bucket, upload), min_part_bytes)

    def join(self, bucket: Bucket, key: str, upload: str, parts: Sequence[Part]) -> StoredObject:
        """Make the parts the object, and forget the upload. Takes as long as copying them.

        Raises `ApiError` when the same upload was completed meanwhile.
        """
        hashes = hashes_of_parts(dialect_of(bucket.provider))
        try:
            blob = self.blobs.join((part.blob for part in parts), hashes)
        except FileNotFoundError as problem:
            raise ApiError(404, "Multipart upload not found.") from problem
        stored = self.put(bucket, key, blob, parts=parts)
        self.blobs.remove(self.uploads.close(bucket, upload))
        return stored

    def _secret(self) -> bytes:
        """The key that signs URLs; kept, so that URLs outlive a restart."""
        self.database.run(
            "INSERT OR IGNORE INTO meta VALUES ('secret', ?)", (secrets.token_bytes(32),)
        )
        row = self.database.one("SELECT value FROM meta WHERE name = 'secret'")
        if row is None:
            raise RuntimeError("the index does not keep what is written to it")
        return bytes(row[0])
