"""Calls that concern one file, made by the pattern that the SDK's definition of them has.

The SDK takes 50 µs to make one request of a call, most of a small file's share of CPU, and all but
the file's name is the same each time. So it is asked once what it would send for a name that
nobody has, and every further call has its name put in there.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from ubiops_file_sync.bucket.http import Answer


@dataclass(frozen=True, slots=True)
class CallPattern:
    """What the SDK sends to one endpoint, but for the name of a file."""

    before: str
    """The path up to the name."""
    after: str
    options: Mapping[str, Any] = field(repr=False)
    """The other arguments of `PooledRest.request`, the token among them."""

    def path(self, file: str) -> str:
        """The path that addresses `file`, quoted as the SDK does (design section 2)."""
        return f"{self.before}{quote(file, safe='')}{self.after}"


class Listener:
    """Stands in for a REST client below the SDK: it sends nothing, and keeps what it was given."""

    def __init__(self) -> None:
        self.told: dict[str, Any] = {}

    def request(self, **told: Any) -> Answer:
        """Take one request."""
        self.told = told
        return Answer(200, "", {})


def learn_pattern(
    listener: Listener, method: Callable[..., Answer], names: Mapping[str, str]
) -> CallPattern:
    """What `method` of an API that `listener` stands below sends for a file.

    `names` are its arguments besides `file`.
    """
    mark = uuid.uuid4().hex
    method(**names, file=mark, _preload_content=False)
    before, _, after = listener.told.pop("resource_path").partition(mark)
    return CallPattern(before, after, listener.told)
