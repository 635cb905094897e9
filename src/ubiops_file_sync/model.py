"""The plain values that every part passes around: entries, actions, outcomes, reports.

Nothing here does anything. The words are those of the design: a *key* is a path relative to
the profile's root with ``/`` between its parts; an *entry* is what one side says of a key now;
the *baseline* is what both sides said when they were last in step.

The three entries are named tuples rather than dataclasses: a pass over a million files makes
three million of them, and a tuple costs a third of a frozen dataclass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from ubiops_file_sync.errors import EXIT_INTERRUPTED, SafetyHalt

PAGE_ITEMS = 1000
"""Most items that UbiOps puts into one page of a listing."""


class Pace(NamedTuple):
    """How quickly API calls may be made."""

    limit: int
    """Calls in a window of the service's quota."""
    share: float
    """The share of them that may be spent, above 0 and at most 1."""
    a_minute: int
    """What that makes, at least 1."""


class Direction(StrEnum):
    """Which way files travel. A one-way profile never writes to its source."""

    TWO_WAY = "two-way"
    DOWNLOAD = "download"
    UPLOAD = "upload"


class ConflictPolicy(StrEnum):
    """Who wins where both sides changed since the baseline."""

    NEWER_WINS = "newer-wins"
    LOCAL_WINS = "local-wins"
    REMOTE_WINS = "remote-wins"
    KEEP_BOTH = "keep-both"


class Deletions(StrEnum):
    """Which deletions travel to the other side."""

    NONE = "none"
    TO_BUCKET = "to_bucket"
    TO_LOCAL = "to_local"
    BOTH = "both"


class Expired(StrEnum):
    """What becomes of a file whose object the bucket's ttl has taken."""

    REUPLOAD = "reupload"
    LEAVE = "leave"


class Symlinks(StrEnum):
    """What becomes of symbolic links below the root."""

    SKIP = "skip"
    FOLLOW = "follow"
    """Within the root only, and never in a circle."""


class LocalEntry(NamedTuple):
    """A regular file below the root, as `lstat` tells of it."""

    key: str
    size: int
    """Bytes."""
    mtime_ns: int
    """Nanoseconds since the epoch."""


class RemoteEntry(NamedTuple):
    """An object below the profile's place in the bucket, as a listing tells of it."""

    key: str
    size: int
    """Bytes."""
    created_us: int
    """`time_created` in microseconds since the epoch, UTC: when the object was *stored*."""


class BaselineEntry(NamedTuple):
    """What both sides said of a key when they were last in step."""

    key: str
    size: int
    mtime_ns: int
    created_us: int


def in_step(local: LocalEntry, remote: RemoteEntry) -> BaselineEntry:
    """What is recorded of a file and an object that hold the same."""
    return BaselineEntry(local.key, local.size, local.mtime_ns, remote.created_us)


class Unknown(NamedTuple):
    """Something local that could not or must not be read: never to be taken for missing.

    Every key that it covers stays out of the pass (invariant I12).
    """

    key: str
    """A key, or with a trailing slash a directory and all that is below it."""
    reason: str
    """What is wrong and what to do, in words."""
    is_problem: bool
    """Whether to report it even where nothing else is known of the keys that it covers."""

    def covers(self, key: str) -> bool:
        """Whether nothing can be said of `key`."""
        return key == self.key or (self.key.endswith("/") and key.startswith(self.key))


class FolderRules(NamedTuple):
    """What a local directory says of itself and of all that is below it.

    The walk tells it before anything in the directory. Where it comes out of order, the keys
    below would be judged without it.
    """

    key: str
    """The directory with a slash behind it; empty: the root."""
    lines: tuple[str, ...]
    """Its ignore file, line by line; empty: it has none."""
    ready: bool
    """Whether the ready file of the profile stands in it."""


class Intent(NamedTuple):
    """An upload that was begun but is not yet seen in a listing.

    Written before the upload starts, so that the next pass recognises its own object after a
    crash (invariant I5).
    """

    key: str
    size: int
    mtime_ns: int
    started_us: int
    """Server clock when the upload was signed."""
    finished_us: int | None
    """Server clock when the storage provider had taken the last byte; None: not known."""


LocalItem = LocalEntry | Unknown | FolderRules
"""What the local walk tells of."""


class BaselineRow(NamedTuple):
    """What the store knows of a key: when it was in step, and an upload that was begun."""

    key: str
    base: BaselineEntry | None
    intent: Intent | None


LocalBlock = Sequence[LocalItem]
"""A stretch of the local walk, of any length. Streams come in blocks, since to hand a million
entries on one by one takes longer than to compare them."""
RemoteBlock = Sequence[RemoteEntry]
"""A stretch of the listing: a page of it."""
RowBlock = Sequence[BaselineRow] | Sequence[BaselineEntry]
"""A stretch of the baseline. Where it holds no intents, its entries may be bare tuples."""


def as_row(item: BaselineRow | BaselineEntry) -> BaselineRow:
    """The row that an item of a `RowBlock` stands for."""
    if isinstance(item, BaselineRow):
        return item
    base = BaselineEntry._make(item)
    return BaselineRow(base.key, base, None)


