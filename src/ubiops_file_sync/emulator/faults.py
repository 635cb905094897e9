"""Faults that tests order from the embedded server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from .calls import Operation

ANY = "*"
"""Matches every operation."""


class FaultKind(StrEnum):
    """What goes wrong."""

    STATUS = "status"
    """The request is answered with `code`, without effect."""
    LATENCY = "latency"
    """The request is served, `seconds` late."""
    RESET_BEFORE = "reset_before"
    """The connection is reset before the request has any effect."""
    RESET_AFTER = "reset_after"
    """The request has its effect, and the connection is reset instead of an answer."""
    TRUNCATE = "truncate"
    """The body is cut after `length` bytes and the connection closed; the announced length is
    the whole one."""
    TRUNCATE_CHUNKED = "truncate_chunked"
    """The body has no announced length and ends after `length` bytes, as if that were all."""
    WRONG_BODY = "wrong_body"
    """The body is as long as it should be, but every byte is another."""
    HANG = "hang"
    """Nothing is answered until the client gives up, or `seconds` are over."""
    HANG_AFTER = "hang_after"
    """As `hang`, but the request has its effect first."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, and the requests that it befalls."""

    match: str | Collection[str]
    """An operation (see `Operation`), several of them, or `ANY`."""
    kind: FaultKind | str
    times: int | None = 1
    """How many matching requests it befalls; None: all."""
    after: int = 0
    """How many matching requests it lets pass first."""
    key: str | Callable[[str], bool] | None = None
    """A part of the object's key, or a predicate on it."""
    page: int | None = None
    """Which page of a listing, from 0."""
    code: int = 500
    body: str | bytes | None = None
    """Body of a `status` fault; None: what the API or the provider would say."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Further headers of a `status` fault."""
    seconds: float = 30.0
    length: int = 0
    meanwhile: Callable[[], object] | None = None
    """Called, in the server's thread, before the request is served: what others do just then."""

    def matches(self, operation: Operation, key: str, page: int | None) -> bool:
        """Whether it befalls such a request, if its turn has come."""
        if not self._matches_operation(operation):
            return False
        if self.page is not None and self.page != page:
            return False
        if self.key is None:
            return True
        return self.key in key if isinstance(self.key, str) else self.key(key)

    def _matches_operation(self, operation: Operation) -> bool:
        if isinstance(self.match, str):
            return self.match in (ANY, operation)
        return operation in self.match


class Faults:
    """The faults that are in force. May be used by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[_Entry] = []

    def add(self, fault: Fault) -> Fault:
        """Put a fault in force. Of several that match a request, the first one befalls it.

        Raises `ValueError` for an operation or a kind that does not exist.
        """
        FaultKind(fault.kind)
        names = {fault.match} if isinstance(fault.match, str) else set(fault.match)
        for name in names - {ANY}:
            Operation(name)
        with self._lock:
            self._entries.append(_Entry(fault))
        return fault

    @property
    def in_force(self) -> bool:
        """Whether there is any fault."""
        return bool(self._entries)

    def clear(self) -> None:
        """Lift every fault."""
        with self._lock:
            self._entries = []

    def fired(self, fault: Fault) -> int:
        """How often that fault has befallen a request."""
        with self._lock:
            return sum(entry.fired for entry in self._entries if entry.fault is fault)

    def take(self, operation: Operation, key: str, page: int | None) -> Fault | None:
        """The fault that befalls this request."""
        with self._lock:
            for entry in self._entries:
                if entry.fault.matches(operation, key, page) and entry.take():
                    return entry.fault
        return None


@dataclass(slots=True)
class _Entry:
    fault: Fault
    passed: int = 0
    fired: int = 0

    def take(self) -> bool:
        fault = self.fault
        if self.passed < fault.after:
            self.passed += 1
            return False
        if fault.times is not None and self.fired >= fault.times:
            return False
        self.fired += 1
        return True
