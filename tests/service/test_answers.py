"""What stands where a service should be, and speaks otherwise: one of another version, mostly."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ubiops_file_sync.errors import SyncError
from ubiops_file_sync.service.control import ask_service
from ubiops_file_sync.service.files import read_private
from ubiops_file_sync.service.telling import live_from

STATUS = {
    "version": "9",
    "process": 1,
    "since": "2026-01-01T00:00:00+00:00",
    "is_stopping": False,
    "config_error": None,
    "profiles": {},
    "what later versions add": 1,
}


@contextmanager
def answering(state_dir: Path, answer: bytes) -> Iterator[None]:
    """A socket that answers one request so."""
    path = state_dir / "control.sock"
    (state_dir / "service.json").write_text(json.dumps({"socket": str(path)}))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(1)

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join()


def test_a_service_that_tells_more_is_understood(tmp_path: Path) -> None:
    with answering(tmp_path, json.dumps(STATUS).encode() + b"\n"):
        assert ask_service(tmp_path, {"command": "status"}) == STATUS


@pytest.mark.parametrize(
    "answer",
    [
        {name: STATUS[name] for name in STATUS if name != "since"},
        {**STATUS, "since": "yesterday"},
        {**STATUS, "since": "2026-01-01T00:00:00"},
        {**STATUS, "profiles": []},
        {**STATUS, "profiles": {"p": None}},
        {},
        [],
        None,
    ],
)
def test_a_service_that_tells_less_is_to_be_restarted(tmp_path: Path, answer: object) -> None:
    with (
        answering(tmp_path, json.dumps(answer).encode() + b"\n"),
        pytest.raises(SyncError, match="of another version"),
    ):
        ask_service(tmp_path, {"command": "status"})


def test_a_command_is_answered_with_words(tmp_path: Path) -> None:
    with (
        answering(tmp_path, b'{"said": "yes", "until": "tomorrow"}\n'),
        pytest.raises(SyncError, match="of another version"),
    ):
        ask_service(tmp_path, {"command": "pause", "profile": "p"})


def test_an_answer_without_end_is_none(tmp_path: Path) -> None:
    with answering(tmp_path, b"[" * 100_000), pytest.raises(SyncError, match="gave no answer"):
        ask_service(tmp_path, {"command": "status"})


def test_what_another_version_says_of_a_profile_is_no_value_of_ours() -> None:
    with pytest.raises(ValueError, match="next_due"):
        live_from({"next_due": 7})


def test_a_file_of_the_service_that_is_damaged_is_none(tmp_path: Path) -> None:
    path = tmp_path / "paused.json"
    path.write_bytes(b"[" * 100_000)
    assert read_private(path) == {}
