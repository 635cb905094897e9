"""Takes tokens and signatures out of text (invariant I9). The last line of defence, not the first.

Nothing here knows where a text goes. What makes a secret is known in two ways: the tokens that
were told of with `keep_secret`, wherever they stand; and the forms that credentials come in, for
those that nobody told of: `Authorization` headers, queries of signed URLs, passwords in URLs.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from urllib.parse import quote

HIDDEN = "***"

_KEPT = 64
"""Tokens that stay known: a service whose token file is rotated meets many in its life."""
_SHORT = 8
"""Characters below which a token may be a word, and is hidden only where it stands alone."""

_VALUE = r"[^\s&'\"<>,;(){}\[\]\\]"
"""Ends where a query, a header, a quoted text, JSON within a text or XML goes on."""
_BETWEEN = r"[\\'\"]{0,3}\s{0,2}(?:[=:>]|%3D|(?<=['\"]),)\s{0,2}[\[(]?[\\'\"]{0,3}"
"""What stands between a name and its value: in a query, a header, XML, or as Python prints it."""
_SIGNED = re.compile(
    r"\b(?:X-(?:Amz|Goog|Oss|Obs)-[a-z-]+|AWSAccessKeyId|GoogleAccessId|OSSAccessKeyId"
    r"|Signature|sig|access_token|token)=",
    re.IGNORECASE,
)
_QUERY = re.compile(r"\?[^\s?'\"<>\\]+")
_FORMS = (
    # https://user:password@proxy
    (re.compile(r"(://)[^\s/@:'\"]*:[^\s/@'\"]*@"), r"\1***@"),
    (
        re.compile(
            rf"(\b(?:proxy-)?authorization\b{_BETWEEN})"
            rf"(?:(?:token|bearer|basic)(?:\s+|%20|\+))?{_VALUE}+",
            re.IGNORECASE,
        ),
        r"\1***",
    ),
    # A digit or some length tells a token from a word, such as in "Basic authentication".
    (
        re.compile(
            rf"\b(Token|Bearer|Basic)(\s+|%20|\+)(?=[^\s'\"]{{0,60}}[0-9]|{_VALUE}{{16}})"
            rf"{_VALUE}{{6,}}"
        ),
        r"\1\2***",
    ),
    # Parts of a query that stand alone, in a dictionary, or in the XML of a storage provider.
    (
        re.compile(
            r"\b(X-(?:Amz|Goog|Oss|Obs)-(?:Signature|Credential|Security-Token)|AWSAccessKeyId"
            r"|GoogleAccessId|OSSAccessKeyId|SignatureProvided|Signature|sig)"
            rf"({_BETWEEN}){_VALUE}+",
            re.IGNORECASE,
        ),
        r"\1\2***",
    ),
)

_HINTS = ("authorization", "token", "bearer", "basic", "x-", "access", "sig", "@")
"""Lower case; a text with none of them has none of the forms, which most texts are spared."""


class _Tokens:
    """Those that were told of, the latest last. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, None] = {}
        self.pattern: re.Pattern[str] | None = None

    def add(self, token: str) -> None:
        with self._lock:
            if not token or token == next(reversed(self._known), None):
                return
            self._known.pop(token, None)
            self._known[token] = None
            if len(self._known) > _KEPT:
                del self._known[next(iter(self._known))]
            self.pattern = _pattern_of(self._known)


_tokens = _Tokens()


def keep_secret(token: str) -> None:
    """From now on `token` is hidden wherever `redacted` meets it, also as a URL has it."""
    _tokens.add(token.strip())


def redacted(text: str) -> str:
    """`text` without anything that is, or looks like, a token or a signature.

    It stays one line where it was one, and JSON where it was JSON. Doing it twice is as good as
    once.
    """
    if _tokens.pattern is not None:
        text = _tokens.pattern.sub(HIDDEN, text)
    if "?" in text:
        text = _QUERY.sub(_without_signature, text)
    lower = text.lower()
    if any(hint in lower for hint in _HINTS):
        for form, instead in _FORMS:
            text = form.sub(instead, text)
    return text


def holds_secret(text: str) -> bool:
    """Whether a token that was told of stands in `text`."""
    return _tokens.pattern is not None and _tokens.pattern.search(text) is not None


def _without_signature(query: re.Match[str]) -> str:
    return f"?{HIDDEN}" if _SIGNED.search(query[0]) else query[0]


def _pattern_of(tokens: Iterable[str]) -> re.Pattern[str]:
    forms = {form for token in tokens for form in (token, quote(token, safe=""))}
    # The longest first: a token may begin with another.
    return re.compile("|".join(map(_form_of, sorted(forms, key=len, reverse=True))))


def _form_of(token: str) -> str:
    escaped = re.escape(token)
    return escaped if len(token) >= _SHORT else rf"(?<![\w-]){escaped}(?![\w-])"
