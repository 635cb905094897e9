"""Histories that bring a profile to where a pass has much to do, the same from the same number.

Each has a policy of its own and a dozen keys, and each key a fate: what an earlier pass saw of it,
and what both sides did since. Together they bring about every verb, whatever becomes of losers, and
files that travel in parts; `test_histories.py` sees to that.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from crash.zygote import Order
from engine.world import World
from ubiops_file_sync.emulator import BucketServer
from ubiops_file_sync.plan.guards import BUCKET_REPLACED, EMPTY_ROOT

PART_BYTES = 70_000
"""More than libcurl is handed whole, so that the parts of a part show too."""
THRESHOLD_BYTES = 2 * PART_BYTES
TTL_DAYS = 14
DAY_S = 86_400

HISTORIES = 36


@dataclass(frozen=True)
class Fate:
    """What becomes of one key."""

    name: str
    earlier: Callable[[Stage, str], None] | None
    """What the earlier pass finds; None: nothing, and the fate is fit for a first pass too."""
    since: Callable[[Stage, str], None]
    """What was done since."""


@dataclass
class Stage:
    """A world, and hands that write on both sides of it."""

    world: World
    dice: random.Random
    count: int = 0

    def content(self, key: str, *, size: int | None = None, big: bool = False) -> bytes:
        """A content that never was before."""
        self.count += 1
        start = f"{key} {self.count:04d} ".encode()
        usual = self.dice.randrange(100, 900)
        if big:
            usual = THRESHOLD_BYTES + self.dice.randrange(1, 2 * PART_BYTES)
        length = usual if size is None else size
        return start + self.dice.randbytes(length - len(start))

    def here(self, key: str, *, ago_s: float = 100, size: int | None = None) -> bytes:
        """Write it locally."""
        content = self.content(key, size=size, big=_is_big(key))
        self.world.write(key, content, age_s=ago_s - self.offset_s)
        return content

    def there(self, key: str, *, ago_s: float = 100, size: int | None = None) -> bytes:
        """Store it in the bucket."""
        content = self.content(key, size=size, big=_is_big(key))
        self.put(key, content, ago_s=ago_s)
        return content

    def put(self, key: str, content: bytes, *, ago_s: float) -> None:
        """Store this content in the bucket."""
        self.world.put(key, content, age_s=ago_s - self.offset_s)

    def remove_here(self, key: str) -> None:
        """Delete it locally."""
        (self.world.root / key).unlink()

    def remove_there(self, key: str) -> None:
        """Delete it in the bucket, if it has not expired there."""
        self.world.server.delete_object(self.world.profile.prefix + key)

    @property
    def offset_s(self) -> float:
        """How far both clocks are ahead of this machine's."""
        return self.world.server.clock.offset_s


def _is_big(key: str) -> bool:
    return key.endswith(".big")


def _nothing(_stage: Stage, _key: str) -> None:
    pass


def _in_step(stage: Stage, key: str) -> None:
    if stage.dice.random() < 0.5:
        stage.here(key, ago_s=5000)
    else:
        stage.there(key, ago_s=5000)


def _equal(stage: Stage, key: str) -> None:
    content = stage.here(key, ago_s=300)
    stage.put(key, content, ago_s=200)


def _fetched_unrecorded(stage: Stage, key: str) -> None:
    """As a download leaves it that nobody lived to record."""
    content = stage.there(key, ago_s=400)
    created_us = stage.world.server.objects(stage.world.profile.prefix + key).popitem()[1][1]
    path = stage.world.write(key, content)
    os.utime(path, ns=(created_us * 1000, created_us * 1000))


def _both(newer_is_here: bool, *, one_size: bool) -> Callable[[Stage, str], None]:
    def edit(stage: Stage, key: str) -> None:
        times = (50, 250) if newer_is_here else (250, 50)
        content = stage.here(key, ago_s=times[0])
        stage.there(key, ago_s=times[1], size=len(content) if one_size else len(content) + 7)

    return edit


def _edited_here(stage: Stage, key: str) -> None:
    stage.here(key, ago_s=40)


def _edited_there(stage: Stage, key: str) -> None:
    stage.there(key, ago_s=40)


def _both_edited_alike(stage: Stage, key: str) -> None:
    _equal(stage, key)


def _touched(stage: Stage, key: str) -> None:
    stage.world.write(key, (stage.world.root / key).read_bytes(), age_s=30 - stage.offset_s)


