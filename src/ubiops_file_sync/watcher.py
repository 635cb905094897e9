"""Uploads what changes in the folder, in the background. The looks are those of `lookout.py`."""

from __future__ import annotations

import os
import threading
from contextlib import suppress

from ubiops_file_sync import places
from ubiops_file_sync.classic import OneWay
from ubiops_file_sync.errors import UsageError
from ubiops_file_sync.lookout import Lookout
from ubiops_file_sync.model import Direction
from ubiops_file_sync.progress import Progress

_guard = threading.RLock()
"""Of what follows. Reentrant, since a signal handler may call `shutdown` at any time."""
_watching: Lookout | None = None
_ends_at_exit = False


def watch_local_and_upload(interval_s: float = 2.0, *, progress: Progress | None = None) -> None:
    """Begin to upload, in a thread of its own, every file that is new or changed; returns at once.

    The folder is looked at every `interval_s` seconds, and more rarely where a look takes long. A
    file goes up once two looks have found it the same, and nothing has written to it meanwhile. No
    trouble ends it: it is logged, and tried again. `progress` is told of what happens, in that
    thread. When the program ends, or calls `shutdown`, what has changed until then still goes up.

    A second call changes nothing while the same places are watched. Raises `UsageError` while
    others are, and `SyncError` if the folder or the variables cannot be used.
    """
    global _watching  # noqa: PLW0603  one watcher a process
    if not 0 < interval_s < threading.TIMEOUT_MAX:
        raise UsageError("interval_s must be a number of seconds above 0")
    passes = OneWay.of_environment(Direction.UPLOAD)
    with _guard:
        ending = _watching
    if ending is not None and ending.is_ending:
        ending.end()  # Another thread has asked for its end, and it is to be over before.
    with _guard:
        if _watching is not None and _watching.is_alive:
            if _watching.profile != passes.profile:
                raise UsageError(
                    f"{_watching.profile.local_dir} is being watched; call shutdown() before other "
                    "places are"
                )
            return
        with places.existing_root(passes.profile, ""):
            pass  # It is there, and can be read.
        _drain_at_exit()
        _watching = Lookout(passes, interval_s, progress)
        _watching.start()


def shutdown() -> None:
    """End the watcher, once what has changed until now is uploaded; what failed is in the log.

    Does nothing if none runs. Ctrl-C breaks off even what is under way. Called in the midst of an
    upload or download, by a signal handler or a progress callback, it does not wait; the end of the
    program does.
    """
    with _guard:
        watching = _watching
    if watching is not None:
        # Not under the guard: the watcher may be in a callback that asks for the same.
        watching.end()


def _drain_at_exit() -> None:
    """Have `shutdown` called when the program ends.

    `atexit` comes too late: the interpreter ends its thread pools before, and without them nothing
    can be uploaded. So the very hook is used by which it does that; the latest to be registered is
    called first.
    """
    global _ends_at_exit  # noqa: PLW0603
    if _ends_at_exit:
        return
    import concurrent.futures.thread  # noqa: F401  it is to be registered before

    try:
        threading._register_atexit(_shut_down_at_exit)  # type: ignore[attr-defined]
    except RuntimeError:
        raise UsageError("the program is ending; nothing more can be watched") from None
    _ends_at_exit = True


def _shut_down_at_exit() -> None:
    # A second Ctrl-C, or a signal handler that exits: the program is ending already.
    with suppress(KeyboardInterrupt, SystemExit):
        shutdown()


def _forget() -> None:
    """The child of a fork has no watcher: its thread is the parent's."""
    global _guard, _watching
    _guard, _watching = threading.RLock(), None


os.register_at_fork(after_in_child=_forget)
