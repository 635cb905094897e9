"""Files that belong to a configuration, written whole or not at all, and private."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from ubiops_file_sync.errors import ConfigError, UsageError

_PRIVATE_FILE = 0o600
_PRIVATE_FOLDER = 0o700


def write_new(path: Path, text: str) -> None:
    """A new file that only this user may read; its folder is made. Raises `UsageError` if something
    stands there, even if it came this moment, and `ConfigError` if it cannot be written."""
    try:
        path.parent.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        new = _written(path, text, None)
        try:
            os.link(new, path)
        finally:
            new.unlink()
    except FileExistsError:
        raise UsageError(f"{path} is there already, and was left as it is") from None
    except OSError as error:
        raise _unwritable(path, error) from error


def write_over(path: Path, text: str) -> None:
    """A file in place of another, with the same owner and permissions; a link to it stays a link.

    Raises `ConfigError`, and the old one stands then.
    """
    real = Path(os.path.realpath(path))
    try:
        _written(real, text, real.stat()).replace(real)
    except OSError as error:
        raise _unwritable(path, error) from error


def set_aside(path: Path, stamp: str) -> Path:
    """Give a file another name, beside its own: that name. Raises `ConfigError`."""
    aside = path.with_name(f"{path.name}.{stamp}")
    try:
        path.rename(aside)
    except OSError as error:
        raise _unwritable(path, error) from error
    return aside


def _written(path: Path, text: str, like: os.stat_result | None) -> Path:
    """The text in a file beside `path`, on the disk."""
    new = path.with_name(f".{path.name[:200]}.{secrets.token_hex(6)}")
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE_FILE)
    try:
        with os.fdopen(fd, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            if like is not None:
                if (like.st_uid, like.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(fd, like.st_uid, like.st_gid)
                os.fchmod(fd, like.st_mode & 0o777)
            os.fsync(fd)
    except BaseException:
        with suppress(OSError):
            new.unlink()
        raise
    return new


def _unwritable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"{path} cannot be written ({(error.strerror or str(error)).lower()}); nothing was "
        "changed. Name another file, or allow this user to write there"
    )
