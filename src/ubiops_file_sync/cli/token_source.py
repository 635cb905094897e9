"""Where `init` has the token from: a variable, a file, or somebody who types it unseen."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ubiops_file_sync.cli.asking import Question, Talk
from ubiops_file_sync.errors import SyncError, UsageError

if TYPE_CHECKING:
    from ubiops_file_sync.beginning import Beginning


@dataclass(frozen=True, slots=True)
class TokenSource:
    """What the options say of the token; a person says the rest."""

    talk: Talk
    config: Path
    """Where the configuration is to be."""
    variable: str | None
    file: Path | None

    @property
    def is_given(self) -> bool:
        """Whether an option says anything."""
        return self.variable is not None or self.file is not None

    @property
    def is_known(self) -> bool:
        """Whether nobody need be asked."""
        from ubiops_file_sync.config import DEFAULT_TOKEN_ENV

        return self.is_given or bool(os.environ.get(DEFAULT_TOKEN_ENV))

    def ask(self, start: Beginning) -> tuple[Path, str] | None:
        """Have a token taken. Returns the file that is to be written for it; None: none is."""
        from ubiops_file_sync.config import DEFAULT_TOKEN_ENV

        if self.variable and self.file:
            raise UsageError("--token-env and --token-file exclude each other; give one of them")
        if self.file is not None:
            return self._of_file(start, Path.cwd() / self.file)
        if self.variable is not None:
            self._of_variable(start, self.variable, "--token-env")
            return None
        words = f"The variable {DEFAULT_TOKEN_ENV} holds a token. Use it?"
        if os.environ.get(DEFAULT_TOKEN_ENV) and self.talk.confirm(words):
            try:
                self._of_variable(start, DEFAULT_TOKEN_ENV, f"${DEFAULT_TOKEN_ENV}")
            except SyncError as error:
                if not self.talk.is_interactive:
                    raise
                self.talk.tell(f"  {error}")
            else:
                return None
        return self._typed(start, self._free_path())

    def _of_variable(self, start: Beginning, name: str, option: str) -> None:
        from ubiops_file_sync.config import DEFAULT_TOKEN_ENV

        token = os.environ.get(name)
        if not token:
            raise UsageError(
                f"the variable {name} is not set here; set it to the service user's token first"
            )
        self._take(start, token, option)
        if name != DEFAULT_TOKEN_ENV:
            start.draft = replace(start.draft, token_env=name)

    def _of_file(self, start: Beginning, path: Path) -> tuple[Path, str] | None:
        if not os.path.lexists(path):
            if not self.talk.is_interactive:
                raise UsageError(
                    f"there is no file {path}; put the token into it first, and nothing else"
                )
            return self._typed(start, path)
        try:
            token = path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            words = (error.strerror or "").lower()
            raise UsageError(f"{path} cannot be read ({words})") from error
        self._take(start, token, "--token-file")
        self._refer_to(start, path)
        return None

    def _typed(self, start: Beginning, path: Path) -> tuple[Path, str]:
        """A token that somebody types, and the file that is to hold it."""
        typed: list[str] = []

        def take(answer: str) -> str:
            note = start.take_token(answer)
            typed.append(answer)
            return note

        words = "Token of a service user (not shown)"
        self.talk.ask(Question(words, "--token-file", take, is_hidden=True, is_of_another=True))
        self._refer_to(start, path)
        return path, f"{typed[-1].strip()}\n"

    def _take(self, start: Beginning, token: str, option: str) -> None:
        try:
            note = start.take_token(token)
        except SyncError as error:
            raise type(error)(f"{option}: {error}") from error
        self.talk.tell(f"  {note}")

    def _refer_to(self, start: Beginning, path: Path) -> None:
        beside = path.parent == self.config.parent
        name = path.name if beside else str(path)
        start.draft = replace(start.draft, token_file=name)

    def _free_path(self) -> Path:
        """Where a typed token goes: beside the configuration, over nothing that is there."""
        names = (f"{self.config.stem}{n}.token" for n in ("", *(f"-{n}" for n in range(2, 100))))
        free = (self.config.with_name(name) for name in names)
        return next(path for path in free if not os.path.lexists(path))
