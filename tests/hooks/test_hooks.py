"""Hooks, as real commands: what they get, and that nothing they do concerns the pass."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ubiops_file_sync.hooks import Event, HookEnd, Occasion, events_of, run_hook
from ubiops_file_sync.model import Verb
from ubiops_file_sync.redact import keep_secret

FAILED = Occasion(Event.FAILURE, "models", 3)
ENV = {"PATH": os.environ["PATH"]}

Run = Callable[..., HookEnd]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a shell script as a hook."""

    def hook(script: str, **options: Any) -> HookEnd:
        path = tmp_path / "hook.sh"
        path.write_text(f"#!/bin/sh\ncd '{tmp_path}'\n{script}\n")
        path.chmod(0o700)
        given: dict[str, Any] = {"document": {}, "timeout_s": 30.0, "env": ENV, **options}
        document, timeout_s = given.pop("document"), given.pop("timeout_s")
        return run_hook((str(path), "an argument"), document, FAILED, timeout_s, **given)

    return hook


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize(
    ("exit_code", "done", "events"),
    [
        (0, {}, ()),
        (0, {Verb.UPLOAD: 1}, (Event.CHANGE,)),
        (0, {Verb.DOWNLOAD: 1}, (Event.CHANGE,)),
        (0, {Verb.DELETE_LOCAL: 1}, (Event.CHANGE,)),
        (0, {Verb.DELETE_REMOTE: 1}, (Event.CHANGE,)),
        (0, {Verb.ADOPT: 5, Verb.FORGET: 2}, ()),
        (0, {Verb.UPLOAD: 0}, ()),
        (1, {Verb.UPLOAD: 1}, (Event.CHANGE, Event.FAILURE)),
        (1, {}, (Event.FAILURE,)),
        (3, {}, (Event.FAILURE,)),
        (4, {}, (Event.FAILURE,)),
        (78, {}, (Event.FAILURE,)),
        (5, {}, ()),
    ],
)
def test_what_a_pass_calls_for(
    exit_code: int, done: dict[Verb, int], events: tuple[Event, ...]
) -> None:
    assert events_of(exit_code, done) == events


def test_it_gets_the_report_and_what_it_is_run_for(run: Run, tmp_path: Path) -> None:
    document = {"profile": "models", "problems": [{"key": "größe\n\udce9"}]}
    end = run('cat > report.json; env > env; echo "$@" > arguments', document=document)
    assert end.is_good
    assert json.loads((tmp_path / "report.json").read_text()) == document
    env = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
    assert env["UBIOPS_FILE_SYNC_EVENT"] == "failure"
    assert env["UBIOPS_FILE_SYNC_PROFILE"] == "models"
    assert env["UBIOPS_FILE_SYNC_EXIT_CODE"] == "3"
    assert (tmp_path / "arguments").read_text() == "an argument\n"


def test_no_token_is_in_its_environment(run: Run, tmp_path: Path) -> None:
    keep_secret("the-token-of-the-service-user")
    end = run(
        "env > env",
        env={
            **ENV,
            "UBIOPS_API_TOKEN": "one",
            "MODELS_TOKEN": "two",
            "COPY": "Token the-token-of-the-service-user",
            "NOTIFY_SOCKET": "/run/x",
            "CREDENTIALS_DIRECTORY": "/run/credentials/x",
            "HTTPS_PROXY": "http://proxy:3128",
        },
        without={"UBIOPS_API_TOKEN", "MODELS_TOKEN"},
    )
    assert end.is_good
    names = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    assert not names & {"UBIOPS_API_TOKEN", "MODELS_TOKEN", "COPY", "NOTIFY_SOCKET"}
    assert "CREDENTIALS_DIRECTORY" not in names
    assert "HTTPS_PROXY" in names


def test_it_is_run_without_a_shell(tmp_path: Path) -> None:
    command = (sys.executable, "-c", "import sys; print(sys.argv[1])", "$HOME; rm -rf `x` *")
    assert run_hook(command, {}, FAILED, 30, env=ENV).output == "$HOME; rm -rf `x` *\n"


