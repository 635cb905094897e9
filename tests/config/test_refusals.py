"""What is wrong with a file is told completely, with its line, and with what to do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from config.conftest import ConfigFile, WriteConfig

MINIMAL = "profiles:\n  models:\n    local_dir: /srv/models\n    project: my-project\n"


def test_everything_is_told_at_once_in_the_order_of_the_file(write_config: WriteConfig) -> None:
    lines = write_config(
        "version: 2\n"
        "timzone: UTC\n"
        "workers: 4\n"
        "defaults:\n"
        "  settle: soon\n"
        "profiles:\n"
        "  models:\n"
        "    local_dir: /srv/models\n"
        "    direction: uplaod\n"
        "    workers: 65\n"
        "    bukcet: x\n"
        "    state_dir: state\n"
        "  other:\n"
        "    project: p\n"
        "    project: q\n"
    ).refusal()
    assert lines == [
        "FILE:1: version: this program reads version 1 only; write 'version: 1'",
        "FILE:2: timzone: is no setting; did you mean timezone?",
        "FILE:3: workers: is a setting of profiles; move it under defaults or a profile",
        (
            "FILE:5: defaults.settle: is not a length of time; write 500ms, 2s, 5m, 1h, 1d, 1w or "
            "a number of seconds"
        ),
        "FILE:7: profiles.models.project: is missing; add it here or under defaults",
        (
            "FILE:9: profiles.models.direction: must be 'two-way', 'download' or 'upload'; "
            "did you mean upload?"
        ),
        "FILE:10: profiles.models.workers: is too large; write at most 64",
        "FILE:11: profiles.models.bukcet: is no setting; did you mean bucket?",
        (
            "FILE:12: profiles.models.state_dir: is a setting of the whole file; move it to the "
            "left margin"
        ),
        "FILE:13: profiles.other.local_dir: is missing; add it here or under defaults",
        "FILE:15: profiles.other.project: is given twice, first on line 14; keep one",
    ]


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("bucket: no", "is true or false to YAML; put the word in quotes"),
        ("bucket: 2024", "is a number to YAML; put it in quotes"),
        ("bucket: [a]", "must be one value, not a list or a mapping"),
        ("bucket: {a: b}", "must be one value, not a list or a mapping"),
        ("bucket:", "is empty; give it a value or remove the line"),
        ("bucket: ''", "is not the name of a project or bucket"),
        ("bucket: ..", "is not the name of a project or bucket"),
        ("bucket: a/b", "is not the name of a project or bucket"),
        ("token_env:", "is empty; give it a value or remove the line"),
        ("workers: '4'", "must be a whole number; write it without quotes"),
        ("workers: yes", "must be a whole number"),
        ("workers: 1.5", "must be a whole number"),
        ("workers: 0", "is too small; write at least 1"),
        ("conflict: newer", "did you mean newer-wins?"),
        ("conflict: 7", "must be 'newer-wins'"),
        ("conflict: no", "must be 'newer-wins'"),
        ("settle: -1", "is not a length of time"),
        ("settle: .nan", "is not a length of time"),
        ("settle: .inf", "is not a length of time"),
        ("settle: yes", "is not a length of time"),
        ("settle: [2s]", "is not a length of time"),
        ("token_file: ''", "is empty; give the path"),
        ('token_file: "a\\0b"', "has a NUL character"),
        ("token_file: ~nobody-of-this-name/x", "names a home folder that is not known"),
        ("name: other", "is no setting; a profile's name is the key it is under"),
        ("frobnicate: 1", "is no setting; use one of local_dir, project, bucket"),
        ("bucket: !!python/name:os.system x", "a '!' tag is not usable here"),
        ("bucket: !secret x", "a '!' tag is not usable here"),
        ("bucket: !!binary aGk=", "a '!' tag is not usable here"),
        ("bucket: !!int x", "is no number or true/false"),
        ("<<: 5", "'<<' takes a mapping"),
        ("? [a, b]\n    : x", "a key here is no plain word"),
    ],
)
def test_a_wrong_setting_names_its_line_and_remedy(
    write_config: WriteConfig, setting: str, reason: str
) -> None:
    [line] = write_config(f"{MINIMAL}    {setting}\n").refusal()
    assert line.startswith("FILE:5: profiles.models")
    assert reason in line


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "FILE: it is empty; add 'profiles:'"),
        ("# nothing\n---\n", "FILE: it is empty; add 'profiles:'"),
        ("- a\n- b\n", "FILE: must hold 'key: value' lines"),
        ("just words", "FILE: must hold 'key: value' lines"),
        ("version: 1\n", "FILE: profiles: there are none; add one"),
        ("{}", "FILE: profiles: there are none; add one"),
        ("version: 1\nprofiles:\n", "FILE:2: profiles: there are none; add one"),
        ("profiles: {}\n", "FILE:1: profiles: there are none; add one"),
        ("profiles: [a]\n", "FILE:1: profiles: must hold 'key: value' lines"),
        ("profiles: {a: 5}\n", "FILE:1: profiles.a: must hold 'key: value' lines"),
        (f"defaults: 5\n{MINIMAL}", "FILE:1: defaults: must hold 'key: value' lines"),
        (f"version: '1'\n{MINIMAL}", "FILE:1: version: this program reads version 1 only"),
        (f"version: yes\n{MINIMAL}", "FILE:1: version: this program reads version 1 only"),
        (b"# \xe9t\xe9\n" + MINIMAL.encode(), "FILE:1: it is not UTF-8 text"),
        ("version: 1\nprofiles:\n\tmodels:\n", "FILE:3: a tab is used for indentation"),
        (f"{MINIMAL}  - x\n", "FILE:5: "),
        ("a: 1\n---\nb: 2\n", "FILE:2: a second document begins here"),
        (f"api_host: 'x\n{MINIMAL}", "FILE:1: a quote that opens here is never closed"),
        ("a: 1\nb: c: d\n", "FILE:2: a ':' is out of place"),
        ("a: 1\nb\nc: 2\n", "FILE:3: this line is no 'key: value'"),
        ("a: 1\nb: \x01\n", "FILE:2: a control character stands here"),
        ("a: [1\nb: 2\n", "FILE:2: a '[' or '{' is not closed"),
        ("a: *nowhere\n", "FILE:1: a value that begins with '*'"),
        ("a: @x\n", "FILE:1: this value begins with a special character"),
        ("[" * 5000, "FILE: it is nested too deeply"),
        ("a: " + "[" * 40 + "]" * 40, "FILE: it is too large or nested too deeply"),
        ("a: &a [*a]\n", "FILE: it is too large or nested too deeply"),
        ("a: &a {<<: *a}\n", "FILE: it is too large or nested too deeply"),
        ("a: 1\n" * 30_000, "FILE: it is too large"),
        ("#" * (1 << 20) + "\n", "FILE: it is larger than 1 MiB"),
    ],
)
def test_a_file_that_is_no_configuration_says_why(
    write_config: WriteConfig, content: str | bytes, expected: str
) -> None:
    assert write_config(content).refusal()[0].startswith(expected)


def test_aliases_that_multiply_each_other_are_refused_quickly(write_config: WriteConfig) -> None:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 10))
    [line] = write_config(f"l0: &l0 [x]\n{levels}").refusal()
    assert "too large" in line


def test_a_byte_order_mark_says_nothing(write_config: WriteConfig) -> None:
    assert write_config(b"\xef\xbb\xbf" + MINIMAL.encode()).load().profiles


def test_a_missing_file_a_folder_and_an_unreadable_file_are_told_apart(tmp_path: Path) -> None:
    assert ConfigFile(tmp_path / "none.yaml").refusal() == [
        "FILE: there is no such file; check the path, or create the file"
    ]
    assert ConfigFile(tmp_path).refusal() == [
        "FILE: this is a folder; give the path of the file in it"
    ]
    loop = tmp_path / "loop.yaml"
    loop.symlink_to(loop)
    assert ConfigFile(loop).refusal()[0].startswith("FILE: it cannot be read (")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_says_so(write_config: WriteConfig) -> None:
    file = write_config(MINIMAL)
    file.path.chmod(0)
    assert file.refusal() == ["FILE: it cannot be read (Permission denied); check its permissions"]


def test_a_mistake_in_the_defaults_is_told_once(write_config: WriteConfig) -> None:
    [line] = write_config(
        "defaults: {workers: 99, project: p}\n"
        "profiles: {a: {local_dir: /a}, b: {local_dir: /b}, c: {local_dir: /c, workers: 1}}\n"
    ).refusal()
    assert line == "FILE:1: defaults.workers: is too large; write at most 64"
