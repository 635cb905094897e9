"""The suite of beliefs, held against real storage servers behind the API."""

from __future__ import annotations

from pathlib import Path

from contract.test_beliefs import UNTOLD, differing, look_at
from ubiops_file_sync.emulator import BucketServer, OtherStorage

DIFFERENT: dict[str, dict[str, str]] = {
    "azurite": {},
    # It verifies no signature, and has no uploads in parts.
    "fake-gcs-server": {
        "altered-url": "NO",
        "parts": "OPEN",
        "parts-hash": "OPEN",
        "parts-time": "OPEN",
    },
    # It verifies no signature.
    "moto": {"altered-url": "NO"},
    # It sends a range under the status 200.
    "rclone": {"range": "COVERED"},
}
"""Where a server does not do what is believed of the provider that it stands for."""

NO_CRC = {"stored-hash": "COVERED"}
"""None of them tells the CRC that its provider tells of an upload."""

WHOLE_SECONDS = {"azurite", "moto"}
"""Where an overwrite within the second has the time of the version before."""


def test_what_is_believed_of_the_service(storage: OtherStorage, name: str, tmp_path: Path) -> None:
    with BucketServer(tmp_path / "server", storage=storage) as server:
        examination = look_at(server)
        expected = {**DIFFERENT[name], **NO_CRC, **dict.fromkeys(UNTOLD, "OPEN")}
        found = differing(examination)
        if name in WHOLE_SECONDS:
            assert found.pop("overwrite", "COVERED") == "COVERED"
        assert found == expected
        assert examination.left == ()
        assert server.objects() == {}
