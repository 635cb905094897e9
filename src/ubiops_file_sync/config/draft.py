"""The text of a first configuration, with comments that teach; a profile added to a text. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from ubiops_file_sync.config.models import DEFAULT_TOKEN_ENV
from ubiops_file_sync.config.show import scalar
from ubiops_file_sync.model import Direction

_COMMENT_COLUMN = 44


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody wants to have in a file. What is empty is left to its default."""

    name: str
    local_dir: str
    project: str
    bucket: str = "default"
    bucket_dir: str = ""
    direction: Direction = Direction.TWO_WAY
    api_host: str = ""
    token_file: str = ""
    token_env: str = ""
    schema: str = ""
    """Where an editor finds the schema of the file."""


def draft_text(draft: Draft) -> str:
    """A whole file with one profile."""
    return "".join(f"{line}\n" for line in _file_lines(draft))


def _file_lines(draft: Draft) -> Iterator[str]:
    if draft.schema:
        yield f"# yaml-language-server: $schema={draft.schema}"
    yield "# Made by 'ubiops-file-sync init'; 'ubiops-file-sync config show' tells all settings."
    yield "version: 1"
    yield ""
    if draft.api_host:
        yield _line("api_host", draft.api_host, "where UbiOps is")
    yield from _token_lines(draft, "")
    yield ""
    yield "# What every profile has, unless it says otherwise, goes here."
    yield "# defaults:"
    yield ""
    yield "profiles:"
    yield from profile_lines(draft, "  ", has_token=False)


def _token_lines(draft: Draft, indent: str) -> Iterator[str]:
    if draft.token_file:
        words = "holds the token, and nothing else"
        yield _line(f"{indent}token_file", draft.token_file, words)
    elif draft.token_env:
        yield _line(f"{indent}token_env", draft.token_env, "the variable that holds the token")
    elif not indent:
        yield f"# The token is read from the variable {DEFAULT_TOKEN_ENV}."


def profile_lines(draft: Draft, indent: str, *, has_token: bool = True) -> Iterator[str]:
    """The profile, its name by `indent` from the margin. `has_token`: with its own token and host,
    if the draft has them."""
    inner = f"{indent}  "
    yield _line(
        f"{indent}{scalar(draft.name)}", None, "a name of your own; commands and logs use it"
    )
    yield _line(f"{inner}local_dir", draft.local_dir, "the directory on this machine")
    yield _line(f"{inner}project", draft.project, "")
    yield _line(f"{inner}bucket", draft.bucket, "")
    words = "the folder in the bucket" if draft.bucket_dir else "empty: the whole bucket"
    yield _line(f"{inner}bucket_dir", draft.bucket_dir, words)
    if has_token:
        if draft.api_host:
            yield _line(f"{inner}api_host", draft.api_host, "")
        yield from _token_lines(draft, inner)
    yield _line(f"{inner}direction", draft.direction.value, _DIRECTION[draft.direction])
    yield _line(f"{inner}schedule", "*/5 * * * *", "of the service: every five minutes")
    yield _line(
        f"{inner}# deletions",
        "none",
        "or to_bucket, to_local, both",
    )
    yield _line(f"{inner}# conflict", "newer-wins", "or local-wins, remote-wins, keep-both")


_DIRECTION = {
    Direction.TWO_WAY: "changes travel both ways",
    Direction.DOWNLOAD: "the bucket is never written to",
    Direction.UPLOAD: "this directory is never written to",
}


def _line(name: str, value: str | None, comment: str) -> str:
    line = f"{name}:" if value is None else f"{name}: {scalar(value)}"
    return f"{line:<{_COMMENT_COLUMN}}  # {comment}" if comment else line


def add_profile(text: str, draft: Draft) -> str | None:
    """The text with one more profile behind the others, and otherwise as it was.

    None: its profiles are not written a line each, so that somebody has to put it there by hand.
    Whether the text still means the same is for the caller to see.
    """
    place = _end_of_profiles(text)
    if place is None:
        return None
    line, indent = place
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    ending = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    behind = [""] if line < len(lines) and lines[line].strip() else []
    added = [f"{one}{ending}" for one in ("", *profile_lines(draft, " " * indent), *behind)]
    return "".join((*lines[:line], *added, *lines[line:]))


def _end_of_profiles(text: str) -> tuple[int, int] | None:
    """The number of the line behind the last profile, from 0, and how far profiles are indented."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return None
    if not isinstance(root, yaml.MappingNode):
        return None
    found = [value for key, value in root.value if key.value == "profiles"]
    if len(found) != 1 or not isinstance(found[0], yaml.MappingNode):
        return None
    profiles = found[0]
    if profiles.flow_style or not profiles.value:
        return None
    indent: int = profiles.value[0][0].start_mark.column
    lines = text.splitlines()
    # The mapping ends where the next token begins: comments that stand between are the next's,
    # unless they are indented as far as a profile.
    end = min(profiles.end_mark.line, len(lines))
    if profiles.end_mark.column and profiles.end_mark.line < len(lines):
        end += 1
    while end and not _belongs(lines[end - 1], indent):
        end -= 1
    return end, indent


def _belongs(line: str, indent: int) -> bool:
    """Whether a line is of a profile, or a comment within one."""
    bare = line.lstrip()
    return bool(bare) and (not bare.startswith("#") or len(line) - len(bare) >= indent)
