"""`completion`: what the Tab key knows of the commands, their options, and the profiles."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
from click.shell_completion import CompletionItem, get_completion_class

from ubiops_file_sync.cli.output import say

COMPLETE_VARIABLE = "_UBIOPS_FILE_SYNC_COMPLETE"
"""Set by the shell when it asks for completions; the name is click's."""
_PROGRAM = "ubiops-file-sync"

_INSTALL = {
    "bash": (
        "mkdir -p ~/.local/share/bash-completion/completions",
        f"{_PROGRAM} completion bash > ~/.local/share/bash-completion/completions/{_PROGRAM}",
    ),
    "zsh": (
        "mkdir -p ~/.zfunc",
        f"{_PROGRAM} completion zsh > ~/.zfunc/_{_PROGRAM}",
        "and in ~/.zshrc, before compinit: fpath+=~/.zfunc",
    ),
    "fish": (f"{_PROGRAM} completion fish > ~/.config/fish/completions/{_PROGRAM}.fish",),
}


@click.command(
    epilog="""\b
Examples:
  eval "$(ubiops-file-sync completion bash)"   for this shell alone
  ubiops-file-sync completion zsh              the script, and how to install it
"""
)
@click.argument("shell", type=click.Choice(list(_INSTALL)))
def completion(shell: str) -> None:
    """Print the script that makes SHELL complete commands, options and names of profiles.

    How to install it stands at its top.
    """
    known = get_completion_class(shell)
    assert known is not None  # noqa: S101  click has all three
    script = known(click.Group(), {}, _PROGRAM, COMPLETE_VARIABLE)
    lines = (script.source_template % script.source_vars()).strip().splitlines()
    # zsh takes a file for completions by its first line.
    first = [lines.pop(0)] if lines[0].startswith("#compdef") else []
    hints = ["To have it in every new shell:", *(f"  {line}" for line in _INSTALL[shell])]
    for line in (*first, *(f"# {hint}" for hint in hints), *lines):
        say(line)


def offer_profiles(group: click.Group) -> None:
    """Let every command of the group complete names of profiles where it takes them."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            offer_profiles(command)
        elif command is not None:
            for param in command.params:
                if param.name in {"profile", "profiles"} or "--profile" in param.opts:
                    param.type = _ProfileNames()


class _ProfileNames(click.ParamType):
    """The name of a profile, as far as a shell is concerned."""

    name = "profile"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The profiles of the configuration that begin so, but for those that were named."""
        config: Path | None = ctx.obj
        given = ctx.params.get(param.name or "") or ()
        return [
            CompletionItem(name)
            for name in _names(config, os.environ)
            if name.startswith(incomplete) and name not in given
        ]


def _names(config: Path | None, env: Mapping[str, str]) -> Iterator[str]:
    """Of the file as it stands, whatever is wrong with it."""
    from ubiops_file_sync.config import find_config, speaks_of_a_profile
    from ubiops_file_sync.config.load import read_document
    from ubiops_file_sync.errors import ConfigError

    found = find_config(config, env, Path.cwd())
    if found is None:
        yield from ["default"] if speaks_of_a_profile(env) else []
        return
    try:
        data = read_document(found, env).data
    except ConfigError:
        return
    profiles = data.get("profiles") if isinstance(data, dict) else None
    yield from profiles if isinstance(profiles, dict) else ()
