"""What is left to do once units stand, as commands, and what would keep them from running."""

from __future__ import annotations

import pwd
import shlex
from collections.abc import Iterator
from pathlib import Path

from ubiops_file_sync.config import SYSTEM_CONFIG_DIR
from ubiops_file_sync.service.install import Service, is_below
from ubiops_file_sync.service.reach import Account
from ubiops_file_sync.service.units import SERVICE_NAME, USER_FILE

_TEMPORARY = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108  no file is made there
_PASTE = "# paste the token, Enter, Ctrl-D"


def next_commands(service: Service, *, is_new: bool) -> list[str]:
    """Commands in their order, for a shell; `is_new`: there was no such service before."""
    if service.for_user:
        return [*_of_user(service, is_new=is_new)]
    return [*_of_system(service, Account.named(SERVICE_NAME), is_new=is_new)]


def _of_user(service: Service, *, is_new: bool) -> Iterator[str]:
    for file in service.credentials().values():
        if not file.exists():
            # Not by way of /dev/stdin: a terminal may belong to whoever logged in, and not to them.
            yield f"mkdir -p {_quoted(file.parent)}"
            yield f"(umask 077; cat > {_quoted(file)})    {_PASTE}"
    yield "systemctl --user daemon-reload"
    yield from _start("systemctl --user", is_new=is_new)
    yield "loginctl enable-linger    # so that it runs while you are not logged in, too"


def _of_system(service: Service, account: Account, *, is_new: bool) -> Iterator[str]:
    if account.uid is None:
        yield f"systemd-sysusers {USER_FILE}"
    for file in service.credentials().values():
        if not file.exists():
            yield f"install -D -m 600 /dev/stdin {_quoted(file)}    {_PASTE}"
    for file in (service.config, *service.token_files()):
        if account.first_barrier_to(file) == file.resolve():
            yield f"chown root:{SERVICE_NAME} {_quoted(file)}"
            yield f"chmod 640 {_quoted(file)}"
    for folder in service.directories():
        if not folder.exists():
            mode = "-m 700 " if folder == service.settings.state_dir else ""
            yield f"install -d {mode}-o {SERVICE_NAME} -g {SERVICE_NAME} {_quoted(folder)}"
        elif not account.may_write_below(folder):
            yield f"chown -R {SERVICE_NAME}: {_quoted(folder)}{_whose(folder)}"
    yield "systemctl daemon-reload"
    yield from _start("systemctl", is_new=is_new)


def _start(systemctl: str, *, is_new: bool) -> Iterator[str]:
    if is_new:
        yield f"{systemctl} enable --now {SERVICE_NAME}"
    else:
        yield f"{systemctl} enable {SERVICE_NAME}"
        yield f"{systemctl} restart {SERVICE_NAME}"


def _whose(folder: Path) -> str:
    """A way out for a directory that must stay somebody's."""
    uid = folder.stat().st_uid
    if uid == 0:
        return ""
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""
    return (
        f"    # it is {name}'s; or else run the service as {name}: "
        f"systemctl edit {SERVICE_NAME}, [Service] User={name}"
    )


def obstacles(service: Service) -> list[str]:
    """What would keep the service from running, and the remedy; each a sentence or two."""
    if service.for_user:
        return []
    account = Account.named(SERVICE_NAME)
    return [
        *_unreadable_program(service, account),
        *_closed_folders(service, account),
        *_hidden(service),
        *_state_elsewhere(service),
    ]


def _unreadable_program(service: Service, account: Account) -> Iterator[str]:
    for place in service.program_places():
        barrier = account.first_barrier_to(place)
        if barrier is not None:
            yield (
                f"the service's user may not read {barrier}, and so cannot run the program "
                f"({place}). Install it where everybody may read, with a Python of the system: "
                f"python3.11 -m venv /opt/{SERVICE_NAME}, and so on as the README says; then run "
                "install-service from there"
            )
            return


def _closed_folders(service: Service, account: Account) -> Iterator[str]:
    for path in (service.config, *service.token_files(), *service.directories()):
        barrier = account.first_barrier_to(path)
        if barrier is not None and barrier != path.resolve():
            yield (
                f"the service's user may not enter {barrier}, and so does not get at {path}. "
                "Move it elsewhere, or open that folder to it (setfacl -m "
                f"u:{SERVICE_NAME}:x {_quoted(barrier)}, once the user is there)"
            )


def _hidden(service: Service) -> Iterator[str]:
    for path in dict.fromkeys(path for path in service.used() if is_below(path, _TEMPORARY)):
        yield (
            f"{path} is below a folder for temporary files: the service has one of its own there "
            "and does not see it, and what stands in it is not kept. Move it elsewhere"
        )


def _state_elsewhere(service: Service) -> Iterator[str]:
    state_dir = service.settings.state_dir
    if service.state_dir_by_hand != state_dir:
        yield (
            f"commands such as status and trigger look for the state of {service.config} in "
            f"{service.state_dir_by_hand}, and the service has it in {state_dir}. Move the file "
            f"to {SYSTEM_CONFIG_DIR}, or write 'state_dir: {state_dir}' into it"
        )


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
