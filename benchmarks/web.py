"""The web server that every contender talks to: nginx, as the API and as the storage."""

from __future__ import annotations

import getpass
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template

_CONFIG = Path(__file__).with_name("nginx.conf.in")
_CREATED = "2026-01-01T00:00:00.000000Z"
_PAGE = 1000


@dataclass(frozen=True)
class Web:
    """A running server."""

    folder: Path
    port: int
    tls_port: int
    certificate: Path

    def origin(self, *, tls: bool) -> str:
        """Its address."""
        return f"https://127.0.0.1:{self.tls_port}" if tls else f"http://127.0.0.1:{self.port}"

    @property
    def blobs(self) -> Path:
        """Where what is stored stands."""
        return self.folder / "blobs"

    def list_as(self, sizes: Iterable[tuple[str, int]]) -> None:
        """What the listings say from now on, in the API's and in S3's words."""
        objects = sorted(sizes)
        pages = self.folder / "pages"
        shutil.rmtree(pages, ignore_errors=True)
        pages.mkdir()
        blocks = [objects[at : at + _PAGE] for at in range(0, len(objects), _PAGE)] or [[]]
        for number, block in enumerate(blocks):
            files = [{"file": k, "size": n, "time_created": _CREATED} for k, n in block]
            more = {"continuation_token": str(number + 1)} if number + 1 < len(blocks) else {}
            name = f"page{number or ''}.json"
            (pages / name).write_text(json.dumps({"files": files, "prefixes": [], **more}))
        contents = "".join(
            f"<Contents><Key>{k}</Key><LastModified>{_CREATED}</LastModified><Size>{n}</Size>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
            for k, n in objects
        )
        (pages / "objects.xml").write_text(
            "<ListBucketResult><Name>blobs</Name><IsTruncated>false</IsTruncated>"
            f"{contents}</ListBucketResult>"
        )

    def forget(self) -> None:
        """Put away all that was stored.

        Small files are not deleted: ext4 makes whoever creates files just after many were deleted
        look long for inodes, and who goes first would pay for it.
        """
        shutil.rmtree(self.folder / "parts", ignore_errors=True)
        if self.blobs.exists():
            for big in self.blobs.glob("big*"):
                big.unlink()
            away = self.folder / "away"
            away.mkdir(exist_ok=True)
            self.blobs.rename(away / str(len(list(away.iterdir()))))
        self.blobs.mkdir()
        self.list_as([])


def free_port() -> int:
    """One that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


@contextmanager
def serving(folder: Path, provider: str = "amazon_s3", *, processes: int = 1) -> Iterator[Web]:
    """A server that keeps everything below `folder`, and is said to be of `provider`."""
    folder.mkdir(parents=True)
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    options = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    options += ["-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    options += ["-addext", "subjectAltName=IP:127.0.0.1"]
    options += ["-out", str(certificate), "-keyout", str(key)]
    subprocess.run(["openssl", *options], check=True, capture_output=True)
    web = Web(folder, free_port(), free_port(), certificate)
    web.forget()
    config = folder / "nginx.conf"
    config.write_text(
        Template(_CONFIG.read_text()).substitute(
            folder=folder,
            port=web.port,
            tls_port=web.tls_port,
            certificate=certificate,
            key=key,
            provider=provider,
            user=getpass.getuser(),
            processes=processes,
            has_master="on" if processes > 1 else "off",
        )
    )
    with subprocess.Popen(["nginx", "-c", str(config), "-p", str(folder)]) as process:
        try:
            _wait_for(web.port)
            yield web
        finally:
            process.terminate()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
