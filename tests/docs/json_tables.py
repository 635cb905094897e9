"""The tables of `docs/json.md`, and documents held against them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PAGE = (Path(__file__).parents[2] / "docs/json.md").read_text()
ROW = re.compile(r"\| `(\w+)` \| (.+?) \| (.*?) ?\|")
LINK = re.compile(r"\[([\w -]+)\]\(#([\w-]+)\)")
EVERY, FAILED = "Every document", "A profile that failed"

PLAIN: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "null": lambda value: value is None,
}


@dataclass
class Tables:
    """What the page says, and which of its fields were seen."""

    sections: dict[str, dict[str, tuple[str, bool]]] = field(default_factory=dict)
    """By heading and field: its type, and whether it may be missing."""
    seen: set[tuple[str, str]] = field(default_factory=set)

    @classmethod
    def of_the_page(cls) -> Tables:
        tables = cls()
        for part in PAGE.split("\n## ")[1:]:
            heading, _, text = part.partition("\n")
            rows = (ROW.fullmatch(line) for line in text.splitlines())
            tables.sections[heading] = {
                row[1]: (row[2], row[3].startswith("Only ")) for row in rows if row is not None
            }
        return tables

    def unseen(self) -> set[tuple[str, str]]:
        """Fields that no document had."""
        every = {(name, one) for name, fields in self.sections.items() for one in fields}
        return every - self.seen

    def check_document(self, command: str, document: dict[str, Any]) -> None:
        """Hold a whole document of a command against the page."""
        fields = dict(self.sections[EVERY])
        if "error" not in document:
            fields |= self.sections[command]
        self._check_fields(command, fields, document)

    def _check(self, where: str, kind: str, value: Any) -> None:
        if kind.startswith("`"):
            assert value in re.findall(r"`([^`]+)`", kind), f"{where}: {value!r} is none of {kind}"
            return
        kinds = kind.split(" or ")
        if value is None:
            assert "null" in kinds, f"{where} is null"
            return
        (kind,) = [one for one in kinds if one != "null"]
        link = LINK.fullmatch(kind)
        if link is not None:
            self._check_object(where, link[1], value)
        elif kind.startswith("list of "):
            assert isinstance(value, list), where
            for number, item in enumerate(value):
                self._check(f"{where}[{number}]", kind.removeprefix("list of "), item)
        elif kind.startswith("map of "):
            assert isinstance(value, dict), where
            for name, item in value.items():
                self._check(f"{where}.{name}", kind.removeprefix("map of "), item)
        else:
            assert PLAIN[kind](value), f"{where} is {value!r}, no {kind}"

    def _check_object(self, where: str, section: str, value: Any) -> None:
        assert isinstance(value, dict), where
        if "error" in value and "profile" in value and "error" not in self.sections[section]:
            section = FAILED
        self._check_fields(section, self.sections[section], value, where)

    def _check_fields(
        self,
        section: str,
        fields: dict[str, tuple[str, bool]],
        value: dict[str, Any],
        where: str = "",
    ) -> None:
        where = where or section
        assert not value.keys() - fields.keys(), f"{where} has fields that are on no page"
        needed = {name for name, (_, is_optional) in fields.items() if not is_optional}
        if "error" not in value or "error" in needed:
            assert not needed - value.keys(), f"{where} lacks fields"
        for name, item in value.items():
            home = section if name in self.sections[section] else EVERY
            self.seen.add((home, name))
            self._check(f"{where}.{name}", fields[name][0], item)
