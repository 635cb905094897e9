"""What bad input is fed to: for each kind a function that takes bytes, and fails if a bug shows.

Each goes the way that a user's input goes, as far as possible into a whole pass or command. What
may come out of it is `judge`'s.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import socket
import sqlite3
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fuzz import seeds
from fuzz.ground import (
    AT_ONCE,
    NAME,
    a_state,
    configured,
    empty_bucket,
    folder,
    hostile,
    profile,
    reconciler,
    server,
    surroundings,
)
from fuzz.hostile import SEPARATOR
from fuzz.judge import command, only_refusals, require_words
from ubiops_file_sync import keys
from ubiops_file_sync.bucket.problems import Place
from ubiops_file_sync.bucket.quota import Unpaced
from ubiops_file_sync.bucket.sdk import CALLS_FILE, patterns
from ubiops_file_sync.bucket.server_clock import measured_skew_us, server_us
from ubiops_file_sync.bucket.ubiops import UbiOpsBucket
from ubiops_file_sync.bucket.window import Window, reset_told_by, told_by
from ubiops_file_sync.config import load_settings
from ubiops_file_sync.errors import KeyFailure
from ubiops_file_sync.local import LocalTree, Wanted
from ubiops_file_sync.model import RemoteEntry
from ubiops_file_sync.plan import BadPattern, Filters, Scope
from ubiops_file_sync.service.control import ControlServer, ask_service
from ubiops_file_sync.service.daemon import Daemon
from ubiops_file_sync.service.notify import Notifier
from ubiops_file_sync.support.archive import DECISIONS, FORMAT

_LONGEST_STALL_S = 302.0
"""A window of the quota is believed for five minutes, and a second is added for rounding."""
Run = Callable[[bytes], None]


@dataclass(frozen=True)
class Target:
    """One kind of input."""

    run: Run
    seeds: Callable[[], list[bytes]]
    """Good inputs, from which bad ones are made."""
    words: tuple[str, ...] = ()
    """What means something in it."""


TARGETS: dict[str, Target] = {}


def target(seeds_of: Callable[[], list[bytes]], *words: str) -> Callable[[Run], Run]:
    """Take a function into `TARGETS`, under its name."""

    def taken(run: Run) -> Run:
        TARGETS[run.__name__] = Target(run, seeds_of, words)
        return run

    return taken


# -- what people write ----------------------------------------------------------------------------


@target(seeds.configurations, *seeds.CONFIGURATION_WORDS)
def configuration(data: bytes) -> None:
    """A configuration file, checked and shown as a user would have it."""
    path = folder() / "work" / "inside" / "config.yaml"
    path.write_bytes(data)
    with only_refusals():
        settings = load_settings(path, {"SET": "value", "UBIOPS_API_TOKEN": "t" * 20})
        for one in settings.profiles.values():
            settings.timing(one)
    command("--config", str(path), "check-config")
    command("--config", str(path), "config", "show", "--origin")


@target(seeds.environments, *seeds.ENVIRONMENT_WORDS)
def environment(data: bytes) -> None:
    """Variables instead of a file, one a line."""
    lines = (line.partition("=") for line in data.decode(errors="surrogateescape").split("\n"))
    env = {name: value for name, _, value in lines if "\0" not in name + value}
    env.setdefault("HOME", str(folder()))
    with only_refusals():
        settings = load_settings(None, env, folder() / "work" / "inside")
        for one in settings.profiles.values():
            settings.timing(one)
            with only_refusals():
                one.read_token(env)


@target(seeds.arguments)
def argument(data: bytes) -> None:
    """A name of a file, given to each command that takes one."""
    word = data.replace(b"\0", b"").decode(errors="surrogateescape")
    config = str(_commands_place())
    for words in (("explain",), ("trash", "list"), ("restore",), ("undo",), ("history",)):
        command("--config", config, *words, "--", word)


@cache
def _commands_place() -> Path:
    """A configuration with a past, for commands that change nothing."""
    keeper = surroundings()
    place = keeper.__enter__()
    empty_bucket()
    (place.root / "a").write_bytes(b"1")
    config = configured(place)
    command("--config", str(config), "reconcile")
    _kept.append(keeper)
    return config


_kept: list[object] = []


@target(seeds.ignore_files, *seeds.PATTERN_WORDS)
def ignore_file(data: bytes) -> None:
    """An ignore file; behind the first separator, names that it is asked about."""
    rules, _, names = data.partition(SEPARATOR)
    with surroundings() as place, place.guarded():
        (place.root / ".ubiopsignore").write_bytes(rules)
        (place.root / "d" / ".ubiopsignore").write_bytes(rules[: len(rules) // 2])
        (place.root / "d" / "f.txt").write_bytes(b"1")
        began = time.process_time()
        with LocalTree(place.root, NAME, "pass") as tree, only_refusals(BadPattern):
            list(tree.walk(Wanted(Scope(Filters()), "_SUCCESS")))
        with only_refusals(BadPattern):
            lines = tuple(rules.decode(errors="replace").split("\n"))
            scope = Scope(Filters.of(lines, lines[:1]))
            for name in names.decode(errors="replace").split("\n"):
                if keys.refusal(name) is None:
                    scope.hides(name)
        assert time.process_time() - began < 5, "a pattern takes for ever"


@target(seeds.key_names)
def key(data: bytes) -> None:
    """An object's name, as a file below a root that links lead out of."""
    name = data.decode(errors="surrogateescape")
    refusal = keys.refusal(name)
    if refusal is not None:
        require_words(refusal)
    else:
        beside = keys.conflict_key(name, int.from_bytes(data[:8], "big", signed=True))
        assert keys.refusal(beside) is None
        assert keys.is_conflict_key(beside)
        assert all(above == "" or name.startswith(f"{above}/") for above in keys.parent_chain(name))
    with (
        surroundings() as place,
        place.guarded(),
        LocalTree(place.root, NAME, "pass") as tree,
        suppress(KeyFailure, OSError, *([ValueError] if refusal else [])),
    ):
        for content in (b"1", b"2"):
            with tree.staging() as staged:
                staged.file.write(content)
                tree.commit(staged, name, tree.look(name), 10**18)
        entry = tree.look(name)
        assert entry is not None
        tree.remove(entry)


