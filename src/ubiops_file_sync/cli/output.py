"""Lines for people, where even a closed pipe or a bug is no reason to leave a profile undone."""

from __future__ import annotations

import os
import sys

import click


def say(line: str) -> None:
    """Print a line on stdout; from the first that cannot be written on, nothing more."""
    try:
        click.echo(line)
    except OSError as error:
        silence(error)


def silence(error: OSError) -> None:
    """The reader of stdout went away, or its disk is full: go on without it."""
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123  it is flushed at exit
    if not isinstance(error, BrokenPipeError):
        click.echo(f"error: cannot write the output ({error.strerror})", err=True)


def bug_words(error: Exception) -> str:
    """What a user reads of an exception that should not have been; no traceback, unless asked."""
    if os.environ.get("UBIOPS_FILE_SYNC_DEBUG"):
        raise error
    return (
        f"a bug in ubiops-file-sync ({type(error).__name__}). What was done until now is found "
        "again by the next pass. Set UBIOPS_FILE_SYNC_DEBUG=1 to see where, and please report it"
    )
