"""The demo: a story of one directory and one bucket, on the embedded server."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr

from ubiops_file_sync import report
from ubiops_file_sync.config import Profile
from ubiops_file_sync.emulator import BucketServer
from ubiops_file_sync.local.trash import TRASH_DIR
from ubiops_file_sync.reconcile import Reconciler

Say = Callable[[str], object]


def tell(say: Say) -> None:
    """Run the whole story in a temporary folder, and tell of it line by line through `say`.

    Every file, every call and every pass in it is real; only the bucket server is an embedded one.
    """
    with (
        tempfile.TemporaryDirectory(prefix="ubiops-file-sync-demo-") as folder,
        BucketServer(Path(folder, "server"), rate_limit=None) as server,
    ):
        _Story(Path(folder), server, say).tell()
    say("")
    say("That was all: the server is stopped and the temporary folder is gone.")


class _Story:
    """The state of the story: the folder `models/`, the bucket, and a reconciler between them."""

    def __init__(self, folder: Path, server: BucketServer, say: Say) -> None:
        self._root = folder / "models"
        self._root.mkdir()
        self._server = server
        self._say = say
        profile = Profile(
            name="demo",
            local_dir=self._root,
            project=server.project,
            bucket=server.bucket,
            bucket_dir="models",
            api_host=server.api_host,
            token=SecretStr(server.token),
            settle=0,
        )
        self._reconciler = Reconciler(profile, folder / "state")

    def tell(self) -> None:
        """All chapters, in order."""
        self._say("A folder models/ on this machine, and the place models/ in a UbiOps bucket.")
        self._both_directions()
        self._edits_on_either_side()
        self._conflict()
        self._nothing_to_do()

    def _both_directions(self) -> None:
        self._chapter("Both directions: two files are only here, two are only in the bucket.")
        self._write("resnet/weights.bin", os.urandom(200_000))
        self._write("README.md", b"Our models.\n")
        self._put("bert/weights.bin", os.urandom(300_000))
        self._put("labels.csv", b"id,name\n1,cat\n")
        self._pass()

    def _edits_on_either_side(self) -> None:
        self._chapter("One edit on each side.")
        self._write("README.md", b"Our models, and how they were trained.\n")
        self._put("labels.csv", b"id,name\n1,cat\n2,dog\n")
        self._pass()
        self._show("labels.csv", (self._root / "labels.csv").read_bytes())

    def _conflict(self) -> None:
        self._chapter("A conflict: both sides edit README.md; the bucket's edit is the newer one.")
        self._write("README.md", b"Edited here first.\n")
        time.sleep(0.05)
        self._put("README.md", b"Edited in the bucket, a moment later.\n")
        self._pass()
        self._show("README.md", (self._root / "README.md").read_bytes())
        for kept in sorted((self._root / TRASH_DIR).glob("*/README.md")):
            if kept.read_bytes().startswith(b"Edited here"):
                self._say("  The losing version is not lost. It stands in the trash:")
                self._show(str(kept.relative_to(self._root)), kept.read_bytes())

    def _nothing_to_do(self) -> None:
        self._chapter("Nobody changes anything: a pass that does nothing, with one API call.")
        self._pass()

    def _chapter(self, title: str) -> None:
        self._say("")
        self._say(f"* {title}")

    def _write(self, key: str, content: bytes) -> None:
        path = self._root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self._say(f"  here:          {key} ({len(content):,} bytes)")

    def _put(self, key: str, content: bytes) -> None:
        self._server.put_object(f"models/{key}", content)
        self._say(f"  in the bucket: {key} ({len(content):,} bytes)")

    def _show(self, name: str, content: bytes) -> None:
        last = content.decode().splitlines()[-1]
        self._say(f"  {name} now ends with: {last}")

    def _pass(self) -> None:
        self._say("  $ ubiops-file-sync reconcile")
        with self._reconciler.plan() as (plan, _):
            for action in plan.spool.actions():
                self._say("  " + report.action_line(action))
        for line in report.report_lines(self._reconciler.run()):
            self._say("    " + line)
