"""Tokens: where they come from, which one wins, and that none is ever shown (invariant I9)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from config.conftest import ConfigFile, WriteConfig
from ubiops_file_sync.config import Profile, load_settings
from ubiops_file_sync.errors import ConfigError

MINIMAL = "profiles:\n  models:\n    local_dir: /srv/models\n    project: my-project\n"
SECRET = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c"


def _profile(**values: object) -> Profile:
    return Profile.model_validate({"name": "x", "local_dir": "/data", "project": "p", **values})


def _trouble(profile: Profile, env: dict[str, str]) -> str:
    with pytest.raises(ConfigError) as caught:
        profile.read_token(env)
    return str(caught.value)


@pytest.mark.parametrize("written", [SECRET, f"Token {SECRET}", f"  token\t{SECRET}\n"])
def test_a_token_is_read_with_or_without_its_word(tmp_path: Path, written: str) -> None:
    file = tmp_path / "token"
    file.write_text(written)
    for profile in (
        _profile(token=written),
        _profile(token_file=file),
        _profile(token_env="T"),
        _profile(),
    ):
        env = {"T": written, "UBIOPS_API_TOKEN": written}
        assert profile.read_token(env).get_secret_value() == SECRET


def test_a_token_file_is_read_anew_each_time(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first")
    profile = _profile(token_file=file)
    assert profile.read_token({}).get_secret_value() == "first"
    file.write_text("second")
    assert profile.read_token({}).get_secret_value() == "second"


def test_a_missing_variable_or_file_is_named_with_the_profile(tmp_path: Path) -> None:
    text = _trouble(_profile(token_env="MY_TOKEN"), {})
    assert "profile 'x': environment variable MY_TOKEN is not set" in text
    text = _trouble(_profile(token_file=tmp_path / "none"), {})
    assert f"profile 'x': token file {tmp_path / 'none'} cannot be read (No such file" in text
    text = _trouble(_profile(token_file=tmp_path), {})
    assert "cannot be read (Is a directory)" in text


def test_a_credential_of_systemd_goes_before_the_variable_of_its_name(tmp_path: Path) -> None:
    tmp_path.joinpath("MINE").write_text(f"Token {SECRET}\n")
    env = {
        "CREDENTIALS_DIRECTORY": str(tmp_path),
        "MINE": "a variable",
        "UBIOPS_API_TOKEN": "usual",
    }
    profile = _profile(token_env="MINE")
    assert profile.read_token(env).get_secret_value() == SECRET
    assert profile.token_source(env) == "systemd credential MINE"
    # A credential of another name says nothing of this one.
    assert _profile().read_token(env).get_secret_value() == "usual"
    assert _profile().token_source(env) == "environment variable UBIOPS_API_TOKEN"


def test_a_file_or_a_literal_token_is_no_credential(tmp_path: Path) -> None:
    tmp_path.joinpath("UBIOPS_API_TOKEN").write_text("delivered")
    tmp_path.joinpath("own").write_text("own")
    env = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    file = _profile(token_file=tmp_path / "own")
    assert file.read_token(env).get_secret_value() == "own"
    assert file.token_source(env) == f"token file {tmp_path / 'own'}"
    literal = _profile(token="literal")
    assert literal.read_token(env).get_secret_value() == "literal"
    assert literal.token_source(env) == "`token` in the configuration"


def test_a_credential_that_cannot_be_read_is_told_and_not_passed_over(tmp_path: Path) -> None:
    tmp_path.joinpath("UBIOPS_API_TOKEN").symlink_to("nowhere")
    env = {"CREDENTIALS_DIRECTORY": str(tmp_path), "UBIOPS_API_TOKEN": "a variable"}
    text = _trouble(_profile(), env)
    assert "profile 'x': systemd credential UBIOPS_API_TOKEN cannot be read (No such file" in text
    tmp_path.joinpath("UBIOPS_API_TOKEN").unlink()
    tmp_path.joinpath("UBIOPS_API_TOKEN").write_text("\n")
    assert "systemd credential UBIOPS_API_TOKEN is empty" in _trouble(_profile(), env)


def test_a_unit_without_the_credential_is_told_how_to_have_it(tmp_path: Path) -> None:
    text = _trouble(_profile(token_env="MINE"), {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert "environment variable MINE is not set; have the unit deliver" in text
    assert "LoadCredential=MINE:FILE" in text


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"Token \n", "is empty"),
        (f"{SECRET}\n{SECRET}\n".encode(), "is not one token on one line"),
        (b"t\xc3\xb6ken", "is not one token on one line"),
        (b"\xff\xfe", "is not one token on one line"),
        (b"a\x00b", "is not one token on one line"),
        (b"x" * 70_000, "is not one token on one line"),
    ],
)
def test_what_could_not_stand_in_a_header_is_refused_unseen(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    text = _trouble(_profile(token_file=file), {})
    assert text.startswith(f"profile 'x': token file {file} {reason}")
    assert SECRET not in text
    variable = content.decode(errors="replace")
    text = _trouble(_profile(), {"UBIOPS_API_TOKEN": variable})
    assert text.startswith(f"profile 'x': environment variable UBIOPS_API_TOKEN {reason}")


def test_the_nearest_token_setting_wins_whatever_its_kind(write_config: WriteConfig) -> None:
    file = write_config(
        "token: top\n"
        "profiles:\n"
        "  top: {local_dir: /a, project: p}\n"
        "  variable: {local_dir: /b, project: q, token_env: MINE}\n"
        "  file: {local_dir: /c, project: r, token_file: mine}\n"
        "  literal: {local_dir: /d, project: s, token: own}\n"
    )
    file.path.with_name("mine").write_text("from-file\n")
    profiles = file.load().profiles
    read = {name: p.read_token({"MINE": "from-env"}) for name, p in profiles.items()}
    assert {name: token.get_secret_value() for name, token in read.items()} == {
        "top": "top",
        "variable": "from-env",
        "file": "from-file",
        "literal": "own",
    }


def test_a_token_setting_in_the_defaults_goes_before_the_top(write_config: WriteConfig) -> None:
    profile = (
        write_config(f"token: top\ndefaults: {{token_env: MINE}}\n{MINIMAL}")
        .load()
        .profiles["models"]
    )
    assert profile.read_token({"MINE": "from-env"}).get_secret_value() == "from-env"


@pytest.mark.parametrize("indent", ["", "    "])
def test_one_level_names_one_token(write_config: WriteConfig, indent: str) -> None:
    pair = f"{indent}token_env: A\n{indent}token_file: b\n"
    [line] = write_config(MINIMAL + pair).refusal()
    assert line.startswith("FILE:6: ")
    assert line.endswith("give only one of token, token_env and token_file")


def test_a_token_that_others_may_read_is_warned_about(write_config: WriteConfig) -> None:
    file = write_config(f"token: {SECRET}\n{MINIMAL}    token: {SECRET}\n")
    assert file.load().warnings == ()
    file.path.chmod(0o640)
    warnings = file.load().warnings
    assert [warning.replace(str(file.path), "FILE").split(" ")[:2] for warning in warnings] == [
        ["FILE:1:", "token:"],
        ["FILE:6:", "profiles.models.token:"],
    ]
    assert all("chmod 600" in warning and SECRET not in warning for warning in warnings)


def test_a_token_that_stands_elsewhere_is_nothing_to_warn_about(write_config: WriteConfig) -> None:
    file = write_config(f"token: ${{MINE}}\n{MINIMAL}")
    file.path.chmod(0o644)
    loaded = file.load({"MINE": SECRET})
    assert loaded.warnings == ()
    assert loaded.profiles["models"].read_token({}).get_secret_value() == SECRET


def test_settings_and_profiles_print_no_token(write_config: WriteConfig) -> None:
    loaded = write_config(f"token: {SECRET}\n{MINIMAL}").load()
    profile = loaded.profiles["models"]
    for shown in (repr(loaded), str(loaded), repr(profile), str(profile), loaded.model_dump_json()):
        assert SECRET not in shown
    assert SECRET not in str(profile.read_token({}))


MISTYPED = [
    "token: [SECRET]",
    "token: {SECRET: 1}",
    "token: {a: SECRET}",
    "token: {SECRET: 1, SECRET: 2}",
    "token: {a: [*SECRET]}",
    "token: SECRET SECRET",
    "token: 'SECRET",
    'token: "SECRET',
    'token: "\\qSECRET"',
    "token: *SECRET",
    "token: &SECRET",
    "token: &SECRET &SECRET x",
    "token: !SECRET x",
    "token: !SECRET!SECRET x",
    "token: !!SECRET x",
    "token: !!int SECRET",
    "token: @SECRET",
    "token: %SECRET",
    "token: `SECRET`",
    "token: SECRET: SECRET",
    "token: 'SECRET' SECRET",
    "token: [SECRET",
    "token: {SECRET",
    "token: |SECRET",
    "token: |\n  SECRET\n  SECRET",
    "token: SECRET\n\tx",
    "token: \x01SECRET",
    "token: SECRET\n x: 1",
    "token SECRET",
    "Token SECRET: 1",
    "SECRET: 1",
    "SECRET: 1\nSECRET: 2",
    "? [SECRET]\n: 1",
    "token: SECRET\ntoken: SECRET",
    "tokn: SECRET",
    "version: SECRET",
    "timezone: SECRET",
    "api_host: https://SECRET@example.com",
    "api_host: https://example.com:SECRET",
    "api_host: 'https://[SECRET'",
    "api_host: ftp://SECRET",
    "token_env: SECRET",
    "token_env: Token SECRET",
    "token_file: SECRET",
    "token_file: Token SECRET",
    "defaults: SECRET",
    "defaults: {workers: SECRET, direction: SECRET, settle: SECRET, schedule: SECRET}",
    "defaults: {conflict: SECRET, deletions: SECRET, bucket: a/SECRET, bucket_dir: ../SECRET}",
    "defaults: {name: SECRET}",
    "defaults: {max_delete: SECRET, expired: SECRET, refresh_before: SECRET, trash: SECRET}",
    "defaults: {trash: {SECRET: 1, keep_days: SECRET, max_size: SECRET}, symlinks: SECRET}",
    "defaults: {include: SECRET, exclude: ['[z-a]SECRET'], max_age: SECRET, max_size: SECRET}",
    "defaults: {ready_file: a/SECRET, marker: ../SECRET, min_free: SECRET, max_skew: SECRET}",
    "state_dir: /srv/models/SECRET",
    "log: {file: /srv/models/SECRET, level: SECRET, format: SECRET, max_size: SECRET}",
    "log: {SECRET: 1}",
    "log: SECRET",
    "metrics: {listen: SECRET, textfile: /srv/SECRET}",
    "metrics: {listen: 'SECRET:80:80'}",
    "max_concurrent_profiles: SECRET",
    "stop_timeout: SECRET",
    "defaults: {every: SECRET, jitter: SECRET, timezone: SECRET, enabled: SECRET}",
    "defaults: {on_failure: 'SECRET | SECRET', on_change: \"SECRET '\", hook_timeout: SECRET}",
    "defaults: {<<: SECRET}",
    "token: ${X:-SECRET SECRET}",
    "token: ${SECRET SECRET}",
    "token: ${SECRET",
]


@pytest.mark.parametrize("text", MISTYPED)
def test_a_mistyped_token_is_in_no_message(write_config: WriteConfig, text: str) -> None:
    # One token begins with a digit and one with a letter: the latter could be a variable's name.
    for secret in (SECRET, SECRET[1:]):
        told = "\n".join(write_config(text.replace("SECRET", secret) + f"\n{MINIMAL}").refusal())
        assert secret not in told
        assert secret[:12] not in told


@pytest.mark.parametrize("name", [SECRET, SECRET[1:]])
def test_a_token_as_a_profile_name_is_masked_in_messages(
    write_config: WriteConfig, name: str
) -> None:
    lines = write_config(f"profiles: {{{name}: {{}}}}").refusal()
    assert lines[0] == ("FILE:1: profiles.?.local_dir: is missing; add it here or under defaults")


@pytest.mark.parametrize("name", [SECRET, SECRET[1:]])
def test_a_token_as_the_name_of_an_overlapping_profile_is_masked(
    write_config: WriteConfig, name: str
) -> None:
    profile = "{local_dir: /a, project: p}"
    lines = write_config(
        f"state_dir: /a/state\nprofiles:\n  {name}: {profile}\n  x: {profile}\n"
    ).refusal()
    assert len(lines) == 4
    assert name not in "".join(lines)


_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.just(SECRET)
_trees = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["token", "profiles", "defaults", "token_file", "workers", "version", "x", SECRET]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(tree=_trees, cut=st.integers(min_value=0, max_value=400))
def test_whatever_a_file_holds_and_wherever_it_ends_no_token_is_told(
    tmp_path: Path, tree: object, cut: int
) -> None:
    import yaml

    file = ConfigFile(tmp_path / "config.yaml")
    text = yaml.safe_dump({"token": SECRET, "profiles": tree}) + yaml.safe_dump({"defaults": tree})
    file.path.write_text(text[: len(text) - cut] if cut < len(text) else text)
    try:
        loaded = load_settings(file.path, {}, tmp_path)
    except ConfigError as error:
        assert SECRET not in str(error)  # noqa: PT017  it need not fail
    else:
        assert SECRET not in " ".join(loaded.warnings)


@pytest.mark.parametrize(
    "values",
    [
        {"token": [SECRET]},
        {"token": {"a": SECRET}},
        {"token": f"{SECRET} {SECRET}"},
        {"token": SECRET, "token_env": "A"},
        {"token": SECRET, "workers": 0},
        {"tokn": SECRET},
    ],
)
def test_a_profile_built_in_python_hides_its_token_too(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        _profile(**values)
    assert SECRET not in str(caught.value)
