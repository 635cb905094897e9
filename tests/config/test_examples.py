"""The example configurations: each loads, warns of nothing, and means what its comments say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ubiops_file_sync.config import LogFormat, Settings, load_settings
from ubiops_file_sync.model import ConflictPolicy, Deletions, Direction
from ubiops_file_sync.schedule import Every

CONFIGS = Path(__file__).parents[2] / "configs"
NAMES = (
    "minimal",
    "several-profiles",
    "read-only-dataset",
    "training-outputs",
    "server",
)


def load(name: str, **env: str) -> Settings:
    return load_settings(CONFIGS / f"{name}.yaml", env)


def test_these_are_all() -> None:
    assert {path.stem for path in CONFIGS.iterdir()} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_loads_without_a_warning(name: str) -> None:
    settings = load(name)
    assert settings.profiles
    assert settings.warnings == ()


@pytest.mark.parametrize("name", NAMES)
def test_it_teaches_in_comments_and_holds_no_token(name: str) -> None:
    text = (CONFIGS / f"{name}.yaml").read_text()
    lines = [line for line in text.splitlines() if line.strip()]
    assert len(lines) < 60
    assert sum("#" in line for line in lines) > len(lines) / 3
    assert not re.search(r"^\s*token:", text, re.MULTILINE)


def test_the_least_is_one_profile() -> None:
    [(name, profile)] = load("minimal").profiles.items()
    assert (name, profile.project, profile.bucket, profile.prefix) == (
        "models",
        "my-project",
        "default",
        "",
    )


def test_several_profiles() -> None:
    settings = load("several-profiles", UBIOPS_PROJECT="mine")
    profiles = settings.profiles
    assert [profile.project for profile in profiles.values()] == ["mine"] * 3
    assert profiles["datasets"].direction is Direction.DOWNLOAD
    assert profiles["results"].local_dir == CONFIGS / "results"
    assert (profiles["results"].workers, profiles["models"].workers) == (32, 8)
    assert settings.timing(profiles["results"]).schedule == Every(30.0)


def test_a_read_only_dataset_never_writes_to_the_bucket() -> None:
    dataset = load("read-only-dataset").profiles["dataset"]
    assert dataset.direction is Direction.DOWNLOAD
    assert dataset.conflict is ConflictPolicy.REMOTE_WINS
    assert dataset.deletions is Deletions.TO_LOCAL
    assert dataset.max_delete == "5%"


def test_training_outputs_go_up_when_they_are_done() -> None:
    runs = load("training-outputs").profiles["runs"]
    assert (runs.direction, runs.ready_file) == (Direction.UPLOAD, "_SUCCESS")
    assert runs.deletions is Deletions.NONE


def test_a_server_has_a_log_metrics_and_somebody_who_is_told() -> None:
    settings = load("server")
    assert settings.log.format is LogFormat.JSON
    assert settings.metrics is not None
    assert settings.metrics.listen is not None
    assert settings.metrics.listen.is_private
    models, archive = settings.profiles["models"], settings.profiles["archive"]
    assert models.on_failure[0] == "/usr/local/bin/alert"
    assert (models.marker, models.project) == (".mounted", "production")
    assert (models.enabled, archive.enabled) == (True, False)
