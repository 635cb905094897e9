"""The demo and the bucket server, as the README shows them."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from pathlib import Path

from cli.conftest import COMMAND, Shell


def test_the_demo_tells_its_story_and_leaves_nothing_behind(shell: Shell) -> None:
    shell.env["TMPDIR"] = str(shell.files)
    done = shell("demo")
    assert done.returncode == 0, done.stderr
    for line in (
        "2 uploaded, 2 downloaded",
        "changed here since the last pass",
        "changed in the bucket since the last pass",
        "changed on both sides; the bucket's file wins",
        "now ends with: Edited here first.",
        "nothing to do",
        "1 API call,",
    ):
        assert line in done.stdout
    assert done.stderr == ""
    assert list(shell.files.iterdir()) == []


def test_a_served_bucket_survives_a_restart(shell: Shell) -> None:
    for attempt in (1, 2):
        process = subprocess.Popen(
            [*COMMAND, "serve-bucket", "--port", "0", "--data", "bucket", "--token", "t0k3n"],
            cwd=shell.cwd,
            env={"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        api_host = process.stdout.readline().split()[-1]
        shell.env |= {
            "UBIOPS_API_HOST": api_host,
            "UBIOPS_API_TOKEN": "t0k3n",
            "BUCKET_PROJECT_NAME": "demo",
            "BUCKET_NAME": "default",
            "BUCKET_DIR": "",
            "LOCAL_SYNC_DIR": str(shell.cwd / f"copy{attempt}"),
            "STATE_DIRECTORY": str(shell.cwd / f"state{attempt}"),
        }
        (shell.cwd / f"copy{attempt}").mkdir()
        (shell.cwd / f"copy{attempt}" / f"file{attempt}").write_bytes(b"1")
        done = shell("reconcile")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)
        assert done.returncode == 0, done.stderr
        assert process.returncode == 0
    assert {path.name for path in Path(shell.cwd, "copy2").glob("file*")} == {"file1", "file2"}


def test_the_bucket_server_refuses_a_port_that_is_taken(shell: Shell) -> None:
    port = shell.server.origin.rpartition(":")[2]
    done = shell("serve-bucket", "--port", port, "--data", tempfile.mkdtemp(dir=shell.cwd))
    assert done.returncode == 2
    assert "choose another --port" in done.stderr
