"""The watcher: what it uploads and when, what it survives, and how it ends."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.world import QUICK
from library import programs
from library.conftest import Place
from ubiops_file_sync import (
    Direction,
    Outcome,
    Progress,
    UsageError,
    classic,
    sync_and_watch,
    upload_file,
    watcher,
)
from ubiops_file_sync.emulator import Fault
from ubiops_file_sync.lookout import Lookout
from ubiops_file_sync.watcher import shutdown, watch_local_and_upload

SETTLE_S = 2.0


class Clock:
    """Seconds that go on when a test says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Looking:
    """A watcher without its thread: each look is asked for."""

    def __init__(self, place: Place, progress: Progress | None = None) -> None:
        self.clock = Clock()
        found = classic.OneWay.of_environment(Direction.UPLOAD)
        self.passes = classic.OneWay(found.profile, found.state_dir, QUICK)
        self.lookout = Lookout(self.passes, 2.0, progress, self.clock)
        self.place = place

    def look(self, after_s: float = SETTLE_S) -> set[str]:
        """What the bucket has been asked for by a look that comes so long after the last one."""
        self.clock.now_s += after_s
        self.place.server.reset_calls()
        self.lookout.turn()
        return {call.value for call in self.place.server.calls.counts()}


@pytest.fixture
def looking(place: Place) -> Iterator[Looking]:
    watching = Looking(place)
    yield watching
    watching.lookout._files.__exit__()


def names(place: Place) -> set[str]:
    return {key.removeprefix(place.prefix) for key in place.server.objects(place.prefix)}


# -- what goes up, and when ------------------------------------------------------------------------


def test_a_file_goes_up_once_two_looks_have_found_it_the_same(looking: Looking) -> None:
    place = looking.place
    place.write("a", b"1")
    assert looking.look() == set()
    assert names(place) == set(), "it may be being written"
    place.write("a", b"12", age_s=50)
    assert looking.look() == set()
    assert looking.look(after_s=SETTLE_S / 2) == set(), "so it was"
    looking.look(after_s=SETTLE_S / 2)
    assert place.remote() == {"data/a": b"12"}


def test_a_look_that_finds_nothing_asks_the_bucket_nothing(looking: Looking) -> None:
    for n in range(50):
        looking.place.write(f"d{n % 7}/{n}", b"1")
    looking.look()
    assert looking.look() != set()
    assert len(names(looking.place)) == 50
    for _ in range(3):
        assert looking.look() == set()


def test_a_changed_file_goes_up_and_nothing_else_does(looking: Looking) -> None:
    place = looking.place
    for key in ("a", "b"):
        place.write(key, b"1")
    looking.look()
    looking.look()
    place.server.delete_object("data/b")
    place.write("a", b"12", age_s=50)
    looking.look()
    assert "list" not in looking.look(), "of one file the bucket is asked by name"
    assert place.remote() == {"data/a": b"12"}


def test_what_was_changed_while_nobody_watched_goes_up(looking: Looking) -> None:
    place = looking.place
    place.write("a", b"1")
    upload_file(Path("a"))
    place.write("a", b"12", age_s=50)
    looking.look()
    looking.look()
    assert place.remote() == {"data/a": b"12"}


def test_what_others_have_brought_in_step_does_not_go_up_again(looking: Looking) -> None:
    place = looking.place
    place.write("a", b"1")
    looking.look()
    upload_file(Path("a"))
    assert looking.look() == set()


def test_a_newer_object_is_preserved_and_asked_about_once(looking: Looking) -> None:
    place = looking.place
    place.write("a", b"mine", age_s=1000)
    place.put("a", b"newer", age_s=10)
    looking.look()
    assert looking.look() == {"get"}
    for _ in range(3):
        assert looking.look(after_s=1000) == set()
    place.write("a", b"newest", age_s=1)
    looking.look()
    looking.look()
    assert place.remote() == {"data/a": b"newest"}
    assert place.trash() == {b"newer"}


def test_hidden_files_links_and_the_program_s_own_do_not_go_up(looking: Looking) -> None:
    place = looking.place
    place.write(".ubiopsignore", b"*.tmp\nbuild/\n")
    for key in ("x.tmp", "build/x", ".ubiops-sync/tmp/x", "y"):
        place.write(key, b"1")
    (place.root / "link").symlink_to("y")
    looking.look()
    looking.look()
    assert names(place) == {".ubiopsignore", "y"}


