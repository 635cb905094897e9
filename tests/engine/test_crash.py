"""A real `reconcile`, killed for real at any moment, and run again (I1, I5, I6)."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.world import World, assert_in_step
from ubiops_file_sync.emulator import Fault

KILLS = 8


def reconcile(world: World, folder: Path) -> subprocess.Popen[bytes]:
    profile = world.profile
    config = folder / "config.yaml"
    config.write_text(
        f"version: 1\napi_host: {profile.api_host}\nstate_dir: {world.state_dir}\nprofiles:\n"
        f"  p: {{local_dir: {world.root}, project: demo, bucket_dir: data, settle: 0,"
        f" workers: 3, multipart_threshold: {profile.multipart_threshold}}}\n"
    )
    return subprocess.Popen(
        [sys.executable, "-m", "ubiops_file_sync", "--config", str(config), "reconcile"],
        env={**os.environ, "UBIOPS_API_TOKEN": world.server.token},
        stdout=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("seed", range(KILLS))
def test_killed_at_any_moment_it_ends_where_an_undisturbed_run_ends(
    world: World, tmp_path: Path, seed: int
) -> None:
    dice = random.Random(seed)
    expected: dict[str, bytes] = {}
    for n in range(40):
        world.write(f"up/{n:02}", b"u" * n * 500, age_s=100)
        world.put(f"down/{n:02}", b"d" * n * 500)
        expected |= {f"up/{n:02}": b"u" * n * 500, f"down/{n:02}": b"d" * n * 500}
    for n in range(10):
        world.write(f"newer-here/{n}", b"mine %d" % n, age_s=5)
        world.put(f"newer-here/{n}", b"theirs, older %d" % n, age_s=500)
        expected[f"newer-here/{n}"] = b"mine %d" % n
    world.server.faults.add(Fault(("put", "get_blob"), "latency", times=None, seconds=0.01))
    for _ in range(2):
        process = reconcile(world, tmp_path)
        time.sleep(0.35 + dice.random() * 0.6)
        process.kill()
        process.wait()
        for contents in (world.local(), world.remote()):
            for key, content in contents.items():
                assert content in {expected[key], b"theirs, older " + key[-1:].encode()}
    world.server.faults.clear()

    assert reconcile(world, tmp_path).wait() == 0

    assert world.local() == expected
    assert world.remote() == expected
    for n in range(10):
        assert b"theirs, older %d" % n in world.trash()[f"newer-here/{n}"]
    assert world.staged() == []
    world.run()
    assert_in_step(world)
