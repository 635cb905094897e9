"""Which versions of everything are at work."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import sqlite3
import sys
from typing import Any

import pycurl

from ubiops_file_sync import __version__

_NAME = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)


def versions() -> dict[str, Any]:
    """The program, what it is built on, and the machine; not the machine's name."""
    return {
        "ubiops-file-sync": __version__,
        "python": sys.version,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "file_names": sys.getfilesystemencoding(),
        "libcurl": pycurl.version,
        "sqlite": sqlite3.sqlite_version,
        "packages": _packages(),
    }


def _packages() -> dict[str, str | None]:
    """What this package asks for; None: not installed."""
    try:
        wanted = importlib.metadata.requires("ubiops-file-sync") or []
    except importlib.metadata.PackageNotFoundError:
        return {}
    names = [match[0] for one in wanted if "extra ==" not in one and (match := _NAME.match(one))]
    return {name: _version(name) for name in names}


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
