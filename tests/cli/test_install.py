"""`install-service` as it is typed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cli.conftest import Shell

UNITS = "etc/systemd/system"


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_units_of_the_machine_are_written_below_etc(shell: Shell, tmp_path: Path) -> None:
    config = shell.profile()
    done = shell("install-service", "--root", str(tmp_path / "root"))
    assert done.returncode == 0
    assert _files(tmp_path / "root") == [
        f"{UNITS}/ubiops-file-sync.service",
        f"{UNITS}/ubiops-file-sync@.service",
        f"{UNITS}/ubiops-file-sync@.timer",
        "etc/sysusers.d/ubiops-file-sync.conf",
    ]
    text = (tmp_path / "root" / UNITS / "ubiops-file-sync.service").read_text()
    assert f"-m ubiops_file_sync --config {config} run\n" in text
    assert f"ReadWritePaths=-{shell.files}\n" in text
    assert "systemctl enable --now ubiops-file-sync" in done.stdout
    assert shell.server.token not in done.stdout + done.stderr + text


def test_installing_again_changes_nothing_and_never_what_somebody_changed(
    shell: Shell, tmp_path: Path
) -> None:
    shell.profile()
    root = ("--root", str(tmp_path / "root"))
    shell("install-service", *root)
    again = shell("install-service", *root)
    assert again.returncode == 0
    assert again.stdout.count("as it was: ") == 4
    unit = tmp_path / "root" / UNITS / "ubiops-file-sync.service"
    unit.write_text("[Service]\n")
    refused = shell("install-service", *root)
    assert refused.returncode == 2
    assert f"\n  {unit}\n" in refused.stderr
    assert "--force" in refused.stderr
    assert unit.read_text() == "[Service]\n"
    forced = shell("install-service", "--force", *root)
    assert f"written: {unit}\n" in forced.stdout
    assert "run\n" in unit.read_text()


def test_a_dry_run_prints_the_files_and_changes_nothing(shell: Shell, tmp_path: Path) -> None:
    shell.profile()
    before = _files(tmp_path)
    shown = shell("install-service", "--dry-run", "--root", str(tmp_path / "root"))
    assert shown.returncode == 0
    assert _files(tmp_path) == before
    for end in (".service", "@.service", "@.timer"):
        unit = tmp_path / "root" / UNITS / f"ubiops-file-sync{end}"
        assert f"# ---- {unit}\n" in shown.stdout
    assert "u ubiops-file-sync - " in shown.stdout


def test_a_users_units_go_where_that_users_systemd_looks(shell: Shell) -> None:
    shell.profile()
    done = shell("install-service", "--user")
    assert done.returncode == 0
    folder = shell.cwd / ".config/systemd/user"
    assert _files(folder) == [
        "ubiops-file-sync.service",
        "ubiops-file-sync@.service",
        "ubiops-file-sync@.timer",
    ]
    assert "loginctl enable-linger" in done.stdout
    # Commands that this user types find the state where the service has it.
    assert "StateDirectory" not in (folder / "ubiops-file-sync.service").read_text()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write units for the machine")
def test_who_is_not_root_is_told_so(shell: Shell) -> None:
    shell.profile()
    refused = shell("install-service")
    assert refused.returncode == 2
    assert "sudo" in refused.stderr
    assert "--user" in refused.stderr


def test_variables_alone_are_no_service(shell: Shell) -> None:
    shell.env |= {"BUCKET_PROJECT_NAME": "demo", "BUCKET_NAME": "default", "BUCKET_DIR": ""}
    shell.env["LOCAL_SYNC_DIR"] = str(shell.files)
    refused = shell("install-service", "--user")
    assert refused.returncode == 2
    assert "a service needs a file" in refused.stderr


def test_a_configuration_that_is_wrong_is_no_service(shell: Shell) -> None:
    shell.config("profiles: {a: {}}\n")
    assert shell("install-service", "--user").returncode == 78
