"""Who moves the files: this program, the SDK's utils, rclone's S3 backend, curl."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Run, run
from benchmarks.service import Service, running
from benchmarks.web import Web


@dataclass(frozen=True)
class Contest:
    """One kind of work at one address."""

    web: Web
    folder: Path
    origin: str
    workers: int
    settings: str = ""

    @property
    def source(self) -> Path:
        """The files to be sent."""
        return self.folder / "source"

    @property
    def _state(self) -> Path:
        return self.folder / "state"

    def _env(self) -> dict[str, str]:
        trusted = str(self.web.certificate)
        names = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
        # Programs in Python have their bytecode, as they do once they are installed.
        usual = {"UBIOPS_API_TOKEN": "x", "PYTHONDONTWRITEBYTECODE": ""}
        return {**dict.fromkeys(names, trusted), **usual}

    def _run(self, command: list[str], **env: str) -> Run:
        return run(command, {**self._env(), **env}, self.folder / "log.txt")

    def _fresh(self) -> Path:
        """An empty folder, for downloads.

        Another one each time: ext4 makes whoever creates files just after many were deleted look
        long for inodes, and who goes first would pay for it.
        """
        targets = self.folder / "targets"
        targets.mkdir(exist_ok=True)
        for big in targets.glob("*/big"):
            big.unlink()
        target = targets / str(len(list(targets.iterdir())))
        target.mkdir()
        return target

    def command(self, root: Path, what: str = "reconcile") -> list[str]:
        """What starts this program over a profile that knows nothing yet.

        What the SDK sends for each call stays in the state folder: it is learnt once and for all.
        """
        for record in self._state.glob("*.sqlite*"):
            record.unlink()
        config = self.folder / "config.yaml"
        config.write_text(
            f"version: 1\napi_host: {self.origin}/v2.1\nstate_dir: {self._state}\nprofiles:\n  p:\n"
            f"    local_dir: {root}\n    project: demo\n    settle: 0\n"
            f"    workers: {self.workers}\n{self.settings}"
        )
        program = [sys.executable, "-m", "ubiops_file_sync", "--config", str(config)]
        return [*program, what]

    def ours_up(self) -> Run:
        """This program."""
        self.web.forget()
        return self._run(self.command(self.source))

    def ours_down(self) -> Run:
        """This program."""
        return self._run(self.command(self._fresh()))

    def served_up(self, file: Path) -> Run:
        """A service that is running, and whose folder gets a file."""
        self.web.forget()
        root = self._fresh()
        with self._served(root) as service:
            os.link(file, root / file.name)
            return service.pass_now()

    def served_down(self, sizes: list[tuple[str, int]]) -> Run:
        """A service that is running, and whose bucket gets what the server holds."""
        self.web.list_as([])
        with self._served(self._fresh()) as service:
            self.web.list_as(sizes)
            return service.pass_now()

    def _served(self, root: Path) -> AbstractContextManager[Service]:
        return running(self.command(root, "run"), self._env(), self.folder / "log.txt", self._state)

    def sdk_up(self) -> Run:
        """The SDK's `upload_files`."""
        self.web.forget()
        return self._sdk("up", self.source)

    def sdk_down(self) -> Run:
        """The SDK's `download_files`."""
        return self._sdk("down", self._fresh())

    def _sdk(self, way: str, folder: Path) -> Run:
        module = [sys.executable, "-m", "benchmarks.sdk_side"]
        return self._run([*module, way, f"{self.origin}/v2.1", str(folder)])

    def rclone_up(self) -> Run:
        """PUT and HEAD: two requests a file, as ours."""
        self.web.forget()
        return self._rclone(str(self.source), ":s3:blobs")

    def rclone_down(self) -> Run:
        """One GET a file."""
        return self._rclone(":s3:blobs", str(self._fresh()))

    def _rclone(self, source: str, target: str) -> Run:
        transfers = f"--transfers={self.workers}"
        options = ["--s3-provider=Other", f"--s3-endpoint={self.origin}", "--s3-access-key-id=x"]
        options += ["--s3-secret-access-key=y", "--s3-no-check-bucket", "--s3-disable-checksum"]
        options += ["--ignore-checksum", "--checkers=1", transfers, "--config=/dev/null"]
        options += ["--s3-no-system-metadata", "--s3-use-multipart-etag=false"]
        options += [f"--ca-cert={self.web.certificate}", "--no-update-modtime", "--fast-list"]
        rclone = str(Path(sys.executable).with_name("rclone"))
        return self._run([rclone, "copy", *options, source, target])

    def curl_up(self, file: Path) -> Run:
        """One PUT, as fast as it goes."""
        self.web.forget()
        return self._run(["curl", "-sfT", str(file), f"{self.origin}/blobs/big"])

    def curl_down(self) -> Run:
        """One GET, as fast as it goes."""
        return self._run(["curl", "-sfo", str(self._fresh() / "big"), f"{self.origin}/blobs/big"])


def fill(folder: Path, count: int, size: int) -> list[tuple[str, int]]:
    """Small files of pseudo-random content, a thousand a folder: their keys and sizes."""
    folder.mkdir(parents=True)
    made = []
    for number in range(count):
        key = f"d{number // 1000:03}/f{number:06}"
        path = folder / key
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(number.to_bytes(8, "little") * (size // 8))
        made.append((key, size))
    return made


def copy_in(web: Web, source: Path, sizes: list[tuple[str, int]]) -> Callable[[], None]:
    """Have the server hold what `source` holds."""

    def put() -> None:
        web.forget()
        subprocess.run(["cp", "-r", f"{source}/.", str(web.blobs)], check=True)
        web.list_as(sizes)

    return put
