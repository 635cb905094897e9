"""What a configuration file means: defaults, inheritance, paths, every setting's values."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.conftest import WriteConfig
from ubiops_file_sync.config.check import FileCheck
from ubiops_file_sync.config.yaml_source import read_yaml
from ubiops_file_sync.model import ConflictPolicy, Deletions, Direction

MINIMAL = "profiles:\n  models:\n    local_dir: /srv/models\n    project: my-project\n"


def test_a_minimal_file_gets_every_documented_default(write_config: WriteConfig) -> None:
    file = write_config(MINIMAL)
    settings = file.load({"XDG_STATE_HOME": "/var/home/state"})
    models = settings.profiles["models"]
    assert (models.name, models.local_dir) == ("models", Path("/srv/models"))
    assert (models.project, models.bucket, models.bucket_dir) == ("my-project", "default", "")
    assert (models.schedule, models.workers, models.settle) == ("*/5 * * * *", 16, 2.0)
    assert models.direction is Direction.TWO_WAY
    assert models.conflict is ConflictPolicy.NEWER_WINS
    assert models.deletions is Deletions.NONE
    assert models.api_host == "https://api.ubiops.com/v2.1"
    assert (models.token, models.token_env) == (None, "UBIOPS_API_TOKEN")
    assert settings.version == 1
    assert settings.timezone is None
    assert settings.state_dir == Path("/var/home/state/ubiops-file-sync")
    assert settings.source == str(file.path)
    assert settings.warnings == ()


def test_every_setting_of_a_profile_is_read(write_config: WriteConfig) -> None:
    models = (
        write_config(
            MINIMAL
            + "    bucket: other\n    bucket_dir: /models/v2/\n    schedule: '@hourly'\n"
            + "    direction: download\n    conflict: keep-both\n    deletions: none\n"
            + "    workers: 4\n    settle: 500ms\n    api_host: api.example.com\n"
            + "    token_env: OTHER_TOKEN\n"
        )
        .load()
        .profiles["models"]
    )
    assert (models.bucket, models.bucket_dir, models.prefix) == ("other", "models/v2", "models/v2/")
    assert (models.schedule, models.direction) == ("@hourly", Direction.DOWNLOAD)
    assert (models.conflict, models.workers, models.settle) == (ConflictPolicy.KEEP_BOTH, 4, 0.5)
    assert (models.api_host, models.token_env) == ("https://api.example.com/v2.1", "OTHER_TOKEN")


def test_defaults_hold_for_every_profile_that_does_not_say_otherwise(
    write_config: WriteConfig,
) -> None:
    profiles = (
        write_config(
            "defaults: {project: shared, workers: 4}\n"
            "profiles:\n"
            "  zebra: {local_dir: /z}\n"
            "  ape: {local_dir: /a, workers: 2, project: own}\n"
        )
        .load()
        .profiles
    )
    assert list(profiles) == ["zebra", "ape"]
    assert (profiles["zebra"].project, profiles["zebra"].workers) == ("shared", 4)
    assert (profiles["ape"].project, profiles["ape"].workers) == ("own", 2)


def test_merge_keys_work(write_config: WriteConfig) -> None:
    profiles = (
        write_config(
            "profiles:\n"
            "  one: &one {local_dir: /one, project: p, workers: 3}\n"
            "  two: {<<: *one, local_dir: /two, project: q}\n"
            "  three: {local_dir: /three, bucket: b, <<: [{workers: 5}, *one]}\n"
        )
        .load()
        .profiles
    )
    assert (profiles["two"].local_dir, profiles["two"].workers) == (Path("/two"), 3)
    assert (profiles["three"].local_dir, profiles["three"].workers) == (Path("/three"), 5)
    assert (profiles["three"].name, profiles["three"].project) == ("three", "p")


def test_an_alias_stands_for_a_whole_section(write_config: WriteConfig) -> None:
    profiles = (
        write_config(
            "profiles:\n"
            "  one: {local_dir: /one, project: p, trash: &kept {keep_days: 3}}\n"
            "  two: {local_dir: /two, project: q, trash: *kept}\n"
        )
        .load()
        .profiles
    )
    assert [profile.trash.keep_days for profile in profiles.values()] == [3, 3]


def test_paths_are_relative_to_the_file_and_tilde_is_home(write_config: WriteConfig) -> None:
    file = write_config(
        "state_dir: state\ntoken_file: secrets/token\n"
        "profiles:\n"
        "  here: {local_dir: data, project: p}\n"
        "  home: {local_dir: ~/data, project: q}\n"
    )
    settings = file.load()
    folder = file.path.parent
    assert settings.state_dir == folder / "state"
    assert settings.profiles["here"].local_dir == folder / "data"
    assert settings.profiles["here"].token_file == folder / "secrets/token"
    assert settings.profiles["home"].local_dir == Path.home() / "data"


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"STATE_DIRECTORY": "/var/lib/one"}, "/var/lib/one"),
        ({"STATE_DIRECTORY": "/var/lib/one:/var/lib/two"}, "/var/lib/one"),
        ({"STATE_DIRECTORY": "/var/lib/one", "XDG_STATE_HOME": "/x"}, "/var/lib/one"),
        ({"STATE_DIRECTORY": "", "XDG_STATE_HOME": "/x"}, "/x/ubiops-file-sync"),
    ],
)
def test_state_goes_where_systemd_or_the_desktop_keeps_it(
    write_config: WriteConfig, env: dict[str, str], expected: str
) -> None:
    assert write_config(MINIMAL).load(env).state_dir == Path(expected)


@pytest.mark.parametrize(
    ("path", "env", "expected"),
    [
        ("/etc/ubiops-file-sync/config.yaml", {}, "/var/lib/ubiops-file-sync"),
        ("/etc/ubiops-file-sync/site/x.yaml", {}, "/var/lib/ubiops-file-sync"),
        ("/etc/ubiops-file-sync/config.yaml", {"STATE_DIRECTORY": "/told"}, "/told"),
        ("/etc/ubiops-file-sync/../x.yaml", {}, "/x/ubiops-file-sync"),
        ("/etc/ubiops-file-sync.yaml", {}, "/x/ubiops-file-sync"),
    ],
)
def test_the_state_of_a_configuration_in_etc_is_the_system_services(
    path: str, env: dict[str, str], expected: str
) -> None:
    env = {"XDG_STATE_HOME": "/x", **env}
    check = FileCheck(read_yaml(MINIMAL, env), Path(path), is_private=True)
    assert check.settings(env).state_dir == Path(expected)
    told = FileCheck(read_yaml(f"state_dir: /mine\n{MINIMAL}", env), Path(path), is_private=True)
    assert told.settings(env).state_dir == Path("/mine")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("models", "models"),
        ("/models/", "models"),
        ("a/b", "a/b"),
        ("''", ""),
        ("/", ""),
        ("2024-01-31", "2024-01-31"),
        ("a b", "a b"),
    ],
)
def test_bucket_dir_is_normalised(write_config: WriteConfig, written: str, expected: str) -> None:
    models = write_config(f"{MINIMAL}    bucket_dir: {written}\n").load().profiles["models"]
    assert models.bucket_dir == expected
    assert models.prefix == (f"{expected}/" if expected else "")


@pytest.mark.parametrize("written", ["a//b", "../a", "a/..", ".", "./a", "..", "a/./b"])
def test_bucket_dir_without_a_plain_meaning_is_refused(
    write_config: WriteConfig, written: str
) -> None:
    [line] = write_config(f"{MINIMAL}    bucket_dir: {written}\n").refusal()
    assert line.startswith("FILE:5: profiles.models.bucket_dir: has an empty part, '.' or '..'")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("https://api.example.com/v2.1", "https://api.example.com/v2.1"),
        ("https://api.example.com/v2.1/", "https://api.example.com/v2.1"),
        ("https://api.example.com/v3", "https://api.example.com/v3"),
        ("https://api.example.com", "https://api.example.com/v2.1"),
        ("https://api.example.com/ubiops/", "https://api.example.com/ubiops/v2.1"),
        ("api.example.com", "https://api.example.com/v2.1"),
        ("api.example.com:8443", "https://api.example.com:8443/v2.1"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/v2.1"),
        ("'http://[::1]:8080'", "http://[::1]:8080/v2.1"),
    ],
)
def test_api_host_is_completed(write_config: WriteConfig, written: str, expected: str) -> None:
    settings = write_config(f"api_host: {written}\n{MINIMAL}").load()
    assert settings.profiles["models"].api_host == expected
    assert settings.warnings == ()


@pytest.mark.parametrize(
    "written",
    [
        "ftp://api.example.com",
        "'https://'",
        "https://api.example.com:port",
        "'https://[nowhere'",
        "https://api.example.com/v2.1?key=hunter2",
        "https://api.example.com/#hunter2",
        "https://api example.com",
        "https://user:hunter2@api.example.com",
        "hunter2@api.example.com",
    ],
)
def test_api_host_that_is_no_plain_address_is_refused_unquoted(
    write_config: WriteConfig, written: str
) -> None:
    [line] = write_config(f"api_host: {written}\n{MINIMAL}").refusal()
    assert line.startswith("FILE:1: api_host: ")
    assert "hunter2" not in line
    assert ":port" not in line


def test_an_unencrypted_address_elsewhere_is_warned_about_once(write_config: WriteConfig) -> None:
    settings = write_config(
        "api_host: http://10.0.0.7\n"
        "profiles:\n"
        "  a: {local_dir: /a, project: p}\n"
        "  b: {local_dir: /b, project: q}\n"
        "  c: {local_dir: /c, project: p, api_host: http://localhost:80}\n"
    ).load()
    [warning] = settings.warnings
    assert warning.startswith("http://10.0.0.7/v2.1: the token travels unencrypted")


def test_the_nearest_api_host_wins(write_config: WriteConfig) -> None:
    profiles = (
        write_config(
            "api_host: https://top.example.com\n"
            "defaults: {api_host: https://mid.example.com, project: p}\n"
            "profiles:\n"
            "  a: {local_dir: /a}\n"
            "  b: {local_dir: /b, api_host: https://own.example.com}\n"
        )
        .load()
        .profiles
    )
    assert profiles["a"].api_host == "https://mid.example.com/v2.1"
    assert profiles["b"].api_host == "https://own.example.com/v2.1"


HOST = {"UBIOPS_API_HOST": "ubiops.example.com"}


def test_a_file_that_names_no_host_takes_that_of_the_variable(write_config: WriteConfig) -> None:
    models = write_config(MINIMAL).load(HOST).profiles["models"]
    assert models.api_host == "https://ubiops.example.com/v2.1"


@pytest.mark.parametrize("value", ["", " "])
def test_a_host_variable_without_a_value_is_none(write_config: WriteConfig, value: str) -> None:
    models = write_config(MINIMAL).load({"UBIOPS_API_HOST": value}).profiles["models"]
    assert models.api_host == "https://api.ubiops.com/v2.1"


@pytest.mark.parametrize(
    "content",
    [
        f"api_host: https://own.example.com\n{MINIMAL}",
        f"defaults: {{api_host: https://own.example.com}}\n{MINIMAL}",
        f"{MINIMAL}    api_host: https://own.example.com\n",
    ],
)
def test_a_host_in_the_file_goes_before_the_variable(
    write_config: WriteConfig, content: str
) -> None:
    models = write_config(content).load(HOST).profiles["models"]
    assert models.api_host == "https://own.example.com/v2.1"


def test_a_host_variable_that_is_no_address_is_named_and_not_quoted(
    write_config: WriteConfig,
) -> None:
    env = {"UBIOPS_API_HOST": "https://user:hunter2@example.com"}
    [line] = write_config(MINIMAL).refusal(env)
    assert line.startswith("FILE: api_host: the variable UBIOPS_API_HOST holds a user name or pass")
    assert "hunter2" not in line


@pytest.mark.parametrize("head", ["api_host: a.example.com", "defaults: {api_host: a.example.com}"])
def test_a_host_variable_that_nobody_asks_is_not_complained_of(
    write_config: WriteConfig, head: str
) -> None:
    settings = write_config(f"{head}\n{MINIMAL}").load({"UBIOPS_API_HOST": "ftp://nowhere"})
    assert settings.profiles["models"].api_host == "https://a.example.com/v2.1"


@pytest.mark.parametrize("zone", ["Europe/Amsterdam", "UTC"])
def test_timezone_is_an_iana_name(write_config: WriteConfig, zone: str) -> None:
    assert write_config(f"timezone: {zone}\n{MINIMAL}").load().timezone == zone


@pytest.mark.parametrize(
    ("zone", "hint"),
    [
        ("Europe/Amstrdam", "did you mean Europe/Amsterdam?"),
        ("europe/paris ", "did you mean Europe/Paris?"),
        ("Europe", "time zone"),
        ("../../etc/passwd", "time zone"),
        ("'x'", "write one such as Europe/Amsterdam"),
        ("''", "time zone"),
    ],
)
def test_an_unknown_timezone_is_refused(write_config: WriteConfig, zone: str, hint: str) -> None:
    [line] = write_config(f"timezone: {zone}\n{MINIMAL}").refusal()
    assert line.startswith("FILE:1: timezone: is not a time zone")
    assert hint in line


@pytest.mark.parametrize(
    "written", ["'*/5 * * * *'", "'@daily'", "0 3 * * 1-5", "'* * * * * */10'"]
)
def test_schedules_that_cron_knows_pass(write_config: WriteConfig, written: str) -> None:
    models = write_config(f"{MINIMAL}    schedule: {written}\n").load().profiles["models"]
    assert models.schedule == written.strip("'")


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("every day", "is not a schedule; write five cron fields"),
        ("'61 * * * *'", "is not a schedule"),
        ("'* * * *'", "is not a schedule"),
        ("''", "is not a schedule"),
        ("0 0 30 2 *", "never comes"),
        ("*/5 * * * *", "begins with '*'"),
    ],
)
def test_other_schedules_are_refused(write_config: WriteConfig, written: str, reason: str) -> None:
    [line] = write_config(f"{MINIMAL}    schedule: {written}\n").refusal()
    assert line.startswith("FILE:5: ")
    assert reason in line


@pytest.mark.parametrize("name", ["a", "2024", "no", "on", "my.profile_1-x", "null", "a" * 64])
def test_profile_names_need_no_quotes(write_config: WriteConfig, name: str) -> None:
    settings = write_config(f"profiles: {{{name}: {{local_dir: /a, project: p}}}}").load()
    assert list(settings.profiles) == [name]


@pytest.mark.parametrize("name", ["-a", ".a", "_a", "a/b", "a b", "é", "'a\\n'", "''", "a" * 65])
def test_profile_names_that_make_no_file_names_are_refused(
    write_config: WriteConfig, name: str
) -> None:
    [line] = write_config(f"profiles: {{{name}: {{local_dir: /a, project: p}}}}").refusal()
    assert "a profile's name becomes a file name" in line


@pytest.mark.parametrize(
    ("text", "bytes_per_s"),
    [("20MiB/s", 20 * 1024**2), ("500 kB/s", 500_000), ("65536", 65_536), ("1.5MiB/s", 1_572_864)],
)
def test_a_bandwidth_limit_is_that_of_every_profile(
    write_config: WriteConfig, text: str, bytes_per_s: int
) -> None:
    settings = write_config(f"bandwidth_limit: {text}\n{MINIMAL}").load()
    assert [profile.bandwidth_limit for profile in settings.profiles.values()] == [bytes_per_s]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("20MiB", "is not a rate; write 500kB/s, 20MiB/s or a number of bytes a second"),
        ("fast", "is not a rate; write 500kB/s, 20MiB/s or a number of bytes a second"),
        ("-1", "is not a rate; write 500kB/s, 20MiB/s or a number of bytes a second"),
        ("1kB/s", "is too slow for connections to stay alive; write at least 64KiB/s"),
    ],
)
def test_a_bandwidth_limit_that_is_none_is_refused(
    write_config: WriteConfig, text: str, message: str
) -> None:
    [line] = write_config(f"bandwidth_limit: {text}\n{MINIMAL}").refusal()
    assert line == f"FILE:1: bandwidth_limit: {message}"


def test_a_bandwidth_limit_of_one_profile_is_refused(write_config: WriteConfig) -> None:
    for text in ("defaults: {bandwidth_limit: 1MiB/s}\n", ""):
        inner = "" if text else "    bandwidth_limit: 1MiB/s\n"
        [line] = write_config(f"{text}{MINIMAL}{inner}").refusal()
        assert line.endswith("is a setting of the whole file; move it to the left margin")


def test_a_file_is_big_from_5_mib_on(write_config: WriteConfig) -> None:
    models = write_config(f"{MINIMAL}    multipart_threshold: 5MiB\n").load().profiles["models"]
    assert models.multipart_threshold == 5 * 1024**2
    [line] = write_config(f"{MINIMAL}    multipart_threshold: 4MiB\n").refusal()
    assert line.endswith("is less than 5MiB, the smallest part that S3 takes; write more")


@pytest.mark.parametrize(
    ("text", "share"), [("0.5", 0.5), ("1", 1.0), ("${SHARE}", 0.25), ("'0.75'", 0.75), (".5", 0.5)]
)
def test_the_share_of_the_quota_holds_for_every_profile(
    write_config: WriteConfig, text: str, share: float
) -> None:
    settings = write_config(f"quota_share: {text}\n{MINIMAL}").load({"SHARE": "0.25"})
    assert {profile.quota_share for profile in settings.profiles.values()} == {share}


def test_nine_tenths_of_the_quota_are_spent_by_default(write_config: WriteConfig) -> None:
    settings = write_config(MINIMAL).load()
    assert {profile.quota_share for profile in settings.profiles.values()} == {0.9}


@pytest.mark.parametrize(
    "text", ["0", "-0.1", "1.01", "90", "90%", "yes", ".inf", ".nan", "[0.5]", "half", "'0x1'"]
)
def test_a_share_that_is_none_is_refused(write_config: WriteConfig, text: str) -> None:
    assert write_config(f"quota_share: {text}\n{MINIMAL}").refusal() == [
        "FILE:1: quota_share: is not a share; write a number above 0 and up to 1, such as 0.9"
    ]


def test_a_share_without_a_value_is_refused(write_config: WriteConfig) -> None:
    assert write_config(f"quota_share:\n{MINIMAL}").refusal() == [
        "FILE:1: quota_share: is empty; give it a value or remove the line"
    ]


@pytest.mark.parametrize("place", ["defaults", "profile"])
def test_a_share_is_no_matter_of_one_profile(write_config: WriteConfig, place: str) -> None:
    head = "defaults: {quota_share: 0.5}\n" if place == "defaults" else ""
    tail = "" if head else "    quota_share: 2\n"
    [line] = write_config(head + MINIMAL.rstrip("\n") + "\n" + tail).refusal()
    assert "quota_share: is a setting of the whole file; move it to the left margin" in line
