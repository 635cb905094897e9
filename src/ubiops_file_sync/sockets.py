"""The sockets of libcurl's multi interface, and the selector that is asked about them."""

from __future__ import annotations

import os
import selectors
from typing import Any

import pycurl


class Sockets:
    """What libcurl wants to know of sockets. For one thread.

    The selector goes on watching a socket of which libcurl wants to know nothing for the moment:
    the next request on that connection will want the same, most likely at once, and to tell the
    kernel each time costs more than to send a request.
    """

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._wanted: set[int] = set()
        """Descriptors of those that libcurl wants to know of."""
        self._watched: dict[int, tuple[int, int]] = {}
        """By descriptor: for which events, and the inode of the socket that had it then."""

    def watch(self, what: int, fd: int, _multi: Any = None, _data: Any = None) -> None:
        """libcurl says what it wants to know of a socket: its `CURLMOPT_SOCKETFUNCTION`."""
        events = selectors.EVENT_READ if what & pycurl.POLL_IN else 0
        events |= selectors.EVENT_WRITE if what & pycurl.POLL_OUT else 0
        if what == pycurl.POLL_REMOVE or not events:
            self._wanted.discard(fd)
            return
        self._wanted.add(fd)
        # libcurl does not say when it closes one. The kernel forgets it then, and another gets its
        # number.
        inode = os.fstat(fd).st_ino
        if self._watched.get(fd) != (events, inode):
            self._leave(fd)
            self._selector.register(fd, events)
            self._watched[fd] = (events, inode)

    def heard(self, fd: int, events: int) -> int:
        """What has come to a socket, for `CurlMulti.socket_action`; 0: nobody wants to know."""
        if fd not in self._wanted:
            self._leave(fd)  # The server has closed it, say, of which the selector would go on.
            return 0
        came: int = pycurl.CSELECT_IN if events & selectors.EVENT_READ else 0
        came |= pycurl.CSELECT_OUT if events & selectors.EVENT_WRITE else 0
        return came

    def _leave(self, fd: int) -> None:
        if self._watched.pop(fd, None) is not None:
            self._selector.unregister(fd)
