"""`python -m benchmarks.bucket FOLDER COUNT`: serve a bucket that holds the files of a tree.

Prints the address of the API and the token, and serves until its standard input is closed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.trees import STORED_US, entries
from ubiops_file_sync.emulator import BucketServer


def main() -> None:
    """Serve."""
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    with BucketServer(folder, rate_limit=None) as server:
        server.add_synthetic(None, ((key, size, STORED_US) for key, size in entries(count)))
        print(server.api_host, server.token, server.project, server.bucket, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
