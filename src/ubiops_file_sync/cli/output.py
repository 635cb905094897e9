"""Lines for people: answers on stdout, talk on stderr, each as loud as was asked for.

Even a closed pipe or a bug is no reason to leave a profile undone.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from typing import Any, TextIO

import click

from ubiops_file_sync.cli.ink import inked
from ubiops_file_sync.phrases import printable
from ubiops_file_sync.system_errors import remedy_for, words_of


@dataclass(slots=True)
class Loudness:
    """How much this process says. The options of the command line set it, once."""

    quiet: bool = False
    """Nothing but problems, errors, and what was asked for by itself."""
    verbose: bool = False
    """Each file that travels, each try that failed, and lists in full."""
    as_json: bool = False
    """The answer is one JSON document."""


loudness = Loudness()


def say(line: str) -> None:
    """Print a line of the answer on stdout; from the first that cannot be written on, no more."""
    try:
        _write(line, sys.stdout)
    except OSError as error:
        silence(error)


def say_json(document: dict[str, Any]) -> None:
    """Print the one document that a program reads."""
    say(json.dumps(document, indent=2))


def talk(line: str) -> None:
    """Print what is no part of the answer on stderr, unless it is to be quiet."""
    if not loudness.quiet:
        _write(line, sys.stderr)


def warn(message: str) -> None:
    """Print what a person should look at, and what kept nothing from being done."""
    talk(f"warning: {message}")


def complain(message: str, kind: str = "error") -> None:
    """Print why something was not done, or cannot be. That is never left out."""
    _write(f"{kind}: {message}", sys.stderr)


def is_coloured(stream: TextIO) -> bool:
    """Whether people see colours there, and did not ask for none (no-color.org)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    try:
        return stream.isatty()
    except ValueError:
        return False  # It is closed.


def _write(line: str, stream: TextIO) -> None:
    """Whatever a message quotes, nothing in it is a command to the terminal."""
    line = "\n".join(map(printable, line.split("\n")))
    colours = is_coloured(stream)
    click.echo(inked(line) if colours else line, file=stream, color=colours)


def silence(error: OSError) -> None:
    """The reader of stdout went away, or its disk is full: go on without it."""
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123  it is flushed at exit
    if not isinstance(error, BrokenPipeError):
        complain(f"cannot write the output ({error.strerror})")


def bug_words(error: Exception) -> str:
    """What a user reads of an exception that should not have been; no traceback, unless asked."""
    if os.environ.get("UBIOPS_FILE_SYNC_DEBUG"):
        raise error
    if isinstance(error, OSError) and (remedy := remedy_for(error, "")):
        # It may come from anywhere: to load a module takes a file, too.
        return (
            f"the system refused what was needed ({words_of(error)}); {remedy}. What was done "
            "until now is found again by the next pass"
        )
    return (
        f"a bug in ubiops-file-sync ({type(error).__name__}). What was done until now is found "
        "again by the next pass. Set UBIOPS_FILE_SYNC_DEBUG=1 to see where, and please report it"
    )
