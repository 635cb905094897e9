"""Which file is read, and that a file that was named is never passed over."""

from __future__ import annotations

from pathlib import Path

import pytest

from ubiops_file_sync.config import find_config, load_settings
from ubiops_file_sync.errors import ConfigError

_VARIABLES = {
    "UBIOPS_API_TOKEN": "t",
    "BUCKET_PROJECT_NAME": "from-environment",
    "BUCKET_NAME": "b",
    "BUCKET_DIR": "",
    "LOCAL_SYNC_DIR": "/d",
}


def _write(path: Path, project: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"profiles: {{a: {{local_dir: /a, project: {project}}}}}\n")
    return path


def test_files_are_taken_in_the_documented_order(tmp_path: Path) -> None:
    xdg = tmp_path / "xdg"
    env = {"XDG_CONFIG_HOME": str(xdg), **_VARIABLES}

    def project(path: Path | None = None) -> str:
        return load_settings(path, env, tmp_path).select([])[0].project

    assert project() == "from-environment"
    _write(xdg / "ubiops-file-sync/config.yaml", "xdg")
    assert project() == "xdg"
    _write(tmp_path / "ubiops-file-sync.yaml", "here")
    assert project() == "here"
    env["UBIOPS_FILE_SYNC_CONFIG"] = str(_write(tmp_path / "named.yaml", "variable"))
    assert project() == "variable"
    assert project(_write(tmp_path / "given.yaml", "given")) == "given"


def test_the_system_wide_file_comes_last(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(None, {"XDG_CONFIG_HOME": str(tmp_path / "xdg")}, tmp_path)
    lines = str(caught.value).splitlines()
    assert [line.strip() for line in lines[1:4]] == [
        str(tmp_path / "ubiops-file-sync.yaml"),
        str(tmp_path / "xdg/ubiops-file-sync/config.yaml"),
        "/etc/ubiops-file-sync/config.yaml",
    ]
    assert "profiles:" in str(caught.value)
    assert "BUCKET_PROJECT_NAME" in str(caught.value)


def test_a_token_and_a_host_alone_are_no_profile(tmp_path: Path) -> None:
    env = {
        "XDG_CONFIG_HOME": str(tmp_path),
        "UBIOPS_API_TOKEN": "t",
        "UBIOPS_API_HOST": "h",
        "BUCKET_DIR": "",
    }
    with pytest.raises(ConfigError, match="no configuration was found"):
        load_settings(None, env, tmp_path)


@pytest.mark.parametrize("how", ["argument", "variable"])
def test_a_named_file_that_is_missing_is_an_error_and_no_fallback(tmp_path: Path, how: str) -> None:
    _write(tmp_path / "ubiops-file-sync.yaml", "here")
    missing = tmp_path / "missing.yaml"
    env = {**_VARIABLES, "UBIOPS_FILE_SYNC_CONFIG": str(missing) if how == "variable" else ""}
    with pytest.raises(ConfigError, match=r"missing\.yaml: there is no such file"):
        load_settings(missing if how == "argument" else None, env, tmp_path)


def test_a_found_file_that_cannot_be_read_is_told_and_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "ubiops-file-sync.yaml").symlink_to("nowhere")
    with pytest.raises(ConfigError, match=r"ubiops-file-sync\.yaml: there is no such file"):
        load_settings(None, _VARIABLES, tmp_path)


def test_a_relative_name_is_below_the_working_folder(tmp_path: Path) -> None:
    assert find_config(Path("x.yaml"), {}, tmp_path) == tmp_path / "x.yaml"


def test_the_processes_own_environment_is_asked_only_when_loading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UBIOPS_FILE_SYNC_CONFIG", "named.yaml")
    monkeypatch.chdir(tmp_path)
    _write(tmp_path / "named.yaml", "mine")
    assert load_settings().profiles["a"].project == "mine"
