"""The rotated file, written by several processes at once."""

from __future__ import annotations

import json
import re
import signal
import stat
from collections import Counter
from pathlib import Path

import pytest

from logs.conftest import Start
from logs.test_stderr import STAMP, Said
from ubiops_file_sync.errors import ConfigError
from ubiops_file_sync.logs import LogFile, set_up, tear_down

WRITER = """
place, name, count, most, form = sys.argv[1:]
set_up(Stderr("ERROR"), LogFile(Path(place), "DEBUG", LogFormat(form), int(most), 400))
def write(thread):
    for number in range(int(count)):
        log.info("%s %s %d %s.", name, thread, number, "x" * (number * 7 % 300))
threads = [threading.Thread(target=write, args=(thread,)) for thread in "abc"]
print("ready", flush=True)
sys.stdin.readline()
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
LINE = re.compile(rf"{STAMP} INFO \[\d+\] (\w+ \w \d+) (x*)\.")


def _files(log: Path) -> list[Path]:
    return sorted(log.parent.glob(f"{log.name}*"))


def _lines(log: Path) -> list[str]:
    return "".join(path.read_text() for path in _files(log)).splitlines()


@pytest.mark.parametrize("form", ["text", "json"])
def test_processes_that_write_one_file_lose_and_tear_no_line(
    start: Start, tmp_path: Path, form: str
) -> None:
    """Three processes of three threads, one of which knows the file by another name."""
    log, count = tmp_path / "log" / "sync.log", 300
    (tmp_path / "alias.log").symlink_to("log/sync.log")
    places = [log, tmp_path / "alias.log", Path("log/sync.log")]
    writers = []
    for name, place in zip(["one", "two", "six"], places, strict=True):
        writers.append(start(WRITER, str(place), name, str(count), "20000", form, stdin=-1))
        assert writers[-1].stdout is not None
        assert writers[-1].stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        assert writer.wait(120) == 0
    found: Counter[str] = Counter()
    for line in _lines(log):
        if form == "json":
            who, _, xs = json.loads(line)["message"][:-1].rpartition(" ")
        else:
            match = LINE.fullmatch(line)
            assert match is not None, f"a torn line: {line!r}"
            who, xs = match.groups()
        assert len(xs) == int(who.split()[2]) * 7 % 300
        found[who] += 1
    wanted = {f"{w} {t} {n}" for w in ("one", "two", "six") for t in "abc" for n in range(count)}
    assert set(found) == wanted
    assert set(found.values()) == {1}
    assert len(_files(log)) > 20, "it was rotated"
    assert max(path.stat().st_size for path in _files(log)) < 20_000 + 1_000


def test_a_writer_that_is_killed_tears_nothing_and_holds_nobody_up(
    start: Start, tmp_path: Path
) -> None:
    log = tmp_path / "sync.log"
    for _ in range(5):
        victim = start(WRITER, str(log), "gone", "1000000", "5000", "text", stdin=-1)
        assert victim.stdin is not None
        victim.stdin.write("go\n")
        victim.stdin.flush()
        while not _files(log) or not log.exists() or log.stat().st_size == 0:
            assert victim.poll() is None
        victim.send_signal(signal.SIGKILL)
        victim.wait(60)
    other = start(WRITER, str(log), "other", "50", "5000", "text", stdin=-1)
    other.communicate("go\n", timeout=60)
    lines = _lines(log)
    assert all(LINE.fullmatch(line) for line in lines)
    assert sum(" other " in line for line in lines) == 150


def test_it_is_private_with_its_lock_its_old_files_and_its_folder(
    start: Start, tmp_path: Path
) -> None:
    log = tmp_path / "log" / "sync.log"
    for umask in (0, 0o022):
        writer = start(WRITER, str(log), "w", "50", "3000", "text", stdin=-1, umask=umask)
        writer.communicate("go\n", timeout=60)
        assert writer.returncode == 0
    assert stat.S_IMODE(log.parent.stat().st_mode) == 0o700
    made = list(log.parent.iterdir())
    assert len(made) > 5
    assert {path.name for path in made if "lock" in path.name} == {".__sync.lock"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o600}


def test_what_somebody_made_less_private_is_so_no_more(said: Said, tmp_path: Path) -> None:
    log = tmp_path / "sync.log"
    log.touch(mode=0o666)
    log.chmod(0o666)
    said("set_up(file=LogFile(Path('sync.log')))\nlog.info('x')")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("no/where/sync.log", "its folder .*no/where does not exist; create it"),
        ("file/sync.log", "cannot be written \\(.*\\); give this user the right"),
        ("folder", "cannot be written \\(is a directory\\)"),
        ("pipe", "it is no regular file"),
    ],
)
def test_a_file_that_cannot_be_had_is_said_with_the_remedy(
    tmp_path: Path, place: str, words: str
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "pipe").symlink_to("/dev/null")
    with pytest.raises(ConfigError, match=f"^`log.file` .*{words}"):
        set_up(file=LogFile(tmp_path / place))


def test_a_full_disk_is_said_once_and_so_is_its_end(said: Said) -> None:
    """The limit on the size of a file stands for the disk."""
    script = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
set_up(Stderr("ERROR"), LogFile(Path("sync.log")))
set_up(Stderr("WARNING"), LogFile(Path("sync.log")))
log.info("before")
resource.setrlimit(resource.RLIMIT_FSIZE, (200, hard))
for number in range(50): log.info("line %d", number)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
log.info("after")
log.info("the end")
"""
    lines = said(script).splitlines()
    assert len(lines) == 2, lines
    assert re.search("sync.log cannot be written .file too large.; lines are lost", lines[0])
    assert re.search(r"is written again; \d\d lines were lost", lines[1])


def test_a_name_of_any_letters_goes_into_the_file(said: Said, tmp_path: Path) -> None:
    script = r"""
set_up(Stderr("ERROR"), LogFile(Path("sync.log")))
log.info("%s", "größe\n\udce9\U0001f600")
"""
    assert said(script, env={"LC_ALL": "C"}) == ""
    assert r"größe\n\udce9😀" in (tmp_path / "sync.log").read_text(encoding="utf-8")


def test_the_service_and_a_command_write_what_each_is_to_write(said: Said, tmp_path: Path) -> None:
    said("set_up(file=LogFile(Path('s.log'), 'warning'))\nlog.info('no')\nlog.warning('one')")
    said("set_up(file=LogFile(Path('s.log'), 'INFO'))\nlog.info('two')")
    lines = (tmp_path / "s.log").read_text().splitlines()
    assert [line.rpartition(" ")[2] for line in lines] == ["one", "two"]


def test_a_new_file_takes_over_at_once(tmp_path: Path) -> None:
    import logging

    try:
        set_up(file=LogFile(tmp_path / "a.log"))
        logging.getLogger("ubiops_file_sync").info("one")
        set_up(file=LogFile(tmp_path / "b.log"))
        logging.getLogger("ubiops_file_sync").info("two")
    finally:
        tear_down()
    assert (tmp_path / "a.log").read_text().endswith("] one\n")
    assert (tmp_path / "b.log").read_text().endswith("] two\n")
