"""`init`: a first configuration, each answer checked when it is given."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ubiops_file_sync.cli.asking import Question, Talk
from ubiops_file_sync.cli.first_commands import first_commands, of_a_variable
from ubiops_file_sync.cli.output import say
from ubiops_file_sync.cli.token_source import TokenSource
from ubiops_file_sync.errors import RemoteError, Stopped, UsageError

if TYPE_CHECKING:
    from ubiops_file_sync.beginning import Beginning
    from ubiops_file_sync.model import Direction

DIRECTIONS = ("two-way", "download", "upload")


@dataclass(frozen=True, slots=True)
class _Given:
    """What the options say; None: nothing."""

    host: str | None
    project: str | None
    bucket: str | None
    bucket_dir: str | None
    direction: str | None
    local_dir: str | None
    name: str | None


@click.command(
    epilog="""\b
Examples:
  ubiops-file-sync init
  ubiops-file-sync init ~/.config/ubiops-file-sync/config.yaml
  ubiops-file-sync init --add                one more profile for the file that is there
  ubiops-file-sync init --yes --token-file token --project p --bucket default \\
      --bucket-dir models --local-dir /srv/models
"""
)
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--host", metavar="URL", help="Where UbiOps is. Default: $UBIOPS_API_HOST, or the public one."
)
@click.option("--token-env", metavar="NAME", help="The variable that holds the token.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file that holds the token, or is to hold what you type.",
)
@click.option("--project", help="The UbiOps project.")
@click.option("--bucket", help="The bucket. Default: default, or the only one.")
@click.option("--bucket-dir", metavar="DIR", help="The folder in it. Default: the whole bucket.")
@click.option(
    "--direction", type=click.Choice(DIRECTIONS), help="Default: two-way, if the token may write."
)
@click.option("--local-dir", metavar="DIR", help="The directory on this machine.")
@click.option(
    "--name", metavar="NAME", help="What to call the profile. Default: after the directory."
)
@click.option("--add", is_flag=True, help="Add a profile to a file that is there.")
@click.option("--force", is_flag=True, help="Replace a file that is there; it is kept beside.")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing: what no option says has its default.")
@click.pass_obj
def init(
    config: Path | None,
    file: Path | None,
    *,
    host: str | None,
    token_env: str | None,
    token_file: Path | None,
    project: str | None,
    bucket: str | None,
    bucket_dir: str | None,
    direction: str | None,
    local_dir: str | None,
    name: str | None,
    add: bool,
    force: bool,
    yes: bool,
) -> None:
    """Write FILE (default: ubiops-file-sync.yaml), a configuration with one profile.

    Asks at a terminal, and takes options without one. The token is typed unseen, or read from a
    variable or a file; it never stands on the command line, nor in FILE. Each answer is checked: is
    UbiOps there, does it know the token, which projects and buckets does it see, what may it do,
    may the directory be written to, does another profile have it. Costs some ten API calls.
    """
    from ubiops_file_sync.logs import set_up

    set_up()
    talk = Talk(is_interactive=sys.stdin.isatty() and not yes)
    path = Path.cwd() / (file or config or "ubiops-file-sync.yaml")
    given = _Given(host, project, bucket, bucket_dir, direction, local_dir, name)
    try:
        token = TokenSource(talk, path, token_env, token_file)
        _Init(talk, path, given, token, force=force).run(add=add)
    except (click.Abort, KeyboardInterrupt):
        raise Stopped("broken off; nothing was written") from None


@dataclass(slots=True)
class _Init:
    """One conversation, from the first question to the files."""

    talk: Talk
    path: Path
    given: _Given
    token: TokenSource
    force: bool

    def run(self, *, add: bool) -> None:
        """Ask, write, and say what comes next."""
        from ubiops_file_sync.beginning import Beginning

        existing = self._existing(add=add)
        self._require_options(token=existing is None)
        start = Beginning(self.path, os.environ, Path.cwd(), existing)
        secret = self._ask_access(start)
        self._ask_places(start)
        self._write(start, secret)

    def _existing(self, *, add: bool) -> str | None:
        """The text of the file that gets one more profile; None: a new file is made."""
        if not os.path.lexists(self.path):
            if add:
                raise UsageError(f"there is no {self.path} to add to; leave out --add to make it")
            return None
        if self.force and not add:
            return None
        if not add and not (
            self.talk.is_interactive
            and self.talk.confirm(f"{self.path} is there already. Add one more profile to it?")
        ):
            raise UsageError(
                f"{self.path} is there already, and was left as it is. --add adds a profile to it, "
                "--force replaces it; or name another file: ubiops-file-sync init NEW.yaml"
            )
        from ubiops_file_sync.config import load_settings

        load_settings(self.path)  # What is wrong with it is told before anything is asked.
        return self.path.read_bytes().decode("utf-8-sig")

    def _require_options(self, *, token: bool) -> None:
        """Raise `UsageError` for all at once that nobody can be asked."""
        needed = []
        if token and not self.token.is_known:
            needed.append(
                "a token (the variable UBIOPS_API_TOKEN, --token-env NAME or --token-file PATH)"
            )
        if self.given.local_dir is None:
            needed.append("--local-dir DIR")
        if needed and not self.talk.is_interactive:
            raise UsageError(f"there is nobody to ask, so these are needed: {', '.join(needed)}")

    def _ask_access(self, start: Beginning) -> tuple[Path, str] | None:
        """Have the host and the token. Returns the file that is to be written for it, if one is."""
        if start.existing is not None:
            start.take_inherited_host()
            if self.token.is_given:
                return self.token.ask(start)
            self.talk.tell(f"the token is that of {self.path}: {start.take_inherited_token()}")
            return None
        while True:
            self._ask_host(start)
            try:
                return self.token.ask(start)
            except RemoteError as error:
                if not self.talk.is_interactive or self.given.host is not None:
                    raise
                # Only a token that it may know shows whether an address is of UbiOps.
                self.talk.tell(f"  {error}")

    def _ask_host(self, start: Beginning) -> None:
        from ubiops_file_sync.config import DEFAULT_API_HOST

        default = os.environ.get("UBIOPS_API_HOST", "").strip() or DEFAULT_API_HOST
        self.talk.ask(
            Question("Address of UbiOps", "--host", start.take_host, self.given.host, default)
        )
        if start.api_host != DEFAULT_API_HOST:
            start.draft = replace(start.draft, api_host=start.api_host)

    def _ask_places(self, start: Beginning) -> None:
        """Where the files are, here and there, and which way they travel."""
        given, ask = self.given, self.talk.ask
        projects = start.projects or []
        only = projects[0] if len(projects) == 1 else None
        ask(Question("Project", "--project", start.take_project, given.project, only, projects))
        names = [bucket.name for bucket in start.buckets or ()]
        usual = "default" if "default" in names or not names else names[0]
        default = usual if len(names) < 2 or usual == "default" else None
        ask(Question("Bucket", "--bucket", start.take_bucket, given.bucket, default, names))
        may_write = start.access is not None and start.access.writes
        ask(
            Question(
                "Which way do files travel?",
                "--direction",
                lambda answer: start.take_direction(_direction(answer)),
                given.direction,
                "two-way" if may_write else "download",
                DIRECTIONS,
            )
        )
        words = "Folder in the bucket (empty: the whole bucket)"
        ask(Question(words, "--bucket-dir", start.take_bucket_dir, given.bucket_dir, ""))
        ask(
            Question(
                "Directory on this machine",
                "--local-dir",
                lambda answer: self._take_local_dir(start, answer),
                given.local_dir,
            )
        )
        ask(
            Question(
                "Name of the profile", "--name", start.take_name, given.name, start.likely_name
            )
        )

    def _take_local_dir(self, start: Beginning, answer: str) -> str:
        """As `take_local_dir`, but a folder above it may be made on the way."""
        parent = start.missing_parent(answer)
        if parent is not None and self.talk.is_interactive:
            _make(parent, self.talk)
        return start.take_local_dir(answer)

    def _write(self, start: Beginning, secret: tuple[Path, str] | None) -> None:
        """Write the files, the configuration last: it never speaks of one that is not there."""
        from ubiops_file_sync.config.schema import file_schema
        from ubiops_file_sync.config.write import set_aside, write_new, write_over

        schema = self.path.with_name(f"{self.path.stem}.schema.json")
        if start.existing is None:
            start.draft = replace(start.draft, schema=f"./{schema.name}")
        text = start.text()
        self.talk.tell("")
        if not self.talk.confirm(f"Write {self.path}?"):
            raise Stopped("nothing was written")
        if secret is not None:
            write_new(*secret)
            say(f"written: {secret[0]} (the token; only you may read it)")
        if start.existing is not None:
            write_over(self.path, text)
        else:
            if os.path.lexists(self.path):
                aside = set_aside(self.path, f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
                say(f"kept:    {aside} (what stood there)")
            if not os.path.lexists(schema):
                write_new(schema, json.dumps(file_schema(), indent=2) + "\n")
                say(f"written: {schema} (for editors)")
            write_new(self.path, text)
        say(f"written: {self.path}")
        if not (start.draft.token_file or start.existing):
            for line in of_a_variable(start.draft):
                say(line)
        for line in first_commands(self.path, start.draft, secret and secret[0]):
            say(line)


def _make(folder: Path, talk: Talk) -> None:
    """Make a folder, if somebody says so."""
    if talk.confirm(f"  {folder} does not exist. Make it?"):
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            words = (error.strerror or "").lower()
            raise UsageError(f"{folder} cannot be made ({words})") from error


def _direction(answer: str) -> Direction:
    from ubiops_file_sync.model import Direction

    try:
        return Direction(answer)
    except ValueError:
        raise UsageError(f"choose one of {', '.join(DIRECTIONS)}") from None
