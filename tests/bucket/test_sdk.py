"""What the SDK sends is learnt from it, kept, and learnt anew when it is another."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ubiops_file_sync.bucket import sdk
from ubiops_file_sync.bucket.pattern import Calls, Listener, Unlearnable, learn_pattern

HOST, TOKEN = "https://api.example.com/v2.1", "0123456789abcdef0123456789abcdef01234567"
NAMES = {"project_name": "a project/ü", "bucket_name": "default"}
FILE = {**NAMES, "file": "data/a b+c%2F#é?&=\u202e.txt"}
PARTS = {"upload_id": "u&1", "parts": [{"PartNumber": 1, "ETag": '"a"'}]}

ASKED: list[tuple[str, dict[str, Any]]] = [
    ("buckets_get", NAMES),
    ("files_list", {**NAMES, "limit": 1000}),
    ("files_list", {**NAMES, "limit": 100, "prefix": "a b/", "continuation_token": "x=&y"}),
    ("files_get", FILE),
    ("files_delete", FILE),
    ("files_download", FILE),
    ("files_upload", FILE),
    ("files_upload", {**FILE, "upload_id": "u&1", "part_number": "12"}),
    ("files_start_multipart_upload", FILE),
    ("files_complete_multipart_upload", {**FILE, "data": PARTS}),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / sdk.CALLS_FILE


@pytest.mark.parametrize(("call", "options"), ASKED, ids=[f"{c}-{len(o)}" for c, o in ASKED])
def test_a_call_is_what_the_sdk_would_send(call: str, options: dict[str, Any], file: Path) -> None:
    listener = Listener()
    getattr(sdk.core_api(HOST, TOKEN, listener), call)(**options, _preload_content=False)
    sdk.patterns(file, keep=True)
    request = Calls(sdk.patterns(file), HOST, TOKEN).request(call, options)
    assert request == {name: listener.told[name] for name in request}
    nothing: list[object] = [None, False, []]
    assert all(told in nothing for name, told in listener.told.items() if name not in request)


def test_every_call_is_asked_about_above() -> None:
    assert {call for call, _ in ASKED} == sdk.CALLS.keys()


def test_what_is_kept_says_nothing_of_its_user(file: Path) -> None:
    sdk.patterns(file, keep=True)
    assert file.stat().st_mode & 0o777 == 0o600
    text = file.read_text()
    assert "host.invalid" not in text
    assert "Authorization" not in text
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_nothing_is_written_unless_asked_for(file: Path) -> None:
    sdk.patterns(file)
    assert not file.exists()


@pytest.mark.parametrize(
    "damage", ["other bytes", "a flipped bit", "another SDK", "cut off", "no text"]
)
def test_a_file_of_no_use_is_replaced(
    damage: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = sdk.patterns(file, keep=True)
    good = file.read_bytes()
    if damage == "other bytes":
        file.write_bytes(b"\0" * 5000)
    elif damage == "a flipped bit":
        # Valid, and fatal: what asks for a file would delete it.
        file.write_bytes(good.replace(b'"GET"', b'"PUT"', 1))
    elif damage == "no text":
        # Whoever wrote it got the digest right.
        content = b'{"learnt_from": "\xff"}'
        file.write_bytes(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
    elif damage == "cut off":
        file.write_bytes(good[:-200])
    else:
        monkeypatch.setattr(sdk, "_fingerprint", lambda: "another")
    assert sdk.patterns(file, keep=True) == right
    written = file.read_bytes()
    assert (written == good) is (damage != "another SDK")
    assert sdk.patterns(file) == right


def test_what_a_killed_process_left_half_written_goes(file: Path) -> None:
    file.with_name(f"{file.name}.1x_2yz3w").write_bytes(b"half")
    sdk.patterns(file, keep=True)
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_folder_that_takes_no_file_is_no_reason_to_fail(tmp_path: Path) -> None:
    assert sdk.patterns(tmp_path / "missing" / sdk.CALLS_FILE, keep=True)


def test_an_sdk_that_sends_more_than_a_pattern_tells_is_not_guessed_at() -> None:
    class _Api:
        def __init__(self, listener: Listener) -> None:
            self._listener = listener

        def files_get(self, file: str, **_: object) -> None:
            self._listener.request(
                method="GET",
                host="https://host.invalid/v0",
                resource_path=f"/files/{file}",
                query_params=[],
                headers={"Authorization": "Token x"},
                body=None,
            )

    with pytest.raises(Unlearnable):
        learn_pattern(lambda _host, _token, listener: _Api(listener), "files_get", ("file",), {})


def test_a_second_process_does_without_the_sdk(file: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from ubiops_file_sync.bucket import sdk;"
        f"sdk.patterns(Path({str(file)!r}), keep=True); print('ubiops' in sys.modules)"
    )

    def loads_it() -> str:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        return done.stdout.strip()

    assert [loads_it(), loads_it()] == ["True", "False"]