def test_more_files_than_a_pass_takes_all_go_up(
    looking: Looking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ubiops_file_sync.lookout._CHUNK", 7)
    for n in range(30):
        looking.place.write(f"{n}", b"1")
    looking.look()
    looking.look()
    assert len(names(looking.place)) == 30


def test_a_file_that_is_gone_before_it_goes_up_is_nothing(looking: Looking) -> None:
    place = looking.place
    path = place.write("a", b"1")
    looking.look()
    path.unlink()
    assert looking.look() == set()


# -- what it survives ------------------------------------------------------------------------------


def test_a_file_that_fails_is_tried_again_after_a_while(
    looking: Looking, caplog: pytest.LogCaptureFixture
) -> None:
    place = looking.place
    for key in ("bad", "good"):
        place.write(key, b"1")
    place.server.faults.add(Fault("put", "status", key="bad", times=None, code=400))
    looking.look()
    looking.look()
    assert names(place) == {"good"}
    assert "bad" in caplog.text
    place.server.faults.clear()
    assert looking.look() == set(), "not at once"
    looking.look(after_s=61)
    assert names(place) == {"good", "bad"}


def test_a_file_that_failed_and_changes_is_tried_at_once(looking: Looking) -> None:
    place = looking.place
    place.write("a", b"1")
    place.server.faults.add(Fault("put", "status", times=1, code=400))
    looking.look()
    looking.look()
    assert names(place) == set()
    place.write("a", b"12", age_s=50)
    looking.look()
    looking.look()
    assert names(place) == {"a"}


def test_a_folder_that_cannot_be_told_is_told_once_and_the_others_go_up(
    looking: Looking, caplog: pytest.LogCaptureFixture
) -> None:
    place = looking.place
    place.write("d/.ubiopsignore", b"[[:alpha:]]\n")
    for key in ("d/x", "e/x"):
        place.write(key, b"1")
    for _ in range(4):
        looking.look()
    assert names(place) == {"e/x"}
    assert sum("ubiopsignore" in record.getMessage() for record in caplog.records) == 1


def test_no_trouble_ends_it(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """Neither that the folder is gone, nor that UbiOps is."""
    watch_local_and_upload(0.05)
    away = place.folder / "away"
    place.root.rename(away)
    _logged(caplog, "cannot be read")
    away.rename(place.root)
    place.setenv(UBIOPS_API_TOKEN="a-wrong-token")
    place.write("a", b"1")
    _logged(caplog, "does not know the token")
    place.setenv(UBIOPS_API_TOKEN=place.server.token)
    place.eventually_stored("a", b"1", patience_s=90)


def test_a_bug_does_not_end_it_either(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    class Buggy(Progress):
        def did(self, outcome: Outcome) -> None:
            if outcome.action.key == "bad":
                raise ZeroDivisionError

    watch_local_and_upload(0.05, progress=Buggy())
    place.write("bad", b"1")
    _logged(caplog, "a bug")
    place.write("good", b"1")
    place.eventually_stored("good", b"1")


def _logged(caplog: pytest.LogCaptureFixture, words: str) -> None:
    deadline = time.monotonic() + programs.PATIENCE_S
    while words not in caplog.text:
        assert time.monotonic() < deadline, f"{words!r} never came: {caplog.text}"
        time.sleep(0.02)


def test_a_file_that_is_being_written_never_goes_up_by_halves(place: Place) -> None:
    """Nor does an upload of a version that nobody ever wrote."""
    stored: set[bytes] = set()
    line = b"0123456789" * 100
    watch_local_and_upload(0.1)
    path = place.root / "log.txt"
    with path.open("wb", buffering=0) as log:
        for _ in range(60):
            log.write(line)
            time.sleep(0.05)
            stored.update(place.remote().values())
    assert stored == set(), "it never came to rest"
    place.eventually_stored("log.txt", line * 60)


# -- how it begins and ends ------------------------------------------------------------------------


def test_it_drains_what_is_fresh_and_ends_and_may_be_begun_again(place: Place) -> None:
    shutdown()
    for n in range(2):
        watch_local_and_upload(3600)
        place.write(f"{n}", b"1", age_s=None)
        shutdown()
        assert f"{n}" in names(place)
        shutdown()
    assert not any(thread.name == "watcher" for thread in threading.enumerate())


def test_a_second_start_changes_nothing(place: Place) -> None:
    watch_local_and_upload(0.1)
    first = watcher._watching
    watch_local_and_upload(0.1)
    assert watcher._watching is first
    place.setenv(BUCKET_DIR="elsewhere")
    with pytest.raises(UsageError, match="call shutdown"):
        watch_local_and_upload(0.1)
    shutdown()
    watch_local_and_upload(0.1)
    place.write("a", b"1")
    place.eventually_stored("a", b"1")
    assert set(place.remote()) == {"elsewhere/a"}


@pytest.mark.parametrize("interval_s", [0, -1, float("nan"), float("inf")])
def test_an_interval_is_more_than_nothing_and_ends(place: Place, interval_s: float) -> None:
    with pytest.raises(UsageError, match="interval_s"):
        watch_local_and_upload(interval_s)


def test_sync_and_watch_downloads_first(place: Place) -> None:
    place.put("theirs", b"1")
    sync_and_watch(0.1)
    assert place.local() == {"theirs": b"1"}
    place.write("mine", b"2")
    place.eventually_stored("mine", b"2")


def test_sync_and_watch_watches_nothing_if_files_are_missing(place: Place) -> None:
    from ubiops_file_sync import FilesFailed

    place.put("a", b"1")
    place.server.faults.add(Fault("get_blob", "status", times=None, code=404))
    with pytest.raises(FilesFailed):
        sync_and_watch()
    assert watcher._watching is None or not watcher._watching.is_alive


def test_a_progress_callback_may_ask_for_the_end(place: Place) -> None:
    class Ending(Progress):
        def did(self, outcome: Outcome) -> None:
            shutdown()

    watch_local_and_upload(0.05, progress=Ending())
    place.write("a", b"1")
    place.eventually_stored("a", b"1")
    shutdown()
    assert watcher._watching is not None
    assert not watcher._watching.is_alive


def test_a_callback_may_ask_for_the_end_while_another_thread_waits_for_it(place: Place) -> None:
    asked = threading.Event()

    class Ending(Progress):
        def did(self, outcome: Outcome) -> None:
            called.set()
            asked.wait(30)
            shutdown()

    called = threading.Event()
    watch_local_and_upload(0.05, progress=Ending())
    place.write("a", b"1")
    assert called.wait(30)
    waiting = threading.Thread(target=shutdown, daemon=True)
    waiting.start()
    assert watcher._watching is not None
    while not watcher._watching.is_ending:
        waiting.join(0.01)
    asked.set()
    waiting.join(30)
    assert not waiting.is_alive()
    assert not watcher._watching.is_alive
    place.eventually_stored("a", b"1")


def test_a_big_folder_is_looked_at_more_rarely(looking: Looking) -> None:
    pause_s = looking.lookout._pause_s
    assert pause_s(0.01, 0) == 2.0
    assert pause_s(3.0, 0) == 27.0
    assert pause_s(0.01, 1) == 4.0
    assert pause_s(0.01, 30) == 60.0


# -- programs --------------------------------------------------------------------------------------


WATCH = """
from pathlib import Path
from ubiops_file_sync import watch_local_and_upload
watch_local_and_upload({interval})
"""


def test_a_program_ends_by_itself_and_what_it_wrote_last_is_there(place: Place) -> None:
    """Small or large: small ones travel in one thread, and large ones in a pool of them."""
    out, err = programs.run(
        place,
        WATCH.format(interval=3600) + 'Path("local/last").write_bytes(b"1")\n'
        'Path("local/large").write_bytes(b"1" * 100_000)\n',
    )
    assert (out, err) == ("", "")
    assert place.remote() == {"data/last": b"1", "data/large": b"1" * 100_000}


def test_a_program_that_fails_ends_as_it_would_and_what_it_wrote_is_there(place: Place) -> None:
    code = WATCH.format(interval=3600) + 'Path("local/last").write_bytes(b"1")\nraise SystemExit(7)'
    programs.run(place, code, exit_code=7)
    assert place.remote() == {"data/last": b"1"}


def test_a_program_that_is_told_to_end_by_its_handler_uploads_what_it_wrote(place: Place) -> None:
    program = programs.begin(
        place,
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n"
        + WATCH.format(interval=3600)
        + 'Path("local/last").write_bytes(b"1")\nprint("written", flush=True)\ntime.sleep(600)',
    )
    programs.says(program, "written")
    program.send_signal(signal.SIGTERM)
    programs.ends(program)
    assert place.remote() == {"data/last": b"1"}


def test_a_program_that_is_killed_leaves_no_half_file_and_the_next_one_goes_on(
    place: Place,
) -> None:
    """SIGTERM without a handler runs nothing any more."""
    place.server.faults.add(Fault("put", "hang", seconds=100))
    program = programs.begin(place, WATCH.format(interval=0.1) + "import time\ntime.sleep(600)")
    place.write("a", b"1" * 100_000)
    deadline = time.monotonic() + programs.PATIENCE_S
    while not place.server.calls.count("sign_upload"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    program.send_signal(signal.SIGTERM)
    programs.ends(program, -signal.SIGTERM)
    assert place.remote() == {}
    place.server.faults.clear()
    programs.run(place, WATCH.format(interval=3600))
    assert place.remote() == {"data/a": b"1" * 100_000}


def test_ctrl_c_ends_the_program_and_what_it_wrote_is_there(place: Place) -> None:
    program = programs.begin(
        place,
        WATCH.format(interval=3600) + 'import time\nPath("local/last").write_bytes(b"1")\n'
        "try:\n    print('written', flush=True)\n    time.sleep(600)\n"
        "except KeyboardInterrupt:\n    print('ending', flush=True)\n",
    )
    programs.says(program, "written")
    program.send_signal(signal.SIGINT)
    programs.says(program, "ending")
    out, err = programs.ends(program)
    assert (out, err) == ("", "")
    assert place.remote() == {"data/last": b"1"}


def test_a_second_ctrl_c_does_not_wait_for_what_hangs(place: Place) -> None:
    place.server.faults.add(Fault("put", "hang", times=None, seconds=300))
    program = programs.begin(
        place,
        WATCH.format(interval=3600) + 'import time\nPath("local/last").write_bytes(b"1")\n'
        "try:\n    print('written', flush=True)\n    time.sleep(600)\n"
        "except KeyboardInterrupt:\n    print('ending', flush=True)\n",
    )
    programs.says(program, "written")
    program.send_signal(signal.SIGINT)
    programs.says(program, "ending")
    deadline = time.monotonic() + programs.PATIENCE_S
    while not place.server.calls.count("sign_upload"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    began = time.monotonic()
    program.send_signal(signal.SIGINT)
    _, err = programs.ends(program)
    assert time.monotonic() - began < 30
    assert "Traceback" not in err
    place.server.faults.clear()
    programs.run(place, WATCH.format(interval=3600))
    assert place.remote() == {"data/last": b"1"}


def test_a_program_that_forks_watches_on_and_its_children_end(place: Place) -> None:
    programs.run(
        place,
        WATCH.format(interval=0.1)
        + """
import multiprocessing, os, time
from ubiops_file_sync import shutdown, upload_file
def child(name):
    Path("local", name).write_bytes(b"1")
    upload_file(Path(name))
    shutdown()
if __name__ == "__main__":
    children = [multiprocessing.get_context("fork").Process(target=child, args=(f"c{n}",))
                for n in range(3)]
    for one in children: one.start()
    for one in children: one.join()
    assert [one.exitcode for one in children] == [0, 0, 0], children
    Path("local/parent").write_bytes(b"1")
""",
    )
    assert names(place) == {"c0", "c1", "c2", "parent"}


def test_a_handler_that_calls_shutdown_in_the_midst_of_an_upload_does_not_hang(
    place: Place,
) -> None:
    place.server.faults.add(Fault("put", "latency", seconds=3))
    program = programs.begin(
        place,
        "import signal\nfrom ubiops_file_sync import shutdown, upload_file\n"
        "signal.signal(signal.SIGTERM, lambda *_: shutdown())\n"
        + WATCH.format(interval=3600)
        + 'Path("local/a").write_bytes(b"1")\nupload_file(Path("a"))\nprint("uploaded")\n'
        'Path("local/b").write_bytes(b"1")\n',
    )
    deadline = time.monotonic() + programs.PATIENCE_S
    while not place.server.calls.count("sign_upload"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    program.send_signal(signal.SIGTERM)
    assert programs.ends(program)[0] == "uploaded\n"
    assert "a" in names(place)
