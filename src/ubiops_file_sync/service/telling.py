"""What the service says of itself. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any

import msgspec

from ubiops_file_sync.config import Settings
from ubiops_file_sync.phrases import counted
from ubiops_file_sync.service.lanes import Lane
from ubiops_file_sync.service.run import PassRun
from ubiops_file_sync.status import Live, TransferLine

_Moment = Annotated[datetime, msgspec.Meta(tz=True)]


def status_words(lanes: Iterable[Lane], settings: Settings, config_error: str | None) -> str:
    """One line for people, as `systemctl status` shows it."""
    lanes = list(lanes)
    words = [counted(len(lanes), "profile")]
    running = [lane.profile.name for lane in lanes if lane.is_running]
    if running:
        words.append(f"passes under way: {', '.join(running)}")
    failing = [lane.profile.name for lane in lanes if lane.failures]
    if failing:
        words.append(f"FAILING: {', '.join(failing)}")
    troubled = [
        lane.profile.name for lane in lanes if lane.last_exit_code == 1 and not lane.failures
    ]
    if troubled:
        words.append(f"some files failed: {', '.join(troubled)}")
    paused = [lane.profile.name for lane in lanes if lane.is_paused and not lane.is_retired]
    if paused:
        words.append(f"paused: {', '.join(paused)}")
    waiting = [lane for lane in lanes if not lane.is_running and not lane.is_paused]
    if waiting and not running:
        first = min(waiting, key=lambda lane: lane.due.at)
        zone = settings.zone(first.profile)
        at = f"{first.due.at.astimezone(zone):%H:%M:%S %Z}"
        words.append(f"next pass: {first.profile.name} at {at}")
    if config_error is not None:
        words.append("the changed configuration is not usable, and the old one goes on")
    return "; ".join(words)


def _backing_off(lane: Lane) -> str | None:
    if not lane.due.is_backing_off:
        return None
    return f"{counted(lane.failures, 'failure')} in a row"


def live_of(lane: Lane, run: PassRun | None, quota_left: int | None) -> dict[str, Any]:
    """What only the service knows of a profile, as JSON has it."""
    until = lane.paused_until
    transfers = [] if run is None else run.traffic.transfers()
    is_due = not lane.is_running and not lane.is_paused
    return {
        "is_running": lane.is_running,
        "is_wanted": lane.is_wanted,
        "next_due": lane.due.at.isoformat() if is_due else None,
        "is_paused": lane.is_paused,
        "paused_until": None if until is None else until.isoformat(),
        "failures": lane.failures,
        "backing_off": _backing_off(lane) if is_due else None,
        "last_exit_code": lane.last_exit_code,
        "last_error": lane.last_error,
        "quota_left": quota_left,
        "transfers": [
            {
                "key": one.key,
                "way": one.way.value,
                "done_bytes": one.done_bytes,
                "size_bytes": one.size_bytes,
                "bytes_per_s": round(one.bytes_per_s),
            }
            for one in transfers
        ],
    }


class _LiveShape(msgspec.Struct):
    next_due: _Moment | None
    is_wanted: bool
    is_paused: bool
    paused_until: _Moment | None
    backing_off: str | None
    transfers: tuple[TransferLine, ...]
    quota_left: int | None


def live_from(told: dict[str, Any]) -> Live:
    """What `live_of` said, on the other side of the socket. Raises ValueError for what another
    version says."""
    return Live(**msgspec.structs.asdict(msgspec.convert(told, _LiveShape)))


def paused_of(lanes: Iterable[Lane]) -> dict[str, Any]:
    """Who is paused until when, to be written down."""
    return {
        lane.profile.name: None if lane.paused_until is None else lane.paused_until.isoformat()
        for lane in lanes
        if lane.is_paused and not lane.is_retired
    }


def paused_from(told: Mapping[str, Any]) -> dict[str, datetime | None]:
    """What `paused_of` said. A time that cannot be read counts as none: a pause is no accident."""
    found: dict[str, datetime | None] = {}
    for name, until in told.items():
        found[name] = None
        with suppress(TypeError, ValueError):
            moment = _moment(until)
            found[name] = moment if moment is None or moment.tzinfo else None
    return found


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
