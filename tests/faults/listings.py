"""What may be wrong with a listing of several pages: the table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from unittest import mock

from faults.stage import Stage
from ubiops_file_sync.emulator import Behaviour, Fault
from ubiops_file_sync.emulator.listing import Token

PAGES = 4
NAMES = [f"f{n:02}" for n in range(9)]
"""In step, three on a page; `faults.stage.KEPT` stand on the last one."""
FAILURES = {
    "timeout": ("hang", 0, None),
    "reset": ("reset_before", 0, None),
    "500": ("status", 500, None),
    "429": ("status", 429, None),
    "truncated": ("truncate", 0, None),
    "no length": ("truncate_chunked", 0, None),
    "wrong body": ("wrong_body", 0, None),
    "sign-in page": ("status", 200, "<html><body>Please sign in.</body></html>"),
}
"""Kind, status and body of what fails on a page, by name."""


@dataclass(frozen=True, slots=True)
class Oddity:
    """One thing that a listing does, or that somebody does to the bucket between two pages."""

    name: str
    title: str
    happens: Callable[[Stage], None]
    effect: str
    """What comes of it, as the page says it."""
    exit_code: int = 0
    says: str = ""


@contextmanager
def three_a_page() -> Iterator[None]:
    """So many are asked for."""
    with mock.patch("ubiops_file_sync.bucket.ubiops.PAGE_ITEMS", 3):
        yield


def prepare(stage: Stage) -> None:
    """Four pages in step; an edit here, and one there that stands on the first page."""
    stage.set(deletions="both")
    contents = {name: f"content of {name}".encode() for name in NAMES}
    stage.in_step(**contents)
    stage.precious |= set(contents.values()) - {contents["f04"]}
    stage.edit("f04", b"changed here")
    stage.store("f01", b"changed there")


def _behaves(how: Behaviour) -> Callable[[Stage], None]:
    def happens(stage: Stage) -> None:
        stage.world.server.behaviour = how

    return happens


def _page(stage: Stage, number: int, keys: list[str], token: str | None) -> None:
    """Answer one page by these keys, and what follows by `token`."""
    known = stage.world.server.objects()
    files = [
        {
            "file": f"data/{key}",
            "size": known[f"data/{key}"][0],
            "time_created": datetime.fromtimestamp(0, UTC).isoformat()
            if key not in NAMES
            else _time(known[f"data/{key}"][1]),
        }
        for key in keys
    ]
    body = json.dumps({"files": files, "continuation_token": token})
    stage.world.server.faults.add(
        Fault("list", "status", times=None, code=200, page=number, body=body)
    )


def _time(created_us: int) -> str:
    whole, rest = divmod(created_us, 1_000_000)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{rest:06}Z"


def _next(page: int, last: str) -> str:
    return Token(page, f"data/{last}\0").text()


def _leaves_out(stage: Stage) -> None:
    _page(stage, 1, ["f03", "f05"], _next(2, "f05"))


def _ends_early(stage: Stage) -> None:
    _page(stage, 1, ["f03", "f04", "f05"], None)


def _twice_on_a_page(stage: Stage) -> None:
    _page(stage, 1, ["f03", "f03", "f04", "f05"], _next(2, "f05"))


def _circle(stage: Stage) -> None:
    _page(stage, 1, ["f03", "f04", "f05"], Token(1, "data/f02\0").text())


def _outside(stage: Stage) -> None:
    body = json.dumps(
        {"files": [{"file": "elsewhere/x", "size": 1, "time_created": "2024-01-01T00:00:00Z"}]}
    )
    stage.world.server.faults.add(Fault("list", "status", times=None, code=200, page=1, body=body))


def _fails_too(stage: Stage) -> None:
    stage.world.server.behaviour = Behaviour(unsorted=True)
    stage.world.server.faults.add(Fault("list", "status", times=None, page=3))


def _bad_token(stage: Stage) -> None:
    stage.world.server.faults.add(Fault("list", "status", times=None, code=400, page=2))


def _between(do: Callable[[Stage], None]) -> Callable[[Stage], None]:
    """Just before the third page is answered, once."""

    def happens(stage: Stage) -> None:
        stage.world.server.faults.add(
            Fault("list", "latency", page=2, seconds=0, meanwhile=lambda: do(stage))
        )

    return happens


def _stored(key: str) -> Callable[[Stage], None]:
    return lambda stage: stage.store(key, f"stored meanwhile as {key}".encode())


def _deleted(key: str) -> Callable[[Stage], None]:
    def do(stage: Stage) -> None:
        content = stage.world.server.read_object(f"data/{key}")
        stage.world.server.delete_object(f"data/{key}")
        if content == b"changed there":
            stage.precious.discard(content)  # Nobody else has it, and nobody wants it.

    return do


def _overwritten(key: str) -> Callable[[Stage], None]:
    def do(stage: Stage) -> None:
        stage.precious.discard(stage.world.server.read_object(f"data/{key}"))
        _stored(key)(stage)

    return do


def _moved(old: str, new: str) -> Callable[[Stage], None]:
    def do(stage: Stage) -> None:
        stage.world.put(new, stage.world.server.read_object(f"data/{old}"))
        stage.world.server.delete_object(f"data/{old}")

    return do


def _emptied(stage: Stage) -> None:
    for key in list(stage.world.server.objects("data/")):
        stage.world.server.delete_object(key)
    stage.precious.discard(b"changed there")


_VANISHED = "it vanished from the bucket during the pass; the next one looks again"

ODDITIES = {
    one.name: one
    for one in (
        Oddity("repeat", "an item comes again on the next page",
               _behaves(Behaviour(repeat_item_between_pages=True)),
               "sorted here, at a second listing's cost"),
        Oddity("twice", "an item comes twice on one page", _twice_on_a_page,
               "sorted here, at a second listing's cost"),
        Oddity("out of order", "the keys come in no order", _behaves(Behaviour(unsorted=True)),
               "sorted here, at a second listing's cost"),
        Oddity("out of order and fails", "they come in no order, and then a page fails", _fails_too,
               "the pass ends", 3, "answered 500.*Nothing was changed"),
        Oddity("short", "pages are short, and some are empty",
               _behaves(Behaviour(short_pages=True)),
               "only a missing token ends a listing"),
        Oddity("leaves out", "an item is left out, though it is there", _leaves_out,
               "that file fails: the storage refuses to overwrite what it has", 1,
               "f04: an object came under this key during the pass; the next one takes it"),
        Oddity("ends early", "the listing ends in the middle", _ends_early,
               "each file that seems deleted is looked at once more, and fails; none is deleted", 1,
               "5 files failed.*\n.*\n.*f06: the object came back during the pass"),
        Oddity("circle", "the pages go round in a circle", _circle, "the pass ends", 3,
               "goes round in a circle.*Nothing was changed"),
        Oddity("outside", "an item is not of this place", _outside, "the pass ends", 3,
               "names objects outside.*Nothing was changed"),
        Oddity("bad token", "the token is refused (400)", _bad_token, "the pass ends", 3,
               "answered 400.*Nothing was changed"),
        Oddity("added before", "an object is added where the listing has been",
               _between(_stored("a new one")), "the next pass takes it"),
        Oddity("added ahead", "an object is added where it is still to come",
               _between(_stored("z new one")), "downloaded"),
        Oddity("deleted before", "an object is deleted where it has been",
               _between(_deleted("f00")), "the next pass deletes the file, into the trash"),
        Oddity("deleted ahead", "an object is deleted where it is still to come",
               _between(_deleted("f08")), "the file is deleted, into the trash"),
        Oddity("wanted and gone", "an object is deleted that was to be downloaded",
               _between(_deleted("f01")), "that file fails", 1, f"f01: {_VANISHED}"),
        Oddity("wanted and changed", "an object is overwritten that was to be downloaded",
               _between(_overwritten("f01")), "that file fails", 1,
               "f01: the object changed in the bucket during the pass; the next takes it"),
        Oddity("overwritten ahead", "an object is overwritten where it is still to come",
               _between(_overwritten("f08")), "downloaded"),
        Oddity("moved back", "an object is moved from ahead to where it has been",
               _between(_moved("f08", "a moved")),
               "the file is deleted, into the trash; the next pass fetches it by its new name"),
        Oddity("moved ahead", "an object is moved from where it has been to ahead",
               _between(_moved("f00", "z moved")),
               "fetched by its new name; the next pass deletes the old one, into the trash"),
        Oddity("emptied", "all objects are deleted", _between(_emptied),
               "what is still to come is deleted here too, into the trash; the next pass would "
               "delete the rest", 1, f"f01: {_VANISHED}"),
    )
}  # fmt: skip
