"""Options that every command takes, before its name or behind it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from ubiops_file_sync.cli.output import loudness


def _set_config(context: click.Context, _param: click.Parameter, path: Path | None) -> None:
    """The commands find it as their context's object; the last one given counts."""
    if path is not None or context.obj is None:
        context.obj = path


def _set_quiet(_context: click.Context, _param: click.Parameter, given: bool) -> None:  # noqa: FBT001  click's
    if given:  # The last word counts.
        loudness.quiet, loudness.verbose = True, False


def _set_verbose(_context: click.Context, _param: click.Parameter, given: bool) -> None:  # noqa: FBT001  click's
    if given:
        loudness.quiet, loudness.verbose = False, True


def _heed_json(_context: click.Context, _param: click.Parameter, given: bool) -> bool:  # noqa: FBT001  click's
    loudness.as_json |= given
    return given


def _common(*, hidden: bool) -> list[click.Option]:
    """`hidden`: they work behind the command's name, and only the first page tells of them."""
    return [
        click.Option(
            ["--config"],
            type=click.Path(path_type=Path),
            callback=_set_config,
            expose_value=False,
            hidden=hidden,
            help="The YAML file. Default: $UBIOPS_FILE_SYNC_CONFIG, ./ubiops-file-sync.yaml, the "
            "XDG config folder, /etc/ubiops-file-sync/config.yaml; else environment variables "
            "alone.",
        ),
        click.Option(
            ["-q", "--quiet"],
            is_flag=True,
            callback=_set_quiet,
            expose_value=False,
            hidden=hidden,
            help="Say nothing of what went well: only problems and errors.",
        ),
        click.Option(
            ["-v", "--verbose"],
            is_flag=True,
            callback=_set_verbose,
            expose_value=False,
            hidden=hidden,
            help="Say it all: each file that travels, each try that failed and why, whole lists.",
        ),
    ]


class Program(click.Group):
    """The whole command line: every command of it takes the common options as well."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.params.extend(_common(hidden=False))

        self._sections: dict[str, list[str]] = {}

    def add_section(self, title: str, commands: Iterable[click.Command]) -> None:
        """Add commands that the help shows together."""
        for command in commands:
            self.add_command(command)
            self._sections.setdefault(title, []).append(str(command.name))

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands by section, in the order of their use."""
        placed = {name for names in self._sections.values() for name in names}
        others = [name for name in self.list_commands(context) if name not in placed]
        for title, names in {**self._sections, "Others": others}.items():
            found = [
                (name, self.commands[name]) for name in names if not self.commands[name].hidden
            ]
            if found:
                room = formatter.width - 6 - max(len(name) for name in self.commands)
                with formatter.section(title):
                    formatter.write_dl(
                        [(name, command.get_short_help_str(room)) for name, command in found]
                    )

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a command, with the common options behind its name."""
        _complete(cmd)
        super().add_command(cmd, name)


def _complete(command: click.Command) -> None:
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            _complete(inner)
        return
    taken = {name for param in command.params for name in (*param.opts, *param.secondary_opts)}
    command.params.extend(
        option for option in _common(hidden=True) if taken.isdisjoint(option.opts)
    )
    for param in command.params:
        if param.name == "as_json" and param.callback is None:
            param.callback = _heed_json
