"""Options of the longer campaigns, and what tests of several parts share."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from engine.behaviours import BEHAVIOURS

pytest_plugins = ["no_secrets"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--histories`: how many whole histories are played (100000 for a long campaign).

    `--behaviour`: how the bucket of the engine's tests uses the room that UbiOps leaves.
    `--crash-points`: where a pass is killed: at some boundaries of each history, or at all of them.
    `--kills`: how often a real pass is killed at random moments (1000 for a long campaign).
    `--damages`: how many states are damaged at random, for tests/faults (300 for a long campaign).
    `--mutants`: plant bugs, and see them caught.
    `--live`: look at the bucket that the default profile's variables name.
    `--soak`: for how many seconds the service is put to the test.
    `--boot`: boot a systemd in a root of its own, kept in `--boot-cache` for the next time.
    """
    parser.addoption("--histories", type=int, default=1000)
    parser.addoption("--behaviour", choices=sorted(BEHAVIOURS), default="")
    parser.addoption("--crash-points", choices=["sample", "all"], default="sample")
    parser.addoption("--kills", type=int, default=50)
    parser.addoption("--damages", type=int, default=12)
    parser.addoption("--mutants", action="store_true")
    parser.addoption("--live", action="store_true")
    parser.addoption("--soak", type=int, default=0, metavar="SECONDS")
    parser.addoption("--boot", action="store_true")
    parser.addoption("--boot-cache", type=Path, default=Path(".venv/boot"))


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for the loopback address, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    files = folder / "certificate.pem", folder / "key.pem"
    options = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    options += ["-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    options += ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    options += ["-out", str(files[0]), "-keyout", str(files[1])]
    subprocess.run([openssl, *options], check=True, capture_output=True)
    return files
