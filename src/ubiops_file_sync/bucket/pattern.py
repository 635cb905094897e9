"""What is sent for a call: learnt from the SDK once, and from then on filled in.

The SDK takes 50 µs to make one request of a call, most of a small file's share of CPU, and all but
a few words of it are the same each time. So it is asked once what it would send for words that
nobody has, and every call has its own words put in there.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import msgspec

from ubiops_file_sync.bucket.exchange import Answer

_HOST = "https://host.invalid/v0"
_AUTHORIZATION = "Authorization"


class CallPattern(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is sent for one call, but for its options. No host and no token is in it."""

    method: str
    path: tuple[str, ...]
    """Text and names of options in turns, beginning and ending with text."""
    query: tuple[tuple[str, str], ...]
    """Parameters, each with the option that is its value; one that is not given is left out."""
    headers: dict[str, str]
    """Without the one that has the token."""
    token_prefix: str
    """What stands before the token in that one."""
    body: str | None = None
    """The option that is the body; None: there is none."""


class Unlearnable(Exception):
    """What is sent for a call is more than a pattern can tell."""


class Listener:
    """Stands in for a REST client below the SDK: it sends nothing, and keeps what it was given."""

    def __init__(self) -> None:
        self.told: dict[str, Any] = {}

    def request(self, **told: Any) -> Answer:
        """Take one request."""
        self.told = told
        return Answer(200, "", {})


def learn_pattern(
    api_of: Callable[[str, str, Listener], Any],
    name: str,
    options: tuple[str, ...],
    examples: Mapping[str, Any],
) -> CallPattern:
    """What an API sends for the call `name`. Raises `Unlearnable`.

    `api_of` makes one of a host, a token and what stands below it. `examples`: of those options
    that cannot be any text.
    """
    listener, token = Listener(), uuid.uuid4().hex
    # With a slash and a space, so that an API which quotes otherwise is noticed.
    marks = {option: examples.get(option, f"{uuid.uuid4().hex}/ {option}") for option in options}
    getattr(api_of(_HOST, token, listener), name)(**marks, _preload_content=False)
    told = listener.told
    headers = dict(told["headers"])
    prefix, found, rest = headers.pop(_AUTHORIZATION, "").partition(token)
    body = next((option for option in options if marks[option] == told["body"]), None)
    pattern = CallPattern(
        method=told["method"],
        path=_split(told["resource_path"], marks),
        query=tuple((name, _option(value, marks)) for name, value in told["query_params"] or ()),
        headers=headers,
        token_prefix=prefix,
        body=body,
    )
    used = {*pattern.path[1::2], *(option for _, option in pattern.query), body} - {None}
    is_whole = used == set(options) and (body is not None or told["body"] is None)
    # What is kept must say nothing of whom it was learnt from.
    is_clean = told["host"] == _HOST and found and not rest and token not in repr(pattern)
    if not is_whole or not is_clean or told.get("post_params"):
        raise Unlearnable(name)
    return pattern


def _split(path: str, marks: Mapping[str, Any]) -> tuple[str, ...]:
    """The path in texts and names of options; those that stand in its query are not found here."""
    pieces = [path]
    for option, mark in marks.items():
        quoted = quote(str(mark), safe="")
        for at in range(0, len(pieces), 2):
            before, found, after = pieces[at].partition(quoted)
            if found:
                pieces[at : at + 1] = [before, option, after]
                break
    return tuple(pieces)


def _option(value: object, marks: Mapping[str, Any]) -> str:
    found = next((option for option, mark in marks.items() if mark == value), None)
    if found is None:
        raise Unlearnable(f"parameter {value!r}")
    return found


@lru_cache(maxsize=64)
def _quoted(text: str) -> str:
    """Remembered, since most are the same names in every call."""
    return quote(text, safe="")


class Calls:
    """The calls of one user to one host, each by its pattern."""

    def __init__(self, patterns: Mapping[str, CallPattern], api_host: str, token: str) -> None:
        self._patterns = patterns
        self._host = api_host
        self._token = token

    def request(self, call: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of `PooledRest.request` for a call."""
        pattern = self._patterns[call]
        pieces = list(pattern.path)
        pieces[1::2] = [_quoted(options[name]) for name in pattern.path[1::2]]
        return {
            "method": pattern.method,
            "host": self._host,
            "resource_path": "".join(pieces),
            "query_params": [
                (name, options[option]) for name, option in pattern.query if option in options
            ],
            "headers": {
                **pattern.headers,
                _AUTHORIZATION: f"{pattern.token_prefix}{self._token}",
            },
            "body": None if pattern.body is None else options.get(pattern.body),
        }
