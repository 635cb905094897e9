"""What a file says of schedules, hooks, the log and the metrics."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from config.conftest import WriteConfig
from ubiops_file_sync.config import Address, Log, LogFormat, LogLevel, Metrics, Profile, Settings
from ubiops_file_sync.errors import UsageError
from ubiops_file_sync.schedule import Cron, Every, Timing

MINIMAL = "profiles:\n  models:\n    local_dir: /srv/models\n    project: my-project\n"
NO_LENGTH = "is not a length of time; write 500ms, 2s, 5m, 1h, 1d, 1w or a number of seconds"
NO_ADDRESS = "is not an address to listen at; write one such as 127.0.0.1:9467"
NEEDS_SHELL = "runs without a shell, which '|', '>', '&&' and the like need"


def load(write_config: WriteConfig, *lines: str) -> Profile:
    text = MINIMAL + "".join(f"    {line}\n" for line in lines)
    return write_config(text).load().profiles["models"]


def timings(settings: Settings) -> dict[str, Timing]:
    return {name: settings.timing(profile) for name, profile in settings.profiles.items()}


def test_what_is_not_said_has_its_documented_default(write_config: WriteConfig) -> None:
    settings = write_config(MINIMAL).load()
    models = settings.profiles["models"]
    assert (models.enabled, models.every, models.timezone) == (True, None, None)
    assert (models.jitter, models.run_on_start, models.max_backoff) == (0.0, True, 3600.0)
    assert (models.on_failure, models.on_change, models.hook_timeout) == ((), (), 60.0)
    assert (settings.max_concurrent_profiles, settings.stop_timeout) == (4, 30.0)
    assert settings.history_days == 90
    assert settings.log == Log(level=LogLevel.INFO, format=LogFormat.TEXT, backups=5)
    assert (settings.log.file, settings.log.max_size) == (None, 10 * 1024**2)
    assert settings.metrics is None
    assert settings.timing(models) == Timing(Cron("*/5 * * * *"), 0.0, True, 3600.0)


def test_every_setting_of_the_service_is_read(write_config: WriteConfig) -> None:
    file = write_config(
        "max_concurrent_profiles: 64\nstop_timeout: 2m\nhistory_days: 7\n"
        "log: {file: log/sync.log, level: debug, format: json, max_size: 1MiB, backups: 9}\n"
        "metrics: {listen: '127.0.0.1:9467', textfile: metrics/sync.prom}\n" + MINIMAL
    )
    settings, folder = file.load(), file.path.parent
    assert (settings.max_concurrent_profiles, settings.stop_timeout) == (64, 120.0)
    assert settings.history_days == 7
    assert settings.log.file == folder / "log/sync.log"
    assert (settings.log.level, settings.log.format) == (LogLevel.DEBUG, LogFormat.JSON)
    assert (settings.log.max_size, settings.log.backups) == (1024**2, 9)
    assert settings.metrics == Metrics(
        listen="127.0.0.1:9467", textfile=folder / "metrics/sync.prom"
    )
    assert settings.warnings == ()


def test_every_setting_of_a_schedule_is_read(write_config: WriteConfig) -> None:
    settings = write_config(
        MINIMAL
        + "    enabled: false\n    every: 30s\n    jitter: 5s\n    run_on_start: no\n"
        + "    max_backoff: 10m\n    hook_timeout: 5m\n"
    ).load()
    models = settings.profiles["models"]
    assert (models.enabled, models.hook_timeout) == (False, 300.0)
    assert settings.timing(models) == Timing(Every(30.0), 5.0, False, 600.0)


def test_the_nearest_schedule_wins_whatever_its_kind(write_config: WriteConfig) -> None:
    settings = write_config(
        "defaults: {every: 1h, project: p}\n"
        "profiles:\n"
        "  inherits: {local_dir: /a, bucket_dir: a}\n"
        "  cron: {local_dir: /b, bucket_dir: b, schedule: '@daily'}\n"
        "  own: {local_dir: /c, bucket_dir: c, every: 90}\n"
    ).load()
    assert {name: timing.schedule for name, timing in timings(settings).items()} == {
        "inherits": Every(3600.0),
        "cron": Cron("@daily"),
        "own": Every(90.0),
    }
    settings = write_config(f"defaults: {{schedule: '@daily'}}\n{MINIMAL}    every: 1m\n").load()
    assert timings(settings)["models"].schedule == Every(60.0)


@pytest.mark.parametrize("lines", [("every: 1m", "schedule: '@daily'")])
def test_one_level_has_one_schedule(write_config: WriteConfig, lines: tuple[str, ...]) -> None:
    text = MINIMAL + "".join(f"    {line}\n" for line in lines)
    [line] = write_config(text).refusal()
    assert line == (
        "FILE:6: profiles.models.schedule: is one schedule too many; give only one of schedule "
        "and every"
    )
    with pytest.raises(ValidationError, match="give only one of schedule and every"):
        Profile(name="x", local_dir="/data", project="p", schedule="@daily", every=60)


def test_the_nearest_time_zone_is_that_of_the_schedule(write_config: WriteConfig) -> None:
    settings = write_config(
        "timezone: Europe/Amsterdam\n"
        "defaults: {project: p, schedule: '0 12 * * *'}\n"
        "profiles:\n"
        "  here: {local_dir: /a, bucket_dir: a}\n"
        "  there: {local_dir: /b, bucket_dir: b, timezone: America/New_York}\n"
    ).load()
    after = datetime(2026, 7, 1, tzinfo=UTC)
    hours = {}
    for name, timing in timings(settings).items():
        assert isinstance(timing.schedule, Cron)
        hours[name] = timing.schedule.next_tick(after).hour
    assert hours == {"here": 10, "there": 16}
    assert settings.zone(settings.profiles["there"]) == ZoneInfo("America/New_York")


def test_a_time_zone_of_settings_in_python_is_that_of_its_profiles() -> None:
    profile = Profile(name="x", local_dir="/data", project="p")
    settings = Settings(profiles={"x": profile}, timezone="Europe/Amsterdam")
    assert settings.zone(profile) == ZoneInfo("Europe/Amsterdam")
    assert Settings(profiles={"x": profile}).zone(profile) is None


def test_schedules_are_written_with_any_spaces(write_config: WriteConfig) -> None:
    assert load(write_config, "schedule: '  0   3 * *  1-5 '").schedule == "0 3 * * 1-5"


def test_a_disabled_profile_runs_only_if_it_is_named(write_config: WriteConfig) -> None:
    settings = write_config(
        "defaults: {project: p}\n"
        "profiles:\n"
        "  on: {local_dir: /a, bucket_dir: a}\n"
        "  off: {local_dir: /b, bucket_dir: b, enabled: false}\n"
    ).load()
    assert [profile.name for profile in settings.select_to_run([])] == ["on"]
    assert [profile.name for profile in settings.select_to_run(["off"])] == ["off"]
    assert [profile.name for profile in settings.select([])] == ["on", "off"]
    settings = write_config(f"{MINIMAL}    enabled: false\n").load()
    with pytest.raises(UsageError, match="no profile is enabled; name one to run it"):
        settings.select_to_run([])


@pytest.mark.parametrize(
    ("written", "command"),
    [
        ("notify-send failed", ("notify-send", "failed")),
        ("\"mail -s 'It failed' me\"", ("mail", "-s", "It failed", "me")),
        ("[notify-send, 'a | b', '']", ("notify-send", "a | b", "")),
        ("[sh, -c, 'a && b > c']", ("sh", "-c", "a && b > c")),
        ("/usr/local/bin/alert", ("/usr/local/bin/alert",)),
        ("[]", ()),
    ],
)
def test_a_hook_is_a_command_line_or_a_list_of_words(
    write_config: WriteConfig, written: str, command: tuple[str, ...]
) -> None:
    models = load(write_config, f"on_failure: {written}", f"on_change: {written}")
    assert (models.on_failure, models.on_change) == (command, command)


def test_a_hook_named_by_a_path_is_found_where_other_paths_begin(
    write_config: WriteConfig,
) -> None:
    file = write_config(f"{MINIMAL}    on_change: ./hooks/changed -v\n    on_failure: ~/bin/x\n")
    models = file.load().profiles["models"]
    assert models.on_change == (str(file.path.parent / "hooks/changed"), "-v")
    assert models.on_failure == (str(Path.home() / "bin/x"),)


def test_a_profile_need_not_have_the_hook_of_the_defaults(write_config: WriteConfig) -> None:
    text = f"defaults: {{on_failure: alert}}\n{MINIMAL}    on_failure: []\n"
    assert write_config(text).load().profiles["models"].on_failure == ()


@pytest.mark.parametrize(
    ("written", "address", "is_private"),
    [
        ("127.0.0.1:9467", Address("127.0.0.1", 9467), True),
        ("localhost:1", Address("localhost", 1), True),
        ("'[::1]:65535'", Address("::1", 65_535), True),
        ("0.0.0.0:9467", Address("0.0.0.0", 9467), False),
        ("'[::]:9467'", Address("::", 9467), False),
        ("metrics.example.com:80", Address("metrics.example.com", 80), False),
    ],
)
def test_metrics_that_others_may_read_are_warned_about(
    write_config: WriteConfig, written: str, address: Address, is_private: bool
) -> None:
    file = write_config(f"metrics:\n  listen: {written}\n{MINIMAL}")
    settings = file.load()
    assert settings.metrics is not None
    assert settings.metrics.listen == address
    start = f"{file.path}:2: metrics.listen: anyone who can reach this machine may read the metrics"
    assert [warning[: len(start)] for warning in settings.warnings] == (
        [] if is_private else [start]
    )


@pytest.mark.parametrize(
    ("setting", "place", "reason"),
    [
        ("enabled: 'false'", "enabled", "must be true or false; write one of them without quotes"),
        ("enabled: 1", "enabled", "must be true or false"),
        ("enabled:", "enabled", "is empty; give it a value or remove the line"),
        ("run_on_start: maybe", "run_on_start", "must be true or false"),
        ("every: 0", "every", "is too short; write at least 1s"),
        ("every: 500ms", "every", "is too short; write at least 1s"),
        ("every: '@hourly'", "every", NO_LENGTH),
        ("every:", "every", "is empty; give it a value or remove the line"),
        ("schedule: 5m", "schedule", "is not a schedule; write five cron fields"),
        ("schedule: 0 0 31 2 *", "schedule", "never comes; name a day that the calendar has"),
        ("schedule: 0 0 1 1 * 0 2030", "schedule", "has seven fields; leave out the last"),
        ("schedule: 0 */5 * * * *", "schedule", "would run every second of its minute"),
        ("schedule: R * * * *", "schedule", "has an H or R in it"),
        ("schedule: 5", "schedule", "is a number to YAML; put it in quotes"),
        ("timezone: Europe/Amstrdam", "timezone", "did you mean Europe/Amsterdam?"),
        ("jitter: -1s", "jitter", NO_LENGTH),
        ("max_backoff: long", "max_backoff", NO_LENGTH),
        ("hook_timeout: 0", "hook_timeout", "is too short; write at least 1s"),
        ("on_failure: ''", "on_failure", "is empty; write a command, or [] for none"),
        ("on_failure:", "on_failure", "is empty; give it a value or remove the line"),
        ("on_failure: 5", "on_failure", "is not a command; write it as you would type it"),
        ("on_failure: {a: b}", "on_failure", "is not a command"),
        ('on_failure: "it\'s"', "on_failure", "ends within quotes or after a backslash"),
        ("on_failure: a | b", "on_failure", NEEDS_SHELL),
        ("on_failure: a; b", "on_failure", NEEDS_SHELL),
        ("on_failure: a > b", "on_failure", NEEDS_SHELL),
        ("on_failure: [a, 5]", "on_failure.1", "is a number to YAML; put it in quotes"),
        ("on_failure: ['', b]", "on_failure", "names no program; begin with one"),
        ('on_failure: ["a", "b\\0"]', "on_failure.1", "has a NUL character in it"),
        ("log: {level: debug}", "log", "is a setting of the whole file; move it to the left"),
        ("stop_timeout: 1s", "stop_timeout", "is a setting of the whole file"),
        ("listen: '127.0.0.1:1'", "listen", "is a setting of metrics; move it below 'metrics:'"),
    ],
)
def test_a_wrong_setting_of_a_profile_names_its_line_and_remedy(
    write_config: WriteConfig, setting: str, place: str, reason: str
) -> None:
    [line] = write_config(f"{MINIMAL}    {setting}\n").refusal()
    assert line.startswith(f"FILE:5: profiles.models.{place}: ")
    assert reason in line


@pytest.mark.parametrize(
    ("setting", "place", "reason"),
    [
        ("max_concurrent_profiles: 0", "max_concurrent_profiles", "is too small; write at least 1"),
        ("max_concurrent_profiles: 65", "max_concurrent_profiles", "is too large; write at most"),
        ("stop_timeout: soon", "stop_timeout", NO_LENGTH),
        ("history_days: -1", "history_days", "is too small; write at least 0"),
        ("history_days:", "history_days", "is empty; give it a value or remove the line"),
        ("every: 5m", "every", "is a setting of profiles; move it under defaults or a profile"),
        ("log:", "log", "is empty; give it a value or remove the line"),
        ("log: debug", "log", "must hold 'key: value' lines"),
        ("log: {file:}", "log.file", "is empty; give it a value or remove the line"),
        ("log: {file: ''}", "log.file", "is empty; give the path of a file or folder"),
        ("log: {level: verbose}", "log.level", "must be 'debug', 'info', 'warning' or 'error'"),
        ("log: {level: warn}", "log.level", "did you mean warning?"),
        ("log: {format: xml}", "log.format", "must be 'text' or 'json'"),
        ("log: {max_size: big}", "log.max_size", "is not a size"),
        ("log: {max_size: 1kB}", "log.max_size", "is too small for a log file; write at least"),
        ("log: {backups: 0}", "log.backups", "is too small; write at least 1"),
        ("log: {backups: yes}", "log.backups", "must be a whole number"),
        ("log: {backup: 5}", "log.backup", "is no setting; did you mean backups?"),
        ("log: {listen: x}", "log.listen", "is a setting of metrics; move it below 'metrics:'"),
        ("level: debug", "level", "is a setting of log; move it below 'log:'"),
        ("metrics: {}", "metrics", "names no place for the metrics; add listen, textfile or both"),
        ("metrics: '127.0.0.1:9467'", "metrics", "must hold 'key: value' lines"),
        ("metrics: {listen:}", "metrics.listen", "is empty; give it a value or remove the line"),
        ("metrics: {listen: 9467}", "metrics.listen", NO_ADDRESS),
        ("metrics: {listen: '127.0.0.1'}", "metrics.listen", NO_ADDRESS),
        ("metrics: {listen: ':9467'}", "metrics.listen", NO_ADDRESS),
        ("metrics: {listen: '127.0.0.1:0'}", "metrics.listen", NO_ADDRESS),
        ("metrics: {listen: '127.0.0.1:65536'}", "metrics.listen", NO_ADDRESS),
        ("metrics: {listen: '::1:9467'}", "metrics.listen", NO_ADDRESS),
        ("metrics: {listen: '[1:2]:9467'}", "metrics.listen", NO_ADDRESS),
        ("metrics: {listen: 'http://localhost:9467'}", "metrics.listen", NO_ADDRESS),
        ("metrics: {listen: [a, 1]}", "metrics.listen", NO_ADDRESS),
        ("metrics: {textfile: /var/x.txt}", "metrics.textfile", "must end in .prom, for node_exp"),
    ],
)
def test_a_wrong_setting_of_the_service_names_its_line_and_remedy(
    write_config: WriteConfig, setting: str, place: str, reason: str
) -> None:
    [line] = write_config(f"{setting}\n{MINIMAL}").refusal()
    assert line.startswith(f"FILE:1: {place}: ")
    assert reason in line


@pytest.mark.parametrize(
    ("setting", "what"),
    [
        ("log: {file: /srv/models/logs/sync.log}", "the log file /srv/models/logs/sync.log"),
        ("metrics: {textfile: /srv/models/x.prom}", "the metrics file /srv/models/x.prom"),
    ],
)
def test_what_each_pass_changes_may_not_be_synchronised(
    write_config: WriteConfig, setting: str, what: str
) -> None:
    [line] = write_config(f"{setting}\n{MINIMAL}").refusal()
    assert f"{what} lies below the local_dir of profile 'models'" in line
