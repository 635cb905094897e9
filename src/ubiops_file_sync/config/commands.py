"""Commands that are run for the user, without a shell."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, ValidationInfo, WithJsonSchema

from ubiops_file_sync.config import shapes
from ubiops_file_sync.config.fields import anchor

_SHELL_WORDS = frozenset(
    ["|", "||", "&", "&&", ";", ">", ">>", "<", "2>", "2>>", "2>&1", "&>", ">&", "|&"]
)


def _split_command(value: object) -> object:
    """The words of a command line, as a shell splits them; a list of words as it is."""
    if isinstance(value, str):
        return _words(value)
    if isinstance(value, list | tuple):
        return value
    raise ValueError("is not a command; write it as you would type it, or as a list of words")


def _words(line: str) -> list[str]:
    try:
        words = shlex.split(line)
    except ValueError:
        raise ValueError("ends within quotes or after a backslash; close the quotes") from None
    if not words:
        raise ValueError("is empty; write a command, or [] for none")
    if any(word in _SHELL_WORDS or word.endswith(";") for word in words):
        raise ValueError(
            "runs without a shell, which '|', '>', '&&' and the like need; put them in a script, "
            "or write [sh, -c, 'the whole line']"
        )
    return words


def _check_word(word: str) -> str:
    if "\0" in word:
        raise ValueError("has a NUL character in it, which no command can be given; remove it")
    return word


def _find_program(words: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    """A program that is named by a path is anchored like every path; others are on `$PATH`."""
    if not words:
        return words
    if not words[0].strip():
        raise ValueError("names no program; begin with one")
    if "/" not in words[0]:
        return words
    return (str(anchor(Path(words[0]), info)), *words[1:])


Command = Annotated[
    tuple[Annotated[str, AfterValidator(_check_word)], ...],
    BeforeValidator(_split_command),
    AfterValidator(_find_program),
    WithJsonSchema(shapes.COMMAND),
]