# -- what comes over the network ------------------------------------------------------------------


@target(seeds.pages, *seeds.PAGE_WORDS)
def pages(data: bytes) -> None:
    """Pages of a listing, through a whole pass that downloads what they name."""
    hostile().serve_pages(data.split(SEPARATOR))
    with surroundings() as place, place.guarded(), hostile().everywhere(), only_refusals():
        for _ in range(2):
            report = reconciler(place, profile(place, hostile().api_host)).run()
            for problem in report.problems:
                require_words(problem.message)


@target(seeds.answers, *seeds.ANSWER_WORDS)
def answers(data: bytes) -> None:
    """Raw answers, one after the other, to whatever a pass asks."""
    hostile().play(data.split(SEPARATOR))
    with surroundings() as place, place.guarded(), hostile().everywhere(), only_refusals():
        (place.root / "up").write_bytes(b"12")
        of = profile(place, hostile().api_host, multipart_threshold=5 << 20)
        report = reconciler(place, of).run()
        for problem in report.problems:
            require_words(problem.message)


@target(seeds.part_answers, *seeds.ANSWER_WORDS)
def part_answers(data: bytes) -> None:
    """Raw answers to each request of transfers in parts."""
    hostile().play(data.split(SEPARATOR))
    where = Place(NAME, hostile().api_host, "demo", "default", "data/", "here")
    bucket = UbiOpsBucket(where, "t" * 20, AT_ONCE, quota=Unpaced())
    path = folder() / "work" / "inside" / "parts"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        for ask in (
            lambda: bucket.facts(),
            lambda: bucket.ranges(RemoteEntry("big", 10, 1)).fetch(0, 5, fd),
            lambda: bucket.begin_parts("big"),
        ):
            with hostile().everywhere(), only_refusals(KeyFailure):
                ask()
        with hostile().everywhere(), only_refusals(KeyFailure):
            upload = bucket.begin_parts("big")
            tag = bucket.send_part("big", upload, 1, io.BytesIO(b"12345"), 5)
            bucket.complete_parts("big", upload, 5, {1: tag})
    finally:
        os.close(fd)
        bucket.close()


