"""One boot for all tests here, however many processes they are spread over."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from systemd import root

Step = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="session")
def step(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Step:
    """What was found in a step of `inside.py`; the test fails where the step did."""
    if not pytestconfig.getoption("--boot"):
        pytest.skip("boots a systemd in a root of its own, for some minutes; ask for it: --boot")
    cache = pytestconfig.rootpath / pytestconfig.getoption("--boot-cache")
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    try:
        root.require_tools()
        with root.only_one(cache):
            findings = _findings(cache, folder / "boot")
    except root.CannotBoot as reason:
        pytest.skip(str(reason))

    def found(name: str) -> dict[str, Any]:
        told: dict[str, Any] = findings.get(name, {"error": "the step was not come to"})
        if "error" in told:
            pytest.fail(f"{told['error']}\n{told.get('journal', '')}")
        return told

    return found


def _findings(cache: Path, folder: Path) -> dict[str, Any]:
    """Of another process of this run, if it was quicker."""
    kept = folder / "findings.json"
    if not kept.exists():
        base = root.base_root(cache)
        folder.mkdir(exist_ok=True)
        kept.write_text(root.findings_of(base, folder))
    findings: dict[str, Any] = json.loads(kept.read_text())
    return findings