class Verb(StrEnum):
    """What an action does to its key."""

    UPLOAD = "upload"
    DOWNLOAD = "download"
    ADOPT = "adopt"
    """Both sides hold the same content already: only the baseline is written."""
    FORGET = "forget"
    """Both sides lost the key: only the baseline is written."""
    DELETE_LOCAL = "delete-local"
    """Move the local file to the trash."""
    DELETE_REMOTE = "delete-remote"
    """Download the object into the trash, then delete it."""


class Loser(StrEnum):
    """What becomes of the version that an action overwrites."""

    NONE = "none"
    """There is none, or the other side's user already replaced it."""
    TRASH = "trash"
    RENAME = "rename"
    """It stays on both sides beside the winner, as `NAME.conflict-TIME.EXT`."""


class Reason(StrEnum):
    """Why a key gets its verdict; the value is the sentence that people read."""

    NEW_LOCAL = "new here, absent from the bucket"
    NEW_REMOTE = "new in the bucket, absent here"
    CHANGED_LOCAL = "changed here since the last pass"
    CHANGED_REMOTE = "changed in the bucket since the last pass"
    LOST_LOCAL = "missing here; deletions do not travel, so it is fetched again"
    LOST_REMOTE = "missing from the bucket; deletions do not travel, so it is sent again"
    EDIT_BEATS_DELETE_LOCAL = "deleted in the bucket but changed here since; an edit beats a delete"
    EDIT_BEATS_DELETE_REMOTE = (
        "deleted here but changed in the bucket since; an edit beats a delete"
    )
    FIRST_MEETING_LOCAL = "on both sides at the first meeting; the local file wins"
    FIRST_MEETING_REMOTE = "on both sides at the first meeting; the bucket's file wins"
    CONFLICT_LOCAL = "changed on both sides; the local file wins"
    CONFLICT_REMOTE = "changed on both sides; the bucket's file wins"
    DESTINATION_CHANGED = "the side being written to changed; the source wins"
    DELETED_LOCAL = "deleted here; `deletions` carries that to the bucket"
    DELETED_REMOTE = "deleted in the bucket; `deletions` carries that here"
    EXPIRED = "expired in the bucket by its ttl, which is no deletion; sent again"
    EXPIRED_LEFT = "expired in the bucket by its ttl, which is no deletion; `expired` leaves it"
    REFRESH = "about to expire in the bucket; `refresh_before` sends it again"
    RECORDED_LATE = "the same on both sides; an earlier pass ended before recording it"
    UNSEEN = "sent a moment ago, and the bucket does not show it yet"
    GONE = "gone from both sides"
    NOT_READY = "new or changed here, but the ready file is in no folder above it yet"
    READY_LATER = "not all files of its folder went up; it is sent once they have"
    NOT_READY_AGAIN = "removed here, so its folder is not ready; it is not fetched again"
    HIDDEN = "hidden by a filter; what is on either side stays as it is"
    IN_STEP = "in step"
    OTHER_DIRECTION = "the profile's direction does not bring it over"
    DESTINATION_NEWER = "the side being written to holds a version that the policy keeps"


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict on one key. `verb` None: nothing is to be done, for `reason`."""

    verb: Verb | None
    reason: Reason
    loser: Loser = Loser.NONE
    compare: bool = False
    """Both sides have one size: compare their content first, and adopt if it is equal."""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do to one key, with what the plan saw of it."""

    verb: Verb
    key: str
    reason: Reason
    local: LocalEntry | None
    """The local file that the action expects to find; None: none may be there."""
    remote: RemoteEntry | None
    """The remote object that the action expects to find; None: none may be there."""
    loser: Loser = Loser.NONE
    compare: bool = False

    @property
    def size_bytes(self) -> int:
        """Bytes that will travel, at most."""
        if self.verb is Verb.UPLOAD and self.local is not None:
            return self.local.size
        if self.verb in {Verb.DOWNLOAD, Verb.DELETE_REMOTE} and self.remote is not None:
            return self.remote.size
        return 0


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A big file on its way in parts: all that the next pass needs to go on with it."""

    key: str
    direction: Direction
    """`UPLOAD` or `DOWNLOAD`."""
    size: int
    stamp: int
    """Which version: the `mtime_ns` of a file that goes up, the `created_us` of an object."""
    handle: str
    """The upload's id, or the name of the staged file."""
    source: str
    """The storage provider, or the version of the object in its words (its ETag)."""
    part_bytes: int
    """Size of every part but the last."""
    started_us: int
    """By the service's clock."""
    parts: Mapping[int, str] = field(default_factory=dict)
    """What has arrived, by number from 1 on; of an upload, what the provider calls the part."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part that has arrived."""

    key: str
    direction: Direction
    number: int
    tag: str
    """What the provider calls it; empty where it came down."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Trouble with one key. The pass goes on; the key is tried again in the next one."""

    key: str
    message: str
    """What is wrong and what to do, in words, free of tokens and signed URLs."""


