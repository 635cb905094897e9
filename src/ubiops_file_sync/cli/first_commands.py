"""What to do once a configuration is written, as commands that may be pasted."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ubiops_file_sync.config.draft import Draft


def first_commands(path: Path, draft: Draft, token_file: Path | None) -> Iterator[str]:
    """Lines for whoever wrote a profile into `path`. `token_file`: the one just written, if one
    was."""
    from ubiops_file_sync.config import find_config

    if token_file is not None and any((one / ".git").exists() for one in token_file.parents):
        ignored = shlex.quote(str(token_file.parent / ".gitignore"))
        yield ""
        yield "Keep the token out of git:"
        yield f"  echo {shlex.quote(token_file.name)} >> {ignored}"
    found = find_config(None, os.environ, Path.cwd())
    config = "" if found == path else f" --config {shlex.quote(str(path))}"
    program, user = f"ubiops-file-sync{config}", "" if os.geteuid() == 0 else " --user"
    yield ""
    yield "Next:"
    commands = {
        f"{program} plan {draft.name}": "what a first pass would do; changes nothing",
        f"{program} reconcile {draft.name}": "do it",
        f"{program} install-service{user}": "have systemd do it, on schedule",
    }
    width = max(map(len, commands))
    for command, what in commands.items():
        yield f"  {command:<{width}}   # {what}"


def of_a_variable(draft: Draft) -> Iterator[str]:
    """What to see to where the token stays in a variable."""
    variable = draft.token_env or "UBIOPS_API_TOKEN"
    yield ""
    yield f"The token stays in the variable {variable}: have it set wherever these run."
