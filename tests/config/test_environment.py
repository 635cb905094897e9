"""Environment variables alone describe the profile `default` (design section 8)."""

from __future__ import annotations

from pathlib import Path

import pytest

from ubiops_file_sync.config import Settings, load_settings, newer_files_are_preserved
from ubiops_file_sync.errors import ConfigError
from ubiops_file_sync.model import ConflictPolicy, Direction

SECRET = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {
        "XDG_CONFIG_HOME": str(tmp_path / "no-configuration-here"),
        "XDG_STATE_HOME": "/state",
        "UBIOPS_API_TOKEN": f"Token {SECRET}",
        "BUCKET_PROJECT_NAME": "my-project",
        "BUCKET_NAME": "my-bucket",
        "BUCKET_DIR": "",
        "LOCAL_SYNC_DIR": "/srv/data",
    }


def _load(env: dict[str, str], folder: Path) -> Settings:
    return load_settings(None, env, folder)


def _refusal(env: dict[str, str], folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        _load(env, folder)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return str(caught.value).splitlines()


def test_the_variables_make_one_profile(env: dict[str, str], tmp_path: Path) -> None:
    settings = _load(env, tmp_path)
    [profile] = settings.select([])
    assert settings.source == "environment variables"
    assert settings.state_dir == Path("/state/ubiops-file-sync")
    assert (profile.name, profile.local_dir) == ("default", Path("/srv/data"))
    assert (profile.project, profile.bucket, profile.bucket_dir) == ("my-project", "my-bucket", "")
    assert profile.api_host == "https://api.ubiops.com/v2.1"
    assert profile.direction is Direction.TWO_WAY
    assert profile.read_token(env).get_secret_value() == SECRET
    assert SECRET not in repr(settings)


def test_the_token_may_be_a_credential_of_systemd(env: dict[str, str], tmp_path: Path) -> None:
    del env["UBIOPS_API_TOKEN"]
    env["CREDENTIALS_DIRECTORY"] = str(tmp_path)
    assert "UBIOPS_API_TOKEN" in "\n".join(_refusal(env, tmp_path))
    tmp_path.joinpath("UBIOPS_API_TOKEN").write_text(SECRET)
    profile = _load(env, tmp_path).profiles["default"]
    assert profile.read_token(env).get_secret_value() == SECRET


def test_a_host_a_folder_and_a_relative_root_are_taken(env: dict[str, str], tmp_path: Path) -> None:
    env |= {"UBIOPS_API_HOST": "http://nas:80/", "BUCKET_DIR": "/a/b/", "LOCAL_SYNC_DIR": "data"}
    settings = _load(env, tmp_path)
    profile = settings.profiles["default"]
    assert (profile.api_host, profile.bucket_dir) == ("http://nas:80/v2.1", "a/b")
    assert profile.local_dir == tmp_path / "data"
    assert "unencrypted" in settings.warnings[0]


@pytest.mark.parametrize(
    ("word", "policy"),
    [
        *[(word, ConflictPolicy.NEWER_WINS) for word in ("true", "1", "t", "y", "yes", "True")],
        *[(word, ConflictPolicy.REMOTE_WINS) for word in ("false", "0", "f", "n", "no", " NO ")],
        ("", ConflictPolicy.NEWER_WINS),
        (None, ConflictPolicy.NEWER_WINS),
    ],
)
def test_overwrite_newer_files_means_what_is_documented_and_not_what_it_is_called(
    env: dict[str, str], tmp_path: Path, word: str | None, policy: ConflictPolicy
) -> None:
    if word is not None:
        env["OVERWRITE_NEWER_FILES"] = word
    assert _load(env, tmp_path).profiles["default"].conflict is policy
    assert newer_files_are_preserved(env) is (policy is ConflictPolicy.NEWER_WINS)


@pytest.mark.parametrize(("text", "share"), [(None, 0.9), ("", 0.9), ("0.5", 0.5), (" 1 ", 1.0)])
def test_the_share_of_the_quota_is_a_variable_too(
    env: dict[str, str], tmp_path: Path, text: str | None, share: float
) -> None:
    if text is not None:
        env["UBIOPS_QUOTA_SHARE"] = text
    assert _load(env, tmp_path).profiles["default"].quota_share == share


def test_a_share_that_is_none_is_refused(env: dict[str, str], tmp_path: Path) -> None:
    env["UBIOPS_QUOTA_SHARE"] = "90"
    [line] = _refusal(env, tmp_path)
    assert line.startswith("environment variables: UBIOPS_QUOTA_SHARE: is not a share; write ")


def test_the_share_alone_describes_no_profile(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no configuration was found"):
        _load({"XDG_CONFIG_HOME": str(tmp_path), "UBIOPS_QUOTA_SHARE": "0.5"}, tmp_path)


def test_everything_that_is_missing_or_wrong_is_told_at_once(tmp_path: Path) -> None:
    lines = _refusal(
        {
            "XDG_CONFIG_HOME": str(tmp_path),
            "BUCKET_NAME": "a/b",
            "BUCKET_PROJECT_NAME": "",
            "LOCAL_SYNC_DIR": " ",
            "UBIOPS_API_TOKEN": f"{SECRET} {SECRET}",
            "UBIOPS_API_HOST": f"https://{SECRET}@example.com",
            "OVERWRITE_NEWER_FILES": "perhaps",
        },
        tmp_path,
    )
    by_name = {line.split(": ")[1]: line for line in lines}
    assert all(line.startswith("environment variables: ") for line in lines)
    assert "is not set" in by_name["BUCKET_PROJECT_NAME"]
    assert "is not set" in by_name["LOCAL_SYNC_DIR"]
    assert "is not set" in by_name["BUCKET_DIR"]
    assert "is not the name" in by_name["BUCKET_NAME"]
    assert "user name or password" in by_name["UBIOPS_API_HOST"]
    assert "not one token" in by_name["UBIOPS_API_TOKEN"]
    assert "neither true" in by_name["OVERWRITE_NEWER_FILES"]
    assert len(lines) == 7
    assert SECRET not in "".join(lines)


@pytest.mark.parametrize("name", ["BUCKET_PROJECT_NAME", "BUCKET_NAME", "UBIOPS_API_TOKEN"])
@pytest.mark.parametrize("value", [None, ""])
def test_each_required_variable_is_named_alone(
    env: dict[str, str], tmp_path: Path, name: str, value: str | None
) -> None:
    env.pop(name)
    if value is not None:
        env[name] = value
    [line] = _refusal(env, tmp_path)
    assert line.startswith(f"environment variables: {name}: is not set; set it to ")


@pytest.mark.parametrize("folder", ["/state", "/", "/state/ubiops-file-sync"])
def test_a_folder_that_holds_the_state_is_refused(
    env: dict[str, str], tmp_path: Path, folder: str
) -> None:
    env["LOCAL_SYNC_DIR"] = folder
    [line] = _refusal(env, tmp_path)
    assert line.startswith(
        "environment variables: LOCAL_SYNC_DIR: the state folder /state/ubiops-file-sync lies below"
    )


def test_bucket_dir_must_be_set_though_it_may_be_empty(env: dict[str, str], tmp_path: Path) -> None:
    del env["BUCKET_DIR"]
    [line] = _refusal(env, tmp_path)
    assert "BUCKET_DIR: is not set; set it to the folder in the bucket (empty: the whole" in line


@pytest.mark.parametrize(
    "name",
    ["LOCAL_SYNC_DIR", "BUCKET_PROJECT_NAME", "BUCKET_NAME", "BUCKET_DIR", "UBIOPS_API_HOST"],
)
def test_text_that_is_not_utf8_is_refused(env: dict[str, str], tmp_path: Path, name: str) -> None:
    env[name] = "x\udce9"  # how Python shows a byte that is no UTF-8
    [line] = _refusal(env, tmp_path)
    assert line.startswith(f"environment variables: {name}: ")
    line.encode()
