"""A real `reconcile` of a world's profile, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from engine.world import World


def reconcile(world: World, folder: Path, *options: str) -> subprocess.Popen[bytes]:
    """Start it, with these options; its configuration is written into `folder`."""
    profile = world.profile
    settings = {
        "local_dir": str(world.root),
        "project": profile.project,
        "bucket": profile.bucket,
        "bucket_dir": profile.bucket_dir,
        "settle": 0,
        "workers": 3,
        **world.settings,
    }
    config = folder / "config.yaml"
    head = f"version: 1\napi_host: {profile.api_host}\nstate_dir: {world.state_dir}\n"
    config.write_text(f"{head}profiles:\n  p: {json.dumps(settings)}\n")
    return subprocess.Popen(
        [sys.executable, "-m", "ubiops_file_sync", "--config", str(config), "reconcile", *options],
        env={**os.environ, "UBIOPS_API_TOKEN": world.server.token},
        stdout=subprocess.DEVNULL,
    )
