"""The service's two clocks, and an alarm that goes by the wall clock whatever is done to it."""

from __future__ import annotations

import ctypes
import os
import time
from contextlib import suppress
from datetime import UTC, datetime

from ubiops_file_sync.schedule import Clocks

_TFD_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC
_ABSOLUTE_AND_CANCELLED_ON_SET = 1 | 2


def read_clocks() -> Clocks:
    """Both clocks now. The steady one also counts the time for which the machine slept."""
    return Clocks(datetime.now(UTC), time.clock_gettime(time.CLOCK_BOOTTIME))


class _Itimerspec(ctypes.Structure):
    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


class WallAlarm:
    """Becomes readable at a time of the wall clock, when that is set, or the machine wakes up.

    timerfd_create(2) with TFD_TIMER_CANCEL_ON_SET, for which Python 3.11 has no name. So a service
    that waits for a tick need not wake up now and then to see whether somebody set the clock.
    """

    def __init__(self) -> None:
        """Raises OSError where there is no such timer."""
        self._c = ctypes.CDLL(None, use_errno=True)
        try:
            self._fd = int(self._c.timerfd_create(time.CLOCK_REALTIME, _TFD_FLAGS))
        except AttributeError:
            raise OSError("the C library knows no timerfd") from None
        if self._fd < 0:
            raise _trouble()

    def fileno(self) -> int:
        """What to select on."""
        return self._fd

    def close(self) -> None:
        """Let go of it."""
        os.close(self._fd)

    def ring_at(self, when: datetime) -> None:
        """Replace the time that was set before by `when`, which is aware."""
        with suppress(OSError):  # Rung and not heeded, which setting it anew does.
            os.read(self._fd, 8)
        at = when.timestamp()
        spec = _Itimerspec(0, 0, max(0, int(at)), int(at % 1 * 1e9) or 1)
        flags = _ABSOLUTE_AND_CANCELLED_ON_SET
        if self._c.timerfd_settime(self._fd, flags, ctypes.byref(spec), None):
            raise _trouble()


def _trouble() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
