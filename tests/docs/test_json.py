"""What commands print with `--json` is what the page on it says, field by field."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import click
import pytest

from cli.conftest import COMMAND, SAME_PACKAGE, Shell
from docs.json_tables import EVERY, FAILED, LINK, PAGE, Tables
from service.processes import eventually
from ubiops_file_sync.cli import cli
from ubiops_file_sync.emulator import BucketServer

MIB = 1 << 20
FAILS_AS_A_WHOLE = ("reconcile", "--config", "nowhere.yaml")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, dict[str, Any]]]:
    """What commands print in all sorts of circumstances."""
    folder = tmp_path_factory.mktemp("json")
    (folder / "work/files").mkdir(parents=True)
    with BucketServer(folder / "server", rate_limit=None) as server:
        shell = Shell(server, folder / "work", {"UBIOPS_API_TOKEN": server.token})
        return list(_documents(shell))


def _documents(shell: Shell) -> Iterator[tuple[str, dict[str, Any]]]:
    def tell(*words: str) -> tuple[str, dict[str, Any]]:
        done = shell(*words, "--json")
        name = "trash list" if words[0] == "trash" else words[0]
        assert done.stdout, done.stderr
        return name, json.loads(done.stdout)

    yield tell(*FAILS_AS_A_WHOLE)
    yield from _story(shell, tell)
    yield from _service(shell, tell)
    shell.server.stop()
    yield tell("verify")


def _story(shell: Shell, tell: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Two sides in step, a conflict, deletions, names that cannot be, a saved plan, the trash."""
    shell.profile(conflict="keep-both", deletions="both", refresh_before="1d")
    shell.server.set_ttl(604_800)
    shell.server.quota.limit = 300
    for key in ("a", "b", "c"):
        (shell.files / key).write_bytes(key.encode())
    yield tell("status")
    yield tell("plan")
    yield tell("reconcile")
    yield tell("history")
    (shell.files / "a").write_bytes(b"here")
    shell.server.put_object("data/a", b"there, and longer")
    shell.server.put_object("data/b", b"newer")
    (shell.files / "c").unlink()
    shell.server.put_object("data/x/../y", b"1")
    yield tell("plan", "--save", "a.plan")
    for key in ("a", "b", "nothing"):
        yield tell("explain", key)
    yield tell("verify")
    _, applied = tell("apply", "a.plan")
    yield "apply", applied
    yield tell("trash", "list")
    (replaced,) = [p["pass_id"] for p in applied["profiles"]]
    yield tell("undo", replaced, "--dry-run")
    yield tell("restore", "b", "--to", "copy")
    yield tell("undo", replaced, "--yes")
    yield tell("reconcile")
    yield tell("verify", "--content")
    yield tell("status")
    yield tell("doctor", "--contract", "--prefix", "scratch/")
    yield tell("doctor")
    yield tell("check-config")
    yield tell("check-config", "--config", "nowhere.yaml")


def _service(shell: Shell, tell: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """A big file on its way, and then the machine is gone."""
    path = shell.profile(multipart_threshold="5MiB", every="1h")
    path.write_text(f"bandwidth_limit: 4MiB/s\n{path.read_text()}")
    (shell.files / "big").write_bytes(b"x" * (30 * MIB))
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": SAME_PACKAGE, "HOME": str(shell.cwd), **shell.env}
    with subprocess.Popen(
        [*COMMAND, "run", "--quiet"], cwd=shell.cwd, env=env, stderr=subprocess.DEVNULL
    ) as process:

        def travelling() -> Any:
            name, document = tell("status")
            (profile,) = document["profiles"]
            moving = profile["live"] and profile["live"]["transfers"]
            return (name, document) if moving and profile["unfinished"] else None

        try:
            yield eventually(travelling, "a transfer in parts that is told of")
            yield tell("explain", "big")
        finally:
            process.kill()
    yield tell("status")
    yield tell("history")


def test_every_document_is_as_the_page_says_and_the_page_says_no_more(
    told: list[tuple[str, dict[str, Any]]],
) -> None:
    tables = Tables.of_the_page()
    for command, document in told:
        tables.check_document(command, document)
    assert tables.unseen() == set()


def test_a_command_that_prints_json_is_on_the_page() -> None:
    commands = {
        name
        for name, command in _commands(cli)
        if any("--json" in param.opts for param in command.params)
    }
    inner = {link for row in PAGE.splitlines() for link, _ in LINK.findall(row)}
    headings = set(Tables.of_the_page().sections) - inner - {EVERY, FAILED}
    assert headings == commands


def _commands(group: click.Group, above: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, f"{above}{name} ")
        else:
            yield f"{above}{name}", command


def test_links_of_the_page_lead_somewhere() -> None:
    headings = {re.sub(r"\W+", "-", name.lower()) for name in Tables.of_the_page().sections}
    assert {anchor for _, anchor in LINK.findall(PAGE)} <= headings
