"""A storage provider's answer that is no success."""

from __future__ import annotations

from ubiops_file_sync.bucket.exchange import Answer
from ubiops_file_sync.bucket.retry import Refused

_ERROR_BYTES = 4096
"""As much of a provider's error as is read."""


class Refusal:
    """A provider's answer that is no success."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._said = answer.data[:_ERROR_BYTES]

    def hear(self, blocks: list[bytes]) -> None:
        """Take further bytes of the body."""
        self._said = b"".join([self._said, *blocks])[:_ERROR_BYTES]

    def error(self) -> Refused:
        """What to raise; of the body only this one finding, since it may quote the URL."""
        expired = b"ExpiredToken" in self._said or b"expired" in self._said
        return Refused(self._answer.status, self._answer.reason, storage=True, expired=expired)
