"""Writes `docs/configuration.md`: every setting, from the models that check them.

.venv/bin/python docs/settings.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ubiops_file_sync.config.schema import file_schema

PAGE = Path(__file__).with_name("configuration.md")

_HEAD = """# Settings, one by one

Made from the models that check a configuration, by `docs/settings.py`; the tests see to it that it
is up to date. The [README](../README.md#settings) says the same in fewer words, and where a file is
looked for. Lengths of time are written as `500ms`, `30s`, `5m`, `1h`, `1d`, `1w` or a number of
seconds, sizes as `500kB`, `20MiB`, `10GiB` or a number of bytes. `${VAR}` and `${VAR:-default}` are
expanded everywhere.
"""


def page() -> str:
    """The whole page."""
    schema = file_schema()
    top: Mapping[str, Any] = schema["properties"]
    profile = _resolved(top["profiles"]["additionalProperties"], schema)["properties"]
    of_file = {name: shape for name, shape in top.items() if name not in profile}
    shared = sorted(set(top) & set(profile))
    lines = [_HEAD, "## Of the whole file", "", *_table(of_file)]
    lines += ["", f"Also at the top, for all profiles: {', '.join(f'`{n}`' for n in shared)}.", ""]
    lines += ["## Of a profile", "", *_table(profile)]
    return "\n".join(lines) + "\n"


def _table(shapes: Mapping[str, Any], outer: str = "") -> Iterator[str]:
    if not outer:
        yield "| setting | default | may be | meaning |"
        yield "| --- | --- | --- | --- |"
    for name, shape in sorted(shapes.items()):
        default = f"`{_yaml(shape['default'])}`" if shape.get("default", "") != "" else ""
        words = shape.get("description", "").replace("|", "\\|").replace("\n", " ")
        yield f"| `{outer}{name}` | {default} | {_may_be(shape)} | {words} |"
        if shape.get("properties"):
            yield from _table(shape["properties"], f"{outer}{name}.")


def _may_be(shape: Mapping[str, Any]) -> str:
    for one in shape.get("anyOf", [shape]):
        if "enum" in one:
            return ", ".join(f"`{word}`" for word in one["enum"])
    if "examples" in shape:
        return f"such as `{shape['examples'][0]}`"
    return ""


def _yaml(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _resolved(shape: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in shape:
        return shape
    name = shape["$ref"].rpartition("/")[2]
    found: Mapping[str, Any] = schema["definitions"][name]
    return found


if __name__ == "__main__":
    PAGE.write_text(page())
