"""Why no answer came."""

from __future__ import annotations

import errno
import os
from enum import Enum
from typing import Any

import pycurl


class Trouble(Enum):
    """Where a request broke off."""

    NAME = "the host name is not known"
    CONNECT = "no connection"
    TLS = "the secure connection failed"
    TIMEOUT = "no answer in time"
    PROXY = "the proxy refused"
    FILES = "too many open files"
    BROKEN = "the connection broke off"


class NoAnswer(Exception):
    """No complete answer came. Its text never holds a URL."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.value)
        self.trouble = trouble


_E_PROXY = 97
"""CURLE_PROXY, which pycurl has no name for."""

_TROUBLES = {
    pycurl.E_COULDNT_RESOLVE_HOST: Trouble.NAME,
    pycurl.E_COULDNT_RESOLVE_PROXY: Trouble.PROXY,
    pycurl.E_COULDNT_CONNECT: Trouble.CONNECT,
    pycurl.E_OPERATION_TIMEDOUT: Trouble.TIMEOUT,
    pycurl.E_SSL_CONNECT_ERROR: Trouble.TLS,
    pycurl.E_PEER_FAILED_VERIFICATION: Trouble.TLS,
    pycurl.E_SSL_CACERT_BADFILE: Trouble.TLS,
    pycurl.E_SSL_CERTPROBLEM: Trouble.TLS,
    pycurl.E_SSL_CIPHER: Trouble.TLS,
    _E_PROXY: Trouble.PROXY,
}


def trouble_of(error: pycurl.error, curl: Any) -> Trouble:
    """Where it broke off. libcurl's own words are left out: they may quote the URL."""
    trouble = _TROUBLES.get(error.args[0], Trouble.BROKEN)
    if trouble is not Trouble.TIMEOUT and _may_open_nothing():
        return Trouble.FILES
    if trouble is Trouble.TIMEOUT and not curl.getinfo(pycurl.PRETRANSFER_TIME):
        return Trouble.CONNECT
    if curl.getinfo(pycurl.HTTP_CONNECTCODE) >= 400:
        return Trouble.PROXY
    return trouble


def _may_open_nothing() -> bool:
    """Whether this process has as many files open as it may. libcurl does not tell."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        return error.errno in {errno.EMFILE, errno.ENFILE}
    return False