@dataclass(slots=True)
class Outcome:
    """What became of one action. Not frozen, since that would cost a small file 2 % of its time."""

    action: Action
    did: Verb | None
    """What was really done (a compared action may end as an adopt); None: nothing."""
    baseline: BaselineEntry | None = None
    """What both sides now say, where that is known."""
    intents: tuple[Intent, ...] = ()
    """Finished uploads whose `time_created` is still to be learnt."""
    forgotten: bool = False
    """The baseline of the key is to go."""
    problem: Problem | None = None
    error: Exception | None = None
    """What the problem came from."""
    bytes_up: int = 0
    bytes_down: int = 0
    extra_keys: tuple[str, ...] = ()
    """Further keys that were written: the renamed loser of a conflict."""
    deferred: bool = False
    """The file is younger than `settle`: look again once it has come to rest."""
    seconds: float = 0.0
    """How long it took, from its first step to its last."""


@dataclass(frozen=True, slots=True)
class Settled:
    """Actions that only write the baseline, many at a time: a first pass may have a million."""

    in_step: Sequence[BaselineEntry]
    """What both sides say of the keys that are adopted."""
    forgotten: Sequence[str]
    """Keys whose baseline is to go."""
    outcomes: Callable[[], Iterator[Outcome]]
    """What became of each, for those who follow a pass key by key."""

    @property
    def count(self) -> int:
        """How many they are."""
        return len(self.in_step) + len(self.forgotten)


@dataclass(slots=True)
class PlanSummary:
    """Totals of a plan, kept while its decisions stream by."""

    local_files: int = 0
    remote_files: int = 0
    others: int | None = 0
    """Objects in the bucket besides those, where only some keys are looked at; None: they were not
    counted."""
    pages: int = 0
    """API calls that it took to see the bucket: a page of the listing each, or a key."""
    bucket_calls: int = 0
    """API calls that the bucket's id and ttl took: one, where something depends on them."""
    actions: dict[Verb, int] = field(default_factory=dict)
    """Number of actions by verb."""
    conflicts: int = 0
    comparisons: int = 0
    """Actions that compare content first."""
    bytes_up: int = 0
    bytes_down: int = 0
    transfer_calls: int = 0
    """API calls that the actions take, at most."""
    in_step: int = 0
    """Keys that the baseline holds."""
    changed_local: int = 0
    """Keys of the baseline that changed here."""
    left: dict[Reason, int] = field(default_factory=dict)
    """Keys left as they are, though the sides differ, by reason."""
    pace: Pace | None = None
    """How quickly API calls may be made; None: the service tells of no limit."""

    @property
    def action_count(self) -> int:
        """Actions of every verb."""
        return sum(self.actions.values())

    @property
    def api_calls(self) -> int:
        """API calls of a whole pass, at most: pages, transfers, and learning what was stored."""
        planning = self.pages + self.bucket_calls
        return planning + self.transfer_calls + self.confirm_calls(self.uploads)

    @property
    def minutes(self) -> int | None:
        """What the quota makes of that, 0 if it is less than one; None: there is no limit."""
        if self.pace is None:
            return None
        calls, a_minute = self.api_calls, self.pace.a_minute
        return 0 if calls < a_minute else round(calls / a_minute)

    @property
    def uploads(self) -> int:
        """Files that go up."""
        return self.actions.get(Verb.UPLOAD, 0)

    def confirm_calls(self, uploads: int) -> int:
        """The cheaper of one get an upload and one more listing (invariant I10)."""
        if self.others is None:
            return uploads
        listing = max(1, -(-(self.remote_files + self.others + uploads) // PAGE_ITEMS))
        return min(uploads, listing)


@dataclass(frozen=True, slots=True)
class Report:
    """What one pass over one profile did, or for a dry run would do."""

    profile: str
    pass_id: str
    dry_run: bool
    seconds: float
    planned: PlanSummary
    done: dict[Verb, int]
    """Number of actions that ended well, by verb."""
    bytes_up: int
    bytes_down: int
    api_calls: dict[str, int]
    """Calls made, by endpoint."""
    api_answers: dict[str, dict[str, int]]
    """The same calls, by endpoint and by the status of the answer; `none`: there was no answer."""
    problems: tuple[Problem, ...]
    """The first of them, by key."""
    problem_count: int
    """All of them."""
    extra_keys: tuple[str, ...]
    """Losers of conflicts that were kept under names of their own."""
    quota_left: int | None = None
    """API calls that the service still allowed in its window then, to everybody behind this
    address; None: it tells of no limit."""
    halt: str | None = None
    """Why a real pass would stop before its first action; None: it would not."""
    notes: tuple[str, ...] = ()
    """What a person may want to know, and need do nothing about."""
    is_stopped: bool = False
    """The pass was asked to end before its end; the next one goes on."""
    in_step: int | None = None
    """Keys that are in step at the end of the pass; None: a dry run, or it broke off."""

    @property
    def exit_code(self) -> int:
        """0: in step; 1: some keys failed and are tried again in the next pass; 4: a halt; 130:
        stopped before its end."""
        if self.halt is not None:
            return SafetyHalt.exit_code
        if self.is_stopped:
            return EXIT_INTERRUPTED
        return 1 if self.problem_count else 0
