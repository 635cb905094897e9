"""Writes `docs/reliability.md`: what comes of each fault, from the very tables that are tested.

PYTHONPATH=tests .venv/bin/python docs/reliability.py
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from faults.files import CHANGES, ERRORS, MOMENT_REASONS, MOMENTS, STEP_REASONS, STEPS
from faults.listings import FAILURES, ODDITIES, PAGES
from faults.requests import GRIDS, MARKS, REQUESTS, TROUBLES, cases, reason
from faults.state import DAMAGES

PAGE = Path(__file__).with_name("reliability.md")

_HEAD = """# Reliability

What the program promises, whatever breaks:

- No version of a file vanishes, unless it stands on the other side or in the trash.
- Nothing is deleted without a record that it was in step, complete listings of both sides, and a
  last look at both at the moment of the act.
- No half of a file ever stands under its name, on either side.
- Trouble with one file keeps no other from its turn; a listing or a walk that fails never looks
  like deletions.
- Killed at any instant and run again, it ends where it would have ended without that. There is
  nothing to repair by hand, and no command to do so.
- Every message says what is wrong, what it concerns, and what to do, without a token or a signed
  URL in it.

The tables below are those that the tests in `tests/faults` go through, cell by cell: each cell is a
pass of the real command between a real directory and the embedded bucket server, in which that
fault is done at that place. It must end with that exit code and say so in words; nothing may be
lost, and no half of a file be anywhere; and once the fault is gone, the next pass must end with
both sides equal, and the one after it have nothing to do. The page is made of the same tables by
`docs/reliability.py`, and a test compares.
"""

_FURTHER = """## What else is tried

**Kills.** A pass is killed (SIGKILL to itself) before and after every durable boundary: each file
made, fsync, rename, link, removal, commit, API call, PUT, GET and block of a body, in 36 histories,
8,070 points in all; every fifth is killed twice more on its way back. At once every version must
stand somewhere and no final path hold a part; after two passes at most, contents, times, trash and
record equal those of a run that nobody disturbed. Besides, a real `reconcile` is killed at random
moments, from its start to its end, while both sides go on being edited. The tests take a sample and
50 kills; `.venv/bin/pytest tests/crash --crash-points all --kills 1000` takes all. SIGKILL is no
power failure: that what was flushed is on the disk is believed of the system.

**Bad input.** Configurations, listings and other answers, keys, ignore files, states, saved plans,
messages on the control socket, bundles: each is fuzzed through the code that a user's input takes,
by hypothesis in the tests, and by atheris, guided by coverage, for as long as one likes
(`PYTHONPATH=tests .venv/bin/python -m fuzz --seconds 600`). Nothing but an error in the program's
own words may come of it, and nothing may be written outside the root and the state folder.

**Whole histories.** Random edits on both sides, clock jumps, faults and kills, and after each pass
the promises above: `.venv/bin/pytest tests/histories --histories 100000` for a long campaign.

**Time.** A service runs under edits, faults, outages, reloads and pauses for three minutes in CI,
and as long as one likes by `.venv/bin/pytest -n 0 --soak 3600 tests/soak`: memory, descriptors and
threads must stay flat, and both sides be equal at its end ([figures](performance.md)).
"""

_REQUESTS = """## Requests

A fault is done once, and is done for as long as it lasts:

{marks}

Tried again means: five times, with growing pauses, for five minutes at most (ten for a listing).
{count} passes.
"""

_LISTINGS = """## Listings

A listing of {pages} pages of which one fails, be it the first or the last, in any of these ways:
{failures}. Once: exit 0. If it lasts: exit 3, and neither side nor the record was changed.

And what a listing may do, or somebody else to the bucket between its second and its third page:
"""

_FILES = """## Local files

What the operating system refuses, at each step of a pass that touches a file. `4`: the whole
profile halts, and nothing was changed.
"""

_CHANGES = """And what somebody else does to a file in the middle of a pass. What a link leads to,
outside of the directory, is neither read nor written.
"""

_DESCRIPTORS = """With a real limit of open files, from 4 on: as many travel as there are
descriptors for, the others fail with exit 1; with too few to connect or to read the directory, the
pass ends with exit 3 or 4.
"""

_STATE = """## The recorded state
"""

_AFTER_STATE = """Bytes of it are overwritten at random besides (`pytest tests/faults --damages
300`). SQLite notices that, or it does not: no file was lost in either case, and what was noticed
was said as above.
"""


def page() -> str:
    """The whole page."""
    parts = [_HEAD, _FURTHER, *_requests(), *_listings(), *_files(), *_state()]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts if part)


def _requests() -> Iterator[str]:
    marks = "\n".join(_row(f"`{mark}`", words) for mark, words in MARKS.items())
    table = f"{_header('cell', 'means')}\n{marks}"
    yield _REQUESTS.format(marks=table, count=len(cases()))
    notes: list[str] = []
    for grid in GRIDS:
        titles = [REQUESTS[name].title for name in grid.requests]
        lines = [f"### {grid.title}", "", _header("fault", *titles)]
        for name, marks_of in grid.cells():
            cells = []
            for request, mark in zip(grid.requests, marks_of, strict=True):
                why = reason(name, REQUESTS[request])
                cells.append(f"`{mark}`" if why is None else _note(why, notes))
            lines.append(_row(TROUBLES[name].title, *cells))
        yield "\n".join(lines)
    yield "\n".join(f"{number}. {why}" for number, why in enumerate(notes, 1))
    yield (
        "A 404 is no fault where something may be gone: a look that finds no object, and a "
        "deletion of one that is gone already, are answered so. It is believed only if it is the "
        "API's own, and not that of a proxy."
    )


def _note(why: str, notes: list[str]) -> str:
    """The number of a reason, in the list below the tables."""
    if why not in notes:
        notes.append(why)
    return f"({notes.index(why) + 1})"


def _listings() -> Iterator[str]:
    yield _LISTINGS.format(pages=PAGES, failures=", ".join(FAILURES))
    lines = [_header("what happens", "exit code", "what comes of it")]
    lines += [_row(one.title, f"`{one.exit_code}`", one.effect) for one in ODDITIES.values()]
    yield "\n".join(lines)


def _files() -> Iterator[str]:
    yield _FILES
    lines = [_header("step", *ERRORS)]
    for step in STEPS.values():
        marks = zip(ERRORS, step.marks.split(), strict=True)
        cells = [STEP_REASONS[error] if mark == "-" else f"`{mark}`" for error, mark in marks]
        lines.append(_row(step.title, *cells))
    yield "\n".join(lines)
    yield _CHANGES
    names = ("it vanishes", "it grows", "it becomes a directory", "it becomes a link")
    lines = [_header("when", *names)]
    for moment in MOMENTS.values():
        cells = [
            MOMENT_REASONS[moment.name, become] if mark == "-" else f"`{mark}`"
            for become, mark in zip(CHANGES, moment.marks.split(), strict=True)
        ]
        lines.append(_row(moment.title, *cells))
    yield "\n".join(lines)
    yield _DESCRIPTORS


def _state() -> Iterator[str]:
    yield _STATE
    lines = [_header("what is wrong", "exit code", "healed by")]
    lines += [_row(one.title, f"`{one.exit_code}`", one.heals) for one in DAMAGES.values()]
    yield "\n".join(lines)
    yield _AFTER_STATE


def _header(*names: str) -> str:
    return f"{_row(*names)}\n{_row(*('---' for _ in names))}"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    PAGE.write_text(page())
