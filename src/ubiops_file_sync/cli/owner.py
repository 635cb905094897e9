"""Root, at the state of the system's service: does what it does as the service's user would.

Else files of root's would stand in the service's way: state, logs, and what a pass downloads.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import MutableMapping
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ubiops_file_sync.config import Settings


def act_as_owner(settings: Settings, env: MutableMapping[str, str]) -> None:
    """Become the owner of the service's state for good, and have in `env` the tokens that systemd
    would deliver to it. Nothing is changed for whoever is not root, and for any other state."""
    from ubiops_file_sync.config import SYSTEM_STATE_DIR
    from ubiops_file_sync.service.tokens import delivered_tokens

    if os.geteuid() != 0 or settings.state_dir != SYSTEM_STATE_DIR:
        return
    try:
        status = settings.state_dir.stat()
    except OSError:
        return
    if status.st_uid == 0:
        return
    for name, file in delivered_tokens(settings).items():
        # One that is missing is told of where it is asked for.
        with suppress(OSError, UnicodeDecodeError):
            env.setdefault(name, file.read_text())
    try:
        os.initgroups(pwd.getpwuid(status.st_uid).pw_name, status.st_gid)
    except KeyError:
        os.setgroups([])
    os.setgid(status.st_gid)
    os.setuid(status.st_uid)
