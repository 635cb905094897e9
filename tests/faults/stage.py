"""Where faults are done: a root, a bucket, a state, and the command as its user runs it.

In this process, so that hundreds of passes take seconds; the waits between tries are cut short, and
nothing else is another than in the product.
"""

from __future__ import annotations

import contextlib
import gc
import io
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import yaml

from engine.world import QUICK, SeeingServer, World
from no_secrets import watch
from ubiops_file_sync.bucket.http import HttpClient
from ubiops_file_sync.bucket.window import Window
from ubiops_file_sync.cli import main
from ubiops_file_sync.cli.output import loudness
from ubiops_file_sync.emulator import Provider
from ubiops_file_sync.logs.root import tear_down

GIVES_UP_AFTER_MS = 250
"""How long a request may take where a timeout is ordered; the product gives it a minute."""
KEPT = {"kept": b"in step, and nobody's business", "kept too": b"in step as well"}
"""Files that are in step before, and that no fault concerns."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a command said, and with which code it ended."""

    exit_code: int
    text: str
    """Of stdout and stderr, as they came."""


@dataclass
class Stage:
    """One profile, `p`, and all that is known of it."""

    world: World
    folder: Path
    versions: set[bytes] = field(default_factory=set)
    """Whole contents that may stand at a final path."""
    precious: set[bytes] = field(default_factory=set)
    """Contents that must stand somewhere, whatever happens."""

    def __call__(self, *words: str) -> Told:
        """Run the command. No token, no signature and no traceback is in what it says (I9)."""
        said = io.StringIO()
        loudness.quiet = loudness.verbose = loudness.as_json = False
        arguments = ["ubiops-file-sync", "--config", str(self._config()), *words]
        with ExitStack() as stack:
            stack.callback(tear_down)
            stack.callback(gc.set_threshold, *gc.get_threshold())
            stack.callback(gc.unfreeze)  # The command has its process for itself, usually.
            stack.enter_context(mock.patch.object(sys, "argv", arguments))
            stack.enter_context(contextlib.redirect_stdout(said))
            stack.enter_context(contextlib.redirect_stderr(said))
            try:
                main()
            except SystemExit as end:
                code = end.code
        told = Told(code if isinstance(code, int) else 1, said.getvalue())
        assert not watch.tells(told.text), told.text
        assert "Traceback" not in told.text, told.text
        assert "a bug in" not in told.text, told.text
        return told

    def _config(self) -> Path:
        """The profile's settings as a file."""
        profile = self.world.profile
        settings = {
            "local_dir": str(profile.local_dir),
            "project": profile.project,
            "bucket": profile.bucket,
            "bucket_dir": profile.bucket_dir,
            "settle": 0,
            "workers": profile.workers,
            **self.world.settings,
        }
        path = self.folder / "config.yaml"
        whole = {
            "version": 1,
            "api_host": profile.api_host,
            "state_dir": str(self.world.state_dir),
            "profiles": {"p": settings},
        }
        path.write_text(yaml.safe_dump(whole))
        path.chmod(0o600)
        return path

    def set(self, **settings: Any) -> None:
        """Change settings of the profile."""
        self.world = self.world.with_settings(**settings)

    def in_step(self, **contents: bytes) -> None:
        """Have these in step, besides `KEPT`."""
        for key, content in {**KEPT, **contents}.items():
            self.world.write(key, content, age_s=100)
        report = self.world.run()
        assert report.exit_code == 0
        self.versions |= {*KEPT.values(), *contents.values()}

    def edit(self, key: str, content: bytes) -> None:
        """Somebody writes a file here."""
        self.world.write(key, content, age_s=50)
        self.note(content)

    def store(self, key: str, content: bytes) -> None:
        """Somebody else stores an object."""
        self.world.put(key, content)
        self.note(content)

    def note(self, content: bytes) -> None:
        """Know a version that must not be lost."""
        self.versions.add(content)
        self.precious.add(content)

    def assert_nothing_lost(self) -> None:
        """Every version stands on a side or in the trash (I1), and no half of one anywhere (I6)."""
        local, remote = set(self.world.local().values()), set(self.world.remote().values())
        trash = {content for kept in self.world.trash().values() for content in kept}
        halves = [content[:80] for content in (local | remote | trash) - self.versions]
        assert not halves, f"nobody ever wrote this: {halves}"
        lost = [content[:80] for content in self.precious - (local | remote | trash)]
        assert not lost, f"on no side, and not in the trash: {lost}"

    def assert_heals(self) -> None:
        """The next pass ends in step, and the one after has nothing to do (I4, I5)."""
        told = self("reconcile")
        assert told.exit_code == 0, told.text
        assert self.world.local() == self.world.remote()
        self.assert_nothing_lost()
        assert self.world.staged() == []
        told = self("plan", "--detailed-exitcode")
        assert told.exit_code == 0, told.text


@contextmanager
def staged(
    folder: Path, provider: str = Provider.AMAZON_S3, *, gives_up: bool = False, tries: int = 5
) -> Iterator[Stage]:
    """A stage with a bucket of that provider. `gives_up`: requests time out quickly."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.enter_context(short_waits(tries))
        if gives_up:
            stack.enter_context(impatient())
        server = SeeingServer(folder / "server", rate_limit=None, provider=provider)
        stack.enter_context(server)
        root = folder / "here" / "root"
        root.mkdir(parents=True)
        stack.enter_context(mock.patch.dict("os.environ", {"UBIOPS_API_TOKEN": server.token}))
        yield Stage(World(server, root, folder / "here" / "state", {}), folder)


@contextmanager
def short_waits(tries: int) -> Iterator[None]:
    """Try again at once, and take a 429 for one of a window that is nearly over."""
    import dataclasses

    policy = dataclasses.replace(QUICK, tries=tries)

    def refused(self: Window, reset_s: int | None, now: float) -> None:
        self._closed_until = max(self._closed_until, now + 0.01)

    with (
        mock.patch("ubiops_file_sync.bucket.ubiops.RetryPolicy", return_value=policy),
        mock.patch.object(Window, "refused", refused),
    ):
        yield


@contextmanager
def impatient() -> Iterator[None]:
    """Give requests up after `GIVES_UP_AFTER_MS`, by libcurl's own timeout."""
    import pycurl

    usual = HttpClient._set_up

    def set_up(self: HttpClient, handle: Any, *args: Any) -> None:
        usual(self, handle, *args)
        handle.curl.setopt(pycurl.TIMEOUT_MS, GIVES_UP_AFTER_MS)

    with mock.patch.object(HttpClient, "_set_up", set_up):
        yield


def assert_says(told: Told, *words: str) -> None:
    """Whether all of these patterns are in what was said."""
    for pattern in words:
        assert re.search(pattern, told.text), f"{pattern!r} is not in: {told.text}"
