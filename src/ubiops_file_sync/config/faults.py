"""What is wrong with a configuration, where it stands, and how the whole list is told.

A fault never carries a value from the file: a token may stand in the wrong place, and only the
names of settings are known to be harmless (invariant I9).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ubiops_file_sync.errors import ConfigError

KeyPath = tuple[str, ...]
"""The keys that lead to a value, outermost first; list items are their number."""

_NAME_OF_A_SETTING = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,31}", re.ASCII)
_NAME_OF_A_PROFILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_LOOKS_LIKE_A_TOKEN = re.compile(r"token\s.*|[0-9a-f]{32,}", re.ASCII | re.IGNORECASE | re.DOTALL)
_SECRET = "token"  # noqa: S105  the name of the setting, not a token


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong."""

    path: KeyPath
    """Where; empty for the file as a whole."""
    message: str
    """What is wrong, and after a semicolon what to do."""
    line: int | None = None
    """Counted from 1; None where no one line is at fault."""

    @property
    def setting(self) -> str:
        """The path as people read it; empty for the file as a whole."""
        return show_path(self.path)

    @property
    def wrong_and_fix(self) -> tuple[str, str]:
        """The two halves of the message."""
        wrong, _, fix = self.message.partition("; ")
        return wrong, fix


class BadConfiguration(ConfigError):
    """A configuration that cannot be used; the message tells every fault, each on its line."""

    def __init__(self, source: str, faults: tuple[Fault, ...]) -> None:
        super().__init__("\n".join(_tell(source, fault) for fault in faults))
        self.source = source
        """The path of the file, or what else was read."""
        self.faults = faults
        """In the order of the file."""


def show_path(path: KeyPath) -> str:
    """The path as people read it, cut short at a token and masked where a key is no name.

    A key that is no name may be a token that slipped to the wrong side of a colon, so it shows
    as `?`; the line tells where it stands.
    """
    shown: list[str] = []
    for depth, key in enumerate(path):
        is_profile = depth == 1 and path[0] == "profiles"
        pattern = _NAME_OF_A_PROFILE if is_profile else _NAME_OF_A_SETTING
        is_name = pattern.fullmatch(key) or (key.isdecimal() and len(key) < 6)
        shown.append(key if is_name and not looks_like_token(key) else "?")
        if key == _SECRET and not is_profile:
            break
    return ".".join(shown)


def looks_like_token(text: str) -> bool:
    """Whether this is, by its form, a UbiOps token that stands where something else should."""
    return _LOOKS_LIKE_A_TOKEN.fullmatch(text) is not None


def masked(text: str) -> str:
    """A name for a message: `?` if it is a token that slipped into its place."""
    return "?" if looks_like_token(text) else text


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` was probably meant to be; None if none is close."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


def config_error(source: str, faults: Iterable[Fault]) -> BadConfiguration:
    """One error that tells every fault, in the order of the file, each on a line of its own.

    Raise it outside of any `except`: the exceptions of the parsers quote the file, and a
    traceback would show them as the context.
    """
    ordered = sorted(dict.fromkeys(faults), key=lambda fault: fault.line or 0)
    return BadConfiguration(source, tuple(ordered))


def _tell(source: str, fault: Fault) -> str:
    place = source if fault.line is None else f"{source}:{fault.line}"
    return ": ".join(part for part in (place, fault.setting, fault.message) if part)
