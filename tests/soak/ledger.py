"""Every version that anybody wrote, and what of them has to be somewhere in the end."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


def fingerprint(content: bytes) -> str:
    """What a version is known by; the versions of an hour would not fit into memory."""
    return hashlib.sha256(content).hexdigest()


class Sides(NamedTuple):
    """Where a profile's versions stand in the end, by fingerprint."""

    local: Mapping[str, str]
    remote: Mapping[str, str]
    trash: Mapping[str, set[str]]


@dataclass
class Ledger:
    """What was done to the keys of one profile."""

    written: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Every version, by key."""
    last_here: dict[str, str | None] = field(default_factory=dict)
    """The last thing done to the local file, by hand: a version, or None where it was deleted."""
    last_there: dict[str, str | None] = field(default_factory=dict)
    """The same of the object."""
    acts: int = 0

    def here(self, key: str, content: bytes | None) -> None:
        """Somebody is about to write the local file, or (None) to delete it."""
        self._note(self.last_here, key, content)

    def there(self, key: str, content: bytes | None) -> None:
        """Somebody is about to store the object, or (None) to delete it."""
        self._note(self.last_there, key, content)

    def _note(self, last: dict[str, str | None], key: str, content: bytes | None) -> None:
        self.acts += 1
        last[key] = None if content is None else fingerprint(content)
        if content is not None:
            self.written[key].add(fingerprint(content))

    def complaints(self, sides: Sides) -> Iterator[str]:
        """What is not as it has to be, once both sides are in step."""
        if sides.local != sides.remote:
            yield "the sides differ"
        for place, found in (("a side", sides.local), ("the bucket", sides.remote)):
            for key, version in found.items():
                if version not in self.written[key]:
                    yield f"{key}: nobody wrote what stands on {place}"
        for key, versions in sides.trash.items():
            if not versions <= self.written[key]:
                yield f"{key}: nobody wrote what is in the trash"
        yield from self._of_one_hand(sides)

    def _of_one_hand(self, sides: Sides) -> Iterator[str]:
        """Where one side alone was written to, the last thing done there is how it ends."""
        here, there = self.last_here.keys(), self.last_there.keys()
        for last, only in (
            (self.last_here, here - there),
            (self.last_there, there - here),
        ):
            for key in only:
                if sides.local.get(key) != last[key]:
                    yield f"{key}: the last edit of it was lost"

    def lost_losers(self, sides: Sides) -> Iterator[str]:
        """Local versions that only the program can have replaced, and that are not in the trash.

        An object's version that somebody stores between the listing and an upload is not promised
        to be there; a local one is (I1). For a profile whose trash forgets nothing.
        """
        for key, version in self.last_here.items():
            kept = {sides.local.get(key), *sides.trash.get(key, set())}
            if version is not None and version not in kept:
                yield f"{key}: the last local version is neither there nor in the trash"
