"""What a wall clock shows at an instant, and at which instants it shows a time.

Instants are aware datetimes in UTC, readings of the wall clock naive ones. A zone of None is the
system's, which `datetime` asks of the C library, with all its past and coming clock changes.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, datetime, timedelta, tzinfo

_ONE_SECOND = timedelta(seconds=1)


def reading(instant: datetime, zone: tzinfo | None) -> datetime:
    """What the clock shows, to the second; `fold` is 1 where it shows it again (PEP 495)."""
    if zone is None:
        # Unlike astimezone, this tells the fold.
        return datetime.fromtimestamp(instant.timestamp() // 1)  # noqa: DTZ006  the system's zone
    return instant.astimezone(zone).replace(tzinfo=None, microsecond=0)


def instants(shown: datetime, zone: tzinfo | None) -> tuple[datetime, datetime]:
    """The first and the second instant at which the clock shows that.

    They are the same for all but the hours of a clock change. Where the clock was set back, the
    first is before the second. Where it was set forward over that time, the clock shows it at
    neither, and the first is *after* the second: the change lies between them.
    """
    first, second = (
        # By way of a timestamp: astimezone of CPython 3.11 has the two of a time that the
        # system's clock skips the wrong way round.
        datetime.fromtimestamp(shown.replace(fold=fold, tzinfo=zone).timestamp(), UTC)
        for fold in (0, 1)
    )
    return first, second


def change_within(before: datetime, after: datetime, zone: tzinfo | None) -> datetime:
    """The first instant with the offset that the zone has at `after`.

    Both are whole seconds, as the changes of zones are, and there is one change between them.
    """
    offset = after.astimezone(zone).utcoffset()
    seconds = range(int((after - before).total_seconds()))
    nth = bisect_left(
        seconds,
        True,
        key=lambda second: (before + second * _ONE_SECOND).astimezone(zone).utcoffset() == offset,
    )
    return before + nth * _ONE_SECOND
