"""Installing the service: the units that a configuration asks for, and what is left to do by hand.

Nothing is changed but the units themselves: making users, handing over directories and starting
services is shown to the administrator, command by command.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import ubiops_file_sync
from ubiops_file_sync.config import (
    HOST_VARIABLE,
    SYSTEM_CONFIG_DIR,
    SYSTEM_STATE_DIR,
    Settings,
    normalise_api_host,
    user_config_dir,
)
from ubiops_file_sync.errors import ConfigError, UsageError
from ubiops_file_sync.service.tokens import delivered_tokens
from ubiops_file_sync.service.units import (
    SERVICE_NAME,
    UNRUNNABLE,
    Folders,
    Installation,
    unit_files,
)

SYSTEM_FOLDERS = Folders(Path("/etc/systemd/system"), Path("/etc/sysusers.d"))

_MADE_BY_SYSTEMD = (SYSTEM_STATE_DIR, Path("/var/log", SERVICE_NAME))
_HOMES = (Path("/home"), Path("/root"), Path("/run/user"))
_LAST_CONTROL_CHARACTER = "\x1f"


def user_folders(env: Mapping[str, str]) -> Folders:
    """Where the systemd of one user looks for units."""
    xdg = env.get("XDG_CONFIG_HOME", "")
    config = Path(xdg) if Path(xdg).is_absolute() else Path.home() / ".config"
    return Folders(config / "systemd/user", None)


def called_as(argv0: str) -> tuple[str, ...]:
    """The words that run this program again, from any folder and for any user."""
    if Path(argv0).name == "__main__.py":
        return sys.executable, "-m", ubiops_file_sync.__name__
    return (os.path.abspath(argv0),)  # noqa: PTH100  a link in it stays one


@dataclass(frozen=True, slots=True)
class Service:
    """One configuration as a service of the machine, or of one user."""

    settings: Settings
    """As the service will read them."""
    config: Path
    program: tuple[str, ...]
    env: Mapping[str, str]
    for_user: bool
    state_dir_by_hand: Path
    """Where commands that are typed, and not run by systemd, look for the state."""

    def files(self, folders: Folders) -> dict[Path, str]:
        """The units. Raises `UsageError` for what no unit can say or do."""
        self._check()
        return unit_files(self._installation(), folders)

    def _installation(self) -> Installation:
        return Installation(
            program=self.program,
            config=self.config,
            stop_timeout_s=self.settings.stop_timeout,
            writable=tuple(self._writable()),
            credentials=tuple(self.credentials().items()),
            environment=tuple(self._environment()),
            needs_home=any(is_below(path, _HOMES) for path in self.used()),
            for_user=self.for_user,
        )

    def _environment(self) -> Iterator[tuple[str, str]]:
        """The host, if the configuration leaves it to the variable of whoever installs this.

        Without it the service would send the token to the public address.
        """
        try:
            host = normalise_api_host(self.env.get(HOST_VARIABLE, "").strip())
        except ValueError:
            return
        if any(profile.api_host == host for profile in self.settings.profiles.values()):
            yield HOST_VARIABLE, host

    def credentials(self) -> dict[str, Path]:
        """The file of each token that systemd is to deliver, by its name."""
        folder = user_config_dir(self.env) if self.for_user else SYSTEM_CONFIG_DIR
        return delivered_tokens(self.settings, folder)

    def directories(self) -> list[Path]:
        """Where the service writes, beyond the folders that systemd makes for it."""
        settings = self.settings
        folders = [profile.local_dir for profile in settings.profiles.values()]
        if settings.log.file is not None:
            folders.append(settings.log.file.parent)
        if settings.metrics is not None and settings.metrics.textfile is not None:
            folders.append(settings.metrics.textfile.parent)
        folders.append(settings.state_dir)
        plain = dict.fromkeys(_without_dots(folder) for folder in folders)
        return [folder for folder in plain if not is_below(folder, _MADE_BY_SYSTEMD)]

    def _writable(self) -> list[Path]:
        return [] if self.for_user else self.directories()

    def token_files(self) -> list[Path]:
        """The files that profiles read their tokens from by themselves."""
        files = (profile.token_file for profile in self.settings.profiles.values())
        return list(dict.fromkeys(file for file in files if file is not None))

    def program_places(self) -> list[Path]:
        """All that must be there to run the program."""
        places = [self.program[0], sys.executable, sys.prefix, sys.base_prefix]
        package = Path(ubiops_file_sync.__file__).parent
        return list(dict.fromkeys((*map(Path, places), package)))

    def used(self) -> Iterator[Path]:
        """Every path that the service has to do with, as it is called and as it really is."""
        paths = [*self.directories(), *self.token_files(), *self.program_places(), self.config]
        for path in paths:
            yield path
            yield Path(os.path.realpath(path))

    def _check(self) -> None:
        for path in (Path(self.program[0]), self.config, *self.directories()):
            if any(letter <= _LAST_CONTROL_CHARACTER for letter in str(path)):
                raise UsageError(f"{str(path)!r} has a control character in it; rename it")
        if UNRUNNABLE.intersection(self.program[0]):
            raise UsageError(
                f"systemd runs no program that has a quote or a backslash in its path, such as "
                f"{self.program[0]}; install it elsewhere"
            )
        if self.for_user and self.settings.state_dir == SYSTEM_STATE_DIR:
            raise UsageError(
                f"{self.config} is the configuration of the system's service; leave out --user, "
                f"or write one of your own: {user_config_dir(self.env)}/config.yaml"
            )


def write_files(files: Mapping[Path, str], *, force: bool) -> list[Path]:
    """Write the files that are not as they should be: those that were written.

    Raises `UsageError`, with nothing written, if there is another text in one of them and `force`
    is not given; `ConfigError` if one cannot be written.
    """
    wrong = {path: text for path, text in files.items() if _text_of(path) != text}
    in_the_way = [str(path) for path in wrong if os.path.lexists(path)]
    if in_the_way and not force:
        listed = "".join(f"\n  {path}" for path in in_the_way)
        raise UsageError(
            f"other units stand there already; nothing was written:{listed}\n"
            "Compare them with what --dry-run shows. --force overwrites them; changes of your own "
            f"outlive that if they are made with 'systemctl edit {SERVICE_NAME}'"
        )
    for path, text in wrong.items():
        try:
            _write(path, text)
        except OSError as error:
            trouble = (error.strerror or str(error)).lower()
            raise ConfigError(f"{path} cannot be written ({trouble})") from error
    return list(wrong)


def _text_of(path: Path) -> str | None:
    """None: there is no such file, or it holds no text, or it is a link, such as a masked unit."""
    if path.is_symlink():
        return None
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _write(path: Path, text: str) -> None:
    """Replace a file, all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=".", suffix=".new", delete=False
    ) as file:
        try:
            file.write(text)
            file.flush()
            # Units are no secret, and everybody may read them.
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            with suppress(OSError):
                os.unlink(file.name)  # noqa: PTH108
            raise


def is_below(path: Path, folders: Iterable[Path]) -> bool:
    """Whether a path is below one of the folders, or one of them."""
    return any(path.is_relative_to(folder) for folder in folders)


def _without_dots(path: Path) -> Path:
    return Path(os.path.realpath(path)) if ".." in path.parts else path
