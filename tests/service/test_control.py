"""A running service is asked from outside, by commands and by whatever else connects."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.error import URLError

import pytest

from service.processes import Place, eventually
from ubiops_file_sync.emulator import Fault

MIB = 1 << 20


def address(place: Place) -> Path:
    told = json.loads((place.state_dir / "service.json").read_text())
    return Path(told["socket"])


def test_a_pass_is_asked_for_out_of_turn(place: Place) -> None:
    place.configure(p={"run_on_start": False})
    place.write("a", b"1")
    with place.service() as service:
        service.hears("READY=1")
        done = place.command("trigger", "p")
        assert (done.returncode, done.stdout) == (0, "p: the pass begins\n")
        eventually(lambda: "p/a" in place.server.objects(), "the pass")


def test_a_pass_asked_for_while_one_is_under_way_follows_it(place: Place) -> None:
    """What changed after the first one looked is what whoever asks cares for."""
    place.configure(p={})
    place.write("a", b"1")
    place.server.faults.add(Fault("put", "latency", seconds=3, times=1))
    with place.service():
        eventually(lambda: place.server.calls.count("sign_upload"), "an upload")
        place.write("b", b"2")
        assert "another one follows it" in place.command("trigger", "p").stdout
        eventually(lambda: "p/b" in place.server.objects(), "the second pass")


def test_a_paused_profile_is_left_alone_until_it_is_resumed_also_after_a_restart(
    place: Place,
) -> None:
    place.configure(p={"every": "1s"}, q={"every": "1s"})
    with place.service() as service:
        service.hears("READY=1")
        assert place.command("pause", "p").stdout.startswith("p: paused")
        assert place.live()["is_paused"]
        assert not place.live("q")["is_paused"]
    place.write("a", b"1")
    place.write("a", b"1", "q")
    with place.service() as service:
        service.hears("READY=1")
        eventually(lambda: "q/a" in place.server.objects(), "a pass over the other")
        time.sleep(1.5)
        assert "p/a" not in place.server.objects()
        assert place.command("resume", "p").stdout.startswith("p: next pass at ")
        eventually(lambda: "p/a" in place.server.objects(), "a pass after the pause")


def test_a_pause_for_a_time_ends_by_itself(place: Place) -> None:
    place.configure(p={"every": "1s", "run_on_start": False})
    with place.service() as service:
        service.hears("READY=1")
        assert ", until 20" in place.command("pause", "p", "--for", "3s").stdout
        place.write("a", b"1")
        assert place.live()["paused_until"] is not None
        eventually(lambda: "p/a" in place.server.objects(), "a pass after the pause")


def test_reload_tells_whether_it_worked(place: Place) -> None:
    place.configure(p={})
    with place.service() as service:
        service.hears("READY=1")
        assert place.command("reload").stdout == "the configuration is taken over\n"
        place.configure(p={"every": "soon"})
        bad = place.command("reload")
        assert bad.returncode == 78
        assert "profiles.p.every" in bad.stderr


@pytest.mark.parametrize(
    "words", [("trigger", "p"), ("pause", "p"), ("resume", "p"), ("reload",)], ids=" ".join
)
def test_without_a_service_the_commands_say_so(place: Place, words: tuple[str, ...]) -> None:
    place.configure(p={})
    done = place.command(*words)
    assert done.returncode == 1
    assert "no service is running" in done.stderr
    assert "Traceback" not in done.stderr


def test_after_a_kill_no_service_is_running(place: Place) -> None:
    """Its socket and its address still stand there."""
    place.configure(p={})
    with place.service() as service:
        service.hears("READY=1")
    assert address(place).exists()
    assert "no service is running" in place.command("trigger", "p").stderr
    assert place.command("status").stdout.endswith("no service is running over this state\n")
    with place.service() as service:
        service.hears("READY=1")
        assert place.command("status").stdout.startswith("service: process ")


def test_a_profile_that_the_service_does_not_run_is_named(place: Place) -> None:
    place.configure(p={}, off={"enabled": False})
    with place.service() as service:
        service.hears("READY=1")
        done = place.command("trigger", "off")
        assert done.returncode == 1
        assert "runs no profile 'off'; it runs p" in done.stderr


def test_the_status_shows_what_travels_and_what_comes_next(place: Place) -> None:
    place.configure({"bandwidth_limit": "2MiB/s"}, p={})
    place.write("big", bytes(12 * MIB))
    with place.service():
        eventually(lambda: place.server.calls.count("sign_upload"), "an upload")
        live = eventually(lambda: place.live(), "the service")
        [travelling] = eventually(lambda: place.live()["transfers"], "a transfer")
        assert (travelling["key"], travelling["way"]) == ("big", "upload")
        assert travelling["size_bytes"] == 12 * MIB
        assert 0 <= travelling["done_bytes"] <= 12 * MIB
        assert live["next_due"] is None
        shown = place.command("status")
        assert "up: big, " in shown.stdout, shown.stderr
        assert place.status()["live"]["transfers"]
        eventually(lambda: place.server.objects(), "the upload")
        eventually(lambda: place.live()["next_due"], "the next pass")


def test_the_socket_is_private(place: Place) -> None:
    place.configure(p={})
    with place.service() as service:
        service.hears("READY=1")
        path = address(place)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE((place.state_dir / "service.json").stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_another_user_is_not_heard(place: Place) -> None:
    place.configure(p={})
    with place.service() as service:
        service.hears("READY=1")
        path = address(place)
        path.chmod(0o666)
        for folder in (path.parent, *path.parent.parents):
            if folder.stat().st_uid == 0 and folder != Path("/"):
                folder.chmod(folder.stat().st_mode | 0o055)
        code = (
            "import os, socket, sys; os.setuid(65534); s = socket.socket(socket.AF_UNIX);"
            's.connect(sys.argv[1]); s.sendall(b\'{"command": "status"}\\n\');'
            "print(s.recv(100))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
        )
        assert "profiles" not in done.stdout
        assert place.live()


@pytest.mark.parametrize(
    "words",
    [
        b"\n",
        b"{\n",
        b"[1]\n",
        b'{"command": "destroy"}\n',
        b'{"command": "pause", "profile": ["p"]}\n',
        b'{"command": "pause", "profile": "p", "seconds": 1e400}\n',
        b'{"command": "pause", "profile": "p", "seconds": -1e18}\n',
        b"\xff" * 200_000,
        b"",
    ],
)
def test_nonsense_is_answered_or_dropped_and_the_service_goes_on(
    place: Place, words: bytes
) -> None:
    place.configure(p={})
    with place.service() as service:
        service.hears("READY=1")
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(address(place)))
            connection.settimeout(15)
            try:
                connection.sendall(words)
                connection.shutdown(socket.SHUT_WR)
                answer = connection.recv(65_536)
            except (BrokenPipeError, ConnectionResetError):
                answer = b""
        assert not answer or "error" in json.loads(answer)
        assert place.live() is not None
        assert "Traceback" not in service.log.read_text()


@pytest.mark.parametrize(
    "words", [b'{"command": ["status"]}\n', b'{"command": {}}\n', b"[" * 60_000 + b"\n"]
)
def test_a_request_of_the_wrong_shape_is_answered_all_the_same(place: Place, words: bytes) -> None:
    place.configure(p={})
    with place.service() as service:
        service.hears("READY=1")
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(address(place)))
            connection.settimeout(15)
            connection.sendall(words)
            assert "error" in json.loads(connection.recv(65_536))


def test_whoever_connects_and_says_nothing_holds_nobody_up(place: Place) -> None:
    place.configure(p={"every": "1s"})
    with place.service() as service:
        service.hears("READY=1")
        with socket.socket(socket.AF_UNIX) as silent:
            silent.connect(str(address(place)))
            began = time.monotonic()
            assert place.live() is not None
            assert time.monotonic() - began < 8
            place.write("a", b"1")
            eventually(lambda: "p/a" in place.server.objects(), "a pass")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


def scrape(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text: str = answer.read().decode()
    return text


def test_metrics_are_served_and_move_with_the_configuration(place: Place) -> None:
    one, other = free_port(), free_port()
    place.configure({"metrics": {"listen": f"127.0.0.1:{one}"}}, p={})
    place.write("a", b"1")
    with place.service() as service:
        service.says("1 uploaded")
        uploaded = 'ubiops_file_sync_outcomes_total{profile="p",verb="upload"} 1.0'
        eventually(lambda: uploaded in scrape(one), "the metric")
        place.configure({"metrics": {"listen": f"127.0.0.1:{other}"}}, p={})
        assert place.command("reload").returncode == 0
        assert uploaded in scrape(other)
        with pytest.raises(URLError):
            scrape(one)


def test_metrics_in_a_file(place: Place) -> None:
    file = place.folder / "out.prom"
    place.configure({"metrics": {"textfile": str(file)}}, p={})
    with place.service():
        eventually(lambda: file.exists() and 'result="ok"} 1.0' in file.read_text(), "the file")


def test_service_and_commands_share_a_log_file(place: Place) -> None:
    log = place.folder / "logs/sync.log"
    log.parent.mkdir()
    place.configure({"log": {"file": str(log), "format": "json"}}, p={"every": "1s"}, q={})
    place.write("bad\\name\n", b"1", "q")
    with place.service("p") as service:
        service.hears("READY=1")
        for n in range(3):
            place.write(f"{n}", b"1", "q")
            done = place.command("reconcile", "q")
            assert (done.returncode, done.stderr) == (0, "")
        eventually(lambda: log.read_text().count("p: nothing to do") > 1, "lines of the service")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert len({line["pid"] for line in lines}) == 4
    told = [line["key"] for line in lines if line["message"].startswith("q: uploaded")]
    assert sorted(told) == ["0", "1", "2", "bad\\name\n"]
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_a_command_with_a_log_file_says_nothing_twice(place: Place) -> None:
    log = place.folder / "sync.log"
    place.configure({"log": {"file": str(log)}}, p={"local_dir": str(place.folder / "no/where")})
    done = place.command("reconcile")
    assert done.returncode == 4
    assert done.stderr.count("does not exist") == 1
    assert log.read_text().count("does not exist") == 1
