"""Refusals of the embedded server: the API answers them in JSON, the storage side in XML."""

from __future__ import annotations

from collections.abc import Mapping


class ApiError(Exception):
    """An API call that is refused with `status` and a JSON body that says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class StorageError(Exception):
    """A storage request that is refused, in the provider's words."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.details = dict(details or {})
        """Further elements of the XML body."""
        self.headers = dict(headers or {})
