"""A real service process: what it tells systemd, how it is changed, killed and stopped."""

from __future__ import annotations

import json
import signal
import time

import pytest

from service.processes import Place, eventually
from ubiops_file_sync.emulator import Fault
from ubiops_file_sync.past import Stage
from ubiops_file_sync.service.control import ask_service

MIB = 1 << 20


def test_it_is_ready_once_it_has_started_and_says_how_it_is_doing(place: Place) -> None:
    place.configure(p={})
    place.write("a", b"1")
    with place.service() as service:
        assert "STATUS=1 profile" in service.hears("READY=1")
        service.hears("STATUS=1 profile; passes under way: p")
        service.hears("STATUS=1 profile; next pass: p at ")
        assert list(place.server.objects()) == ["p/a"]
        service.signal(signal.SIGTERM)
        service.hears("STOPPING=1")
        assert service.ends() == 0


def test_the_watchdog_is_fed_while_the_loop_turns_and_not_while_it_is_stuck(place: Place) -> None:
    place.configure(p={})
    with place.service(watchdog_s=0.4) as service:
        for _ in range(3):
            service.hears("WATCHDOG=1")
        service.signal(signal.SIGSTOP)
        time.sleep(0.5)  # What was under way has arrived.
        while not service.heard.empty():
            service.heard.get()
        time.sleep(1)
        assert service.heard.empty()
        service.signal(signal.SIGCONT)
        service.hears("WATCHDOG=1")


def test_between_its_ticks_it_sleeps(place: Place) -> None:
    place.configure(None, **{f"p{n}": {"run_on_start": False} for n in range(20)})
    with place.service() as service:
        service.hears("READY=1")
        time.sleep(0.5)
        before = service.switches()
        time.sleep(3)
        assert service.switches() == before


def test_a_changed_configuration_is_taken_over(place: Place) -> None:
    place.configure(p={}, gone={})
    with place.service() as service:
        service.hears("READY=1")
        service.hears("STATUS=2 profiles; next pass: ")
        place.configure(p={}, new={})
        place.write("b", b"2", "new")
        service.signal(signal.SIGHUP)
        assert "MONOTONIC_USEC=" in service.hears("RELOADING=1")
        assert "STATUS=2 profiles" in service.hears("READY=1")
        eventually(lambda: "new/b" in place.server.objects(), "a pass over the new profile")
        service.says("gone is no longer run")


def test_a_bad_configuration_is_told_of_and_the_old_one_goes_on(place: Place) -> None:
    place.configure(p={"every": "1s"})
    with place.service() as service:
        service.hears("READY=1")
        place.config.write_text("profiles: {p: {every: soon}}")
        service.signal(signal.SIGHUP)
        service.hears("RELOADING=1")
        assert "the old one goes on" in service.hears("READY=1")
        assert "profiles.p.every" in service.says("the configuration is not taken over")
        place.write("later", b"1")
        eventually(lambda: "p/later" in place.server.objects(), "a pass by the old configuration")
        place.configure(p={"every": "1s"})
        service.signal(signal.SIGHUP)
        service.hears("RELOADING=1")
        assert "the old one" not in service.hears("READY=1")


def test_a_profile_that_did_not_change_does_not_notice_a_reload(place: Place) -> None:
    """Its pass under way goes on, and its next one keeps its time."""
    place.configure(p={}, q={})
    place.write("a", b"1")
    place.server.faults.add(Fault("put", "latency", seconds=2))
    with place.service() as service:
        eventually(lambda: place.server.calls.count("sign_upload"), "an upload")
        place.configure(p={}, q={"every": "2h"})
        service.signal(signal.SIGHUP)
        service.says("q has changed")
        eventually(lambda: place.passes("p"), "the end of the pass")
        assert [one.exit_code for one in place.passes("p")] == [0]
        assert "p has changed" not in service.log.read_text()


