"""Profiles that would fight, and private files that would travel, are refused with the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.conftest import WriteConfig

STATE = {"STATE_DIRECTORY": "/var/lib/elsewhere"}
TOKEN_FREE = "profiles:\n  here: {local_dir: ., project: p, deletions: none}\n"


def two(one: str, other: str) -> str:
    return f"profiles:\n  one: {{{one}}}\n  two: {{{other}}}\n"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/data", "/data"),
        ("/data", "/data/"),
        ("/data", "/data/below/it"),
        ("/data/below/it", "/data"),
        ("/data", "/other/../data"),
        ("/", "/data"),
    ],
)
def test_directories_that_meet_are_refused(write_config: WriteConfig, one: str, other: str) -> None:
    text = two(f"local_dir: {one}, project: p", f"local_dir: {other}, project: q")
    # A state folder below the root would be refused as well.
    lines = write_config(f"state_dir: /proc/none\n{text}").refusal()
    assert lines[-1] == (
        "FILE:4: profiles.two: its local_dir is that of profile 'one', or one of the two is inside "
        "the other; give each a directory of its own"
    )


def test_directories_that_meet_through_a_link_are_refused(
    write_config: WriteConfig, tmp_path: Path
) -> None:
    (tmp_path / "real" / "below").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    text = two("local_dir: link/below, project: p", "local_dir: real, project: q")
    [line] = write_config(text).refusal(STATE)
    assert line.startswith("FILE:3: profiles.two: its local_dir is that of profile 'one'")


def test_directories_side_by_side_may_have_names_that_begin_alike(
    write_config: WriteConfig,
) -> None:
    text = two("local_dir: /data, project: p", "local_dir: /data-2, project: q")
    assert len(write_config(text).load(STATE).profiles) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("", ""),
        ("", ", bucket: default"),
        (", bucket_dir: a", ", bucket_dir: /a/"),
        (", bucket_dir: a", ", bucket_dir: a/b"),
        (", bucket_dir: a/b", ", bucket_dir: a"),
        (", bucket_dir: a", ""),
        (", direction: download", ""),
        (", direction: download", ", direction: upload"),
        (", direction: upload", ", direction: upload"),
        (", api_host: https://api.ubiops.com/v2.1/", ", api_host: api.ubiops.com"),
    ],
)
def test_places_in_the_bucket_that_meet_are_refused(
    write_config: WriteConfig, one: str, other: str
) -> None:
    text = two(f"local_dir: /one, project: p{one}", f"local_dir: /two, project: p{other}")
    [line] = write_config(text).refusal(STATE)
    assert line == (
        "FILE:3: profiles.two: its place in the bucket is that of profile 'one', or one is inside "
        "the other; give each its own, or download both"
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("project: p", "project: q"),
        ("project: p, bucket: a", "project: p, bucket: b"),
        ("project: p, bucket_dir: a", "project: p, bucket_dir: ab"),
        ("project: p, bucket_dir: a/b", "project: p, bucket_dir: a/c"),
        ("project: p", "project: p, api_host: api.example.com"),
        ("project: p, direction: download", "project: p, direction: download"),
    ],
)
def test_places_that_do_not_meet_and_downloads_of_one_place_are_fine(
    write_config: WriteConfig, one: str, other: str
) -> None:
    text = two(f"local_dir: /one, {one}", f"local_dir: /two, {other}")
    assert len(write_config(text).load(STATE).profiles) == 2


def test_every_meeting_is_told_at_the_later_profile(write_config: WriteConfig) -> None:
    lines = write_config(
        "defaults: {project: p}\n"
        "profiles:\n"
        "  a: {local_dir: /a}\n"
        "  b: {local_dir: /a/b, bucket: b}\n"
        "  c: {local_dir: /c, bucket_dir: c}\n"
    ).refusal(STATE)
    assert [line.split(",")[0] for line in lines] == [
        "FILE:4: profiles.b: its local_dir is that of profile 'a'",
        "FILE:5: profiles.c: its place in the bucket is that of profile 'a'",
    ]


def test_a_state_folder_below_a_root_is_refused(write_config: WriteConfig, tmp_path: Path) -> None:
    text = "profiles:\n  here: {local_dir: data, project: p}\n"
    [line] = write_config(f"state_dir: data/state\n{text}").refusal()
    assert line == (
        f"FILE: the state folder {tmp_path}/data/state lies below the local_dir of profile 'here', "
        "so it would go into the bucket; move one of the two"
    )
    [line] = write_config(text).refusal({"STATE_DIRECTORY": str(tmp_path / "data")})
    assert line.startswith(f"FILE: the state folder {tmp_path}/data lies below")


def test_a_root_below_the_state_folder_exposes_nothing(write_config: WriteConfig) -> None:
    text = "state_dir: .\nprofiles:\n  here: {local_dir: data, project: p}\n"
    assert write_config(text).load().profiles


def test_the_usual_state_folder_is_not_blamed_where_another_may_be_meant(
    write_config: WriteConfig, tmp_path: Path
) -> None:
    env = {"STATE_DIRECTORY": str(tmp_path / "usual")}
    [line] = write_config(f"state_dir: /elsewhere\ntimezone: x\n{TOKEN_FREE}").refusal(env)
    assert line.startswith("FILE:2: timezone: ")


@pytest.mark.parametrize(
    "content",
    [
        f"token: secret\n{TOKEN_FREE}",
        f"defaults: {{token: secret}}\n{TOKEN_FREE}",
        TOKEN_FREE.replace("deletions: none", "token: secret"),
        TOKEN_FREE.replace("deletions: none", "token: '${T:-secret}'"),
    ],
)
def test_a_file_with_a_token_in_it_below_a_root_is_refused(
    write_config: WriteConfig, content: str
) -> None:
    [line] = write_config(content).refusal(STATE)
    assert line == (
        "FILE: the configuration with its token FILE lies below the local_dir of profile 'here', "
        "so it would go into the bucket; move one of the two"
    )


@pytest.mark.parametrize(
    "content",
    [
        TOKEN_FREE,
        f"token_env: MINE\n{TOKEN_FREE}",
        f"token: ${{MINE}}\n{TOKEN_FREE}",
        TOKEN_FREE.replace("here", "token"),
    ],
)
def test_a_file_without_a_token_may_lie_below_a_root(
    write_config: WriteConfig, content: str
) -> None:
    assert write_config(content).load(STATE | {"MINE": "secret"}).profiles


def test_a_token_file_below_any_root_is_refused_once(
    write_config: WriteConfig, tmp_path: Path
) -> None:
    text = (
        "defaults: {project: p, token_file: one/token}\n"
        "profiles:\n"
        "  one: {local_dir: one, bucket: a}\n"
        "  two: {local_dir: two, bucket: b}\n"
    )
    [line] = write_config(text).refusal(STATE)
    assert line == (
        f"FILE: the token file {tmp_path}/one/token lies below the local_dir of profile 'one', "
        "so it would go into the bucket; move one of the two"
    )


def test_a_token_file_that_a_link_leads_to_is_found_below_a_root(
    write_config: WriteConfig, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "token").write_text("secret")
    (tmp_path / "token").symlink_to("data/token")
    text = "token_file: token\nprofiles: {here: {local_dir: data, project: p}}\n"
    [line] = write_config(text).refusal(STATE)
    assert line.startswith(f"FILE: the token file {tmp_path}/token lies below the local_dir of")