def _deleted_here(stage: Stage, key: str) -> None:
    stage.remove_here(key)


def _deleted_there(stage: Stage, key: str) -> None:
    stage.remove_there(key)


def _deleted_on_both(stage: Stage, key: str) -> None:
    stage.remove_here(key)
    stage.remove_there(key)


def _deleted_here_edited_there(stage: Stage, key: str) -> None:
    stage.remove_here(key)
    stage.there(key, ago_s=40)


def _edited_here_deleted_there(stage: Stage, key: str) -> None:
    stage.remove_there(key)
    stage.here(key, ago_s=40)


def _empty_here(stage: Stage, key: str) -> None:
    stage.world.write(key, b"", age_s=60 - stage.offset_s)


def _empty_there(stage: Stage, key: str) -> None:
    stage.world.put(key, b"", age_s=60 - stage.offset_s)


def _leads_outside(stage: Stage, key: str) -> None:
    """A folder that is a link to elsewhere, and an object below that name."""
    folder = Path(key).parts[0] + "-link"
    link = stage.world.root / folder
    if not link.is_symlink():
        link.symlink_to(stage.world.root.parent / "outside")
    stage.there(f"{folder}/secret", ago_s=10)


_FIRST = [
    Fate("new-here", None, _edited_here),
    Fate("new-there", None, _edited_there),
    Fate("equal", None, _equal),
    Fate("fetched", None, _fetched_unrecorded),
    Fate("met-newer-here", None, _both(True, one_size=False)),
    Fate("met-newer-there", None, _both(False, one_size=False)),
    Fate("met-newer-here-one-size", None, _both(True, one_size=True)),
    Fate("met-newer-there-one-size", None, _both(False, one_size=True)),
    Fate("empty-here", None, _empty_here),
    Fate("empty-there", None, _empty_there),
    Fate("outside", None, _leads_outside),
]
_LATER = [
    Fate("untouched", _in_step, _nothing),
    Fate("edited-here", _in_step, _edited_here),
    Fate("edited-there", _in_step, _edited_there),
    Fate("edited-newer-here", _in_step, _both(True, one_size=False)),
    Fate("edited-newer-there", _in_step, _both(False, one_size=False)),
    Fate("edited-newer-there-one-size", _in_step, _both(False, one_size=True)),
    Fate("edited-alike", _in_step, _both_edited_alike),
    Fate("touched", _in_step, _touched),
    Fate("deleted-here", _in_step, _deleted_here),
    Fate("deleted-there", _in_step, _deleted_there),
    Fate("deleted-on-both", _in_step, _deleted_on_both),
    Fate("deleted-here-edited-there", _in_step, _deleted_here_edited_there),
    Fate("edited-here-deleted-there", _in_step, _edited_here_deleted_there),
]
_BIG_FIRST = ["new-here", "new-there", "equal", "met-newer-here", "met-newer-there"]
_BIG_LATER = ["edited-here", "edited-there", "edited-newer-here", "deleted-here", "deleted-there"]
_FOLDERS = ["", "", "d/", "d/e/", "models/v1/", "ä ö/"]


@dataclass(frozen=True)
class Course:
    """A history as its number makes it."""

    number: int
    settings: dict[str, Any]
    is_first_pass: bool
    """No pass was before."""
    days: float = 0
    """Days that pass between the earlier pass and this one."""
    ttl_s: int | None = None
    replaces_bucket: bool = False
    has_old_trash: bool = False
    """The time of what an earlier pass put there is over."""
    root_is_missing: bool = False
    some_only: bool = False
    """The pass is one over some keys."""

    @classmethod
    def of(cls, number: int) -> Course:
        """The policies by turns, each of another length, so that they meet in ever new ways."""
        dice = random.Random(f"course {number}")
        turns: dict[str, list[Any]] = {
            "direction": [*["two-way"] * 2, "upload", *["two-way"] * 2, "download", "two-way"],
            "conflict": ["newer-wins", "keep-both", "local-wins", "keep-both", "remote-wins"],
            "deletions": ["both", "both", "none", "to_bucket", "both", "to_local", "both", "none"],
            "workers": [1, 2, 4, 2, 1, 4, 3, 2, 1, 4, 3],
        }
        settings: dict[str, Any] = {
            name: values[number % len(values)] for name, values in turns.items()
        }
        settings |= {"max_delete": "100%", "multipart_threshold": 5 * 1024 * 1024}
        kind = number % 9
        if kind == 4:
            settings["expired"] = dice.choice(["reupload", "leave"])
            return cls(number, settings, is_first_pass=False, days=15, ttl_s=TTL_DAYS * DAY_S)
        if kind == 5:
            settings |= {"refresh_before": 5 * DAY_S, "trash": {"keep_days": 1}}
            return cls(
                number,
                settings,
                is_first_pass=False,
                days=10,
                ttl_s=TTL_DAYS * DAY_S,
                has_old_trash=True,
            )
        if kind == 6:
            return cls(number, settings, is_first_pass=False, replaces_bucket=True)
        if kind == 7:
            return cls(number, settings, is_first_pass=False, some_only=True)
        if kind == 8:
            missing = settings["direction"] != "upload"
            return cls(number, settings, is_first_pass=True, root_is_missing=missing)
        return cls(number, settings, is_first_pass=kind == 0)