@target(seeds.headers, *seeds.HEADER_WORDS)
def headers(data: bytes) -> None:
    """Headers of answers: nothing in them may stall the calls, or end them."""
    window, now = Window(0.9), 1000.0
    for block in data.decode("latin-1").split("\n\n"):
        lines = (line.partition(":") for line in block.split("\n"))
        told = {name.strip().lower(): value.strip() for name, _, value in lines}
        sent_at = now
        window.sent()
        now += len(block) % 7
        window.heard(told_by(told), sent_at, now)
        if "refused" in block:
            window.refused(reset_told_by(told), now)
        assert window.opens_at(now) <= now + _LONGEST_STALL_S
        assert isinstance(server_us(told), int)
        assert isinstance(measured_skew_us(told, 1_700_000_000_000_000), int)


# -- what stands in files of our own --------------------------------------------------------------


@target(seeds.states)
def state(data: bytes) -> None:
    """A state file that says something else than it did: by its values, or by its bytes."""
    empty_bucket()
    server().put_object("data/r1", b"1")
    with surroundings() as place:
        config = configured(place, deletions="both")
        path = place.state_dir / f"{NAME}.sqlite"
        path.write_bytes(_with_changes(a_state(), data, path))
        (place.root / "f1").write_bytes(b"1")
        with place.guarded():
            for words in (("status",), ("history",), ("plan",), ("reconcile",), ("verify",)):
                command("--config", str(config), *words)


def _with_changes(content: bytes, data: bytes, scratch: Path) -> bytes:
    """The state with what an input says of it done to it, line by line."""
    scratch.write_bytes(content)
    flips: list[tuple[int, int]] = []
    with closing(sqlite3.connect(scratch)) as db:
        # Not again what was meant for other places: `other-places` would end it all.
        for name, value in (
            ("local_dir", str(scratch.parent.parent / "root")),
            ("api_host", server().api_host),
        ):
            db.execute("UPDATE meta SET value = ? WHERE name = ?", (value, name))
        db.commit()
        for line in data.split(b"\n"):
            with suppress(ValueError, sqlite3.Error, IndexError, OverflowError):
                if line.startswith(b"@"):
                    place, _, byte = line[1:].partition(b" ")
                    flips.append((int(place), int(byte) & 255))
                    continue
                table, column, value = line.decode(errors="surrogateescape").split(" ", 2)
                _set(db, table, column, value)
        db.commit()
    changed = bytearray(scratch.read_bytes())
    for place_, byte_ in flips:
        changed[place_ % len(changed)] = byte_
    scratch.unlink()
    return bytes(changed)


def _set(db: sqlite3.Connection, table: str, column: str, value: str) -> None:
    """Set a column of all rows; where it has to be unique, of the first. `0x`: bytes as text."""
    if not (table.isidentifier() and column.isidentifier()):
        return
    given: object = value
    if value.startswith("0x"):
        given = bytes.fromhex(value[2:])
    elif value.lstrip("-").isdigit():
        given = int(value)
    place = "CAST(? AS TEXT)" if isinstance(given, bytes) else "?"
    given = None if value == "NULL" else given
    db.execute(f"UPDATE OR IGNORE {table} SET {column} = {place}", (given,))


@target(seeds.small_files)
def small_file(data: bytes) -> None:
    """The service's small files in the state folder, and a lock's words."""
    names = ["paused.json", "service.json", f"{NAME}.lock", CALLS_FILE, ".service.lock"]
    parts = data.split(SEPARATOR)
    with surroundings() as place:
        config = configured(place)
        for name, content in zip(names, parts, strict=False):
            (place.state_dir / name).write_bytes(content.replace(b"@DIR@", os.fsencode(folder())))
        with place.guarded():
            command("--config", str(config), "status")
            command("--config", str(config), "pause", NAME)
            with _daemon(config):
                pass


@target(seeds.api_calls)
def api_calls(data: bytes) -> None:
    """What is kept of the SDK's calls; with a good digest if the first byte says so."""
    if data.startswith(b"!"):
        data = hashlib.sha256(data[1:]).hexdigest().encode() + b"\n" + data[1:]
    path = folder() / "work" / "inside" / CALLS_FILE
    path.write_bytes(data)
    assert set(patterns(path)) == set(patterns())


