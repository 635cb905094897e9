"""What a setting may look like to an editor: fragments of the JSON schema of a file.

An editor must never complain of what the program reads; the other way round it may miss things,
which `check-config` then tells. What a fragment says of text are the expressions of `quantities`,
as JSON schema has them: with both ends, and without flags.
"""

from __future__ import annotations

from typing import Any

Shape = dict[str, Any]

_AROUND = r"^\s*(?:{})\s*$"


def text_like(expression: str, *examples: str) -> Shape:
    """Text of that form; white space around it does not count."""
    shape: Shape = {"type": "string", "pattern": _AROUND.format(expression)}
    return shape | ({"examples": list(examples)} if examples else {})


def either(*shapes: Shape) -> Shape:
    """Any of these; their examples are those of the whole."""
    examples = [example for shape in shapes for example in shape.get("examples", ())]
    plain = [{name: shape[name] for name in shape if name != "examples"} for shape in shapes]
    return {"anyOf": plain} | ({"examples": examples} if examples else {})


_UNITS = "[kKmMgGtTpP][iI]?[bB]"

DURATION = either(
    {"type": "number", "minimum": 0},
    text_like(r"[0-9]+(?:\.[0-9]+)? ?(?:ms|s|m|h|d|w)?", "500ms", "30s", "5m", "1h", "1d", "1w"),
)
SIZE = either(
    {"type": "number", "minimum": 0},
    text_like(rf"[0-9]+(?:\.[0-9]+)? ?(?:[bB]|{_UNITS})?", "500kB", "20MiB", "10GiB"),
)
RATE = either(
    {"type": "number", "minimum": 65_536},
    text_like(rf"[0-9]+|[0-9]+(?:\.[0-9]+)? ?(?:[bB]|{_UNITS})?\s*/s", "500kB/s", "20MiB/s"),
)
SHARE = either(
    {"type": "number", "exclusiveMinimum": 0, "maximum": 1}, text_like(r"[0-9]?\.?[0-9]{1,9}")
)
LIMIT = either(
    {"type": "integer", "minimum": 0},
    text_like(r"[0-9]+|[0-9]{1,3}(?:\.0)? ?%", "50%", "100"),
)
SCHEDULE = text_like(
    r"@[A-Za-z]+|\S+(?:\s+\S+){4,5}", "*/5 * * * *", "30 2 * * *", "@hourly", "@daily"
)
COMMAND = either({"type": "string"}, {"type": "array", "items": {"type": "string"}})
LISTEN = text_like(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}", "127.0.0.1:9467")
TOKEN: Shape = {"type": "string", "minLength": 1}
PATH: Shape = {"type": "string", "pattern": r"\S"}
BUCKET_NAME: Shape = {
    "type": "string",
    "pattern": r"^[^/]*[^/\s][^/]*$",
    "not": {"enum": [".", ".."]},
}
PROFILE_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
VARIABLE_NAME: Shape = {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}
