"""Draws `docs/terminal.svg`: real commands on the embedded bucket server, as a terminal shows them.

.venv/bin/python docs/picture.py
"""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ubiops_file_sync.emulator import BucketServer

_COLUMNS = 120
_PICTURE = Path(__file__).with_name("terminal.svg")


def _typed(console: Console, words: str, folder: Path, env: dict[str, str]) -> None:
    """Run a command in a terminal, and show what was typed and what came of it."""
    console.print(Text("$ ", style="bold green") + Text(f"ubiops-file-sync {words}", style="bold"))
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "ubiops_file_sync", *words.split()]
    # Bars come and go on standard error, which is no terminal here; the lines are what stays.
    with subprocess.Popen(command, cwd=folder, env=env, stdout=theirs, stderr=subprocess.DEVNULL):
        os.close(theirs)
        shown = b""
        while True:
            try:
                block = os.read(ours, 65_536)
            except OSError:  # The terminal's other end is closed.
                break
            shown += block
    os.close(ours)
    text = shown.decode().replace("\r\n", "\n").replace(str(folder), "/home/you")
    console.print(Text.from_ansi(text.rstrip()))
    console.print()


def main() -> None:
    """Tell a short story, and draw it."""
    console = Console(record=True, width=_COLUMNS, file=io.StringIO(), force_terminal=True)
    with (
        tempfile.TemporaryDirectory(prefix="ubiops-") as place,
        BucketServer(Path(place, "server"), rate_limit=300) as server,
    ):
        folder = Path(place, "work")
        (folder / "models/weights").mkdir(parents=True)
        (folder / "ubiops-file-sync.yaml").write_text(
            f"version: 1\napi_host: {server.api_host}\nstate_dir: ../state\nprofiles:\n"
            "  models: {local_dir: models, project: demo, bucket_dir: models, settle: 0}\n"
        )
        (folder / "models/weights/a.bin").write_bytes(os.urandom(3_400_000))
        (folder / "models/config.json").write_text('{"lr": 0.1}')
        server.put_object("models/reports/monday.csv", b"x" * 48_000)
        env = {
            **os.environ,
            "UBIOPS_API_TOKEN": server.token,
            "TERM": "xterm-256color",
            "COLUMNS": str(_COLUMNS),
        }
        _typed(console, "plan", folder, env)
        _typed(console, "reconcile", folder, env)
        (folder / "models/config.json").write_text('{"lr": 0.05}')
        time.sleep(0.01)
        server.put_object("models/config.json", b'{"lr": 0.2, "by": "somebody else"}')
        _typed(console, "explain config.json", folder, env)
        _typed(console, "reconcile", folder, env)
        _typed(console, "trash list", folder, env)
    console.save_svg(str(_PICTURE), title="ubiops-file-sync")


if __name__ == "__main__":
    main()
