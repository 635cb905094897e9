"""The watch over all tests: a session in which a secret was logged fails, and says where."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from no_secrets import SIGNATURE
from ubiops_file_sync.emulator import Grant
from ubiops_file_sync.emulator.providers import Dialect
from ubiops_file_sync.emulator.signing import Signer

TESTS = Path(__file__).parents[1]

SUITE = """
import logging
from ubiops_file_sync.emulator import BucketServer

def test_nothing():
    logging.getLogger("x").debug("all is well with emulator-tokens or without")

def test_something(tmp_path):
    with BucketServer(tmp_path, token="token-of-a-server") as server:
        {what}
"""
LEAKS = {
    "in a message": 'logging.getLogger("urllib3").debug("with " + server.token)',
    "in an argument": 'logging.getLogger("x").info("with %s", {"a": server.token})',
    "in extra": 'logging.getLogger("x").info("with", extra={"a": [server.token]})',
    "in a traceback": """
        try: raise ValueError(server.token)
        except ValueError: logging.getLogger("x").exception("with")
    """,
    "a signature": 'logging.getLogger("x").info("GET /k?X-Amz-Signature=0")',
}


@pytest.mark.parametrize("workers", ["0", "2"])
@pytest.mark.parametrize("what", ["nothing", *LEAKS])
def test_a_session_that_logs_a_secret_fails(tmp_path: Path, what: str, workers: str) -> None:
    suite = tmp_path / "test_suite.py"
    suite.write_text(SUITE.replace("{what}", LEAKS.get(what, "pass").strip()))
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no_secrets", "-n", workers, "-q", str(suite)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(TESTS)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "2 passed" in ended.stdout
    if what == "nothing":
        assert ended.returncode == 0, ended.stdout
    else:
        assert ended.returncode == 1, ended.stdout
        assert "tokens or signatures were logged" in ended.stdout
        assert "test_suite.py::test_something (call): " in ended.stdout


@pytest.mark.parametrize("dialect", list(Dialect))
def test_every_providers_signature_is_known(dialect: Dialect) -> None:
    url = Signer(b"secret").target(dialect, Grant("PUT", "bucket", "key"), 0, 60)
    assert SIGNATURE.search(url)
