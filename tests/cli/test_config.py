"""`check-config`, `config show` and `schema` as a user types them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
import yaml

from cli.conftest import Shell
from ubiops_file_sync.config import load_settings

SECRET = "3f786850e387550fdab836ed7e6dc881de23001b"
TWO = """\
version: 1
state_dir: state
timezone: Europe/Amsterdam
defaults:
  project: ${PROJECT:-demo}
  on_failure: sh -c 'curl https://hooks.example.com/very-secret'
profiles:
  models:
    local_dir: files
    schedule: "30 2 * * *"
    jitter: 20s
  results:
    local_dir: other
    bucket_dir: results
    bucket: other
    every: 90
    enabled: false
"""


def test_a_good_configuration_says_what_was_read_and_when_passes_come(shell: Shell) -> None:
    path = shell.config(TWO)
    done = shell("check-config")
    assert (done.returncode, done.stderr) == (0, "")
    head, *lines = done.stdout.splitlines()
    assert head == f"{path}: 2 profiles; it can be used"
    assert lines[0] == f"models: {shell.files} and demo/default/"
    assert lines[1].startswith("  two-way, schedule '30 2 * * *'; next tick ")
    assert "02:30:00 +0" in lines[1]
    assert lines[1].endswith(", up to 20s later")
    assert lines[3] == "  two-way, every 90s; not enabled, so a service leaves it out"
    assert lines[4] == f"state: {shell.cwd / 'state'}"


def test_a_program_is_told_the_same(shell: Shell) -> None:
    shell.config(TWO)
    told = shell.json("check-config")
    assert (told["exit_code"], told["problems"], told["warnings"]) == (0, [], [])
    models, results = told["profiles"]
    tick = datetime.fromisoformat(models["next_tick"])
    assert (tick.hour, tick.minute) == (2, 30)
    assert tick > datetime.now(UTC)
    assert (models["schedule"], results["every_s"], results["next_tick"]) == (
        "30 2 * * *",
        90,
        None,
    )


def test_everything_that_is_wrong_is_told_at_once_with_line_and_fix(shell: Shell) -> None:
    path = shell.config(
        "profiles:\n  models:\n    local_dir: files\n    workers: 99\n    bukcet: x\n"
    )
    done = shell("check-config")
    assert done.returncode == 78
    assert done.stdout == f"{path}: 3 problems\n"
    assert done.stderr.splitlines() == [
        f"problem: {path}:2: profiles.models.project: is missing; add it here or under defaults",
        f"problem: {path}:4: profiles.models.workers: is too large; write at most 64",
        f"problem: {path}:5: profiles.models.bukcet: is no setting; did you mean bucket?",
    ]
    told = shell.json("check-config")
    assert told["exit_code"] == 78
    assert told["problems"][1] == {
        "file": str(path),
        "line": 4,
        "setting": "profiles.models.workers",
        "what": "is too large",
        "fix": "write at most 64",
    }


def test_a_token_that_a_service_may_have_is_a_warning_and_one_that_nobody_has_is_not(
    shell: Shell,
) -> None:
    path = shell.config(TWO)
    del shell.env["UBIOPS_API_TOKEN"]
    done = shell("check-config")
    assert done.returncode == 0
    assert done.stderr == (
        f"warning: {path}: token_env: environment variable UBIOPS_API_TOKEN is not set; set it to "
        "the service user's token, or name another place with token_env or token_file\n"
    )
    path = shell.config(TWO.replace("version: 1", "token_file: tokne"))
    done = shell("check-config")
    assert done.returncode == 78
    [line] = done.stderr.splitlines()
    assert line.startswith(f"problem: {path}:1: token_file: token file {shell.cwd / 'tokne'} ")
    (shell.cwd / "tokne").write_text(f"{SECRET} {SECRET}")
    done = shell("check-config")
    assert "is not one token on one line" in done.stderr
    assert SECRET not in done.stderr


def test_a_command_that_is_nowhere_is_a_warning(shell: Shell) -> None:
    shell.config(TWO.replace("sh -c", "no-such-program"))
    done = shell("check-config")
    assert done.returncode == 0
    assert "6: on_failure: there is no program no-such-program" in done.stderr


def test_no_configuration_at_all_says_how_to_begin(shell: Shell) -> None:
    done = shell("check-config")
    assert done.returncode == 78
    assert "no configuration was found" in done.stderr
    assert "To begin" in done.stderr


def test_variables_alone_are_a_configuration_too(shell: Shell) -> None:
    shell.env |= {
        "BUCKET_PROJECT_NAME": "demo",
        "BUCKET_NAME": "default",
        "BUCKET_DIR": "data",
        "LOCAL_SYNC_DIR": "files",
        "OVERWRITE_NEWER_FILES": "false",
    }
    done = shell("check-config")
    assert done.stdout.startswith("environment variables: 1 profile; it can be used\n")
    lines = shell("config", "show", "--origin").stdout.splitlines()
    assert "bucket_dir: data # variable BUCKET_DIR" in {" ".join(line.split()) for line in lines}
    conflict = next(line for line in lines if "conflict:" in line)
    assert conflict.endswith("# variable OVERWRITE_NEWER_FILES")


@pytest.mark.parametrize("options", [(), ("--origin",)])
def test_what_is_shown_is_a_configuration_that_says_the_same(
    shell: Shell, options: tuple[str, ...]
) -> None:
    path = shell.config(TWO + "    exclude: ['*.tmp', 'a $${b}']\n    trash: {keep_days: 3}\n")
    done = shell("config", "show", *options)
    assert (done.returncode, done.stderr) == (0, "")
    shown = shell.cwd / "shown.yaml"
    shown.write_text(done.stdout)
    shown.chmod(0o600)
    again, first = load_settings(shown, {}), load_settings(path, {})
    quiet = {"source", "warnings"}
    assert again.model_dump(exclude=quiet) == first.model_dump(exclude=quiet)


def test_each_value_says_where_it_comes_from(shell: Shell) -> None:
    shell.config(TWO)
    shell.env["UBIOPS_API_HOST"] = shell.server.api_host
    lines = shell("config", "show", "--origin").stdout.splitlines()
    models = lines[lines.index("  models:") : lines.index("  results:")]
    places = {
        line.split(":")[0].strip(): line.partition("  # ")[2] for line in models if "  # " in line
    }
    name = "ubiops-file-sync.yaml"
    assert places["local_dir"] == f"{name}:9"
    assert places["project"] == f"{name}:5, the defaults, with variables"
    assert places["timezone"] == f"{name}:3"
    assert places["api_host"] == "variable UBIOPS_API_HOST"
    assert places["workers"] == "built in"
    results = lines[lines.index("  results:") :]
    assert not [line for line in results if line.strip().startswith("schedule:")]


def test_no_token_ever_shows_and_what_commands_are_given_only_if_wanted(shell: Shell) -> None:
    path = shell.config(TWO.replace("version: 1", f"token: {SECRET}"))
    shown = shell("config", "show")
    assert SECRET not in shown.stdout + shown.stderr
    assert "token: '***'" in shown.stdout
    assert "very-secret" in shown.stdout
    redacted = shell("config", "show", "--redacted")
    assert "very-secret" not in redacted.stdout
    assert "on_failure: [sh, '***', '***']" in redacted.stdout
    assert path.exists()


def test_a_configuration_that_cannot_be_used_is_not_shown(shell: Shell) -> None:
    shell.config("profiles: {a: {}}")
    done = shell("config", "show")
    assert (done.returncode, done.stdout) == (78, "")
    assert "local_dir: is missing" in done.stderr


def test_the_schema_is_one_that_editors_can_use(shell: Shell, tmp_path: Path) -> None:
    done = shell("schema")
    assert (done.returncode, done.stderr) == (0, "")
    schema = json.loads(done.stdout)
    jsonschema.validate(yaml.safe_load(TWO), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"profiles": {"a": {"bukcet": "x"}}}, schema)
