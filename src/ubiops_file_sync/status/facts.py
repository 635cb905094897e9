"""How a profile is doing: plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ubiops_file_sync.model import Direction, Pace, Unfinished
from ubiops_file_sync.past import PastPass

SOON_DAYS = 7
"""What expires within so many days is told of."""


@dataclass(frozen=True, slots=True)
class TransferLine:
    """A file on its way."""

    key: str
    way: Direction
    """`UPLOAD` or `DOWNLOAD`."""
    done_bytes: int
    size_bytes: int
    bytes_per_s: float | None = None
    """None: not known yet."""
    last_error: str | None = None
    """Why the last try failed; None: it did not."""


@dataclass(frozen=True, slots=True)
class Live:
    """What the process knows that runs a profile's passes."""

    next_due: datetime | None = None
    """None: no pass is due."""
    is_paused: bool = False
    paused_until: datetime | None = None
    """None: until somebody lets it go on, if it is paused."""
    backing_off: str | None = None
    """Why passes come less often than scheduled, in words; None: they do not."""
    is_wanted: bool = False
    """Somebody asked for a pass that has not begun yet."""
    transfers: tuple[TransferLine, ...] = ()
    quota_left: int | None = None
    """API calls that may be made until the quota's window ends, by everybody behind this address,
    as of the last answer; None: not known."""


@dataclass(frozen=True, slots=True)
class Expiry:
    """What the bucket's ttl will take, as of what was last in step."""

    ttl_us: int
    first_us: int | None
    """When the first file expires; None: there is none."""
    soon_count: int
    """Files that expire within `SOON_DAYS`, or have."""


@dataclass(frozen=True, slots=True)
class ProfileStatus:
    """One profile at one moment. Times are microseconds since the epoch, UTC."""

    name: str
    local_dir: str
    project: str
    bucket: str
    prefix: str
    asked_us: int
    """When this was so."""
    last: PastPass | None = None
    """The last pass over everything that is not under way; None: none is remembered."""
    last_success: PastPass | None = None
    """The last one that ended well; None: none is remembered."""
    under_way: PastPass | None = None
    held_by: str | None = None
    """Who holds the profile, for a pass or for something else; None: nobody."""
    in_step_count: int = 0
    """Files that are recorded as being in step."""
    conflicts: tuple[str, ...] = ()
    """The first of the losers of conflicts that were kept beside the winners and still are."""
    conflict_count: int = 0
    """All of them."""
    expiry: Expiry | None = None
    """None: files do not expire, or `is_ttl_known` is False."""
    is_ttl_known: bool = False
    """Whether a pass had to ask the bucket how long files stay."""
    pace: Pace | None = None
    """The API's quota, as the last pass that was told of it saw it."""
    unfinished: tuple[Unfinished, ...] = ()
    """Big files that the next pass goes on with."""
    is_of_other_places: bool = False
    """The state belongs to another directory or bucket, so the next pass halts."""

    @property
    def is_in_step(self) -> bool | None:
        """Whether the last pass left both sides the same; None: there was none."""
        if self.last is None:
            return None
        account = self.last.account
        return self.last.exit_code == 0 and not account.left and not self.is_of_other_places
