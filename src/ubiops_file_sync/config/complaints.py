"""pydantic's complaints in the user's words: what is wrong, and what to do."""

from __future__ import annotations

from pydantic_core import ErrorDetails

from ubiops_file_sync.config.faults import nearest
from ubiops_file_sync.config.levels import INNER, PROFILE_SETTINGS, TOP_SETTINGS

OF_THE_FILE = "is a setting of the whole file; move it to the left margin"
EMPTY = "is empty; give it a value or remove the line"
_LINES_WANTED = "must hold 'key: value' lines; see the example configurations"
_BY_KIND = {
    "greater_than_equal": "is too small; write at least {ge}",
    "less_than_equal": "is too large; write at most {le}",
    "tuple_type": "must be a list; write '- ' before each item, or [a, b]",
    "model_type": _LINES_WANTED,
    "dict_type": _LINES_WANTED,
    "bool_type": "must be true or false; write one of them without quotes",
    "int_type": "must be a whole number; write it without quotes",
}


def in_words(complaint: ErrorDetails, key: str, known: tuple[str, ...]) -> str:
    """What is wrong and what to do. Looks at the input's type, and never repeats its value."""
    kind, context = complaint["type"], complaint.get("ctx", {})
    value: object = complaint["input"]
    if kind == "missing":
        return "is missing; add it here or under defaults"
    if kind == "extra_forbidden":
        return _unknown_setting(key, known)
    if value is None:
        return EMPTY
    if kind == "value_error":
        return str(context["error"])
    if kind == "enum":
        close = nearest(value, _words(context["expected"])) if isinstance(value, str) else None
        hint = f"; did you mean {close}?" if close else "; choose one of them"
        return f"must be {context['expected']}{hint}"
    if kind in _BY_KIND:
        return _BY_KIND[kind].format_map(context)
    return _wrong_type(value)


def _words(expected: str) -> list[str]:
    return expected.replace("'", "").replace(" or ", ", ").split(", ")


def _unknown_setting(key: str, known: tuple[str, ...]) -> str:
    close = nearest(key, known)
    if key in PROFILE_SETTINGS:
        return "is a setting of profiles; move it under defaults or a profile"
    if key in TOP_SETTINGS:
        return OF_THE_FILE
    for outer, inner in INNER.items():
        if key in inner:
            return f"is a setting of {outer}; move it below '{outer}:'"
    if close is not None:
        return f"is no setting; did you mean {close}?"
    return f"is no setting; use one of {', '.join(known)}"


def _wrong_type(value: object) -> str:
    if isinstance(value, bool):
        return "is true or false to YAML; put the word in quotes"
    if isinstance(value, int | float):
        return "is a number to YAML; put it in quotes"
    if isinstance(value, dict | list):
        return "must be one value, not a list or a mapping; write it on one line"
    return "is not usable here; see the example configurations"