@dataclass(frozen=True)
class Played:
    """A history up to the pass that is to be killed."""

    world: World
    course: Course
    in_step: dict[str, bytes]
    """What both sides held after the earlier pass."""
    order: Order


def play(number: int, server: BucketServer, home: Path, run: Callable[[Order], Any]) -> Played:
    """Make the history's places below `home`, and bring them to its last pass.

    The bucket has the folder's name.
    """
    course = Course.of(number)
    dice = random.Random(f"history {number}")
    bucket = server.bucket = home.name
    server.clock.offset_s = 0
    server.limits.min_part_bytes = PART_BYTES
    server.create_bucket(bucket, ttl_s=course.ttl_s)
    (home / "outside").mkdir(parents=True)
    (home / "outside" / "secret").write_bytes(b"untouched")
    world = World(server, home / "root", home / "state", course.settings)
    if not course.root_is_missing:
        world.root.mkdir()
    stage = Stage(world, dice)
    fates = _fates(course, dice)
    in_step = {}
    if not course.is_first_pass:
        for key, fate in fates.items():
            if fate.earlier is not None:
                fate.earlier(stage, key)
        usual = order_of(world, course, offset_s=0)
        both_ways = replace(
            usual, allow=(), profile=usual.profile.model_copy(update={"direction": "two-way"})
        )
        run(both_ways)
        if course.has_old_trash:
            stage.there(next(key for key, fate in fates.items() if fate.earlier), ago_s=1)
            run(both_ways)
        in_step = world.local()
        assert in_step == world.remote()
    server.clock.offset_s = course.days * DAY_S
    if course.replaces_bucket:
        server.delete_bucket(bucket)
        server.create_bucket(bucket)
    for key, fate in fates.items():
        fate.since(stage, key)
    order = order_of(world, course, offset_s=server.clock.offset_s)
    if course.some_only:
        order = replace(order, only=tuple(key for key in fates if dice.random() < 0.7))
    return Played(world, course, in_step, order)


def order_of(world: World, course: Course, *, offset_s: float) -> Order:
    """The pass of a history."""
    profile = world.profile.model_copy(update={"multipart_threshold": THRESHOLD_BYTES})
    allow: tuple[str, ...] = (BUCKET_REPLACED,) if course.replaces_bucket else ()
    if course.replaces_bucket and profile.direction == "download":
        allow += (EMPTY_ROOT,)
    return Order(profile, world.state_dir, offset_s, allow, part_bytes=PART_BYTES)


def _fates(course: Course, dice: random.Random) -> dict[str, Fate]:
    """A dozen keys: most fates of a pass after another, all that a first pass may meet."""
    known = {fate.name: fate for fate in (*_FIRST, *_LATER)}
    if course.is_first_pass:
        names, big = [fate.name for fate in _FIRST], _BIG_FIRST
    else:
        some = dice.sample([fate.name for fate in _FIRST], 3)
        often = ["deleted-here", "deleted-there"]
        rest = [fate.name for fate in _LATER if fate.name not in often]
        names = [*some, *often, *dice.sample(rest, 7)]
        big = [*_BIG_FIRST, *_BIG_LATER]
    if course.root_is_missing:
        names, big = ["new-there", "empty-there"] * 3, ["new-there"]
    fates = {}
    for at, name in enumerate([*names, dice.choice(big)]):
        ending = ".big" if at == len(names) else dice.choice([".txt", ".tar.gz", ""])
        fates[f"{dice.choice(_FOLDERS)}{name}-{at}{ending}"] = known[name]
    return fates
