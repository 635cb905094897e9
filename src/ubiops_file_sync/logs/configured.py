"""The log as a configuration wants it, for the service and for a command."""

from __future__ import annotations

from ubiops_file_sync.config import Log
from ubiops_file_sync.logs.root import set_up
from ubiops_file_sync.logs.wanted import LogFile, LogFormat, Stderr

_QUIET = "WARNING"


def open_log_of_service(log: Log) -> None:
    """Log to the file, if there is one, and to standard error: then only what is wrong.

    Raises `ConfigError`, and the log goes where it went before.
    """
    level, form = _level(log), LogFormat(log.format.value)
    if log.file is not None and level in {"DEBUG", "INFO"}:
        level = _QUIET
    set_up(Stderr(level, form, dated=True), _file(log))


def open_log_of_command(
    log: Log | None = None, *, quiet: bool = False, verbose: bool = False
) -> None:
    """Log to the file, if there is one; standard error is for whoever typed the command.

    What that shows: warnings; `quiet`: only errors; `verbose`: each file and each try. Raises
    `ConfigError`.
    """
    level = "DEBUG" if verbose else "ERROR" if quiet else _QUIET
    stderr = Stderr(level, has_outcomes=verbose, has_summaries=False, has_others=False)
    set_up(stderr, None if log is None else _file(log))


def _file(log: Log) -> LogFile | None:
    if log.file is None:
        return None
    form = LogFormat(log.format.value)
    return LogFile(log.file, _level(log), form, log.max_size, log.backups)


def _level(log: Log) -> str:
    return log.level.value.upper()
