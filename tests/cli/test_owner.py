"""What root does to the service's state, it does as the service's user."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import SAME_PACKAGE
from ubiops_file_sync.cli.owner import act_as_owner
from ubiops_file_sync.config import Settings

NOBODY = 65_534
# Nobody is root again afterwards, so it is done in a process of its own.
PROGRAM = """
import json, os, sys
from pathlib import Path
from ubiops_file_sync import config
from ubiops_file_sync.cli.owner import act_as_owner
from ubiops_file_sync.service import tokens

folder = Path(sys.argv[1])
config.SYSTEM_STATE_DIR = folder / sys.argv[2]
tokens.delivered_tokens.__defaults__ = (folder,)
profile = {"name": "a", "local_dir": "/a", "project": "p"}
settings = config.Settings(profiles={"a": profile}, state_dir=folder / "state")
env = {}
act_as_owner(settings, env)
print(json.dumps([os.getresuid(), os.getresgid(), os.getgroups(), env]))
"""


def _become(folder: Path, state: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder), state],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": SAME_PACKAGE},
        text=True,
        capture_output=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_root_becomes_the_owner_for_good_and_knows_the_token(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "token").write_text("secret\n")
    (tmp_path / "token").chmod(0o600)
    os.chown(tmp_path / "state", NOBODY, NOBODY)
    users, groups, others, env = _become(tmp_path, "state")
    assert users == [NOBODY] * 3
    assert groups == [NOBODY] * 3
    assert 0 not in others
    assert env == {"UBIOPS_API_TOKEN": "secret\n"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("state", ["elsewhere", "state"])
def test_at_other_state_or_its_own_root_stays_root(tmp_path: Path, state: str) -> None:
    (tmp_path / "state").mkdir()
    if state == "elsewhere":
        os.chown(tmp_path / "state", NOBODY, NOBODY)
    users, _, _, env = _become(tmp_path, state)
    assert users == [0, 0, 0]
    assert env == {}


def test_a_service_that_never_ran_has_no_user_to_become(tmp_path: Path) -> None:
    env: dict[str, str] = {}
    before = os.getresuid()
    act_as_owner(Settings(profiles={}, state_dir=tmp_path / "none"), env)
    assert (os.getresuid(), env) == (before, {})
