"""What is wrong with a configuration, or with a token."""

from __future__ import annotations

from messages.stage import UNKNOWN_TOKEN, Stage, scene

CONFIGURATION, TOKEN = "The configuration", "The token"
HEAD = "profiles:\n  models:\n    local_dir: ./files\n    project: my-project\n"

BROKEN_YAML: dict[str, str | bytes] = {
    "nothing": "",
    "a list": "- models\n",
    "no profiles": "version: 1\nprofiles:\n",
    "a tab": "version: 1\nprofiles:\n\tmodels:\n",
    "an open quote": "api_host: 'https://api.ubiops.com\nprofiles: {}\n",
    "an open bracket": "profiles:\n  models: [unclosed\n",
    "a colon too many": "version: 1\napi_host: https: //x\n",
    "a line without a colon": "version: 1\nprofiles\nlog: {}\n",
    "indentation that does not fit": HEAD + "   bucket: default\n",
    "a list where settings are": HEAD + "  - bucket\n",
    "a control character": "version: 1\napi_host: \x01\n",
    "an alias of nothing": "api_host: *nowhere\n",
    "a special character": "api_host: @here\n",
    "a tag": HEAD + "    bucket: !secret x\n",
    "a setting twice": HEAD + "    project: other\n",
    "a merge of nothing": HEAD + "    <<: 5\n",
    "a key that is no word": HEAD + "    ? [a, b]\n    : x\n",
    "a second document": HEAD + "---\nversion: 1\n",
    "no UTF-8": b"# \xe9t\xe9\n" + HEAD.encode(),
    "aliases without end": "defaults: &a [*a]\n",
    "a megabyte": "#" * (1 << 20) + "\n",
    "a variable that is not set": HEAD + "    bucket: ${BUCKET_OF_MINE}\n",
}


@scene(CONFIGURATION)
def none_at_all(stage: Stage) -> None:
    """There is none."""
    stage.run("reconcile")
    stage.run("doctor", "-q")


@scene(CONFIGURATION)
def named_and_missing(stage: Stage) -> None:
    """The file that was named is not there."""
    stage.run("check-config", "--config", "models.yaml")


@scene(CONFIGURATION)
def a_folder(stage: Stage) -> None:
    """A folder was named."""
    stage.run("check-config", "--config", "files")


@scene(CONFIGURATION)
def unreadable(stage: Stage) -> None:
    """It may not be read."""
    stage.forbid(stage.profile())
    stage.run("check-config")


@scene(CONFIGURATION)
def no_yaml(stage: Stage) -> None:
    """It is no YAML, or none that can be used.

    Each file by itself, and what is said of it.
    """
    for what, content in BROKEN_YAML.items():
        path = stage.cwd / "ubiops-file-sync.yaml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(0o600)
        done = stage("check-config")
        assert done.returncode == 78, what
        stage.shown.append(f"{what}:")
        told = stage.same(done.stderr).replace("/home/you/work/", "")
        stage.shown.extend(f"  {line}" for line in told.splitlines())


@scene(CONFIGURATION)
def many_mistakes(stage: Stage) -> None:
    """Many mistakes are told at once.

    Each at its line, in the order of the file; `reconcile` says the same, and does nothing.
    """
    path = stage.config(
        "version: 2\n"
        "timzone: UTC\n"
        "workers: 4\n"
        "max_concurrent_profiles: 0\n"
        "log: {level: loud, max_size: 1kB}\n"
        "metrics: {listen: nowhere}\n"
        "defaults:\n"
        "  settle: soon\n"
        "  max_delete: a few\n"
        "profiles:\n"
        "  models:\n"
        "    local_dir: ./files\n"
        "    direction: uplaod\n"
        "    workers: 65\n"
        "    bukcet: x\n"
        "    bucket: no\n"
        "    schedule: '61 * * * *'\n"
        "    every: 5m\n"
        "    min_size: 10 potatoes\n"
        "    multipart_threshold: 1MiB\n"
        "    exclude: '*.tmp'\n"
        "    trash: {keep: 3}\n"
        "    state_dir: ./state\n"
        "    token: one\n"
        "    token_env: two\n"
        "  bad name!:\n"
        "    project: p\n"
    )
    stage.show(path)
    stage.run("check-config")
    stage.run("reconcile")


@scene(CONFIGURATION)
def profiles_that_meet(stage: Stage) -> None:
    """Two profiles would fight over the same files."""
    stage.profiles(
        one="{local_dir: files, bucket_dir: a}",
        two="{local_dir: files/below, bucket_dir: b}",
        three="{local_dir: other, bucket_dir: a/b}",
    )
    stage.run("check-config")


@scene(CONFIGURATION)
def private_files(stage: Stage) -> None:
    """Private files would get into the bucket."""
    (stage.files / "token").write_text("secret")
    path = stage.config(
        "state_dir: files/state\nlog: {file: files/sync.log}\n"
        f"profiles:\n  models:\n    local_dir: files\n    project: {stage.server.project}\n"
        "    token_file: files/token\n"
    )
    stage.show(path)
    stage.run("check-config")


@scene(CONFIGURATION)
def a_pattern(stage: Stage) -> None:
    """A pattern cannot be read."""
    stage.profile(exclude="['*.tmp', '[[:digit:]]', '']")
    stage.run("check-config")


@scene(CONFIGURATION)
def variables_alone(stage: Stage) -> None:
    """Variables make the profile, and some are missing or wrong."""
    del stage.env["UBIOPS_API_TOKEN"]
    stage.env |= {
        "LOCAL_SYNC_DIR": str(stage.files),
        "OVERWRITE_NEWER_FILES": "maybe",
        "UBIOPS_QUOTA_SHARE": "7",
    }
    stage.run("check-config")


@scene(CONFIGURATION)
def what_is_warned_of(stage: Stage) -> None:
    """It can be used, and something should be seen to."""
    path = stage.config(
        "api_host: http://ubiops.example.com/v2.1\nmetrics: {listen: '0.0.0.0:9467'}\n"
        f"token: {UNKNOWN_TOKEN}\nprofiles:\n  models: {{local_dir: files, project: p}}\n"
    )
    path.chmod(0o644)
    stage.show(path)
    stage.run("check-config")


@scene(TOKEN)
def no_variable(stage: Stage) -> None:
    """The variable with the token is not set."""
    del stage.env["UBIOPS_API_TOKEN"]
    stage.profile()
    stage.run("check-config")
    stage.run("reconcile")
    stage.run("doctor", "-q")


@scene(TOKEN)
def no_token_file(stage: Stage) -> None:
    """The file with the token is not there, or may not be read."""
    stage.profile(token_file="token")
    stage.run("reconcile")
    (stage.cwd / "token").write_text(UNKNOWN_TOKEN)
    stage.forbid(stage.cwd / "token")
    stage.say("chmod 0 token")
    stage.run("reconcile")


@scene(TOKEN)
def no_token(stage: Stage) -> None:
    """What is there is no token."""
    stage.profile()
    stage.env["UBIOPS_API_TOKEN"] = "Token "
    stage.run("reconcile")
    stage.env["UBIOPS_API_TOKEN"] = "two words"
    stage.run("reconcile")
