"""Every block of Python in the documentation, as one program, against the embedded bucket."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from library.programs import PATIENCE_S, SAME_PACKAGE
from ubiops_file_sync.config.environment import LOOKED_AT
from ubiops_file_sync.emulator import BucketServer

ROOT = Path(__file__).parents[2]
HOST = "https://api.ubiops.com/v2.1"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", ["docs/library.md", "README.md"])
def test_the_examples_run(name: str, tmp_path: Path) -> None:
    page = (ROOT / name).read_text()
    code = blocks(page, "python")
    assert code
    with BucketServer(tmp_path / "server", rate_limit=None, project="my-project") as server:
        for folder in ("training", "models", "datasets"):
            server.put_object(f"{folder}/stub.txt", b"1")
        server.put_object("models/weights.bin", b"2")
        server.put_object("models/resnet/labels.csv", b"3")
        work = tmp_path / "work"
        work.mkdir()
        for text in blocks(page, "yaml"):
            (work / "ubiops-file-sync.yaml").write_text(text.replace(HOST, server.api_host))
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", "\n".join(code).replace(HOST, server.api_host)],
            cwd=work,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": SAME_PACKAGE,
                "HOME": str(tmp_path),
                **variables(page),
                "UBIOPS_API_HOST": server.api_host,
                "UBIOPS_API_TOKEN": server.token,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S * 2,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        assert "problem" not in done.stdout.lower()
        assert server.read_object("training/results/report.csv") == b"accuracy,0.93\n"
        assert server.read_object("training/results/log.txt") == b"epoch 1\n"


def variables(page: str) -> dict[str, str]:
    """What the page exports, as a shell would."""
    shown = "\n".join(blocks(page, "sh"))
    found = dict(re.findall(r"^export (\w+)=(\S*)", shown, re.MULTILINE))
    names = {"UBIOPS_API_TOKEN", *LOOKED_AT}
    assert {"BUCKET_PROJECT_NAME", "BUCKET_NAME", "BUCKET_DIR", "LOCAL_SYNC_DIR"} <= set(found)
    return {name: value for name, value in found.items() if name in names}


def test_every_function_is_documented() -> None:
    import ubiops_file_sync

    page = (ROOT / "docs/library.md").read_text()
    for name in ubiops_file_sync.__all__:
        if getattr(ubiops_file_sync, name).__class__.__name__ == "function":
            assert name in page
