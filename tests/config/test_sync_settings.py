"""What a profile says of deletions, the trash, filters, expiry, clocks and the disk."""

from __future__ import annotations

import pytest

from config.conftest import WriteConfig
from ubiops_file_sync.config import Profile
from ubiops_file_sync.model import Deletions, Expired, Symlinks

MINIMAL = "profiles:\n  models:\n    local_dir: /srv/models\n    project: my-project\n"
NO_LENGTH = "is not a length of time; write 500ms, 2s, 5m, 1h, 1d, 1w or a number of seconds"
NO_SIZE = "is not a size; write 500kB, 20MiB, 10GiB or a number of bytes"
NO_LIMIT = "is not a limit; write a number of files such as 100, or a share such as '50%'"
NO_PATTERN = "is not a gitignore pattern that is understood here"
NO_FILE_NAME = "must be the plain name of a file, such as _SUCCESS, without any '/'"
NO_KEY = "must be the path of a file below local_dir, such as .mounted"


def load(write_config: WriteConfig, *lines: str) -> Profile:
    text = MINIMAL + "".join(f"    {line}\n" for line in lines)
    return write_config(text).load().profiles["models"]


def refusal(write_config: WriteConfig, *lines: str) -> list[str]:
    return write_config(MINIMAL + "".join(f"    {line}\n" for line in lines)).refusal()


def test_what_is_not_said_is_careful(write_config: WriteConfig) -> None:
    models = load(write_config)
    assert (models.deletions, models.max_delete) == (Deletions.NONE, "50%")
    assert (models.expired, models.refresh_before) == (Expired.REUPLOAD, None)
    assert (models.trash.keep_days, models.trash.max_size) == (30, 10 * 1024**3)
    assert (models.include, models.exclude) == ((), ())
    assert (models.min_size, models.max_size, models.max_age) == (None, None, None)
    assert (models.symlinks, models.ready_file, models.marker) == (Symlinks.SKIP, None, None)
    assert (models.min_free, models.max_skew) == (0, 600.0)


@pytest.mark.parametrize("value", Deletions)
def test_each_way_of_deletions_is_read(write_config: WriteConfig, value: Deletions) -> None:
    assert load(write_config, f"deletions: {value}").deletions is value


@pytest.mark.parametrize("value", Expired)
def test_each_answer_to_expiry_is_read(write_config: WriteConfig, value: Expired) -> None:
    assert load(write_config, f"expired: {value}").expired is value


@pytest.mark.parametrize("value", Symlinks)
def test_each_treatment_of_links_is_read(write_config: WriteConfig, value: Symlinks) -> None:
    assert load(write_config, f"symlinks: {value}").symlinks is value


@pytest.mark.parametrize(
    ("written", "limit"), [("100", "100"), ('"100"', "100"), ('"50%"', "50%"), ("50%", "50%")]
)
def test_max_delete_is_a_number_or_a_share(
    write_config: WriteConfig, written: str, limit: str
) -> None:
    assert load(write_config, f"max_delete: {written}").max_delete == limit


def test_lengths_of_time_are_read(write_config: WriteConfig) -> None:
    models = load(write_config, "refresh_before: 2d", "max_age: 52w", "max_skew: 90")
    assert (models.refresh_before, models.max_age) == (2 * 86_400.0, 52 * 604_800.0)
    assert models.max_skew == 90.0


def test_sizes_are_read(write_config: WriteConfig) -> None:
    models = load(write_config, "min_size: 1", "max_size: 500kB", "min_free: 10GiB")
    assert (models.min_size, models.max_size, models.min_free) == (1, 500_000, 10 * 1024**3)


def test_the_trash_has_settings_of_its_own(write_config: WriteConfig) -> None:
    trash = load(write_config, "trash: {keep_days: 7, max_size: 500MB}").trash
    assert (trash.keep_days, trash.max_size) == (7, 500_000_000)
    trash = load(write_config, "trash: {keep_days: 0}").trash
    assert (trash.keep_days, trash.max_size) == (0, 10 * 1024**3)


def test_names_of_files_are_read(write_config: WriteConfig) -> None:
    models = load(write_config, "ready_file: _SUCCESS", "marker: disk/.mounted")
    assert (models.ready_file, models.marker) == ("_SUCCESS", "disk/.mounted")


def test_patterns_are_read_in_their_order(write_config: WriteConfig) -> None:
    models = load(
        write_config, "include: ['*.bin', /models/]", "exclude:", "  - '**/tmp/'", "  - '!keep'"
    )
    assert models.include == ("*.bin", "/models/")
    assert models.exclude == ("**/tmp/", "!keep")
    assert load(write_config, "exclude: []").exclude == ()


@pytest.mark.parametrize(
    "pattern",
    ["a b", "[a-z]*.txt", "[!a]", "**/a/**", "a/**/b", "\\#a", "*.tar.gz", "caf\u00e9", "[a"],
)
def test_what_gitignore_knows_is_a_pattern(write_config: WriteConfig, pattern: str) -> None:
    assert load(write_config, f"exclude: ['{pattern}']").exclude == (pattern,)


def test_a_profile_in_python_takes_them_too() -> None:
    profile = Profile.model_validate(
        {
            "name": "x",
            "local_dir": "/data",
            "project": "p",
            "deletions": Deletions.BOTH,
            "max_delete": 5,
            "trash": {"keep_days": 1},
            "exclude": ("*.tmp",),
        }
    )
    assert (profile.deletions, profile.max_delete) == (Deletions.BOTH, "5")
    assert (profile.trash.keep_days, profile.exclude) == (1, ("*.tmp",))


