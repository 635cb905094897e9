"""Watches everything that any test logs, of every logger at DEBUG, for tokens and signatures.

A plugin of the whole session, and of each of its workers: the session fails if one is found
(invariant I9). Nothing cleans these records on the way, unless a test puts up the product's own
redaction: what this finds was really logged.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ubiops_file_sync.emulator import BucketServer

SIGNATURE = re.compile(
    r"X-(Amz|Goog)-(Signature|Credential)|[?&;]sig=|\b(Signature|GoogleAccessId|AWSAccessKeyId)="
)
"""What `emulator/signing.py`, and the providers themselves, put into a signed URL."""
_SHORTEST = 8
"""Characters of a token that cannot be an innocent word."""
_KEPT = 20
_LEAKS = "leaked_secrets"


class Watch(logging.Handler):
    """Looks through each record as it comes; keeps the first that should not have been."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.tokens: set[str] = set()
        self.seen = 0
        self.leaks: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Look at all that a record has: message, traceback, and what came with `extra=`."""
        self.seen += 1
        whole = f"{self.format(record)}\n{vars(record)}"
        if self.tells(whole) and len(self.leaks) < _KEPT:
            test = os.environ.get("PYTEST_CURRENT_TEST", "between two tests")
            self.leaks.append(f"{test}: {record.name}: {whole[:2000]}")

    def tells(self, text: str) -> bool:
        """Whether a token or a signature is in it."""
        return SIGNATURE.search(text) is not None or any(token in text for token in self.tokens)


watch = Watch()
_leaks_of_all: list[str] = []


def pytest_configure() -> None:
    """From now on everything is heard, and every server's token is known."""
    root = logging.getLogger()
    root.addHandler(watch)
    root.setLevel(logging.DEBUG)
    usual = BucketServer.__init__

    def noting(self: BucketServer, *args: Any, **kwargs: Any) -> None:
        usual(self, *args, **kwargs)
        if len(self.token) >= _SHORTEST:
            watch.tokens.add(self.token)

    BucketServer.__init__ = noting  # type: ignore[method-assign]  # for the whole session


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker tells of its leaks; whoever leads the session fails it for them."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_LEAKS] = watch.leaks
        return
    _leaks_of_all.extend(watch.leaks)
    if _leaks_of_all:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Hear what a worker found."""
    _leaks_of_all.extend(getattr(node, "workeroutput", {}).get(_LEAKS, []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was logged, and where."""
    if _leaks_of_all:
        terminalreporter.section("tokens or signatures were logged", red=True)
    for leak in _leaks_of_all:
        terminalreporter.line(leak)


@contextmanager
def hushed(*names: str) -> Iterator[None]:
    """Let clients that a test uses, and the product does not, keep to themselves what they ask."""
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
