"""A conversation at a terminal; or, where nobody sits at one, what the options say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import click

from ubiops_file_sync.errors import AccessRefused, RemoteError, SyncError, UsageError

_FEW = 20

Take = Callable[[str], str]
"""Takes an answer, and says what one may want to know; raises `SyncError` if it will not do."""


@dataclass(frozen=True, slots=True)
class Question:
    """Something that has to be known."""

    words: str
    option: str
    """What gives the answer on the command line."""
    take: Take
    given: str | None = None
    """What it gave; None: nothing."""
    default: str | None = None
    choices: Sequence[str] = ()
    """Answers to choose from; others may do as well."""
    is_hidden: bool = False
    """The answer is never shown."""
    is_of_another: bool = False
    """If it will not do, for anything but that it is refused, an earlier answer was wrong."""


@dataclass(frozen=True, slots=True)
class Talk:
    """Asks until it gets an answer that will do. All talk goes to standard error."""

    is_interactive: bool

    def ask(self, question: Question) -> None:
        """Have the answer taken: that of the option, or a person's, or the default."""
        if question.given is not None and self._taken(question, question.given):
            return
        if not self.is_interactive:
            if question.default is None:
                few = ", ".join(question.choices[:_FEW])
                raise UsageError(
                    f"{question.option} is needed, for there is nobody to ask"
                    f"{f'; choose one of {few}' if few else ''}"
                )
            self._taken(question, question.default)
            return
        for number, choice in enumerate(question.choices, start=1):
            self.tell(f"  {number}) {choice}")
        while not self._taken(question, self._answer(question)):
            pass

    def confirm(self, words: str) -> bool:
        """Whether somebody says yes; without anybody, yes."""
        return not self.is_interactive or click.confirm(words, default=True, err=True)

    def tell(self, words: str) -> None:
        """Say something to whoever is there."""
        if self.is_interactive:
            click.echo(words, err=True)

    def _answer(self, question: Question) -> str:
        answer: str = click.prompt(
            question.words,
            default=question.default,
            hide_input=question.is_hidden,
            show_default=bool(question.default),
            err=True,
        )
        answer = answer.strip()
        if answer.isdecimal() and answer not in question.choices:
            number = int(answer)
            if 1 <= number <= len(question.choices):
                return question.choices[number - 1]
        return answer

    def _taken(self, question: Question, answer: str) -> bool:
        """Whether the answer will do. Raises where nobody can give another one."""
        try:
            note = question.take(answer)
        except SyncError as error:
            if not self.is_interactive:
                raise type(error)(f"{question.option}: {error}") from error
            if question.is_of_another and _blames_another(error):
                raise
            self.tell(f"  {error}")
            return False
        if note:
            self.tell(f"  {note}")
        return True


def _blames_another(error: SyncError) -> bool:
    return isinstance(error, RemoteError) and not isinstance(error, AccessRefused)
