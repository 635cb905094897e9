"""Names of files, hashed for whoever may not show them. The same name gives the same hash.

The key of the hash is drawn anew for each bundle and thrown away: nobody can try out names.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from typing import Any

_DIGITS = 12
_KEYS = {"key"}
"""Fields that hold a key."""
_LISTS = {"conflicts", "extra_keys"}
"""Fields that hold a list of keys."""
_TEXTS = {"message", "error", "notes", "outcome", "held_by"}
"""Fields in whose words any key may stand, in quotes."""
_WORDS = {"words", "remedy"}
"""Fields in whose words only keys stand that are known: those of a diagnosis."""
_SHORT = 3
"""Letters of a part of a name up to which it may be any word, and is left in a text."""
_QUOTED = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"")


class HashedNames:
    """Hides the names of one bundle."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)
        self._known: dict[str, str] = {}
        """What to look for in texts, and what to put there."""

    def key(self, key: str) -> str:
        """The key with each of its parts hashed, so that folders still show."""
        hashed = "/".join(self._part(part) for part in key.split("/"))
        self._known[key] = hashed
        return hashed

    def know(self, keys: Iterable[str]) -> None:
        """Hide these in texts, too."""
        for key in keys:
            self.key(key)

    def text(self, text: str, *, quotes: bool = True) -> str:
        """Words without the keys that are known, their parts, and whatever stands in `quotes`."""
        if quotes:
            text = _QUOTED.sub("'…'", text)
        for known in sorted(self._known, key=len, reverse=True):
            if len(known) > _SHORT:
                text = text.replace(known, self._known[known])
        return text

    def document(self, value: Any, field: str = "") -> Any:
        """A JSON document with its keys hashed, wherever they stand."""
        if isinstance(value, dict):
            return {name: self.document(one, name) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.document(one, field) for one in value]
        if isinstance(value, str):
            if field in _KEYS | _LISTS:
                return self.key(value)
            if field in _TEXTS | _WORDS:
                return self.text(value, quotes=field in _TEXTS)
        return value

    def _part(self, part: str) -> str:
        digest = hmac.new(self._secret, part.encode(errors="surrogatepass"), hashlib.sha256)
        hashed = digest.hexdigest()[:_DIGITS]
        self._known[part] = hashed
        return hashed
