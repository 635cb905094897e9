"""Big files: in parts, many at once, and gone on with after the process was killed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import BinaryIO

from ubiops_file_sync.bucket import Bucket, Fetched, PartedUpload, Ranges, Receipt
from ubiops_file_sync.bucket.traffic import Traffic
from ubiops_file_sync.errors import RangesUnknown, TransferLost
from ubiops_file_sync.execute.growing import GrowingDigest
from ubiops_file_sync.execute.slices import Slice
from ubiops_file_sync.execute.steps import Batch, Stepwise
from ubiops_file_sync.local import Staged
from ubiops_file_sync.model import Direction, LocalEntry, Part, RemoteEntry, Unfinished
from ubiops_file_sync.parts import count_parts, part_bytes, span

SameAs = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class Sent:
    """An upload that ended well."""

    receipt: Receipt
    bytes_up: int
    """Less than the file has, if an earlier pass sent parts of it."""


@dataclass(frozen=True, slots=True)
class Parted:
    """How files from `threshold` bytes on travel. Safe for use by several threads at once."""

    bucket: Bucket
    threshold: int
    now_ns: Callable[[], int]
    unfinished: Mapping[tuple[str, Direction], Unfinished]
    """What an earlier pass left, by key and way, as far as it is of the versions at hand."""
    traffic: Traffic = field(default_factory=Traffic)
    """What the bucket tells of the parts."""

    def send(
        self, local: LocalEntry, file: BinaryIO, check: Callable[[], None] | None, *, noted: bool
    ) -> Stepwise[Sent]:
        """Store a file as the key of `local`; `check` as in `Bucket.send`.

        `noted`: the next pass can go on with it. Raises `KeyFailure`.
        """
        earlier = self.unfinished.get((local.key, Direction.UPLOAD)) if noted else None
        if earlier is not None:
            try:
                return (yield from self._send(earlier, file, check, noted=noted))
            except TransferLost:
                pass  # The service has forgotten it by now.
        upload = self.bucket.begin_parts(local.key)
        begun = Unfinished(
            local.key,
            Direction.UPLOAD,
            local.size,
            local.mtime_ns,
            upload.id,
            upload.provider,
            part_bytes(local.size, self.threshold),
            upload.started_us,
        )
        return (yield from self._send(begun, file, check, noted=noted))

    def _send(
        self,
        begun: Unfinished,
        file: BinaryIO,
        check: Callable[[], None] | None,
        *,
        noted: bool,
    ) -> Stepwise[Sent]:
        upload = PartedUpload(begun.handle, begun.source, begun.started_us)
        tags = dict(begun.parts)

        def send(number: int) -> Part | None:
            where = span(begun.size, begun.part_bytes, number)
            part = Slice(file.fileno(), where)
            tags[number] = self.bucket.send_part(begun.key, upload, number, part, where.length)
            return Part(begun.key, Direction.UPLOAD, number, tags[number]) if noted else None

        missing = [number for number in _numbers(begun) if number not in tags]
        units = [partial(send, number) for number in missing]
        with self._told_of(begun, missing):
            yield Batch(units, _news(begun) if noted else None)
        if check is not None:
            check()
        receipt = self.bucket.complete_parts(begun.key, upload, begun.size, tags)
        return Sent(receipt, _bytes_of(begun, missing))

    def fetch(
        self, remote: RemoteEntry, staged: Staged, same_as: SameAs | None
    ) -> Stepwise[Fetched]:
        """Download an object into `staged`, or find out that it is what `same_as` tells of.

        What has arrived stays for the next pass, if this one does not get to the end. Raises
        `KeyFailure`.
        """
        earlier = self.unfinished.get((remote.key, Direction.DOWNLOAD))
        if earlier is not None and staged.name == earlier.handle:
            try:
                ranges = self._look(remote, staged, earlier.source)
                return (yield from self._fetch(ranges, staged, same_as, earlier))
            except TransferLost:
                pass  # It is another version, or what stands here is not of it.
        try:
            ranges = self._look(remote, staged)
        except RangesUnknown:
            staged.is_kept = False
            return self.bucket.fetch(remote, staged.file, same_as)
        known = ranges.digest
        if known is not None and same_as is not None and same_as(known.algorithm) == known.value:
            staged.is_kept = False
            return Fetched(equal=True, bytes_down=0)
        begun = Unfinished(
            remote.key,
            Direction.DOWNLOAD,
            remote.size,
            remote.created_us,
            staged.name,
            ranges.version,
            part_bytes(remote.size, self.threshold),
            self.now_ns() // 1000,
        )
        try:
            return (yield from self._fetch(ranges, staged, same_as, begun))
        except TransferLost:
            staged.is_kept = False
            raise

    def _look(self, remote: RemoteEntry, staged: Staged, version: str = "") -> Ranges:
        """The object's ranges, its version and digest known: its first byte tells them."""
        ranges = self.bucket.ranges(remote, version)
        ranges.fetch(0, 1, staged.file.fileno())
        return ranges

    def _fetch(
        self, ranges: Ranges, staged: Staged, same_as: SameAs | None, begun: Unfinished
    ) -> Stepwise[Fetched]:
        fd, known = staged.file.fileno(), ranges.digest
        growing = None
        if known is not None or same_as is not None:
            algorithm = known.algorithm if known is not None else "sha256"
            growing = GrowingDigest(fd, begun, algorithm)

        def fetch(number: int) -> Part:
            where = span(begun.size, begun.part_bytes, number)
            ranges.fetch(where.start, where.length, fd)
            os.fdatasync(fd)  # What is noted must have outlived a power failure.
            if growing is not None:
                growing.take(number)
            return Part(begun.key, Direction.DOWNLOAD, number, "")

        missing = [number for number in _numbers(begun) if number not in begun.parts]
        staged.file.truncate(begun.size)
        staged.is_kept = True
        with self._told_of(begun, missing):
            yield Batch([partial(fetch, number) for number in missing], _news(begun))
        equal = False
        if growing is not None:
            found = growing.value()
            if known is not None and found != known.value:
                raise TransferLost(f"the content does not match the provider's {known.algorithm}")
            equal = same_as is not None and same_as(growing.algorithm) == found
        if equal:
            staged.is_kept = False  # Nobody wants it any more.
        return Fetched(equal=equal, bytes_down=_bytes_of(begun, missing))

    def _told_of(self, begun: Unfinished, missing: list[int]) -> AbstractContextManager[None]:
        """While it lasts, whoever asks what travels is told of the whole file."""
        done = begun.size - _bytes_of(begun, missing)
        return self.traffic.whole(begun.key, begun.direction, begun.size, done)


def _news(begun: Unfinished) -> Unfinished | None:
    """What is to be noted before the first part; nothing of what an earlier pass has noted."""
    return None if begun.parts else begun


def _numbers(begun: Unfinished) -> range:
    return range(1, count_parts(begun.size, begun.part_bytes) + 1)


def _bytes_of(begun: Unfinished, numbers: Iterable[int]) -> int:
    return sum(span(begun.size, begun.part_bytes, number).length for number in numbers)