@pytest.mark.parametrize(
    ("setting", "place", "reason"),
    [
        ("deletions: to-bucket", "deletions", "did you mean to_bucket?"),
        ("deletions: yes", "deletions", "must be 'none', 'to_bucket', 'to_local' or 'both'"),
        ("deletions: [both]", "deletions", "must be 'none', 'to_bucket', 'to_local' or 'both'"),
        ("max_delete: half", "max_delete", NO_LIMIT),
        ("max_delete: 0.5", "max_delete", NO_LIMIT),
        ("max_delete: -1", "max_delete", NO_LIMIT),
        ("max_delete: 101%", "max_delete", NO_LIMIT),
        ("max_delete: yes", "max_delete", NO_LIMIT),
        ("max_delete:", "max_delete", "is empty; give it a value or remove the line"),
        ("expired: reuplaod", "expired", "must be 'reupload' or 'leave'; did you mean reupload?"),
        ("symlinks: folow", "symlinks", "must be 'skip' or 'follow'; did you mean follow?"),
        ("refresh_before: soon", "refresh_before", NO_LENGTH),
        ("refresh_before:", "refresh_before", "is empty; give it a value or remove the line"),
        ("max_age: -1d", "max_age", NO_LENGTH),
        ("max_age: 101 years", "max_age", NO_LENGTH),
        ("max_age: 36501d", "max_age", "is longer than a hundred years; write less"),
        ("max_skew: .inf", "max_skew", NO_LENGTH),
        ("min_size: -1", "min_size", NO_SIZE),
        ("min_size: small", "min_size", NO_SIZE),
        ("max_size: 1.5", "max_size", NO_SIZE),
        ("max_size: yes", "max_size", NO_SIZE),
        ("min_free: [1]", "min_free", NO_SIZE),
        ("min_free: 10%", "min_free", NO_SIZE),
        ("trash: 30", "trash", "must hold 'key: value' lines"),
        ("trash: [30]", "trash", "must hold 'key: value' lines"),
        ("trash:", "trash", "is empty; give it a value or remove the line"),
        ("trash: {keep_days: '7'}", "trash.keep_days", "must be a whole number; write it without"),
        ("trash: {keep_days: yes}", "trash.keep_days", "must be a whole number"),
        ("trash: {keep_days: -1}", "trash.keep_days", "is too small; write at least 0"),
        ("trash: {keep_days: 36501}", "trash.keep_days", "is too large; write at most 36500"),
        ("trash: {keep_days:}", "trash.keep_days", "is empty; give it a value or remove the line"),
        ("trash: {max_size: big}", "trash.max_size", NO_SIZE),
        ("trash: {max_size:}", "trash.max_size", "is empty; give it a value or remove the line"),
        ("trash: {keep_day: 7}", "trash.keep_day", "is no setting; did you mean keep_days?"),
        ("trash: {x: 7}", "trash.x", "is no setting; use one of keep_days, max_size"),
        ("keep_days: 7", "keep_days", "is a setting of trash; move it below 'trash:'"),
        ("include: '*.bin'", "include", "must be a list; write '- ' before each item, or [a, b]"),
        ("exclude: {a: b}", "exclude", "must be a list; write '- ' before each item, or [a, b]"),
        ("exclude:", "exclude", "is empty; give it a value or remove the line"),
        ("exclude: [a, '']", "exclude.1", "is empty or has a line break in it"),
        ('exclude: ["a\\nb"]', "exclude.0", "is empty or has a line break in it"),
        ("exclude: [2024]", "exclude.0", "is a number to YAML; put it in quotes"),
        ("exclude: [[a]]", "exclude.0", "must be one value, not a list or a mapping"),
        ("exclude: ['!']", "exclude.0", NO_PATTERN),
        ("exclude: ['a\\']", "exclude.0", NO_PATTERN),
        ("exclude: ['[z-a]']", "exclude.0", NO_PATTERN),
        ("exclude: ['[[:digit:]]']", "exclude.0", NO_PATTERN),
        ("ready_file: a/b", "ready_file", NO_FILE_NAME),
        ("ready_file: ..", "ready_file", NO_FILE_NAME),
        ("ready_file: ''", "ready_file", NO_FILE_NAME),
        ("ready_file: yes", "ready_file", "is true or false to YAML; put the word in quotes"),
        ("marker: /mnt/.mounted", "marker", NO_KEY),
        ("marker: ../.mounted", "marker", NO_KEY),
        ("marker: a/", "marker", NO_KEY),
        ("marker: ''", "marker", NO_KEY),
    ],
)
def test_a_wrong_value_names_its_line_and_remedy(
    write_config: WriteConfig, setting: str, place: str, reason: str
) -> None:
    [line] = refusal(write_config, setting)
    assert line.startswith(f"FILE:5: profiles.models.{place}: ")
    assert reason in line


def test_an_inner_setting_and_an_item_are_told_at_their_own_lines(
    write_config: WriteConfig,
) -> None:
    lines = refusal(
        write_config,
        "trash:",
        "  keep_days: 7",
        "  maxsize: 1GiB",
        "exclude:",
        "  - fine",
        "  - '!'",
    )
    assert [line.split(";")[0] for line in lines] == [
        "FILE:7: profiles.models.trash.maxsize: is no setting",
        "FILE:10: profiles.models.exclude.1: is not a gitignore pattern that is understood here",
    ]
    assert lines[0].endswith("did you mean max_size?")


def test_wrong_values_in_the_defaults_are_told_once(write_config: WriteConfig) -> None:
    lines = write_config(f"defaults: {{trash: {{keep_day: 7}}, exclude: x}}\n{MINIMAL}").refusal()
    assert sorted(line.partition(": is")[0].partition(": must")[0] for line in lines) == [
        "FILE:1: defaults.exclude",
        "FILE:1: defaults.trash.keep_day",
    ]
