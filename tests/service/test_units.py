"""The units: what stands in the repository, what systemd says of them, and odd paths in them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ubiops_file_sync.service.units import (
    ONE_PASS,
    SERVICE,
    TIMER,
    UNRUNNABLE,
    USUAL,
    Folders,
    Installation,
    unit_files,
    unit_word,
)

REPOSITORY = Path(__file__).parents[2]
ANALYZE = shutil.which("systemd-analyze")
MOST_EXPOSED = 2.0

needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")


def _texts(installation: Installation) -> dict[str, str]:
    folders = Folders(Path("/units"), None if installation.for_user else Path("/sysusers"))
    return {path.name: text for path, text in unit_files(installation, folders).items()}


def _settings(text: str) -> dict[str, list[str]]:
    """The settings of a unit; each with its values in their order."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line and line[0] not in "#[":
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def _analyze(*words: str, runtime: Path | None = None) -> subprocess.CompletedProcess[str]:
    assert ANALYZE is not None
    env = {**os.environ, **({} if runtime is None else {"XDG_RUNTIME_DIR": str(runtime)})}
    return subprocess.run([ANALYZE, *words], text=True, capture_output=True, env=env, check=False)


def _written(installation: Installation, folder: Path) -> list[str]:
    folder.mkdir()
    for path, text in unit_files(installation, Folders(folder, None)).items():
        path.write_text(text)
    return [str(folder / name) for name in (SERVICE, ONE_PASS, TIMER)]


def test_the_folder_systemd_holds_what_is_installed_where_everything_has_its_usual_place() -> None:
    folder = REPOSITORY / "systemd"
    made = unit_files(USUAL, Folders(folder, folder / "sysusers.d"))
    assert {path: path.read_text() for path in folder.rglob("*") if path.is_file()} == made


@needs_systemd
@pytest.mark.parametrize("name", [SERVICE, ONE_PASS])
@pytest.mark.parametrize("needs_home", [False, True])
def test_the_walls_around_the_service_are_narrow(
    name: str, needs_home: bool, tmp_path: Path
) -> None:
    installation = Installation(USUAL.program, USUAL.config, needs_home=needs_home)
    unit = tmp_path / name
    unit.write_text(_texts(installation)[name])
    told = _analyze("security", "--offline=true", "--no-pager", str(unit)).stdout
    [line] = [line for line in told.splitlines() if "Overall exposure level" in line]
    assert float(line.split(": ")[1].split()[0]) <= MOST_EXPOSED, told


@needs_systemd
@pytest.mark.parametrize("for_user", [False, True])
@pytest.mark.parametrize(
    "name", ["plain", "a b", 'say "x"', "it's", "100%", "$HOME and $$", "back\\slash", "-x", "ö;#"]
)
def test_systemd_understands_whatever_paths_are_called(
    tmp_path: Path, name: str, for_user: bool
) -> None:
    # systemd runs nothing whose path has quotes or a backslash in it, and install-service says so.
    program = tmp_path / "".join(letter for letter in name if letter not in UNRUNNABLE) / "program"
    program.parent.mkdir()
    program.symlink_to(sys.executable)
    installation = Installation(
        program=(str(program), "-m", "it self"),
        config=tmp_path / name / "config.yaml",
        writable=(tmp_path / name, Path("/srv/models")),
        credentials=(("UBIOPS_API_TOKEN", tmp_path / name / "token"),),
        environment=(("UBIOPS_API_HOST", "https://api.example.com/v2.1"),),
        for_user=for_user,
    )
    units = _written(installation, tmp_path / "units")
    kind = ("--user",) if for_user else ()
    told = _analyze(*kind, "verify", "--man=no", *units, runtime=tmp_path)
    assert (told.returncode, told.stderr) == (0, "")


def test_words_that_mean_something_to_systemd_are_taken_as_they_are() -> None:
    assert unit_word("/srv/models") == "/srv/models"
    assert unit_word("/srv/100% $HOME") == '"/srv/100%% $$HOME"'
    assert unit_word('a "b" \\c') == '"a \\"b\\" \\\\c"'


def test_systemd_waits_longer_than_the_service_waits_for_its_transfers() -> None:
    texts = _texts(Installation(USUAL.program, USUAL.config, stop_timeout_s=120))
    for name in (SERVICE, ONE_PASS):
        assert _settings(texts[name])["TimeoutStopSec"] == ["135"]


def test_a_single_pass_leaves_the_services_socket_alone() -> None:
    # systemd removes the runtime folder of a unit that ends, whoever else uses it.
    texts = _texts(USUAL)
    assert "RuntimeDirectory" in _settings(texts[SERVICE])
    assert "RuntimeDirectory" not in _settings(texts[ONE_PASS])


def test_both_services_have_the_same_walls_and_places() -> None:
    service, one_pass = (_settings(_texts(USUAL)[name]) for name in (SERVICE, ONE_PASS))
    own = {
        *("Description", "Type", "NotifyAccess", "ExecStart", "ExecReload", "WatchdogSec"),
        *("Restart", "RestartSec", "RestartPreventExitStatus", "RuntimeDirectory"),
        *("RuntimeDirectoryMode", "WantedBy", "SuccessExitStatus", "KillSignal"),
    }
    assert {name: values for name, values in service.items() if name not in own} == {
        name: values for name, values in one_pass.items() if name not in own
    }


def test_a_unit_without_tokens_or_variables_has_no_gaps() -> None:
    for text in _texts(Installation(USUAL.program, USUAL.config)).values():
        assert "\n\n\n" not in text
        assert "$" not in text.replace("$MAINPID", "").replace("${VAR}", "")
        assert "LoadCredential" not in text


def test_a_users_units_ask_for_nothing_that_only_root_can_give() -> None:
    for name, text in _texts(Installation(USUAL.program, USUAL.config, for_user=True)).items():
        roots = {
            *("User", "StateDirectory", "LogsDirectory", "CapabilityBoundingSet", "ReadWritePaths"),
            *("ProtectSystem", "ProtectHome", "PrivateTmp", "PrivateDevices", "ProtectClock"),
        }
        assert not roots & _settings(text).keys(), name
