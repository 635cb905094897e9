"""Runs the command again and again, each time with as many open files as it is told.

A process of its own, since the limit is one of a process: `python descriptors.py`, with a line of
JSON for each command on its input, and one for each answer on its output.
"""

from __future__ import annotations

import contextlib
import io
import json
import resource
import sys
from unittest import mock

from faults.stage import short_waits
from ubiops_file_sync.cli import main


def run(words: list[str], limit: int) -> tuple[int, str]:
    """The exit code, and what was said."""
    said = io.StringIO()
    usual, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    code: object = None
    with (
        mock.patch.object(sys, "argv", ["ubiops-file-sync", *words]),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
    ):
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, most))
        try:
            main()
        except SystemExit as end:
            code = end.code
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (usual, most))
    return code if isinstance(code, int) else 1, said.getvalue()


if __name__ == "__main__":
    with short_waits(tries=2):
        for line in sys.stdin:
            order = json.loads(line)
            sys.stdout.write(json.dumps(run(order["words"], order["limit"])) + "\n")
            sys.stdout.flush()
