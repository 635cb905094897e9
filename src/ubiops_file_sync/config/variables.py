"""`${NAME}` and `${NAME:-default}` in text, as a shell reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping

_REFERENCE = re.compile(
    r"(?P<literal>\$\$\{)"
    r"|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^{}]*))?\}"
    r"|(?P<malformed>\$\{)",
    re.ASCII,
)
_WHOLE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}", re.ASCII)


def is_reference(text: str) -> bool:
    """Whether the text is one `${NAME}` and nothing else: its value stands somewhere else."""
    return _WHOLE.fullmatch(text) is not None


def expand(text: str, env: Mapping[str, str]) -> str:
    """The text with its references replaced; `$${` stands for a literal `${`.

    A default holds for a variable that is unset or empty; it ends at the first `}` and holds no
    reference itself. Values are not expanded again. Raises ValueError, naming every variable
    that is missing.
    """
    missing: list[str] = []

    def replace(match: re.Match[str]) -> str:
        if match["literal"]:
            return "${"
        if match["malformed"]:
            raise ValueError(
                "has a '${' that is no ${NAME} or ${NAME:-default}; write $${ for a literal ${"
            )
        name, default = match["name"], match["default"]
        if default is not None:
            return env.get(name) or default
        if name not in env:
            missing.append(name)
        return env.get(name, "")

    expanded = _REFERENCE.sub(replace, text)
    if missing:
        names = ", ".join(f"${name}" for name in dict.fromkeys(missing))
        raise ValueError(
            f"needs {names} from the environment, unset now; set it, or give a default as in "
            f"${{{missing[0]}:-default}}"
        )
    return expanded
