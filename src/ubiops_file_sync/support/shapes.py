"""How a decision is written down: strict shapes, since whoever sends a bundle is not trusted."""

from __future__ import annotations

from typing import Annotated

import msgspec

from ubiops_file_sync.model import (
    BaselineEntry,
    ConflictPolicy,
    Deletions,
    Direction,
    Expired,
    FolderRules,
    Intent,
    LocalEntry,
    Loser,
    RemoteEntry,
    Unknown,
    Verb,
)

_Number = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A JSON object with these fields and no others."""


class LocalShape(Shape, frozen=True, kw_only=True, tag="file", tag_field="is"):
    """A local file, as `LocalEntry`."""

    key: str
    size: _Number
    mtime_ns: _Number

    def entry(self) -> LocalEntry:
        """The entry that it stands for."""
        return LocalEntry(self.key, self.size, self.mtime_ns)


class UnknownShape(Shape, frozen=True, kw_only=True, tag="unknown", tag_field="is"):
    """What could not be read here, as `Unknown`."""

    key: str
    reason: str
    is_problem: bool

    def entry(self) -> Unknown:
        """The entry that it stands for."""
        return Unknown(self.key, self.reason, self.is_problem)


class RemoteShape(Shape, frozen=True, kw_only=True):
    """An object, as `RemoteEntry`."""

    key: str
    size: _Number
    created_us: _Number

    def entry(self) -> RemoteEntry:
        """The entry that it stands for."""
        return RemoteEntry(self.key, self.size, self.created_us)


class BaseShape(Shape, frozen=True, kw_only=True):
    """What both sides said when they were last in step, as `BaselineEntry`."""

    key: str
    size: _Number
    mtime_ns: _Number
    created_us: _Number

    def entry(self) -> BaselineEntry:
        """The entry that it stands for."""
        return BaselineEntry(self.key, self.size, self.mtime_ns, self.created_us)


class IntentShape(Shape, frozen=True, kw_only=True):
    """An upload that an earlier pass began, as `Intent`."""

    key: str
    size: _Number
    mtime_ns: _Number
    started_us: _Number
    finished_us: _Number | None

    def entry(self) -> Intent:
        """The entry that it stands for."""
        return Intent(self.key, self.size, self.mtime_ns, self.started_us, self.finished_us)


class RulesShape(Shape, frozen=True, kw_only=True):
    """What a folder on the way says of itself, as `FolderRules`."""

    key: str
    lines: list[str]
    ready: bool

    def entry(self) -> FolderRules:
        """The rules that it stands for."""
        return FolderRules(self.key, tuple(self.lines), self.ready)


class FilterShape(Shape, frozen=True, kw_only=True):
    """The filters of the profile, as its settings say them."""

    include: list[str] = []
    exclude: list[str] = []
    min_size: _Number | None = None
    max_size: _Number | None = None
    max_age_s: float | None = None
    ready_file: str | None = None


class PolicyShape(Shape, frozen=True, kw_only=True):
    """What the profile wants, and what was known of the bucket and the clocks."""

    direction: Direction
    conflict: ConflictPolicy
    deletions: Deletions
    expired: Expired
    ttl_us: _Number | None
    """None: the bucket has none, or no rule asked."""
    refresh_before_us: _Number | None
    skew_us: _Number
    max_skew_us: _Number


class AskedShape(Shape, frozen=True, kw_only=True):
    """A rule that was asked, as `Asked`."""

    question: str
    answer: str
    because: str


class VerdictShape(Shape, frozen=True, kw_only=True):
    """What came of it."""

    verb: Verb | None
    reason: str | None
    """The name of the reason; None: no rule was asked."""
    loser: Loser
    compare_first: bool
    text: str
    because: str
    besides: list[str]
    asked: list[AskedShape]


class Record(Shape, frozen=True, kw_only=True):
    """One decision, and all that it rests on."""

    profile: str
    key: str
    now_us: _Number
    local: LocalShape | UnknownShape | None
    remote: RemoteShape | None
    base: BaseShape | None
    intent: IntentShape | None
    policy: PolicyShape
    filters: FilterShape
    rules: list[RulesShape]
    verdict: VerdictShape
