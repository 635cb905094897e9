"""What a configuration asks of its units, and what is left to an administrator."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from pathlib import Path

import pytest

from ubiops_file_sync.config import load_settings
from ubiops_file_sync.errors import ConfigError, UsageError
from ubiops_file_sync.service.install import Service, called_as, user_folders, write_files
from ubiops_file_sync.service.next_steps import next_commands, obstacles
from ubiops_file_sync.service.reach import Account
from ubiops_file_sync.service.units import ONE_PASS, SERVICE, USER_FILE, Folders

MakeService = Callable[..., Service]
FOLDERS = Folders(Path("/units"), Path("/sysusers"))
PASTE = "    # paste the token, Enter, Ctrl-D"
SYSTEM_STATE = "/var/lib/ubiops-file-sync"


@pytest.fixture
def service(tmp_path: Path) -> MakeService:
    def make(
        profiles: str = "models: {local_dir: /srv/models, project: p}",
        top: str = "",
        *,
        for_user: bool = False,
        env: dict[str, str] | None = None,
        program: str = "/usr/local/bin/ubiops-file-sync",
    ) -> Service:
        config = tmp_path / "config.yaml"
        config.write_text(f"{top}\nprofiles:\n  {profiles}\n")
        by_hand = {"XDG_STATE_HOME": "/state", **(env or {})}
        of_service = by_hand if for_user else {**by_hand, "STATE_DIRECTORY": SYSTEM_STATE}
        return Service(
            settings=load_settings(config, of_service),
            config=config,
            program=(program,),
            env=by_hand,
            for_user=for_user,
            state_dir_by_hand=load_settings(config, by_hand).state_dir,
        )

    return make


def _unit(service: Service, name: str = SERVICE) -> list[str]:
    return service.files(FOLDERS)[Path("/units", name)].splitlines()


def _writable(service: Service) -> list[str]:
    lines = [line for line in _unit(service) if line.startswith("ReadWritePaths=")]
    assert lines == [line for line in _unit(service, ONE_PASS) if line.startswith("ReadWritePaths")]
    return [line.removeprefix("ReadWritePaths=") for line in lines]


def test_the_service_may_write_where_the_configuration_has_it_write_and_nowhere_else(
    service: MakeService,
) -> None:
    made = service(
        "a: {local_dir: /srv/a, project: p}\n"
        "  b: {local_dir: '/srv/b b', project: q, enabled: false}",
        "log: {file: /var/log/sync/x.log}\n"
        "metrics: {textfile: /var/lib/node_exporter/x.prom}\n"
        "state_dir: /data/state",
    )
    assert _writable(made) == [
        "-/srv/a",
        '"-/srv/b b"',
        "-/var/log/sync",
        "-/var/lib/node_exporter",
        "-/data/state",
    ]


def test_folders_that_systemd_makes_need_not_be_named(service: MakeService) -> None:
    made = service(top="log: {file: /var/log/ubiops-file-sync/sync.log}")
    assert _writable(made) == ["-/srv/models"]


def test_a_path_with_dots_in_it_is_one_that_systemd_takes(
    service: MakeService, tmp_path: Path
) -> None:
    made = service("a: {local_dir: ../there, project: p}")
    assert _writable(made) == [f"-{os.path.realpath(tmp_path.parent)}/there"]


def test_home_folders_are_hidden_unless_something_stands_in_one(service: MakeService) -> None:
    made = service()
    places = [os.path.realpath(place) for place in made.program_places()]
    is_test_run_at_home = any(place.startswith(("/home/", "/root/")) for place in places)
    assert f"ProtectHome={'read-only' if is_test_run_at_home else 'yes'}" in _unit(made)
    at_home = service("a: {local_dir: /home/ann/models, project: p}")
    assert "ProtectHome=read-only" in _unit(at_home)
    assert "-/home/ann/models" in _writable(at_home)


def test_each_variable_that_names_a_token_becomes_a_credential(service: MakeService) -> None:
    made = service(
        "a: {local_dir: /a, project: p}\n"
        "  b: {local_dir: /b, project: q, token_env: OTHER}\n"
        "  c: {local_dir: /c, project: r, token_file: /etc/c-token}\n"
        "  d: {local_dir: /d, project: s, token: literal}"
    )
    delivered = [line for line in _unit(made) if line.startswith("LoadCredential=")]
    assert delivered == [
        "LoadCredential=UBIOPS_API_TOKEN:/etc/ubiops-file-sync/token",
        "LoadCredential=OTHER:/etc/ubiops-file-sync/token.OTHER",
    ]
    assert "literal" not in "\n".join(_unit(made))


def test_a_host_that_only_a_variable_names_is_not_lost(service: MakeService) -> None:
    env = {"UBIOPS_API_HOST": "https://files.example.com/v2.1"}
    line = "Environment=UBIOPS_API_HOST=https://files.example.com/v2.1"
    assert line in _unit(service(env=env))
    # The file's own goes first, and then the variable says nothing.
    own = service(top="api_host: https://own.example.com/v2.1", env=env)
    assert not [text for text in _unit(own) if text.startswith("Environment=")]
    env = {"UBIOPS_API_HOST": "x\nUser=y"}
    assert "User=y" not in _unit(service(top="api_host: https://own.example.com/v2.1", env=env))


def test_what_no_unit_can_say_is_refused(service: MakeService, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="control character"):
        service('a: {local_dir: "/srv/a\\nUser=root", project: p}').files(FOLDERS)
    with pytest.raises(UsageError, match="quote or a backslash"):
        service(program="/opt/it's/ubiops-file-sync").files(FOLDERS)
    with pytest.raises(UsageError, match="leave out --user"):
        service(top=f"state_dir: {SYSTEM_STATE}", for_user=True).files(FOLDERS)


# -- writing the files -----------------------------------------------------------------------------


def test_files_are_written_whole_and_for_all_to_read(tmp_path: Path) -> None:
    files = {tmp_path / "a/b.service": "one\n", tmp_path / "c.conf": "two\n"}
    umask = os.umask(0o077)
    try:
        assert write_files(files, force=False) == list(files)
    finally:
        os.umask(umask)
    for path, text in files.items():
        assert path.read_text() == text
        assert path.stat().st_mode & 0o777 == 0o644
    assert write_files(files, force=False) == []


def test_what_somebody_changed_is_not_overwritten_unless_forced(tmp_path: Path) -> None:
    mine, masked, new = tmp_path / "a", tmp_path / "b", tmp_path / "c"
    mine.write_text("my own\n")
    masked.symlink_to("/dev/null")
    files = {mine: "one\n", masked: "two\n", new: "three\n"}
    with pytest.raises(UsageError) as caught:
        write_files(files, force=False)
    assert f"  {mine}\n  {masked}\n" in str(caught.value)
    assert str(new) not in str(caught.value)
    assert mine.read_text() == "my own\n"
    assert not new.exists()
    assert write_files(files, force=True) == [mine, masked, new]
    assert mine.read_text() == "one\n"
    assert not masked.is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    tmp_path.joinpath("file").write_text("")
    with pytest.raises(ConfigError, match="x cannot be written"):
        write_files({tmp_path / "file" / "x": "text"}, force=False)


# -- what is left to do ----------------------------------------------------------------------------


def test_the_commands_that_are_left_come_in_an_order_that_works(
    service: MakeService, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    own.mkdir(mode=0o755)
    made = service(
        f"a: {{local_dir: {own}, project: p}}\n  b: {{local_dir: /srv/none here, project: q}}",
        "state_dir: /srv/state",
    )
    made.config.chmod(0o600)
    commands = next_commands(made, is_new=True)
    owner = pwd.getpwuid(own.stat().st_uid)
    chown = f"chown -R ubiops-file-sync: {own}"
    if owner.pw_uid:
        chown = next(command for command in commands if command.startswith(chown))
        assert f"User={owner.pw_name}" in chown
    config = [command for command in commands if command.endswith(str(made.config))]
    # Where a folder on the way is closed, that is told instead.
    assert len(config) == 2 * (Account.named("ubiops-file-sync").first_barrier_to(tmp_path) is None)
    assert [command for command in commands if command not in config] == [
        "systemd-sysusers ubiops-file-sync.conf",
        f"install -D -m 600 /dev/stdin /etc/ubiops-file-sync/token{PASTE}",
        chown,
        "install -d -o ubiops-file-sync -g ubiops-file-sync '/srv/none here'",
        "install -d -m 700 -o ubiops-file-sync -g ubiops-file-sync /srv/state",
        "systemctl daemon-reload",
        "systemctl enable --now ubiops-file-sync",
    ]


def test_a_service_that_was_there_is_started_anew(service: MakeService) -> None:
    assert next_commands(service(), is_new=False)[-2:] == [
        "systemctl enable ubiops-file-sync",
        "systemctl restart ubiops-file-sync",
    ]


def test_a_user_needs_no_root(service: MakeService) -> None:
    made = service(for_user=True, env={"XDG_CONFIG_HOME": "/home/ann/.config"})
    assert next_commands(made, is_new=True) == [
        "mkdir -p /home/ann/.config/ubiops-file-sync",
        f"(umask 077; cat > /home/ann/.config/ubiops-file-sync/token){PASTE}",
        "systemctl --user daemon-reload",
        "systemctl --user enable --now ubiops-file-sync",
        "loginctl enable-linger    # so that it runs while you are not logged in, too",
    ]
    folders = user_folders({"XDG_CONFIG_HOME": "/home/ann/.config"})
    assert folders.units == Path("/home/ann/.config/systemd/user")
    assert [path.name for path in made.files(folders)][-1] != USER_FILE


@pytest.mark.parametrize(
    ("argv0", "last"),
    [("bin/ubiops-file-sync", "/bin/ubiops-file-sync"), ("/x/__main__.py", "ubiops_file_sync")],
)
def test_the_program_is_called_as_it_was(argv0: str, last: str) -> None:
    words = called_as(argv0)
    assert Path(words[0]).is_absolute()
    assert words[-1].endswith(last)


# -- what would keep it from running ---------------------------------------------------------------


def test_a_folder_that_the_services_user_cannot_enter_is_told_with_the_remedy(
    service: MakeService, tmp_path: Path
) -> None:
    closed = tmp_path / "closed"
    (closed / "models").mkdir(parents=True)
    tmp_path.chmod(0o755)
    closed.chmod(0o700)
    made = service(f"a: {{local_dir: {closed}/models, project: p}}")
    account = Account(None, frozenset())
    first = account.first_barrier_to(closed / "models")
    assert first is not None
    assert first in {closed, *closed.parents}
    assert any(f"may not enter {first}" in told and "setfacl" in told for told in obstacles(made))


def test_a_program_that_others_may_not_read_is_told_with_the_remedy(
    service: MakeService, tmp_path: Path
) -> None:
    program = tmp_path / "private" / "ubiops-file-sync"
    program.parent.mkdir(mode=0o700)
    program.write_text("")
    told = obstacles(service(program=str(program)))
    assert any("cannot run the program" in one and "/opt/ubiops-file-sync" in one for one in told)


def test_commands_that_would_look_elsewhere_for_the_state_are_foretold(
    service: MakeService,
) -> None:
    told = "\n".join(obstacles(service()))
    assert f"in /state/ubiops-file-sync, and the service has it in {SYSTEM_STATE}" in told
    assert "look for the state" not in "\n".join(obstacles(service(top="state_dir: /srv/state")))


def test_folders_for_temporary_files_are_no_place_for_a_service(service: MakeService) -> None:
    told = obstacles(service("a: {local_dir: /var/tmp/a, project: p}"))
    assert any(one.startswith("/var/tmp/a is below a folder for temporary files") for one in told)
    assert not obstacles(service("a: {local_dir: /var/tmp/a, project: p}", for_user=True))


def test_permissions_are_read_as_the_kernel_reads_them(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    status = folder.stat()
    owner = Account(status.st_uid, frozenset())
    group = Account(4_000_000_000, frozenset({status.st_gid}))
    other = Account(4_000_000_000, frozenset())
    may = []
    for mode in (0o300, 0o030, 0o003):
        folder.chmod(mode)
        may.append([account.may(folder, 3) for account in (owner, group, other)])
    folder.chmod(0o700)
    is_root = status.st_uid == 0
    assert may == [[True, False, False], [is_root, True, False], [is_root, False, True]]
    assert other.first_barrier_to(tmp_path / "not there") == other.first_barrier_to(tmp_path)
