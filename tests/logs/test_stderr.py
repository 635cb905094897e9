"""Standard error: a terminal's, a pipe's, the journal's."""

from __future__ import annotations

import logging
import os
import re
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

import pytest

from logs.conftest import Start
from ubiops_file_sync.errors import ConfigError
from ubiops_file_sync.logs import LogFile, Stderr, set_up, tear_down

Said = Callable[..., str]

DAEMON = """
set_up(Stderr("INFO", dated=True))
log.info("one")
log.debug("too little")
logging.getLogger("urllib3").error("two\\nlines")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("three")
"""
STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d"


def _identity(fd: int) -> str:
    return f"{os.fstat(fd).st_dev}:{os.fstat(fd).st_ino}"


def test_the_journal_gets_priorities_and_no_second_timestamp(start: Start) -> None:
    """systemd gives its services a socket, and tells them which one it is."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        env = {"JOURNAL_STREAM": _identity(theirs.fileno())}
        process = start(DAEMON, env=env, stderr=theirs)
        theirs.close()
        with ours.makefile() as lines:
            said = lines.read().splitlines()
        assert process.wait(60) == 0
    assert said[0] == "<6>one"
    assert said[1] == r"<3>urllib3: two\nlines"
    assert said[2] == "<3>three"
    assert said[3].startswith("<3>    Traceback")
    assert all(line.startswith("<3>    ") for line in said[3:])
    assert not re.search(STAMP, "\n".join(said))


def test_whatever_else_a_service_writes_to_is_not_taken_for_the_journal(said: Said) -> None:
    """The variable goes on to everything that a service starts, with its output elsewhere."""
    for told in (_identity(0), "8:1", "nonsense", ""):
        lines = said(DAEMON, env={"JOURNAL_STREAM": told}).splitlines()
        assert re.fullmatch(rf"{STAMP} INFO \[\d+\] one", lines[0])
        assert len(re.findall(STAMP, lines[0])) == 1


def test_a_pipe_may_be_the_journals_too(start: Start) -> None:
    out, into = os.pipe()
    process = start(DAEMON, env={"JOURNAL_STREAM": _identity(into)}, stderr=into)
    os.close(into)
    with open(out) as lines:
        assert lines.read().startswith("<6>one\n<3>")
    assert process.wait(60) == 0


def test_the_journal_may_get_json(start: Start) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        env = {"JOURNAL_STREAM": _identity(theirs.fileno())}
        start("set_up(Stderr('INFO', LogFormat.JSON))\nlog.info('one')", env=env, stderr=theirs)
        theirs.close()
        with ours.makefile() as lines:
            assert lines.readline().startswith('<6>{"time": "')


def test_a_command_is_brief(said: Said) -> None:
    assert said("set_up()\nlog.info('no')\nlog.warning('yes')") == "warning: yes\n"


def test_nothing_is_lost_or_printed_where_nobody_listens(said: Said) -> None:
    script = "set_up()\nsys.stderr.close()\nlog.warning('x')\nsys.stderr = None\nlog.warning('y')"
    assert said(script) == ""


def test_what_cannot_be_written_as_json_ends_nothing(said: Said) -> None:
    script = "set_up(Stderr('INFO', LogFormat.JSON))\nlog.info('x', extra={'a': {(1, 2): 3}})"
    assert "keys must be str" in said(script + "\nlog.info('y')").partition('"y"')[0]


def test_a_thread_that_ends_by_a_bug_is_in_the_log(said: Said) -> None:
    script = "set_up()\nt = threading.Thread(target=lambda: 1 / 0, name='pass-models')\nt.start()"
    lines = said(script + "\nt.join()").splitlines()
    assert lines[0] == "critical: pass-models ended by a bug; please report it"
    assert lines[-1].strip() == "ZeroDivisionError: division by zero"


def test_a_progress_bar_that_stands_in_for_stderr_gets_the_lines() -> None:
    set_up()
    try:
        with redirect_stderr(StringIO()) as bar:
            logging.getLogger("ubiops_file_sync").warning("x")
    finally:
        tear_down()
    assert bar.getvalue() == "warning: x\n"


def test_everything_is_as_before_when_it_is_torn_down() -> None:
    root = logging.getLogger()

    def state() -> tuple[object, ...]:
        factory, hook = logging.getLogRecordFactory(), threading.excepthook
        return (list(root.handlers), root.level, factory, hook)

    before = state()
    set_up(Stderr("INFO"))
    set_up(Stderr("ERROR"))
    assert len(root.handlers) == len(before[0]) + 1  # type: ignore[arg-type]
    assert root.level == logging.ERROR
    tear_down()
    tear_down()
    assert state() == before


def test_new_places_that_cannot_be_had_leave_the_old_ones(tmp_path: Path) -> None:
    set_up(Stderr("INFO"))
    handlers = list(logging.getLogger().handlers)
    try:
        with pytest.raises(ConfigError):
            set_up(Stderr("ERROR"), LogFile(tmp_path / "no" / "where" / "x.log"))
        assert logging.getLogger().handlers == handlers
    finally:
        tear_down()


def test_importing_it_changes_nothing(said: Said) -> None:
    script = "print(logging.getLogger().handlers, logging.getLogRecordFactory(), file=sys.stderr)"
    assert said(script) == f"[] {logging.LogRecord}\n"
    assert "concurrent_log_handler" not in said("print(*sys.modules, file=sys.stderr)").split()
    assert sys.stderr is not None
