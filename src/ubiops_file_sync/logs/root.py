"""Where this process's log goes. For the command line alone: a library leaves that to its user."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from ubiops_file_sync.logs import outcomes
from ubiops_file_sync.logs.lines import (
    BareLines,
    DatedLines,
    JsonLines,
    PlainLines,
    PrefixedLines,
    clean,
)
from ubiops_file_sync.logs.wanted import LogFile, LogFormat, Stderr

_log = logging.getLogger(__name__)


class StderrHandler(logging.Handler):
    """Writes to what is standard error at that moment: a progress bar stands in for it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the lines of a record in one go. Where nobody listens, nothing is said."""
        try:
            text = f"{self.format(record)}\n"
        except Exception:  # noqa: BLE001  no pass ends for a line in the log
            self.handleError(record)
            return
        # Closed, or its reader is gone: there is no other place to complain.
        with suppress(OSError, ValueError):
            if sys.stderr is not None:
                sys.stderr.write(text)
                sys.stderr.flush()


def set_up(
    stderr: Stderr | None = None,
    file: LogFile | None = None,
    env: Mapping[str, str] | None = None,
) -> None:
    """Send all that is logged in this process to standard error, and to `file` if there is one.

    Called again, the new places take over, without a line lost in between; if that raises
    `ConfigError`, the old ones stay. Handlers that others put up are left alone.

    Secrets are taken out twice: when a record is made, by whichever logger, so that no handler of
    anybody's ever sees them in a message, an argument or a traceback (filters of the root logger
    are not asked for the records of other loggers); and from the finished line, which has what
    `extra=` brought as well.
    """
    stderr = stderr or Stderr()
    first = StderrHandler(stderr.level.upper())
    first.setFormatter(_formatter_of_stderr(stderr, os.environ if env is None else env))
    first.addFilter(partial(_is_wanted, stderr))
    handlers: list[logging.Handler] = [first]
    if file is not None:
        handlers.append(_file_handler(file, first))
    _root.put_up(handlers)


def tear_down() -> None:
    """Leave logging as it was before `set_up`."""
    _root.restore()


def goes_to_journal(fd: int, env: Mapping[str, str]) -> bool:
    """Whether systemd connected the descriptor to its journal.

    `$JOURNAL_STREAM` has its device and inode then (systemd.exec(5)). The variable alone says
    nothing: it is there too for whatever a service starts with its output sent elsewhere.
    """
    told = env.get("JOURNAL_STREAM")
    if not told:
        return False
    try:
        seen = os.fstat(fd)
    except OSError:
        return False
    return told == f"{seen.st_dev}:{seen.st_ino}"


def _formatter_of_stderr(stderr: Stderr, env: Mapping[str, str]) -> logging.Formatter:
    as_json = stderr.format is LogFormat.JSON
    try:
        is_journal = goes_to_journal(sys.stderr.fileno(), env)
    except (AttributeError, OSError, ValueError):
        is_journal = False  # It is closed, or no file.
    if is_journal:
        return PrefixedLines(JsonLines() if as_json else BareLines())
    if as_json:
        return JsonLines()
    return DatedLines() if stderr.dated else PlainLines()


def _is_wanted(stderr: Stderr, record: logging.LogRecord) -> bool:
    if record.name == outcomes.__name__:
        return stderr.has_summaries if outcomes.is_of_whole_pass(record) else stderr.has_outcomes
    is_ours = record.name.partition(".")[0] == __name__.partition(".")[0]
    return is_ours or stderr.has_others or record.levelno >= logging.WARNING


def _file_handler(file: LogFile, stderr: StderrHandler) -> logging.Handler:
    from ubiops_file_sync.logs.rotating import open_file

    def tell(level: int, message: str) -> None:
        stderr.handle(_log.makeRecord(_log.name, level, __file__, 0, message, (), None))

    handler = open_file(file, tell)
    handler.setLevel(file.level.upper())
    handler.setFormatter(JsonLines() if file.format is LogFormat.JSON else DatedLines())
    return handler


class _Root:
    """What was put up, and what was there before."""

    def __init__(self) -> None:
        self._handlers: list[logging.Handler] = []
        self._level = logging.WARNING
        self._factory: Callable[..., logging.LogRecord] = logging.LogRecord
        self._thread_hook = threading.excepthook

    def put_up(self, handlers: list[logging.Handler]) -> None:
        """Let these handlers take over."""
        root = logging.getLogger()
        if not self._handlers:
            self._level = root.level
            self._factory = logging.getLogRecordFactory()
            self._thread_hook = threading.excepthook
            logging.setLogRecordFactory(self._clean_record)
            threading.excepthook = _thread_ended
        for handler in handlers:
            root.addHandler(handler)
        root.setLevel(min(handler.level for handler in handlers))
        self._take_down()
        self._handlers = handlers

    def restore(self) -> None:
        """Leave everything as it was before."""
        if not self._handlers:
            return
        self._take_down()
        logging.getLogger().setLevel(self._level)
        logging.setLogRecordFactory(self._factory)
        threading.excepthook = self._thread_hook

    def _take_down(self) -> None:
        for handler in self._handlers:
            logging.getLogger().removeHandler(handler)
            handler.close()
        self._handlers = []

    def _clean_record(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self._factory(*args, **kwargs)
        clean(record)
        return record


def _thread_ended(args: threading.ExceptHookArgs) -> None:
    """A traceback that Python would print as it is."""
    if args.exc_value is not None:
        name = args.thread.name if args.thread else "a thread"
        trace = (args.exc_type, args.exc_value, args.exc_traceback)
        _log.critical("%s ended by a bug; please report it", name, exc_info=trace)


_root = _Root()
