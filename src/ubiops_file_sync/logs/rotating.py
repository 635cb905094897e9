"""A log file that is rotated by size, and that a service and one-shot commands share.

concurrent-log-handler takes a lock on a file beside the log (`.__NAME.lock`) for every record, and
whoever finds the log full renames it while holding that. It writes at once and in the thread that
logs: a queue and a thread of its own would be faster for the pass, but what is in the queue is lost
when the process is killed, and the thread has kept programs from ending. The lock costs about as
much again as the line itself (docs/dependencies.md has figures), for a line that stands for a
transfer of at least an API call. Old files are not compressed: that happens under the lock, and
everybody waits for it.
"""

from __future__ import annotations

import logging
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

from concurrent_log_handler import ConcurrentRotatingFileHandler

from ubiops_file_sync.errors import ConfigError
from ubiops_file_sync.logs.wanted import LogFile

_PRIVATE = 0o600

Tell = Callable[[int, str], None]
"""Takes a level and a message for whoever reads standard error."""


class RotatingFile(ConcurrentRotatingFileHandler):
    """Tells once that the file cannot be written, and once that it can be again.

    `logging` prints a traceback for every record that is lost; a full disk would fill the journal
    with them.
    """

    def __init__(self, file: LogFile, path: str, tell: Tell) -> None:
        super().__init__(
            path,
            maxBytes=file.max_bytes,
            backupCount=file.backups,
            encoding="utf-8",
            unicode_error_policy="replace",
            chmod=_PRIVATE,
            use_gzip=False,
            keep_file_open=True,
        )
        self._tell = tell
        self._lost = 0

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's name
        """Count the record as lost."""
        del record
        self._lost += 1
        if self._lost == 1:
            error = sys.exc_info()[1]
            words = getattr(error, "strerror", None) or type(error).__name__
            self._tell(
                logging.WARNING,
                f"the log file {self.baseFilename} cannot be written ({words.lower()}); lines are "
                "lost until it can be. Make room for it, or set `log.file` elsewhere",
            )

    def do_write(self, msg: str) -> None:
        """Write a line, under the lock."""
        super().do_write(msg)
        if self._lost:
            lost, self._lost = self._lost, 0
            self._tell(
                logging.WARNING,
                f"the log file {self.baseFilename} is written again; {lost:,} lines were lost",
            )


def open_file(file: LogFile, tell: Tell) -> RotatingFile:
    """The handler of a log file that can be written. Raises `ConfigError`.

    Its folder is made, private, if only its last part is missing. The file, its lock and the old
    files are private too, even if somebody made them less so.
    """
    # Two names of one file must mean one lock, which stands beside it.
    path = os.path.realpath(file.path)
    start = f"`log.file` {file.path}"
    folder = Path(path).parent
    try:
        if folder.parent.is_dir():
            folder.mkdir(mode=0o700, exist_ok=True)
        handler = RotatingFile(file, path, tell)
        for needed in (path, handler.lockFilename):
            _make_private(needed)
    except FileNotFoundError as error:
        raise ConfigError(
            f"{start}: its folder {folder} does not exist; create it, or set `log.file` elsewhere"
        ) from error
    except OSError as error:
        raise ConfigError(
            f"{start} cannot be written ({(error.strerror or str(error)).lower()}); give this user "
            f"the right to write it, and to make files in {folder}, or set `log.file` elsewhere"
        ) from error
    return handler


def _make_private(path: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _PRIVATE)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(None, "it is no regular file")
        if stat.S_IMODE(os.fstat(fd).st_mode) != _PRIVATE:
            os.fchmod(fd, _PRIVATE)
    finally:
        os.close(fd)
