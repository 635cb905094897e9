"""Where settings come from: a file that is named, a file that is found, or the environment."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from ubiops_file_sync.config.check import FileCheck
from ubiops_file_sync.config.environment import environment_settings, speaks_of_a_profile
from ubiops_file_sync.config.faults import Fault, config_error
from ubiops_file_sync.config.models import SYSTEM_CONFIG_DIR, Settings
from ubiops_file_sync.config.yaml_source import Document, read_yaml
from ubiops_file_sync.errors import ConfigError

PATH_VARIABLE = "UBIOPS_FILE_SYNC_CONFIG"
_MAX_BYTES = 1 << 20


def load_settings(
    path: Path | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Settings:
    """The settings of the named file, else of the first one found, else of the environment.

    `env` and `cwd` are the process's own unless given. A file that was named, by `path` or by
    `$UBIOPS_FILE_SYNC_CONFIG`, must be there: nothing else is tried instead of it. Raises
    ConfigError with everything that is wrong, one line each.
    """
    env = os.environ if env is None else env
    cwd = Path.cwd() if cwd is None else cwd
    found = find_config(path, env, cwd)
    if found is not None:
        return _load_file(found, env)
    if speaks_of_a_profile(env):
        return environment_settings(env, cwd)
    raise ConfigError(_how_to_begin(usual_places(env, cwd)))


def find_config(path: Path | None, env: Mapping[str, str], cwd: Path) -> Path | None:
    """The file to read, absolute; None if none was named and none is in the usual places.

    A named file is returned whether it exists or not.
    """
    named = path if path is not None else env.get(PATH_VARIABLE)
    if named:
        return cwd / named
    return next((place for place in usual_places(env, cwd) if _is_there(place)), None)


def usual_places(env: Mapping[str, str], cwd: Path) -> list[Path]:
    """Where a file is looked for that nobody named; the first that is there counts."""
    return [
        cwd / "ubiops-file-sync.yaml",
        user_config_dir(env) / "config.yaml",
        SYSTEM_CONFIG_DIR / "config.yaml",
    ]


def user_config_dir(env: Mapping[str, str]) -> Path:
    """Where a user's own configuration is."""
    xdg = env.get("XDG_CONFIG_HOME", "")
    if xdg and Path(xdg).is_absolute():
        return Path(xdg, "ubiops-file-sync")
    import platformdirs

    return platformdirs.user_config_path("ubiops-file-sync")


def _is_there(path: Path) -> bool:
    """Whether something is there, even if it cannot be read: that is told, never passed over."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _how_to_begin(places: list[Path]) -> str:
    listed = "\n".join(f"  {place}" for place in places)
    return (
        f"no configuration was found; looked for\n{listed}\n"
        "To begin, run 'ubiops-file-sync init', which asks and writes one; or write one yourself:\n"
        "  profiles:\n"
        "    models:\n"
        "      local_dir: /srv/models\n"
        "      project: my-project\n"
        f"or name another with --config PATH or ${PATH_VARIABLE}, or set the environment "
        "variables BUCKET_PROJECT_NAME, BUCKET_NAME, BUCKET_DIR, LOCAL_SYNC_DIR and "
        "UBIOPS_API_TOKEN"
    )


def _load_file(path: Path, env: Mapping[str, str]) -> Settings:
    text, is_private = _read(path)
    return settings_of_text(text, path, env, is_private=is_private)


def settings_of_text(
    text: str, path: Path, env: Mapping[str, str], *, is_private: bool = True
) -> Settings:
    """What a file with this text would say at `path`. Raises ConfigError, as `load_settings`."""
    document = read_yaml(text, env)
    if document.faults and document.data is None:
        raise config_error(str(path), document.faults)
    if document.data is None:
        message = "it is empty; add 'profiles:' with one profile that has local_dir and project"
        raise config_error(str(path), [Fault((), message)])
    return FileCheck(document, path, is_private=is_private).settings(env)


def read_document(path: Path, env: Mapping[str, str]) -> Document:
    """The plain values of a file and where they stand, unchecked. Raises ConfigError."""
    text, _ = _read(path)
    return read_yaml(text, env)


def _read(path: Path) -> tuple[str, bool]:
    """The file's text, and whether no other user may read it."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        message = "there is no such file; check the path, or create the file"
    except IsADirectoryError:
        message = "this is a folder; give the path of the file in it"
    except OSError as error:
        message = f"it cannot be read ({error.strerror}); check its permissions"
    else:
        return _decode(path, content), not mode & (stat.S_IRWXG | stat.S_IRWXO)
    raise config_error(str(path), [Fault((), message)])


def _decode(path: Path, content: bytes) -> str:
    if len(content) > _MAX_BYTES:
        raise config_error(str(path), [Fault((), "it is larger than 1 MiB; is it the right file?")])
    try:
        # Editors on Windows put a byte order mark first; it says nothing.
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
    raise config_error(str(path), [Fault((), "it is not UTF-8 text; save it as UTF-8", line)])