@target(seeds.plans, *seeds.PLAN_WORDS)
def saved_plan(data: bytes) -> None:
    """A saved plan, applied; with a good digest at its end if the first byte says so."""
    empty_bucket()
    server().put_object("data/down", b"22", created_us=1_700_000_000_000_000)
    with surroundings() as place:
        config = configured(place, deletions="both")
        data = data.replace(b"@ROOT@", os.fsencode(place.root)).replace(
            b"@HOST@", server().api_host.encode()
        )
        if data.startswith(b"!"):
            data = data[1:]
            data += json.dumps({"sha256": hashlib.sha256(data).hexdigest()}).encode() + b"\n"
        path = place.folder / "inside" / "p.plan"
        path.write_bytes(data)
        up = place.root / "up"
        up.write_bytes(b"1")
        os.utime(up, ns=(10**18, 10**18))
        with place.guarded():
            command("--config", str(config), "apply", str(path))


def _bundles() -> list[bytes]:
    """A bundle as the command makes it, and such as may have been changed on the way."""
    path = folder() / "work" / "inside" / "made.zip"
    path.unlink(missing_ok=True)
    command("--config", str(_commands_place()), "support-bundle", str(path), "--key", "a")
    with zipfile.ZipFile(path) as archive:
        made = next(name for name in archive.namelist() if name.endswith(DECISIONS))
        return [b"!" + archive.read(made), *seeds.bundles()]


@target(_bundles, *seeds.BUNDLE_WORDS)
def bundle(data: bytes) -> None:
    """A support bundle, made again; the decisions in a good zip if the first byte says so."""
    if data.startswith(b"!"):
        whole = io.BytesIO()
        with zipfile.ZipFile(whole, "w") as archive:
            archive.comment = FORMAT.encode()
            archive.writestr(f"profiles/{NAME}/{DECISIONS}", data[1:])
        data = whole.getvalue()
    path = folder() / "work" / "inside" / "bundle.zip"
    path.write_bytes(data)
    command("support-bundle", "--replay", str(path))


# -- what is said to the service, and by it -------------------------------------------------------


@contextmanager
def _daemon(config: Path) -> Iterator[Daemon]:
    """The service as it stands once it has read its configuration, but for the loop."""
    settings = load_settings(config, {})
    daemon = Daemon(settings, lambda: load_settings(config, {}), (), {}, Notifier(None, None))
    daemon._write_fd = os.open(os.devnull, os.O_WRONLY)
    try:
        daemon._set_up_lanes(settings)
        yield daemon
    finally:
        os.close(daemon._write_fd)
        daemon._selector.close()


@target(seeds.requests, *seeds.REQUEST_WORDS)
def request(data: bytes) -> None:
    """A request to the service, over its socket."""
    with surroundings() as place, place.guarded(), _daemon(configured(place)) as daemon:
        control = ControlServer(place.state_dir, place.state_dir, daemon._answered)
        control.timeout = 5.0
        heard = threading.Thread(target=control.handle_request)
        heard.start()
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(10)
                client.connect(str(place.state_dir / "control.sock"))
                with suppress(BrokenPipeError):
                    client.sendall(data + b"\n")
                with client.makefile("rb") as told:
                    answer = json.loads(told.readline())
            assert isinstance(answer, dict)
            assert "bug" not in str(answer.get("error", "")), answer
            json.dumps(daemon._answered({"command": "status"}))
        finally:
            heard.join()
            control.close()


@target(seeds.service_answers, *seeds.REQUEST_WORDS)
def service_answer(data: bytes) -> None:
    """What something that stands where the service should be answers to commands."""
    with surroundings() as place:
        config = configured(place)
        with place.guarded(), _answering(place.state_dir, data):
            with only_refusals():
                ask_service(place.state_dir, {"command": "status"})
            for words in (("status",), ("trigger", NAME), ("pause", NAME), ("reload",)):
                command("--config", str(config), *words)


@contextmanager
def _answering(state_dir: Path, data: bytes) -> Iterator[None]:
    path = state_dir / "control.sock"
    (state_dir / "service.json").write_text(json.dumps({"socket": str(path), "process": 1}))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(8)

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection, suppress(OSError):
                    connection.recv(65_536)
                    connection.sendall(data)

        answering = threading.Thread(target=serve)
        answering.start()
        try:
            yield
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            answering.join()
