"""What is in a folder, and what another user may do there."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ubiops_file_sync.local import descend

NOBODY = 65534


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below `folder`, hidden ones and the trash included."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def refuse_no_replace(patch: pytest.MonkeyPatch) -> None:
    """As a kernel or a file system that has no rename which replaces nothing."""

    def refuse(*_args: object) -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    patch.setattr(descend, "rename_no_replace", refuse)


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


_AS_NOBODY = f"""
import os, resource, sys
from pathlib import Path
from ubiops_file_sync.errors import KeyFailure
from ubiops_file_sync.local import LocalTree
with LocalTree(Path(sys.argv[1]), "profile", "PASS") as tree:
    if os.geteuid() == 0:
        os.setegid({NOBODY})
        os.seteuid({NOBODY})
    exec(sys.argv[2])
"""


def as_nobody(root: Path, code: str) -> list[str]:
    """What `code` prints about `tree`, line by line, run as a user whom permissions bind."""
    done = subprocess.run(
        [sys.executable, "-c", _AS_NOBODY, str(root), code],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
