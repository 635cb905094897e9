"""What the campaign rests on: no boundary is missed, and the histories bring everything about."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import pytest

from crash.boundaries import Boundary, Kind, Point, When
from crash.campaign import Stand, points_of, sample_of
from crash.histories import HISTORIES, Course, Played
from crash.places import wait_until_quiet
from crash.test_points import SAMPLE
from crash.zygote import Ended, Planned
from ubiops_file_sync.emulator import BucketServer
from ubiops_file_sync.model import Direction, Loser, Reason, Verb

_REQUESTS = {Kind.API, Kind.PUT, Kind.GET, Kind.BLOCK}


@dataclass
class _Seen:
    """What all histories came to, taken together."""

    planned: list[tuple[Course, Planned]] = field(default_factory=list)
    done: Counter[Verb] = field(default_factory=Counter)
    met: list[Boundary] = field(default_factory=list)
    sampled: set[tuple[Kind, When]] = field(default_factory=set)


def test_no_boundary_is_missed_and_every_kind_of_all_there_is_comes_about(stand: Stand) -> None:
    seen = _Seen()
    for number in range(HISTORIES):
        played = stand.play(number)
        order = played.order
        plan = stand.zygote.run(replace(order, is_plan=True)).planned
        stand.server.reset_calls()
        ended = stand.zygote.run(replace(order, is_proven=True))
        _check_none_is_missed(number, ended, stand.server)
        seen.planned += [(played.course, one) for one in plan]
        seen.done += Counter(ended.done)
        seen.met += ended.met
        sample = sample_of(points_of(ended.met), number, SAMPLE)
        seen.sampled |= {(point.boundary.kind, point.when) for point in sample}
    _check_all_came_about(seen)


def _check_none_is_missed(number: int, ended: Ended, server: BucketServer) -> None:
    met = Counter(one.kind for one in ended.met)
    from_below = Counter(ended.from_below)
    for kind in Kind:
        if kind not in _REQUESTS:
            assert met[kind] == from_below[kind], f"history {number}: {kind}"
    calls = server.calls
    assert met[Kind.API] == calls.api_count, f"history {number}"
    assert met[Kind.PUT] == calls.count("put", "put_part"), f"history {number}"
    assert met[Kind.GET] == calls.count("get_blob"), f"history {number}"
    assert len(set(ended.met)) == len(ended.met), "two boundaries of one name"


def _check_all_came_about(seen: _Seen) -> None:
    assert set(seen.done) == set(Verb)
    losers = {(one.verb, one.loser) for _, one in seen.planned}
    assert {(verb, loser) for verb in (Verb.UPLOAD, Verb.DOWNLOAD) for loser in Loser} <= losers
    reasons = {one.reason for _, one in seen.planned}
    assert reasons >= {
        Reason.NEW_LOCAL,
        Reason.NEW_REMOTE,
        Reason.CHANGED_LOCAL,
        Reason.CHANGED_REMOTE,
        Reason.LOST_LOCAL,
        Reason.LOST_REMOTE,
        Reason.EDIT_BEATS_DELETE_LOCAL,
        Reason.EDIT_BEATS_DELETE_REMOTE,
        Reason.FIRST_MEETING_LOCAL,
        Reason.FIRST_MEETING_REMOTE,
        Reason.CONFLICT_LOCAL,
        Reason.CONFLICT_REMOTE,
        Reason.DESTINATION_CHANGED,
        Reason.DELETED_LOCAL,
        Reason.DELETED_REMOTE,
        Reason.EXPIRED,
        Reason.REFRESH,
        Reason.RECORDED_LATE,
        Reason.GONE,
    }
    by_direction = {
        direction: {one.verb for course, one in seen.planned if _direction(course) == direction}
        for direction in Direction
    }
    assert by_direction[Direction.TWO_WAY] == set(Verb)
    assert Verb.DELETE_REMOTE in by_direction[Direction.UPLOAD]
    assert Verb.DELETE_LOCAL in by_direction[Direction.DOWNLOAD]
    assert {one.kind for one in seen.met} == set(Kind)
    assert any(one.kind is Kind.PUT and " part 2" in one.what for one in seen.met)
    assert any(one.kind is Kind.GET and " bytes=70000-" in one.what for one in seen.met)
    assert seen.sampled == {(kind, when) for kind in Kind for when in When}


def _direction(course: Course) -> str:
    return str(course.settings["direction"])


@pytest.mark.parametrize("when", When)
def test_a_pass_is_dead_at_the_very_point(stand: Stand, when: When) -> None:
    played = stand.play(0)
    frozen = stand.freeze(played)
    whole = stand.zygote.run(played.order)
    key = _sent(played, whole)
    for kind, operation in ((Kind.API, "sign_upload"), (Kind.PUT, "put")):
        boundary = next(one for one in whole.met if one.kind is kind and key in one.what)
        frozen.bring_back()
        stand.server.reset_calls()
        ended = stand.zygote.run(replace(played.order, kill_at=Point(boundary, when)))
        assert ended.was_killed
        wait_until_quiet(stand.server)
        assert len(stand.server.calls.of(operation, f"data/{key}")) == (when is When.AFTER)
        assert (f"data/{key}" in stand.server.objects()) == (
            kind is Kind.PUT and when is When.AFTER
        )


def _sent(played: Played, whole: Ended) -> str:
    """A new file that went up whole."""
    key = next(
        path.relative_to(played.world.root).as_posix()
        for path in sorted(played.world.root.rglob("new-here-*"))
        if path.suffix != ".big"
    )
    assert any(one.kind is Kind.PUT and key in one.what for one in whole.met)
    return key
