"""Who makes life hard for the service: people on both sides, the network, and its operator."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from service.processes import Place, Running
from soak.ledger import Ledger
from ubiops_file_sync.emulator import Fault
from ubiops_file_sync.service.control import ask_service

KIB = 1 << 10
MIB = 1 << 20
BIG_BYTES = 6 * MIB
"""In two parts: `multipart_threshold` is 5 MiB."""
TRASH_BYTES = 256 * KIB
"""What the trash of `down` may hold."""
LOG_BYTES = 64 * KIB
LOG_BACKUPS = 2

Act = Callable[[], None]


def profiles(workers: int) -> dict[str, dict[str, Any]]:
    """The three of them, each of its own kind."""
    usual = {
        "workers": workers,
        "settle": "500ms",
        "deletions": "both",
        "max_delete": "100%",
        "max_backoff": "2s",
        "multipart_threshold": "5MiB",
    }
    return {
        "two": {**usual, "every": "1s"},
        "up": {
            **usual,
            "every": "2s",
            "direction": "upload",
            "deletions": "to_bucket",
            "on_change": "cat",
        },
        "down": {
            **usual,
            "every": "2s",
            "direction": "download",
            "deletions": "to_local",
            "trash": {"keep_days": 30, "max_size": f"{TRASH_BYTES // KIB}KiB"},
        },
    }


@dataclass
class Life:
    """All that happens to a service, by chance and by a seed."""

    place: Place
    service: Running
    random: Random
    ledgers: dict[str, Ledger]
    counts: Counter[str] = field(default_factory=Counter)
    _number: int = 0

    def __post_init__(self) -> None:
        self._acts: dict[Act, int] = {
            self._edit: 100,
            self._big_edit: 2,
            self._fault: 20,
            self._no_faults: 3,
            self._trigger: 8,
            self._pause: 3,
            self._reload: 2,
            self._bad_reload: 1,
            self._outage: 1,
        }

    def live(self, seconds: float) -> None:
        """Let things happen for so long."""
        ends = time.monotonic() + seconds
        acts, weights = list(self._acts), list(self._acts.values())
        while time.monotonic() < ends:
            [act] = self.random.choices(acts, weights)
            act()
            # The pace of people, and not of a test: that is what a soak is.
            time.sleep(self.random.uniform(0.02, 0.3))

    def calm(self) -> None:
        """From now on nothing happens any more."""
        self.place.server.faults.clear()
        self.place.configure(settings(self.place), **profiles(4))
        self._ask(command="reload")
        for name in self.ledgers:
            self._ask(command="resume", profile=name)

    # -- people ------------------------------------------------------------------------------------

    def _edit(self) -> None:
        """Somebody edits, makes, renames over or deletes a small file, on a side that may."""
        name = self.random.choice(["two", "two", "up", "down"])
        number = self.random.randrange(30)
        if name == "two":
            part = self.random.choice(["mine", "theirs", "shared"])
            is_here = part == "mine" or (part == "shared" and self.random.random() < 0.5)
        else:
            part, is_here = "all", name == "up"
        key = f"{part}/{number % 5}/{number}"
        size = self.random.choice([0, 10, KIB, 20 * KIB])
        content = None if self.random.random() < 0.15 else self._content(size)
        (self._write_here if is_here else self._write_there)(name, key, content)

    def _big_edit(self) -> None:
        """A file that travels in parts."""
        content = self._content(BIG_BYTES)
        if self.random.random() < 0.5:
            self._write_here("up", "big/1", content)
        else:
            self._write_there("down", "big/1", content)

    def _content(self, size_bytes: int) -> bytes:
        """A version that there was never before."""
        self._number += 1
        return b"version %d\n" % self._number + self.random.randbytes(size_bytes)

    def _write_here(self, name: str, key: str, content: bytes | None) -> None:
        path, ledger = self.place.root(name) / key, self.ledgers[name]
        ledger.here(key, content)
        if content is None:
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.random.random() < 0.5:
            new = path.with_name(".ubiops-sync")  # No pass looks at a name that is its own.
            new.write_bytes(content)
            new.rename(path)
        else:
            ledger.written[key].add(_NOTHING)  # For an instant it is empty.
            path.write_bytes(content)

    def _write_there(self, name: str, key: str, content: bytes | None) -> None:
        self.ledgers[name].there(key, content)
        if content is None:
            self.place.server.delete_object(f"{name}/{key}")
        else:
            self.place.server.put_object(f"{name}/{key}", content)

    # -- the network -------------------------------------------------------------------------------

    def _fault(self) -> None:
        chance = self.random
        api = ["list", "get", "delete", "sign_upload", "sign_download", "sign_part"]
        api += ["start_multipart", "complete_multipart", "bucket_get"]
        blobs = ["put", "put_part", "get_blob"]
        told = {"x-ratelimit-reset": "1"}
        fault = chance.choice(
            [
                Fault("*", "status", code=chance.choice([500, 502, 503])),
                Fault(api, "status", code=429, headers=told),
                Fault("*", "latency", times=chance.randint(1, 5), seconds=chance.uniform(0.1, 2)),
                Fault("*", "reset_before", times=chance.randint(1, 3)),
                Fault("*", "reset_after", times=chance.randint(1, 3)),
                Fault("*", "hang", seconds=chance.uniform(0.5, 3)),
                Fault(["get_blob", "list"], "truncate", length=chance.choice([0, 1, 100, 5000])),
                Fault("get_blob", "truncate_chunked", length=chance.choice([0, 1, 100, 5000])),
                Fault("list", "wrong_body"),
                Fault("get_blob", "wrong_body", key=lambda key: "big" not in key),
                Fault(blobs, "status", code=403, times=chance.randint(1, 3)),
            ]
        )
        self.place.server.faults.add(fault)
        self.counts[f"fault {fault.kind}"] += 1

    def _no_faults(self) -> None:
        self.place.server.faults.clear()

    def _outage(self) -> None:
        """The whole of the service goes away for a moment."""
        self.counts["outage"] += 1
        self.place.server.stop()
        time.sleep(self.random.uniform(0.2, 1.5))
        self.place.server.start()

    # -- the operator ------------------------------------------------------------------------------

    def _trigger(self) -> None:
        self._ask(command="trigger", profile=self._anyone())

    def _pause(self) -> None:
        self._ask(command="pause", profile=self._anyone(), seconds=self.random.uniform(0.2, 3))

    def _anyone(self) -> str:
        return self.random.choice(list(self.ledgers))

    def _ask(self, **request: object) -> None:
        self.counts[str(request["command"])] += 1
        ask_service(self.place.state_dir, request)

    def _reload(self) -> None:
        """Other numbers of workers, and a profile that comes and goes."""
        self.counts["SIGHUP"] += 1
        wanted = profiles(self.random.choice([2, 4, 8]))
        if self.random.random() < 0.5:
            wanted["guest"] = {"every": "1s"}
        self.place.configure(settings(self.place), **wanted)
        self.service.signal(signal.SIGHUP)

    def _bad_reload(self) -> None:
        """A mistake in the configuration, which the next reload puts right."""
        self.counts["bad configuration"] += 1
        self.place.config.write_text("profiles: {two: {every: soon}}")
        self.service.signal(signal.SIGHUP)


_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""The fingerprint of no bytes."""


def settings(place: Place) -> dict[str, Any]:
    """What the configuration says of the service as a whole."""
    return {
        "history_days": 0,
        "max_concurrent_profiles": 2,
        "log": {
            "file": str(place.folder / "log"),
            "max_size": f"{LOG_BYTES // KIB}KiB",
            "backups": LOG_BACKUPS,
        },
        "metrics": {"textfile": str(place.folder / "metrics.prom")},
    }


def folder_bytes(folder: Path) -> int:
    """The size of all files below a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
