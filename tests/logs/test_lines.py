"""How records look: one line each, whatever is in them."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ubiops_file_sync.logs.lines import (
    BareLines,
    DatedLines,
    JsonLines,
    PlainLines,
    PrefixedLines,
)
from ubiops_file_sync.model import Verb

OURS = "ubiops_file_sync.logs.outcomes"
FORGED = "a\n2026-01-01T00:00:00.000+00:00 ERROR [1] models: all is lost\r\x1b[2J\u202e\x85b"


def _record(
    message: str = "models: uploaded %s",
    *args: object,
    level: int = logging.INFO,
    name: str = OURS,
    **extra: object,
) -> logging.LogRecord:
    return logging.getLogger(name).makeRecord(
        name, level, __file__, 1, message, args, None, extra=extra
    )


def test_a_command_says_how_bad_it_is_and_the_service_says_when() -> None:
    record = _record(level=logging.WARNING)
    assert PlainLines().format(record) == "warning: models: uploaded %s"
    assert PlainLines().format(_record("done")) == "done"
    assert BareLines().format(_record("done", level=logging.ERROR)) == "done"
    line = DatedLines().format(_record("done"))
    stamp, rest = line.split(" ", 1)
    assert re.fullmatch(r"INFO \[\d+\] done", rest)
    when = datetime.fromisoformat(stamp)
    assert when.utcoffset() is not None
    assert abs((datetime.now(UTC) - when).total_seconds()) < 60


def test_others_are_named_and_we_are_not() -> None:
    assert BareLines().format(_record("x", name="urllib3.connectionpool")) == (
        "urllib3.connectionpool: x"
    )
    assert BareLines().format(_record("x")) == "x"
    assert BareLines().format(_record("x", name="ubiops_file_sync_of_others")).endswith(": x")


@pytest.mark.parametrize("lines", [PlainLines, BareLines, DatedLines, JsonLines])
def test_no_name_of_a_file_makes_a_line_of_its_own(lines: type[logging.Formatter]) -> None:
    line = lines().format(_record("models: uploaded %s", FORGED, key=FORGED))
    assert line.isprintable()
    assert r"a\n2026" in line.replace("\\\\", "\\")


def test_a_name_that_is_no_utf_8_can_be_written_as_such() -> None:
    broken = b"caf\xe9".decode(errors="surrogateescape")
    for lines in (DatedLines(), JsonLines()):
        line = lines.format(_record("%s", broken, key=broken))
        assert r"caf\udce9" in line.encode("utf-8").decode().replace("\\\\", "\\")
    document = json.loads(JsonLines().format(_record("%s", broken, key=broken)))
    assert document["key"] == r"caf\udce9"


def test_a_traceback_goes_on_in_lines_that_look_like_no_record() -> None:
    try:
        raise ValueError(FORGED)
    except ValueError:
        record = logging.getLogger(OURS).makeRecord(
            OURS, logging.ERROR, __file__, 1, "failed", (), sys.exc_info()
        )
    first, *rest = DatedLines().format(record).split("\n")
    assert first.endswith("failed")
    assert "ValueError: a" in "\n".join(rest)
    assert all(line.startswith("    ") and line.isprintable() for line in rest)
    prefixed = PrefixedLines(BareLines()).format(record).split("\n")
    assert prefixed[0] == "<3>failed"
    assert all(line.startswith("<3>    ") for line in prefixed[1:])
    document = json.loads(JsonLines().format(record))
    assert document["exception"].startswith("Traceback")
    assert document["message"] == "failed"


@pytest.mark.parametrize(
    ("level", "priority"),
    [(50, 2), (40, 3), (30, 4), (25, 6), (20, 6), (10, 7), (5, 7)],
)
def test_the_journal_is_told_the_priority(level: int, priority: int) -> None:
    assert PrefixedLines(BareLines()).format(_record("x", level=level)) == f"<{priority}>x"


def test_a_line_is_never_so_long_that_the_journal_cuts_it() -> None:
    """What stood behind its cut would be taken for a line of its own, with a priority of its own"""
    line = PrefixedLines(BareLines()).format(_record("%s", "x" * 48 * 1024 + "<0>panic"))
    assert len(line) < 10_000
    assert line.endswith(" …")


def test_json_has_what_a_program_wants() -> None:
    record = _record(
        "models: uploaded %s",
        "größe.bin",
        profile="models",
        key="größe.bin",
        bytes=12,
        seconds=0.25,
        done={Verb.UPLOAD: 1},
        where=Path("/x"),
        time="not the time",
    )
    line = JsonLines().format(record)
    document = json.loads(line)
    assert "größe.bin" in line
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", document.pop("time"))
    assert document.pop("pid") == record.process
    assert document == {
        "level": "info",
        "logger": OURS,
        "message": "models: uploaded größe.bin",
        "profile": "models",
        "key": "größe.bin",
        "bytes": 12,
        "seconds": 0.25,
        "done": {"upload": 1},
        "where": "/x",
    }


class Sulking:
    """It does not want to be looked at."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize("lines", [PlainLines(), DatedLines(), JsonLines()])
def test_a_wrong_call_is_a_line_too_and_never_an_exception(lines: logging.Formatter) -> None:
    assert "'%d files' ('no number',)" in lines.format(_record("%d files", "no number"))
    assert "'%s' <tuple>" in lines.format(_record("%s", Sulking(), one=Sulking()))
    assert '["<Sulking>"]' in JsonLines().format(_record("x", deep=[Sulking()]))
