"""The README's tables of settings, held against the models that check them."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ubiops_file_sync.config.schema import file_schema

REPOSITORY = Path(__file__).parents[2]
README = (REPOSITORY / "README.md").read_text()
SETTINGS = README[README.index("\n## Settings\n") : README.index("\n## Environment variables")]
TOP_ROWS, PROFILE_ROWS = SETTINGS.split("Each profile, below")


def rows(text: str) -> dict[str, str]:
    """What stands behind each setting of a table."""
    found = {}
    for line in text.splitlines():
        if line.startswith("| `"):
            names, _, rest = line[2:].partition(" | ")
            for name in re.findall(r"`(\w+)`", names):
                found[name] = rest
    return found


def shapes() -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    schema = file_schema()
    top = schema["properties"]
    profile = top["profiles"]["additionalProperties"]
    if "$ref" in profile:
        profile = schema["definitions"][profile["$ref"].rpartition("/")[2]]
    return top, profile["properties"]


def test_every_setting_is_in_a_table_and_nothing_else() -> None:
    top, profile = shapes()
    told_top, told_profile = rows(TOP_ROWS), rows(PROFILE_ROWS)
    assert set(told_top) == set(top) - {"version", "profiles"}
    assert set(told_profile) | {"timezone", "api_host", *told_top} >= set(profile)
    assert set(told_profile) <= set(profile)


@pytest.mark.parametrize("which", [0, 1])
def test_defaults_are_as_told(which: int) -> None:
    shape, told = shapes()[which], (rows(TOP_ROWS), rows(PROFILE_ROWS))[which]
    for name, rest in told.items():
        default = shape[name].get("default")
        if isinstance(default, bool):
            default = str(default).lower()
        if default != "" and isinstance(default, str | int | float):
            assert f"`{default}`" in rest or f"`{name}: {default}`" in rest, name


def test_the_page_of_settings_is_up_to_date() -> None:
    path = REPOSITORY / "docs/settings.py"
    spec = importlib.util.spec_from_file_location("docs_settings", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text() == module.page(), "run .venv/bin/python docs/settings.py"


def test_what_is_linked_is_there() -> None:
    for page in (REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
