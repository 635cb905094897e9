"""The text of the units for systemd, from the templates in `unit_templates`. Pure, but for reading
those.

`systemd/` in the repository holds what this makes of `USUAL`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from string import Template

from ubiops_file_sync.config import DEFAULT_TOKEN_ENV

SERVICE_NAME = "ubiops-file-sync"
"""Of the unit, of its user, and of the folders that systemd keeps for it."""
SERVICE, ONE_PASS, TIMER = (
    f"{SERVICE_NAME}.service",
    f"{SERVICE_NAME}@.service",
    f"{SERVICE_NAME}@.timer",
)
USER_FILE = f"{SERVICE_NAME}.conf"
"""For systemd-sysusers."""

UNRUNNABLE = frozenset("\"'\\")
"""No program is run by systemd that has one of these in its path."""

_STOP_MARGIN_S = 15
"""What is left after `stop_timeout` to break off what did not end, and to write that down."""
_EMPTY_LINES = re.compile(r"\n{3,}")
_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./$-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Installation:
    """What units are to say of one installation. All paths are absolute."""

    program: tuple[str, ...]
    """The words that run the program; the first is a path."""
    config: Path
    stop_timeout_s: float = 30.0
    writable: tuple[Path, ...] = ()
    """Directories that it may write to, beyond those that systemd makes for it."""
    credentials: tuple[tuple[str, Path], ...] = ()
    """Tokens that systemd is to deliver: the name, and the file."""
    environment: tuple[tuple[str, str], ...] = ()
    needs_home: bool = False
    """Whether any of it is below the home folders, which are hidden otherwise."""
    for_user: bool = False
    """Whether it is for the systemd of one user, and not for the machine's."""


USUAL = Installation(
    program=(f"/usr/local/bin/{SERVICE_NAME}",),
    config=Path("/etc/ubiops-file-sync/config.yaml"),
    writable=(Path("/srv/models"),),
    credentials=((DEFAULT_TOKEN_ENV, Path("/etc/ubiops-file-sync/token")),),
)


@dataclass(frozen=True, slots=True)
class Folders:
    """Where systemd looks for units."""

    units: Path
    sysusers: Path | None
    """None: no user is to be made."""

    def below(self, root: Path) -> Folders:
        """The same folders of an image whose root is `root`."""
        sysusers = None if self.sysusers is None else root / self.sysusers.relative_to("/")
        return Folders(root / self.units.relative_to("/"), sysusers)


@dataclass(slots=True)
class _Values:
    """What stands in place of the templates' names."""

    installation: Installation
    _hardening: str = field(init=False)

    def __post_init__(self) -> None:
        home = "read-only" if self.installation.needs_home else "yes"
        name = "user-hardening.in" if self.installation.for_user else "hardening.in"
        self._hardening = _template(name).substitute(home=home).rstrip()

    def fill(self, template: str) -> str:
        """The text of a unit, without more than one empty line at a time."""
        of = self.installation
        text = _template(template).substitute(
            program=" ".join((unit_path(of.program[0]), *map(unit_word, of.program[1:]))),
            config=unit_word(str(of.config)),
            stop_s=round(of.stop_timeout_s) + _STOP_MARGIN_S,
            writable="\n".join(_writable_lines(of.writable)),
            token=self._token(),
            environment="\n".join(
                f"Environment={unit_path(f'{name}={value}')}" for name, value in of.environment
            ),
            hardening=self._hardening,
        )
        return _EMPTY_LINES.sub("\n\n", text)

    def _token(self) -> str:
        of = self.installation
        if not of.credentials:
            return ""
        whose = "the user's" if of.for_user else "root's"
        note = f"# The token, in a file that is {whose} alone; systemd hands it over."
        lines = (f"LoadCredential={name}:{_bare(path)}" for name, path in of.credentials)
        return "\n".join(("", note, *lines, ""))


def unit_files(installation: Installation, folders: Folders) -> dict[Path, str]:
    """Each file and its text."""
    values = _Values(installation)
    which = "user" if installation.for_user else SERVICE_NAME
    files = {
        folders.units / SERVICE: values.fill(f"{which}.service.in"),
        folders.units / ONE_PASS: values.fill(f"{which}@.service.in"),
        folders.units / TIMER: values.fill(f"{SERVICE_NAME}@.timer.in"),
    }
    if folders.sysusers is not None:
        files[folders.sysusers / USER_FILE] = values.fill(f"{SERVICE_NAME}.sysusers.in")
    return files


def unit_word(text: str) -> str:
    """One word of a command in a unit, whatever is in it. See systemd.service(5), COMMAND LINES."""
    return unit_path(text.replace("$", "$$"))


def unit_path(text: str) -> str:
    """One word of a unit in which `$` means nothing: a path, an assignment."""
    text = text.replace("%", "%%")
    if _PLAIN.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _bare(path: Path) -> str:
    """A path in a setting that takes one, to the end of the line."""
    return str(path).replace("%", "%%")


def _writable_lines(paths: Iterable[Path]) -> Iterable[str]:
    for path in paths:
        # The sign that it may be missing belongs into the quotes.
        yield f"ReadWritePaths={unit_path(f'-{path}')}"


def _template(name: str) -> Template:
    folder = resources.files("ubiops_file_sync.service") / "unit_templates"
    return Template((folder / name).read_text(encoding="utf-8"))
