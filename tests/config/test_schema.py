"""The JSON schema: it takes what the program reads, and marks what one mistypes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.conftest import WriteConfig, as_an_editor_reads
from ubiops_file_sync.config import shapes
from ubiops_file_sync.config.levels import INNER, PROFILE_SETTINGS, TOP_SETTINGS
from ubiops_file_sync.config.quantities import (
    duration_text,
    parse_duration,
    parse_limit,
    parse_rate,
    parse_share,
    parse_size,
    rate_text,
    size_text,
)
from ubiops_file_sync.config.schema import file_schema

REPOSITORY = Path(__file__).parents[2]
MINIMAL = "profiles:\n  models:\n    local_dir: /srv/models\n    project: my-project\n"


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return file_schema()


def test_it_is_a_schema_and_the_one_that_the_examples_name(schema: dict[str, Any]) -> None:
    jsonschema.Draft7Validator.check_schema(schema)
    kept = REPOSITORY / "docs" / "schema.json"
    assert json.loads(kept.read_text()) == schema, "ubiops-file-sync schema > docs/schema.json"


@pytest.mark.parametrize("path", sorted((REPOSITORY / "configs").glob("*.yaml")), ids=str)
def test_the_examples_fit_and_name_it(schema: dict[str, Any], path: Path) -> None:
    text = path.read_text()
    jsonschema.validate(as_an_editor_reads(text), schema)
    assert text.startswith("# yaml-language-server: $schema=../docs/schema.json\n")


def test_every_setting_is_there_and_says_what_it_means(schema: dict[str, Any]) -> None:
    profile = schema["definitions"]["profile"]["properties"]
    assert set(schema["properties"]) == set(TOP_SETTINGS)
    assert set(profile) == set(PROFILE_SETTINGS)
    levels = [schema["properties"], profile]
    levels += [level[name]["properties"] for level in levels[:2] for name in INNER if name in level]
    for level in levels:
        for name, setting in level.items():
            assert setting.get("description"), name
            assert "None" not in setting["description"], name


def test_every_default_is_a_value_that_it_takes(schema: dict[str, Any]) -> None:
    found = {}
    for level in (schema, schema["definitions"]["profile"]):
        for name, setting in level["properties"].items():
            if "default" in setting:
                found[name] = setting["default"]
                whole = {"definitions": schema["definitions"], **setting}
                assert fits(whole, setting["default"]), name
    assert found["settle"] == "2s"
    assert found["multipart_threshold"] == "256MiB"
    assert found["direction"] == "two-way"
    assert found["workers"] == 16


GOOD = (
    "    bucket: ${BUCKET:-default}\n",
    "    workers: ${WORKERS:-4}\n",
    "    enabled: ${ENABLED:-true}\n",
    "    direction: ${DIRECTION:-upload}\n",
    "    settle: 0\n    jitter: 1.5 s\n    max_age: 30d\n",
    "    min_size: 10 MiB\n    max_size: 1.5GiB\n    min_free: 100\n",
    "    max_delete: 100\n",
    "    max_delete: '50 %'\n",
    "    on_failure: notify-send failed\n    on_change: [sh, -c, 'a | b']\n",
    "    exclude: ['*.tmp', '!keep.tmp']\n    include: []\n",
    "    trash: {keep_days: 3}\n",
    "    schedule: '@hourly'\n",
    "    schedule: '  0   3 * *  1-5 '\n",
    "    schedule: '* * * * * */10'\n",
)


@pytest.mark.parametrize("lines", GOOD)
def test_what_the_program_reads_is_not_marked(
    write_config: WriteConfig, schema: dict[str, Any], lines: str
) -> None:
    assert write_config(MINIMAL + lines).load().profiles
    jsonschema.validate(as_an_editor_reads(MINIMAL + lines), schema)


BAD = (
    ("timzone: UTC\n" + MINIMAL, "timzone"),
    ("workers: 4\n" + MINIMAL, "workers"),
    ("version: 2\n" + MINIMAL, "version"),
    ("profiles: {}\n", "profiles"),
    ("version: 1\n", "profiles"),
    ("profiles: {a b: {local_dir: /a, project: p}}\n", "profiles"),
    ("profiles: {a: {local_dir: /a}}\n", "project"),
    ("profiles: {a: {project: p}}\n", "local_dir"),
    ("defaults: {local_dir: /a}\nprofiles: {a: {bucket: b}}\n", "project"),
    (MINIMAL + "    workers: 0\n", "workers"),
    (MINIMAL + "    workers: '4'\n", "workers"),
    (MINIMAL + "    enabled: 'yes'\n", "enabled"),
    (MINIMAL + "    settle: soon\n", "settle"),
    (MINIMAL + "    settle: -1\n", "settle"),
    (MINIMAL + "    min_size: 10 potatoes\n", "min_size"),
    (MINIMAL + "    max_delete: half\n", "max_delete"),
    (MINIMAL + "    direction: uplaod\n", "direction"),
    (MINIMAL + "    bucket: a/b\n", "bucket"),
    (MINIMAL + "    bucket: 2024\n", "bucket"),
    (MINIMAL + "    bucket:\n", "bucket"),
    (MINIMAL + "    local_dir2: x\n", "local_dir2"),
    (MINIMAL + "    schedule: every day\n", "schedule"),
    (MINIMAL + "    schedule: '@daily'\n    every: 1m\n", "schedule"),
    (MINIMAL + "    token_env: A\n    token_file: b\n", "token_env"),
    (MINIMAL + "    token_env: not-a-name\n", "token_env"),
    (MINIMAL + "    trash: {keep_weeks: 3}\n", "trash"),
    (MINIMAL + "    quota_share: 0.5\n", "quota_share"),
    (MINIMAL + "    exclude: '*.tmp'\n", "exclude"),
    (MINIMAL + "    on_failure: {a: b}\n", "on_failure"),
    ("metrics: {}\n" + MINIMAL, "metrics"),
    ("metrics: {listen: 9467}\n" + MINIMAL, "metrics"),
    ("log: {level: loud}\n" + MINIMAL, "log"),
    ("bandwidth_limit: 20MiB\n" + MINIMAL, "bandwidth_limit"),
    ("quota_share: 90\n" + MINIMAL, "quota_share"),
)


@pytest.mark.parametrize(("text", "setting"), BAD)
def test_what_the_program_refuses_is_marked(
    write_config: WriteConfig, schema: dict[str, Any], text: str, setting: str
) -> None:
    assert write_config(text).refusal()
    errors = list(jsonschema.Draft7Validator(schema).iter_errors(as_an_editor_reads(text)))
    assert errors
    assert any(setting in f"{list(error.absolute_path)} {error.message}" for error in errors)


def fits(shape: dict[str, Any], value: object) -> bool:
    return jsonschema.Draft7Validator(shape).is_valid(value)


AMOUNT = st.from_regex(r"\A[0-9]{1,4}(\.[0-9]{1,3})?[ ]?[a-zA-Z%/]{0,5}\Z")


@given(AMOUNT | st.floats(0, 1e9) | st.integers(0, 10**12))
def test_no_amount_that_is_read_is_marked(value: object) -> None:
    for parse, shape in (
        (parse_duration, shapes.DURATION),
        (parse_size, shapes.SIZE),
        (parse_rate, shapes.RATE),
        (parse_share, shapes.SHARE),
        (parse_limit, shapes.LIMIT),
    ):
        try:
            parse(value)
        except ValueError:
            continue
        assert fits(shape, value), (parse, value)


@given(st.integers(0, 2**62))
def test_a_size_is_written_as_it_is_read(size: int) -> None:
    assert parse_size(size_text(size)) == size
    assert fits(shapes.SIZE, size_text(size))
    if size >= 65_536:
        assert parse_rate(rate_text(size)) == size


@given(
    st.integers(0, 3 * 10**9).map(lambda ms: ms / 1000)
    | st.floats(0, 3e9).map(lambda s: round(s, 9))
)
def test_a_length_of_time_is_written_as_it_is_read(seconds: float) -> None:
    assert parse_duration(duration_text(seconds)) == pytest.approx(seconds, abs=1e-9)
    assert fits(shapes.DURATION, duration_text(seconds))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.5, "500ms"),
        (2, "2s"),
        (90, "90s"),
        (300, "5m"),
        (3600, "1h"),
        (86_400, "1d"),
        (604_800, "1w"),
        (2_592_000, "30d"),
        (1.5, "1500ms"),
        (0.0005, "0.0005s"),
    ],
)
def test_lengths_of_time_read_well(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0B"), (1536, "1536B"), (500_000, "500kB"), (10 * 1024**2, "10MiB"), (2**40, "1TiB")],
)
def test_sizes_read_well(size: int, text: str) -> None:
    assert size_text(size) == text
