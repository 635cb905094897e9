"""The SDK's own way, as a process of its own: `python -m benchmarks.sdk_side up|down HOST DIR`."""

from __future__ import annotations

import sys

import ubiops
from ubiops import utils

THREADS = 10


def main() -> None:
    """Move everything one way."""
    way, host, folder = sys.argv[1:]
    configuration = ubiops.Configuration(host=host, api_key={"Authorization": "Token x"})
    client = ubiops.ApiClient(configuration)
    if way == "up":
        utils.upload_files(client, "demo", [folder], parallel_uploads=THREADS, _progress_bar=False)
    else:
        utils.download_files(
            client, "demo", output_path=folder, parallel_downloads=THREADS, _progress_bar=False
        )


if __name__ == "__main__":
    main()
