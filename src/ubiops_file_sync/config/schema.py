"""The JSON schema of a configuration file, for editors: made from the models, field by field.

An editor that reads it completes settings, shows what they mean, and marks mistakes while one
types. It never marks what the program reads; `check-config` finds what it cannot know.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import textwrap
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from ubiops_file_sync.config.levels import EITHER, INNER, PROFILE_SETTINGS, Top
from ubiops_file_sync.config.models import Profile, Settings, Trash
from ubiops_file_sync.config.service import Log, Metrics
from ubiops_file_sync.config.shapes import PROFILE_NAME, Shape

_INNER_MODELS: dict[str, type[BaseModel]] = {"trash": Trash, "log": Log, "metrics": Metrics}
_REQUIRED = ("local_dir", "project")
"""Settings that each profile has, by itself or by the defaults."""
_VARIABLE = {"$ref": "#/definitions/variable"}
_VARIABLE_SHAPE: Shape = {
    "type": "string",
    "pattern": r"\$\{",
    "description": "${NAME} or ${NAME:-default}, from the environment.",
}


def file_schema() -> Shape:
    """The schema of a whole file, in the dialect that editors know best (draft 7)."""
    profile = _section(Profile, PROFILE_SETTINGS)
    top = _section(Top, Top.model_fields)
    profile["type"] = ["object", "null"]  # One of which the defaults say all.
    top["properties"] = {
        "version": {"const": 1, "description": "Of this format."},
        **top["properties"],
        "defaults": {
            "allOf": [{"$ref": "#/definitions/profile"}],
            "description": "What every profile has, unless it says otherwise.",
        },
        "profiles": {
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"pattern": PROFILE_NAME},
            "additionalProperties": {"$ref": "#/definitions/profile"},
            "description": "One local directory and one place in a bucket each, by a name.",
        },
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Configuration of ubiops-file-sync",
        **top,
        "required": ["profiles"],
        "allOf": [*top["allOf"], *map(_somewhere, _REQUIRED)],
        "definitions": {"variable": _VARIABLE_SHAPE, "profile": profile},
    }


def _section(model: type[BaseModel], settings: Iterable[str]) -> Shape:
    """The schema of a level of the file with these settings of the model."""
    names = list(settings)
    pairs = [
        {"not": {"required": list(pair)}}
        for either, *_ in EITHER
        for pair in itertools.combinations([name for name in either if name in names], 2)
    ]
    known = model.model_json_schema()
    texts = _descriptions(Settings) | _descriptions(Profile) | _descriptions(model)
    defaults = _defaults(model)
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            name: _setting(name, known["properties"][name], known.get("$defs", {}))
            | ({"description": texts[name]} if name in texts else {})
            | ({"default": defaults[name]} if name in defaults else {})
            for name in names
        },
    } | ({"allOf": pairs} if pairs else {})


def _setting(name: str, shape: Shape, definitions: dict[str, Shape]) -> Shape:
    """The schema of one setting: its shape, or a variable in its place."""
    if name in INNER:
        inner = _section(_INNER_MODELS[name], INNER[name])
        if name == "metrics":
            inner["minProperties"] = 1
        return inner
    shape = _plain(shape, definitions)
    if shape.get("type") == "string" and not shape.keys() & {"pattern", "enum"}:
        return shape
    examples = shape.pop("examples", None)
    alternatives = shape.pop("anyOf", None) or [shape]
    return {"anyOf": [*alternatives, _VARIABLE]} | ({"examples": examples} if examples else {})


def _plain(shape: Shape, definitions: dict[str, Shape]) -> Shape:
    """Without titles, references and defaults, and without null: a setting has a value."""
    if "$ref" in shape:
        shape = definitions[shape["$ref"].rpartition("/")[2]]
    kept = {n: shape[n] for n in shape if n not in {"title", "default", "description"}}
    if "anyOf" not in kept:
        return kept
    others = [_plain(one, definitions) for one in kept["anyOf"] if one != {"type": "null"}]
    return kept | {"anyOf": others} if len(others) > 1 else others[0]


def _somewhere(setting: str) -> Shape:
    """The setting stands in the defaults, or else in each profile."""
    has: Shape = {"required": [setting]}
    return {
        "if": {"properties": {"defaults": {"type": "object", **has}}, "required": ["defaults"]},
        "else": {"properties": {"profiles": {"additionalProperties": has}}},
    }


def _defaults(model: type[BaseModel]) -> dict[str, Any]:
    """What holds for settings that are left out, as a file has it; not what depends on others."""
    values = {
        name: field.default
        for name, field in model.model_fields.items()
        if not field.is_required() and field.default_factory is None and name not in INNER
    }
    # Only dumped, never checked: a model with nothing but its defaults may lack what it requires.
    written = model.model_construct(**values).model_dump(mode="json", include=set(values))
    return {name: value for name, value in written.items() if value is not None and value != []}


def _descriptions(model: type[BaseModel]) -> dict[str, str]:
    """What stands below each field of the model, and of those that it extends."""
    texts: dict[str, str] = {}
    for one in reversed(model.__mro__):
        if issubclass(one, BaseModel) and one is not BaseModel:
            texts |= _documented(one)
    return texts


def _documented(model: type[BaseModel]) -> dict[str, str]:
    """As pydantic's `use_attribute_docstrings`, which would read the source at each start."""
    body = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    assert isinstance(body, ast.ClassDef)  # noqa: S101  the source of a class
    texts = {}
    for field, below in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            value = below.value if isinstance(below, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                texts[field.target.id] = _for_a_file(value.value)
    return texts


def _for_a_file(text: str) -> str:
    """In a file nothing is None: what is not said is left out."""
    return " ".join(text.split()).replace("None:", "left out:")