def test_a_state_folder_that_moves_wants_a_restart(place: Place) -> None:
    place.configure(p={})
    with place.service() as service:
        service.hears("READY=1")
        place.configure({"state_dir": str(place.folder / "elsewhere")}, p={})
        service.signal(signal.SIGHUP)
        service.says("restart the service to move it")
        ask_service(place.state_dir, {"command": "trigger", "profile": "p"})
        eventually(lambda: len(place.passes("p")) > 1, "a pass recorded where it was")
    assert not (place.folder / "elsewhere").exists()


def test_killed_in_the_midst_of_a_pass_and_started_again_it_goes_on(place: Place) -> None:
    place.configure(p={"workers": 2})
    for n in range(40):
        place.write(f"{n:02}", b"%d" % n)
    place.server.faults.add(Fault("put", "latency", times=None, seconds=0.05))
    with place.service() as service:
        eventually(lambda: place.server.calls.count("put") > 10, "uploads")
        service.signal(signal.SIGKILL)
        service.ends()
    assert len(place.server.objects()) < 40
    with place.service() as service:
        service.hears("READY=1")
        eventually(lambda: len(place.passes()) > 1, "the end of the second pass")
    assert len(place.server.objects()) == 40
    assert [one.stage for one in place.passes()] == [Stage.CUT_OFF, Stage.ENDED]


def test_stopped_in_the_midst_of_a_big_upload_it_ends_in_time_and_resumes(place: Place) -> None:
    size = 1024 * MIB
    place.configure({"stop_timeout": "10s"}, p={"multipart_threshold": "64MiB"})
    with place.write("big", b"").open("r+b") as file:
        file.truncate(size)
    with place.service() as service:
        eventually(lambda: place.server.calls.count("put_part") >= 5, "parts")
        service.signal(signal.SIGTERM)
        began = time.monotonic()
        assert service.ends() == 0
        assert time.monotonic() - began < 10 + 5
        service.says("stopped before its end")
    assert place.server.objects() == {}
    [stopped] = place.passes()
    assert stopped.exit_code == 130
    before = place.server.calls.count("put_part")
    with place.service():
        eventually(lambda: place.server.objects(), "the whole file", 120)
        eventually(lambda: len(place.passes()) == 2, "the end of the pass")
    parts = place.server.calls.count("put_part")
    assert parts - before < parts, "some were not sent again"
    [_, resumed] = place.passes()
    assert stopped.account.bytes_up > 0
    assert resumed.account.bytes_up <= size - stopped.account.bytes_up + 4 * 32 * MIB


def test_what_hangs_is_broken_off_when_the_time_is_up(place: Place) -> None:
    place.configure({"stop_timeout": "500ms"}, p={})
    place.write("a", b"1")
    place.server.faults.add(Fault("put", "hang", seconds=100))
    with place.service() as service:
        eventually(lambda: place.server.calls.count("sign_upload"), "an upload")
        service.signal(signal.SIGTERM)
        began = time.monotonic()
        assert service.ends() == 0
        assert time.monotonic() - began < 15


def test_a_second_signal_waits_for_nothing(place: Place) -> None:
    place.configure({"stop_timeout": "1h"}, p={})
    place.write("a", b"1")
    place.server.faults.add(Fault("put", "hang", seconds=100))
    with place.service() as service:
        eventually(lambda: place.server.calls.count("sign_upload"), "an upload")
        service.signal(signal.SIGTERM)
        service.hears("STOPPING=1")
        service.signal(signal.SIGTERM)
        began = time.monotonic()
        assert service.ends() == 0
        assert time.monotonic() - began < 15


