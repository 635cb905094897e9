"""The embedded bucket server: starting it, stopping it, and reaching into it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from .api import Limits
from .app import App
from .behaviour import Behaviour
from .calls import CallLog
from .clock import Clock
from .elsewhere import MirrorStore, OtherStorage
from .faults import Faults
from .ratelimit import RateLimiter
from .records import Bucket, Provider, Role
from .serving import HttpThread, require_loopback
from .store import Store

MIB = 1 << 20
DEFAULT_TOKEN = "emulator-token"  # noqa: S105 - good for a server on loopback alone


class BucketServer:
    """A UbiOps-compatible bucket server on a loopback address, in a thread of this process.

    Runs while its context is entered. `stop` and `start` bring it back on the same port with the
    same data. Methods and attributes may be used by any thread; the methods that touch objects
    go straight to the store, past quota and faults, and need a server that runs.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        token: str = DEFAULT_TOKEN,
        tokens: Mapping[str, Role] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        project: str = "demo",
        bucket: str = "default",
        provider: Provider | str = Provider.AMAZON_S3,
        rate_limit: int | None = 300,
        rate_window_s: float = 60.0,
        url_lifetime_s: float = 900.0,
        behaviour: Behaviour | None = None,
        clock_offset_s: float = 0.0,
        min_part_bytes: int = 5 * MIB,
        tls: tuple[str | Path, str | Path] | None = None,
        storage: OtherStorage | None = None,
    ) -> None:
        """`token` is an admin's, `tls` the files of a certificate and of its key.

        `storage` keeps the objects of the server's one bucket, and is where signed URLs lead;
        it says what the provider is.

        Raises `ValueError` when `host` is not a loopback address.
        """
        require_loopback(host)
        self.token = token.removeprefix("Token ")
        self.tokens = {self.token: Role.ADMIN, **(tokens or {})}
        """Tokens and what they may do. May be changed while the server runs."""
        self.project = project
        self.bucket = bucket
        """Name of the bucket that methods mean when they are given none."""
        self.faults = Faults()
        self.calls = CallLog()
        self.clock = Clock(clock_offset_s)
        """`clock.offset_s` may be changed while the server runs."""
        self.quota = RateLimiter(rate_limit, rate_window_s)
        """`quota.limit` and `quota.window_s` may be changed while the server runs."""
        self.limits = Limits(url_lifetime_s, min_part_bytes)
        """May be changed while the server runs."""
        self._data_dir = data_dir
        self._provider = Provider(provider) if storage is None else storage.provider
        self._storage = storage
        self._behaviour = behaviour or Behaviour()
        self._host = host
        self._port = port
        self._tls = tls
        self._running: tuple[Store, HttpThread] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Serve; returns when requests are taken. Does nothing when it already runs."""
        if self._running is not None:
            return
        store = self._new_store()
        try:
            store.buckets.add_project(self.project)
            store.buckets.add(self.project, self.bucket, self._provider)
            app = App(store, self.limits, self.tokens, self.quota, self.faults, self.calls)
            thread = HttpThread(app, self._host, self._port, self._tls)
            thread.start()
        except BaseException:
            store.close()
            raise
        self._port = thread.port
        self._running = store, thread

    def _new_store(self) -> Store:
        if self._storage is None:
            return Store(self._data_dir, self.clock, self._behaviour)
        return MirrorStore(self._data_dir, self.clock, self._behaviour, self._storage)

    def stop(self) -> None:
        """Break every connection, and write everything down. Does nothing when it is stopped."""
        if self._running is None:
            return
        store, thread = self._running
        self._running = None
        thread.stop()
        store.close()

    @property
    def origin(self) -> str:
        """Scheme, host and port, once the server has been started."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self._port}"

    @property
    def api_host(self) -> str:
        """What a client is configured with."""
        return f"{self.origin}/v2.1"

    @property
    def behaviour(self) -> Behaviour:
        """How the server uses its freedom. May be set while it runs."""
        return self._behaviour

    @behaviour.setter
    def behaviour(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        if self._running is not None:
            self._store.behaviour = behaviour

    @property
    def _store(self) -> Store:
        if self._running is None:
            raise RuntimeError("the bucket server is stopped")
        return self._running[0]

    def reset_calls(self) -> None:
        """Forget the calls so far, and begin a new quota window."""
        self.calls.clear()
        self.quota.reset()

    def create_bucket(
        self,
        name: str,
        *,
        provider: Provider | str | None = None,
        ttl_s: int | None = None,
        project: str | None = None,
    ) -> str:
        """The id of a new bucket, in the server's project by default.

        `ttl_s` may be anything here. Raises `ValueError` when there is a bucket of that name.
        """
        store = self._store
        project = store.buckets.add_project(project or self.project).name
        provider = self._provider if provider is None else Provider(provider)
        bucket = store.buckets.add(project, name, provider)
        if bucket is None:
            raise ValueError(f"project {project} has a bucket {name} already")
        return store.buckets.save(replace(bucket, ttl_s=ttl_s)).id

    def delete_bucket(self, name: str, *, project: str | None = None) -> None:
        """Remove a bucket with its objects."""
        self._store.remove_bucket(self._bucket(name, project))

    def show_all(self) -> None:
        """Let everything be seen that was stored, however slow `behaviour` makes that."""
        self._store.show_all()

    def set_ttl(self, ttl_s: int | None, bucket: str | None = None) -> None:
        """Set a bucket's ttl, to any number of seconds."""
        old = self._bucket(bucket)
        self._store.save_bucket(replace(old, ttl_s=ttl_s), old)

    def put_object(
        self,
        key: str,
        data: bytes,
        *,
        bucket: str | None = None,
        created_us: int | None = None,
        project: str | None = None,
    ) -> int:
        """Store an object; returns its `created_us`, which is now unless it is given."""
        store, target = self._store, self._bucket(bucket, project)
        writer = store.writer(target)
        writer.write(data)
        return store.put(target, key, writer.finish(), created_us=created_us).created_us

    def read_object(
        self, key: str, *, bucket: str | None = None, project: str | None = None
    ) -> bytes:
        """The bytes of an object; raises `KeyError` when there is none."""
        opened = self._store.open(self._bucket(bucket, project), key)
        if opened is None:
            raise KeyError(key)
        stored, source = opened
        if source is None:
            return bytes(stored.size)
        with source:
            return source.read()

    def delete_object(
        self, key: str, *, bucket: str | None = None, project: str | None = None
    ) -> bool:
        """Remove an object; whether there was one."""
        return self._store.delete(self._bucket(bucket, project), key)

    def objects(
        self, prefix: str = "", *, bucket: str | None = None, project: str | None = None
    ) -> dict[str, tuple[int, int]]:
        """Size and `created_us` of every object, by key and in the order of the keys."""
        found = self._store.every_object(self._bucket(bucket, project), prefix)
        return {key: (size, created_us) for key, size, created_us in found}

    def add_synthetic(
        self, bucket: str | None, objects: int | Iterable[tuple[str, int, int]]
    ) -> None:
        """Add objects that take no space: a number of them, or (key, size, `created_us`) each.

        Their bytes are all zero.
        """
        self._store.add_synthetic(self._bucket(bucket), objects)

    def _bucket(self, name: str | None, project: str | None = None) -> Bucket:
        name, project = name or self.bucket, project or self.project
        bucket = self._store.buckets.find(project, name)
        if bucket is None:
            raise KeyError(f"{project}/{name}")
        return bucket


def serve(data_dir: Path, on_ready: Callable[[str], None], **settings: Any) -> None:
    """Run a `BucketServer` with these settings until SIGINT or SIGTERM; call in the main thread.

    `on_ready` is called with the API host when requests are taken.
    """
    stopping = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        stopping.set()

    previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with BucketServer(data_dir, **settings) as server:
            on_ready(server.api_host)
            stopping.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