def test_a_report_that_it_does_not_read_holds_nobody_up(run: Run) -> None:
    document = {"problems": ["x" * 1000] * 1000}
    assert run("exit 0", document=document).is_good
    assert run("exec <&-; exit 0", document=document).is_good
    assert run("head -c 10; exit 0", document=document).output == '{"problems'


def test_one_that_takes_too_long_is_killed_with_all_that_it_started(
    run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    end = run("echo begun; sleep 600 & echo $! > child; wait", timeout_s=1.0)
    assert end.exit_code is None
    assert not end.is_good
    assert 1 <= end.seconds < 20
    assert end.output == "begun\n"
    assert not _is_running(int((tmp_path / "child").read_text()))
    assert "did not end within 1 s and was killed; let it do less" in caplog.text


def test_one_that_is_under_way_when_the_service_stops_is_killed(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    stopping = threading.Event()
    threading.Timer(0.3, stopping.set).start()
    end = run("sleep 600", stopping=stopping)
    assert end.exit_code is None
    assert end.seconds < 20
    assert "since the service is being stopped" in caplog.text


def test_what_it_leaves_in_the_background_goes_on_and_is_not_waited_for(
    run: Run, tmp_path: Path
) -> None:
    """Also where that keeps hold of the output, and writes to it later."""
    os.mkfifo(tmp_path / "go")
    script = "(read line < go; echo late; echo done > done) & echo $! > child; echo early"
    end = run(script)
    assert end.is_good
    assert end.seconds < 20
    assert end.output == "early\n"
    with open(tmp_path / "go", "w") as go:
        go.write("go\n")
    pid = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 30
    while _is_running(pid) and time.monotonic() < deadline:
        pass
    assert (tmp_path / "done").read_text() == "done\n", "its write was taken, though late"


def test_the_end_of_what_it_says_is_logged_line_by_line(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    end = run("seq 100000; echo trouble >&2")
    assert len(end.output) <= 4096
    lines = end.output.splitlines()
    assert lines[-2:] == ["100000", "trouble"]
    assert lines[0].isdigit()
    assert len(lines[0]) >= 5, "it begins with a whole line"
    said = [r for r in caplog.records if r.name == "ubiops_file_sync.hooks"]
    assert len(said) == len(lines) + 1
    assert said[-2].getMessage().endswith("hook.sh: trouble")
    assert said[-1].getMessage().startswith("profile 'models': the on_failure hook ")
    assert vars(said[-1])["profile"] == "models"


def test_a_flood_on_one_line_takes_no_memory(run: Run) -> None:
    end = run("head -c 50000000 /dev/zero | tr '\\0' x")
    assert end.is_good
    assert end.output == "x" * 4096


@pytest.mark.parametrize(
    ("script", "words"),
    [("echo why; exit 7", "ended with exit code 7"), ("kill -TERM $$", "ended with signal 15")],
)
def test_one_that_fails_is_an_error_in_the_log_and_no_more(
    run: Run, caplog: pytest.LogCaptureFixture, script: str, words: str
) -> None:
    end = run(script)
    assert not end.is_good
    error = caplog.records[-1]
    assert error.levelno == logging.ERROR
    assert words in error.getMessage()
    assert "The pass itself is not concerned" in error.getMessage()


def test_one_that_cannot_be_run_says_what_to_do(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "plain").touch(mode=0o600)
    for command in ("/no/such/hook", str(tmp_path / "plain"), "nul\0byte", "no-such-hook"):
        end = run_hook((command,), {}, FAILED, 30, env=ENV)
        assert (end.exit_code, end.output) == (None, "")
        assert "give its whole path, and make it executable" in caplog.records[-1].getMessage()


def test_its_arguments_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    run_hook(("/no/such/hook", "https://hooks.example/secret-path"), {}, FAILED, 30, env=ENV)
    assert "secret-path" not in caplog.text