def test_one_that_fails_and_one_that_is_slow_leave_the_others_their_times(place: Place) -> None:
    place.configure(
        good={"every": "1s"},
        slow={"every": "1s", "workers": 1},
        bad={"every": "1s", "local_dir": str(place.folder / "not/there"), "max_backoff": "1h"},
    )
    place.write("a", b"1", "slow")
    place.server.faults.add(Fault("put", "latency", seconds=8, times=1))
    with place.service() as service:
        eventually(lambda: place.server.calls.count("sign_upload"), "the slow upload")
        eventually(lambda: len(place.passes("good")) >= 5, "five good passes")
        assert place.passes("slow") == []
        service.says("bad: backing off after 2 failures")
        eventually(lambda: place.passes("slow"), "the end of the slow one")
    good = place.passes("good")
    assert {one.exit_code for one in good} == {0}
    # Missed ticks are one pass, not many.
    assert len(place.passes("slow")) <= 3
    assert {one.exit_code for one in place.passes("bad")} == {4}


def test_a_service_and_a_command_at_once_one_works_and_the_other_says_who(place: Place) -> None:
    place.configure(p={"every": "1s"})
    place.write("a", b"1")
    place.server.faults.add(Fault("put", "latency", seconds=3, times=1))
    with place.service() as service:
        eventually(lambda: place.server.calls.count("sign_upload"), "an upload by the service")
        refused = place.command("reconcile")
        assert refused.returncode == 5
        assert f"by process {service.process.pid}" in refused.stderr
        eventually(lambda: place.passes(), "the end of the service's pass")
    assert place.server.calls.count("put") == 1


def test_a_tick_that_finds_the_profile_taken_is_no_failure(place: Place) -> None:
    place.configure(p={"every": "1s", "run_on_start": False})
    place.write("a", b"1")
    place.server.faults.add(Fault("put", "latency", seconds=4, times=1))
    with place.service() as service:
        service.hears("READY=1")
        command = place.command("reconcile")
        log = service.log.read_text()
        assert command.returncode in {0, 5}, command.stderr
        if command.returncode == 0:
            service.says("is being reconciled already")
        assert "backing off" not in log
        place.write("b", b"2")
        eventually(lambda: "p/b" in place.server.objects(), "a pass of the service")


def test_two_services_do_not_share_a_state_folder(place: Place) -> None:
    place.configure(p={})
    with place.service() as service:
        service.hears("READY=1")
        second = place.command("run")
        assert second.returncode == 5
        assert f"process {service.process.pid}" in second.stderr


def test_a_configuration_that_cannot_be_used_ends_it_with_78(place: Place) -> None:
    place.config.write_text("profiles: {}")
    assert place.command("run").returncode == 78


def test_where_the_service_is_unreachable_it_starts_and_says_so(place: Place) -> None:
    place.configure({"api_host": "http://127.0.0.1:9/v2.1"}, p={"every": "1s"})
    with place.service() as service:
        service.hears("READY=1")
        assert service.process.poll() is None


def test_commands_run_after_passes(place: Place) -> None:
    out = place.folder / "hooks"
    out.mkdir()
    place.configure(
        p={
            "every": "1h",
            "on_change": ["sh", "-c", f"cat > {out}/change; env > {out}/env"],
            "on_failure": ["sh", "-c", f"cat > {out}/failure"],
        }
    )
    place.write("a", b"1")
    with place.service():
        eventually(lambda: (out / "env").exists() and (out / "change").read_text(), "the hook")
    report = json.loads((out / "change").read_text())
    assert (report["profile"], report["done"]) == ("p", {"upload": 1})
    assert place.server.token not in (out / "env").read_text()
    assert not (out / "failure").exists()


@pytest.mark.parametrize("level", ["info", "debug"])
def test_no_token_and_no_signed_url_is_in_its_log(place: Place, level: str) -> None:
    place.configure({"log": {"level": level}}, p={"every": "1s"})
    place.write("a", b"1")
    with place.service() as service:
        service.says("uploaded a")
        service.signal(signal.SIGTERM)
        service.ends()
    log = service.log.read_text()
    assert place.server.token not in log
    assert "signature" not in log.lower()
