"""Profiles and settings built in Python, as a library's user does."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from ubiops_file_sync.config import Profile, Settings
from ubiops_file_sync.errors import UsageError


def test_a_profile_needs_three_things() -> None:
    profile = Profile(name="x", local_dir="/data", project="p")
    assert profile.local_dir == Path("/data")
    assert (profile.bucket, profile.prefix, profile.settle) == ("default", "", 2.0)


def test_a_profile_takes_text_as_a_file_would() -> None:
    profile = Profile(
        name="x",
        local_dir=Path("data"),
        project="p",
        bucket_dir="a/b/",
        settle="1m",
        direction="upload",
        api_host="example.com",
    )
    assert profile.local_dir == Path.cwd() / "data"
    assert (profile.prefix, profile.settle, profile.direction.value) == ("a/b/", 60.0, "upload")


def test_a_profile_does_not_change() -> None:
    profile = Profile(name="x", local_dir="/data", project="p")
    with pytest.raises(ValidationError):
        setattr(profile, "workers", 4)  # noqa: B010  the type checker refuses the plain way


def _settings(*names: str) -> Settings:
    return Settings(
        profiles={name: Profile(name=name, local_dir="/data", project="p") for name in names}
    )


def test_no_names_select_everything_and_names_keep_their_order() -> None:
    settings = _settings("b", "a", "c")
    assert [profile.name for profile in settings.select([])] == ["b", "a", "c"]
    assert [profile.name for profile in settings.select(["c", "b", "c"])] == ["c", "b"]


def test_an_unknown_profile_is_answered_with_the_nearest_and_the_list() -> None:
    settings = _settings("Models", "datasets")
    with pytest.raises(UsageError) as caught:
        settings.select(["datasets", "modles"])
    assert str(caught.value) == (
        "there is no profile 'modles'; did you mean 'Models'? the profiles are: Models, datasets"
    )
    assert caught.value.exit_code == 2


def test_settings_in_python_are_checked_too(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="time zone"):
        Settings(profiles={}, timezone="Mars/Phobos")
    assert Settings(profiles={}, state_dir=tmp_path).state_dir == tmp_path
