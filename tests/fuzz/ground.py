"""Where the targets of one process stand: a folder, an embedded server, and a hostile one."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from fuzz.hostile import Hostile
from fuzz.judge import Surroundings
from ubiops_file_sync.bucket.retry import RetryPolicy
from ubiops_file_sync.config import Profile
from ubiops_file_sync.emulator import BucketServer
from ubiops_file_sync.reconcile import Reconciler

AT_ONCE = RetryPolicy(tries=2, first_wait_s=0.0, longest_wait_s=0.0)
"""What is bad stays bad: a second try, and no wait."""
NAME = "p"


@cache
def folder() -> Path:
    """A folder of this process, in memory where there is room; gone at its end."""
    shm = Path("/dev/shm")
    place = Path(tempfile.mkdtemp(prefix="fuzz-", dir=shm if os.access(shm, os.W_OK) else None))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    # Commands write here, if they write to where they stand.
    work = place / "work" / "inside"
    work.mkdir(parents=True)
    return place


@cache
def hostile() -> Hostile:
    """The one server that answers whatever it is told to."""
    return Hostile()


@cache
def server() -> BucketServer:
    """The one embedded server, which behaves."""
    found = BucketServer(folder() / "server", rate_limit=None)
    found.start()
    atexit.register(found.stop)
    return found


_number = 0


@contextmanager
def surroundings() -> Iterator[Surroundings]:
    """A new root, and what must not be touched around it; gone after the block."""
    global _number
    _number += 1
    place = Surroundings(folder() / f"s{_number}")
    place.make()
    try:
        yield place
    finally:
        shutil.rmtree(place.folder)


def profile(place: Surroundings, api_host: str, **settings: Any) -> Profile:
    """The profile between a root and a place in a bucket."""
    given: dict[str, Any] = {
        "name": NAME,
        "local_dir": place.root,
        "project": "demo",
        "bucket": "default",
        "bucket_dir": "data",
        "api_host": api_host,
        "token": SecretStr("fuzz-token-of-nobody"),
        "settle": 0,
        "workers": 2,
        "deletions": "both",
    }
    return Profile(**{**given, **settings})


def reconciler(place: Surroundings, of: Profile) -> Reconciler:
    """What runs passes over it."""
    return Reconciler(of, place.state_dir, retries=AT_ONCE, env={})


def configured(place: Surroundings, **settings: Any) -> Path:
    """A configuration file of the embedded server's one profile, for commands."""
    whole = {
        "version": 1,
        "api_host": server().api_host,
        "state_dir": str(place.state_dir),
        "profiles": {
            NAME: {
                "local_dir": str(place.root),
                "project": "demo",
                "bucket_dir": "data",
                "settle": 0,
                "workers": 2,
                "token": server().token,
                **settings,
            }
        },
    }
    path = place.folder / "inside" / "config.yaml"
    path.write_text(json.dumps(whole))
    path.chmod(0o600)
    return path


def empty_bucket() -> None:
    """Remove every object of the embedded server."""
    for key in server().objects():
        server().delete_object(key)


@cache
def a_state() -> bytes:
    """The state of a profile of which a pass was made, another one cut off, and a part has come."""
    with surroundings() as place:
        empty_bucket()
        for number in range(5):
            (place.root / f"f{number}").write_bytes(b"%d" % number)
            server().put_object(f"data/r{number}", b"%d" % number)
        server().put_object("data/..", b"a problem")
        of = profile(place, server().api_host, token=SecretStr(server().token))
        reconciler(place, of).run()
        reconciler(place, of).run()
        path = place.state_dir / f"{NAME}.sqlite"
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("INSERT INTO intent VALUES ('f9', 1, 2, 3, 4), ('f8', 1, 2, 3, NULL)")
            db.execute("INSERT INTO part VALUES ('big', 'download', 1, '')")
            db.execute(
                "INSERT INTO transfer VALUES ('big', 'download', 9, 1, 'p.x.y', 'etag', 5, 1)"
            )
            db.execute("INSERT INTO part VALUES ('big2', 'upload', 1, 'tag')")
            db.execute(
                "INSERT INTO transfer VALUES ('big2', 'upload', 9, 1, 'id', 's3', 5242880, 1)"
            )
        return path.read_bytes()
