"""The classic functions beside the command, the service and programs: one state, one lock."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import ubiops

from engine.world import QUICK
from library import programs
from library.conftest import Place
from ubiops_file_sync import (
    Direction,
    ProfileLocked,
    Reconciler,
    Verb,
    download_file,
    download_from_bucket,
    load_settings,
    upload_file,
    upload_to_bucket,
    watch_local_and_upload,
)
from ubiops_file_sync.classic import OneWay
from ubiops_file_sync.places import state_name
from ubiops_file_sync.store import profile_lock

COMMAND = [sys.executable, "-m", "ubiops_file_sync"]


def environment(place: Place) -> dict[str, str]:
    path, home = os.environ["PATH"], str(place.folder)
    return {"PATH": path, "HOME": home, "PYTHONPATH": programs.SAME_PACKAGE, **place.env}


def command(place: Place, *words: str) -> Any:
    """What a command says in JSON of the one profile."""
    done = subprocess.run(
        [*COMMAND, *words, "--json"],
        env=environment(place),
        cwd=place.folder,
        capture_output=True,
        text=True,
        timeout=programs.PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["profiles"][0]


def two_way() -> Reconciler:
    settings = load_settings()
    return Reconciler(settings.profiles["default"], settings.state_dir, retries=QUICK)


# -- one baseline ----------------------------------------------------------------------------------


def test_what_the_functions_brought_in_step_is_so_for_a_pass_and_the_other_way_round(
    place: Place,
) -> None:
    for n in range(4):
        place.write(f"mine/{n}", b"1")
        place.put(f"theirs/{n}", b"2")
    upload_file(Path("mine/0"))
    download_file(ubiops.FileItem(file="theirs/0"))
    upload_to_bucket()
    download_from_bucket()
    told = command(place, "reconcile")
    assert (told["done"], told["api_calls"], told["in_step"]) == ({}, {"list": 1}, 8)

    place.write("mine/0", b"12", age_s=50)
    place.put("theirs/0", b"23")
    assert command(place, "reconcile")["done"] == {"upload": 1, "download": 1}
    for call in (download_from_bucket, upload_to_bucket):
        assert call().done == {}
    assert upload_file(Path("mine/0")).done == {}
    assert download_file(ubiops.FileItem(file="theirs/0")).done == {}


def test_the_functions_leave_conflicts_to_a_pass_as_they_were(place: Place) -> None:
    """Looking one way at a file that changed on both sides must not make it seem in step."""
    place.write("a", b"1", age_s=5000)
    upload_to_bucket()
    place.put("a", b"123", age_s=500)
    place.write("a", b"12", age_s=50)
    download_from_bucket()
    download_file(ubiops.FileItem(file="a"))
    assert (place.local(), place.remote()) == ({"a": b"12"}, {"data/a": b"123"})
    with two_way().plan() as (plan, _):
        [action] = plan.actions()
    assert (action.verb, action.loser.value) == (Verb.UPLOAD, "trash")
    two_way().run()
    assert place.remote() == {"data/a": b"12"}
    assert place.trash() == {b"123"}


def test_a_profile_of_a_file_with_the_same_name_and_places_is_the_same(place: Place) -> None:
    place.write("a", b"1")
    upload_to_bucket()
    (place.folder / "ubiops-file-sync.yaml").write_text(
        f"version: 1\napi_host: {place.server.api_host}\nstate_dir: {place.state_dir}\n"
        f"profiles:\n  default:\n    local_dir: {place.root}\n    project: demo\n"
        "    bucket_dir: data\n"
    )
    assert command(place, "reconcile")["api_calls"] == {"list": 1}


def test_the_history_tells_who_asked(place: Place) -> None:
    place.write("a", b"1")
    upload_file(Path("a"))
    download_from_bucket()
    passes = command(place, "history")["passes"]
    assert [(one["trigger"], one["only"]) for one in passes] == [("library", 1), ("library", None)]
    assert "only 1 file looked at" in passes[0]["outcome"]


# -- one lock --------------------------------------------------------------------------------------


HOLD = """
import os, sys
from ubiops_file_sync import load_settings
from ubiops_file_sync.places import state_name
from ubiops_file_sync.store import profile_lock
settings = load_settings()
with profile_lock(settings.state_dir, state_name(settings.profiles["default"])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_another_program_s_pass_is_waited_for(place: Place) -> None:
    place.write("a", b"1")
    holder = programs.begin(place, HOLD)
    programs.says(holder, "held")
    done = threading.Event()

    def upload() -> None:
        upload_file(Path("a"))
        done.set()

    thread = threading.Thread(target=upload)
    thread.start()
    assert not done.wait(1), "it waits"
    assert place.remote() == {}
    programs.ends(holder)
    thread.join()
    assert done.is_set()
    assert place.remote() == {"data/a": b"1"}


def test_nobody_waits_for_ever_and_it_is_said_for_whom(place: Place) -> None:
    place.write("a", b"1")
    holder = programs.begin(place, HOLD)
    programs.says(holder, "held")
    found = OneWay.of_environment(Direction.UPLOAD)
    impatient = OneWay(found.profile, found.state_dir, patience_s=0.5)
    began = time.monotonic()
    with pytest.raises(ProfileLocked, match=rf"process {holder.pid} .*waited 0\.5 s"):
        impatient.run()
    assert 0.5 <= time.monotonic() - began < 30
    programs.ends(holder)
    impatient.run()


def test_a_command_is_told_that_a_program_holds_the_profile(place: Place) -> None:
    settings = load_settings()
    with profile_lock(settings.state_dir, state_name(settings.profiles["default"])):
        done = subprocess.run(
            [*COMMAND, "reconcile"],
            env=environment(place),
            capture_output=True,
            text=True,
            check=False,
            timeout=programs.PATIENCE_S,
        )
    assert done.returncode == ProfileLocked.exit_code
    assert f"process {os.getpid()}" in done.stderr


# -- beside a service that runs --------------------------------------------------------------------


@contextmanager
def service(place: Place) -> Iterator[subprocess.Popen[bytes]]:
    """The service over the default profile. It passes at its start, and whenever it is told to."""
    process = subprocess.Popen(
        [*COMMAND, "run"],
        env=environment(place),
        cwd=place.folder,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(programs.PATIENCE_S) == 0
    finally:
        process.kill()
        process.wait()


def trigger(place: Place) -> None:
    """Have the service make a pass, as soon as its socket is there."""
    deadline = time.monotonic() + programs.PATIENCE_S
    while True:
        done = subprocess.run(
            [*COMMAND, "trigger", "default"],
            env=environment(place),
            cwd=place.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=programs.PATIENCE_S,
        )
        if done.returncode == 0:
            return
        assert time.monotonic() < deadline, done.stderr
        time.sleep(0.05)


def test_a_service_and_a_watcher_and_calls_over_the_same_places(place: Place) -> None:
    for n in range(20):
        place.put(f"theirs/{n}", b"1")
    with service(place):
        watch_local_and_upload(0.1)
        for n in range(20):
            place.write(f"mine/{n}", b"%d" % n)
            if n % 5 == 0:
                trigger(place)
                upload_file(Path(f"mine/{n}"))
                download_file(ubiops.FileItem(file=f"theirs/{n}"))
        download_from_bucket()
        upload_to_bucket()
        trigger(place)
    assert len(place.local()) == 40
    assert place.remote() == {f"data/{key}": content for key, content in place.local().items()}
    assert place.trash() == set(), "nobody took anything for a conflict"
    assert command(place, "reconcile")["done"] == {}
