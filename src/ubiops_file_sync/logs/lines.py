"""Log records as text: a line for a person, for the journal, or for a program. No I/O.

Whatever a record says of a key or an error comes out in the line it belongs to: control characters
are escaped, and only a traceback goes on in further lines, each of them indented, so that no name
of a file can look like a record of its own.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from ubiops_file_sync.phrases import printable
from ubiops_file_sync.redact import redacted

_OURS = "ubiops_file_sync"
_INDENT = "    "
_LONGEST_LINE = 8_000
"""Characters. journald cuts lines at 48 KiB, and what is behind a cut would have no priority."""

_PRIORITIES = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
)
_DEBUG_PRIORITY = 7

_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What every record has; the rest came with `extra=`."""


def clean(record: logging.LogRecord) -> None:
    """Put the message together, and take secrets out of it and of the traceback, in place.

    After this no handler, whoever attached it, can get at the exception or the arguments.
    """
    try:
        message = record.getMessage()
    except Exception:  # noqa: BLE001  whatever an argument does when it is to be text
        # The call is wrong, which is no reason to end a pass; and `logging` would print the
        # arguments as they are.
        message = f"{_as_text(record.msg)} {_as_text(record.args)}"
    record.msg, record.args = redacted(message), None
    if record.exc_info:
        record.exc_text = record.exc_text or logging.Formatter().formatException(record.exc_info)
        record.exc_info = None
    if record.exc_text:
        record.exc_text = redacted(record.exc_text)
    if record.stack_info:
        record.stack_info = redacted(record.stack_info)


class PlainLines(logging.Formatter):
    """`warning: models: …`, as a command speaks to whoever typed it."""

    def format(self, record: logging.LogRecord) -> str:
        """The record in one line, and its traceback in further ones."""
        clean(record)
        whose = "" if record.name.split(".")[0] == _OURS else f"{record.name}: "
        first = f"{self.start(record)}{whose}{printable(record.getMessage())}"
        return redacted("\n".join(_cut(line) for line in (first, *_trace(record))))

    def start(self, record: logging.LogRecord) -> str:
        """What stands before the message."""
        level = record.levelno
        return f"{record.levelname.lower()}: " if level >= logging.WARNING else ""


class BareLines(PlainLines):
    """The message alone, for the journal, which has the time, the process and the level."""

    def start(self, _record: logging.LogRecord) -> str:
        """Nothing."""
        return ""


class DatedLines(PlainLines):
    """`2026-11-23T04:20:15.123+01:00 INFO [4711] models: …`: local time, level and process."""

    def start(self, record: logging.LogRecord) -> str:
        """When, how bad, and from which process, since several may write one file."""
        when = datetime.fromtimestamp(record.created).astimezone()
        stamp = when.isoformat(timespec="milliseconds")
        return f"{stamp} {record.levelname} [{record.process}] "


class JsonLines(logging.Formatter):
    """One object a line: time (UTC, microseconds), level, logger, message, process, and extras."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON in UTF-8, without an end of line in it."""
        clean(record)
        when = datetime.fromtimestamp(record.created, UTC).replace(tzinfo=None)
        document: dict[str, object] = {
            "time": f"{when.isoformat(timespec='microseconds')}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "pid": record.process,
        }
        for name, value in vars(record).items():
            if name not in _USUAL:
                document.setdefault(name, value)
        if record.exc_text:
            document["exception"] = record.exc_text
        if record.stack_info:
            document["stack"] = record.stack_info
        text = json.dumps(document, ensure_ascii=False, default=_as_str)
        if not text.isprintable():
            text = "".join(char if char.isprintable() else _escaped(char) for char in text)
        return redacted(text)


class PrefixedLines(logging.Formatter):
    """The lines of another formatter, each behind its priority: `<4>`, as sd-daemon(3) has it."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """The record with a prefix on each of its lines."""
        prefix = f"<{_priority(record.levelno)}>"
        return "\n".join(f"{prefix}{line}" for line in self._inner.format(record).split("\n"))


def _as_text(what: object, form: Callable[[object], str] = repr) -> str:
    try:
        return form(what)
    except Exception:  # noqa: BLE001  as above
        return f"<{type(what).__name__}>"


def _as_str(what: object) -> str:
    return _as_text(what, str)


def _priority(level: int) -> int:
    return next((syslog for least, syslog in _PRIORITIES if level >= least), _DEBUG_PRIORITY)


def _trace(record: logging.LogRecord) -> Iterator[str]:
    for text in (record.exc_text, record.stack_info):
        for line in (text or "").splitlines():
            yield f"{_INDENT}{printable(line)}"


def _escaped(char: str) -> str:
    """As JSON has it; a byte of a name that is no UTF-8 as text, for strict readers refuse it."""
    if "\ud800" <= char <= "\udfff":
        return f"\\\\u{ord(char):04x}"
    return json.dumps(char)[1:-1]


def _cut(line: str) -> str:
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]} …"
