"""What the engine asks of a bucket. One test suite holds every implementation to it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from ubiops_file_sync.bucket.digest import Digest, Readable
from ubiops_file_sync.model import Pace, RemoteEntry


@dataclass(frozen=True, slots=True)
class Receipt:
    """A finished upload, by the servers' clock."""

    started_us: int
    finished_us: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """A finished download, or a finding that none was needed."""

    equal: bool
    """The object holds what `same_as` told of; the sink may then hold anything."""
    bytes_down: int


@dataclass(frozen=True, slots=True)
class PartedUpload:
    """An upload in parts that was begun: all that is needed to go on with it, even much later."""

    id: str
    provider: str
    started_us: int
    """By the service's clock."""


class Ranges(Protocol):
    """One version of an object, to be fetched in ranges. Every method may be called concurrently.

    The first range that comes tells `version`, unless it was given, and `digest`; every further one
    must be of that version.
    """

    version: str
    """The version, in words of the storage provider's; empty: not told yet."""
    digest: Digest | None
    """Of the whole object, where the provider tells it."""

    def fetch(self, first: int, count: int, fd: int) -> None:
        """Write `count` bytes from `first` on into the file `fd`, in their place.

        Raises `TransferLost` if the object is another version by now, `RangesUnknown` if the
        storage has no ranges or no versions; else as `Bucket.fetch`.
        """
        ...


@dataclass(frozen=True, slots=True)
class BucketFacts:
    """What the service tells of the bucket itself."""

    id: str
    """Another one under the same name means that the bucket was deleted and made anew."""
    provider: str
    ttl_us: int | None
    """Microseconds after which objects vanish by themselves; None: they stay."""


class CallCounter:
    """API calls of a pass by endpoint: the scarce resource (300 a minute). Thread-safe."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._answers: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def add(self, endpoint: str) -> None:
        """Count one call, whatever came of it: the service counts it too."""
        with self._lock:
            self._counts[endpoint] += 1

    def answered(self, endpoint: str, status: int | None) -> None:
        """Count what came of one call; None: no answer."""
        with self._lock:
            self._answers[endpoint, "none" if status is None else str(status)] += 1

    def by_endpoint(self) -> dict[str, int]:
        """Calls so far, most first."""
        with self._lock:
            return dict(self._counts.most_common())

    def by_answer(self) -> dict[str, dict[str, int]]:
        """Calls that have ended so far, by endpoint and by the status of the answer, or `none`."""
        with self._lock:
            found: dict[str, dict[str, int]] = {}
            for (endpoint, status), count in sorted(self._answers.items()):
                found.setdefault(endpoint, {})[status] = count
            return found


class Bucket(Protocol):
    """One place in a bucket. Keys are relative to it. Every method may be called concurrently.

    Each method tries again as design section 6 says and then raises: `RemoteError` where the
    whole pass is concerned (unreachable, token refused, no such bucket), `KeyFailure` where only
    the one key is.
    """

    calls: CallCounter
    skew_us: int
    """How far the local clock is ahead of the service's, as its last answer showed; 0: not at all,
    or by less than can be told."""

    @property
    def pace(self) -> Pace | None:
        """How quickly calls may be made; None while no answer has told, or nothing limits them."""
        ...

    @property
    def quota_left(self) -> int | None:
        """Calls that the service still allows in this window, to everybody; None as for `pace`."""
        ...

    def facts(self) -> BucketFacts:
        """What the service tells of the bucket. One API call."""
        ...

    def pages(self) -> Iterator[list[RemoteEntry]]:
        """The listing, a page at a time, in whatever order the service has.

        A listing that fails raises; it never just ends early (invariant I12).
        """
        ...

    def get(self, key: str) -> RemoteEntry | None:
        """What the bucket says of a key now; None: it is not there. One API call."""
        ...

    def fetch(
        self,
        entry: RemoteEntry,
        sink: BinaryIO,
        same_as: Callable[[str], bytes] | None = None,
    ) -> Fetched:
        """Write the object's content to `sink`, whose earlier content is dropped.

        The length is checked against `entry.size`, the content against the provider's hash where
        it sends one. `same_as(algorithm)` gives a digest of content to compare with: if the object
        holds the same, `equal` is True, and nothing is downloaded where the provider's hash tells.
        One API call.
        """
        ...

    def send(
        self,
        key: str,
        source: Readable,
        size: int,
        check: Callable[[], None] | None = None,
        *,
        is_new: bool = False,
    ) -> Receipt:
        """Store `size` bytes of `source`, from its beginning, as `key`. One API call.

        The object appears whole or not at all. `check` is called once all was read, and before
        the last bytes are sent: if it raises, nothing is stored, and what it raised is raised
        here. `is_new`: an object that stands there by now is not overwritten, where the storage
        can see to that; then `InTheWay`.
        """
        ...

    def begin_parts(self, key: str) -> PartedUpload:
        """Begin an upload in parts. One API call. Nothing is seen of it until it is complete."""
        ...

    def send_part(
        self, key: str, upload: PartedUpload, number: int, source: Readable, size: int
    ) -> str:
        """Send part `number` (from 1 on), `size` bytes of `source`; what `complete_parts` needs.

        One API call. Raises `TransferLost` if the service no longer knows the upload.
        """
        ...

    def complete_parts(
        self, key: str, upload: PartedUpload, size: int, tags: Mapping[int, str]
    ) -> Receipt:
        """Make the parts an object of `size` bytes; `tags` is what `send_part` returned for each.

        One API call. Raises `TransferLost` if the service no longer knows the upload.
        """
        ...

    def ranges(self, entry: RemoteEntry, version: str = "") -> Ranges:
        """The object's content in ranges. One API call for all of them, if they are fetched soon.

        `version` is what an earlier fetch was told: any other is refused.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove an object; one that is gone already is no error. One API call."""
        ...

    def stop(self) -> None:
        """Break off what is under way, in every thread; whatever is asked after that fails."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...
