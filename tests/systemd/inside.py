"""What happens in the booted root: the README's page is followed, and the service is looked at.

Run as root by a unit of that root, with its Python and nothing but the standard library. What it
finds goes to /findings.json, a step each; then it powers the machine off.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import subprocess
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

CLONE = Path("/root/clone")
FINDINGS = Path("/findings.json")
CONFIG = Path("/etc/ubiops-file-sync/config.yaml")
TOKEN = "token-of-the-test-0f1e2d3c4b5a"
SERVICE = "ubiops-file-sync.service"
MODELS, BIG, ADDED = Path("/srv/models"), Path("/srv/big"), Path("/srv/added")
SECURE = Path("/srv/100% $e cure")
MIB = 1024 * 1024
PATIENCE_S = 60.0
API, API_TLS = "http://localhost:8765", "https://localhost:8766"

Found = dict[str, Any]
_STEPS: list[Callable[[], Found]] = []


def step(function: Callable[[], Found]) -> Callable[[], Found]:
    """One more step; they are taken in the order of this file."""
    _STEPS.append(function)
    return function


def main() -> None:
    """Take every step, write down what was found, and end the machine."""
    findings: dict[str, Found] = {}
    for function in _STEPS:
        began = time.monotonic()
        try:
            found = function()
        except Exception:  # noqa: BLE001  the next step may still tell something
            found = {"error": traceback.format_exc(), "journal": journal("-n", "120")}
        findings[function.__name__] = {**found, "seconds": round(time.monotonic() - began, 1)}
        FINDINGS.write_text(json.dumps(findings, indent=1))
    os.sync()
    subprocess.run(["systemctl", "poweroff"], check=False)


# -- tools -----------------------------------------------------------------------------------------


def sh(command: str, stdin: str = "", *, user: str = "", ok: bool = True) -> str:
    """What a line for a shell prints; fails if it does, unless that is expected."""
    words = ["bash", "-c", command]
    if user:
        runtime = f"XDG_RUNTIME_DIR=/run/user/{sh(f'id -u {user}').strip()}"
        words = ["runuser", "-u", user, "--", "env", runtime, f"HOME=/home/{user}", *words]
    done = subprocess.run(
        words,
        cwd=CLONE if not user else f"/home/{user}",
        input=stdin,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=120,
    )
    if ok and done.returncode != 0:
        raise AssertionError(f"{command}\nended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def eventually(check: Callable[[], Any], what: str) -> Any:
    """What `check` returns once that is true."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := check()):
        if time.monotonic() > deadline:
            raise AssertionError(f"never came: {what}")
        time.sleep(0.05)
    return found


def show(unit: str, *names: str) -> dict[str, str]:
    """Properties of a unit."""
    told = sh(f"systemctl show {shlex.quote(unit)} {' '.join(f'-p {name}' for name in names)}")
    return dict(line.split("=", 1) for line in told.splitlines())


def prop(name: str, unit: str = SERVICE) -> str:
    """One property of a unit."""
    return show(unit, name)[name]


def journal(*words: str) -> str:
    """The journal, without what the terminal needs."""
    return sh(f"journalctl --no-pager -q -o short-monotonic {' '.join(words)}", ok=False)


def logged(words: str, *which: str) -> str:
    """The lines of the journal that have these words; it may be a moment behind."""
    return "\n".join(line for line in journal(*which).splitlines() if words in line)


def readme_blocks() -> list[list[str]]:
    """The lines for a shell of the README's page, block by block."""
    page = (CLONE / "README.md").read_text().split("\n## As a service\n")[1].split("\n## ")[0]
    return [block.split("```")[0].strip().splitlines() for block in page.split("```sh\n")[1:]]


def printed_commands(told: str) -> list[str]:
    """The commands that install-service says are left."""
    return [line.strip() for line in told.splitlines() if line.startswith("  ")]


def follow(told: str, user: str = "") -> list[str]:
    """Run the commands that install-service printed; the token goes where one is pasted."""
    commands = printed_commands(told)
    for command in commands:
        # Whoever has no session cannot say so of themselves; root has said it.
        if "enable-linger" not in command:
            sh(command, f"{TOKEN}\n" if "paste" in command else "", user=user)
    return commands


def configure(top: str = "", more: str = "") -> None:
    """Write the service's configuration, as an administrator's editor would."""
    CONFIG.write_text(
        f"""version: 1
api_host: {API}
stop_timeout: 2s
{top}
defaults: {{project: demo, settle: 0}}
profiles:
  models: {{local_dir: {MODELS}, bucket_dir: models, every: 2s}}
  big: {{local_dir: {BIG}, bucket_dir: big, every: 1h, multipart_threshold: 5MiB,
    workers: 1}}
  secure: {{local_dir: '{SECURE}', bucket_dir: secure, every: 2s, api_host: "{API_TLS}"}}
{more}
"""
    )


def start_buckets() -> None:
    """The embedded server as a unit, and one that speaks TLS, whose certificate is its own."""
    tls = CONFIG.parent / "tls"
    tls.mkdir(parents=True, exist_ok=True)
    sh(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 "
        f"-out {tls}/cert.pem -keyout {tls}/key.pem"
    )
    (CONFIG.parent / "environment").write_text(f"SSL_CERT_FILE={tls}/cert.pem\n")
    program = Path("/root/serve-tls.py")
    program.write_text(
        "from pathlib import Path\n"
        "from ubiops_file_sync.emulator import serve\n"
        f"serve(Path('/srv/bucket-tls'), on_ready=print, token={TOKEN!r}, port=8766,\n"
        "    project='demo', bucket='default', provider='ubiops',\n"
        f"    tls=('{tls}/cert.pem', '{tls}/key.pem'))\n"
    )
    lines = {
        "bucket": f"/opt/ubiops-file-sync/bin/ubiops-file-sync serve-bucket --data /srv/bucket "
        f"--token {TOKEN}",
        "bucket-tls": f"/opt/ubiops-file-sync/bin/python {program}",
    }
    for name, line in lines.items():
        unit = Path(f"/etc/systemd/system/{name}.service")
        unit.write_text(f"[Service]\nExecStart={line}\n")
    sh("systemctl daemon-reload")
    sh("systemctl start bucket bucket-tls")
    eventually(lambda: _listens(8765) and _listens(8766), "the buckets")


def _listens(port: int) -> bool:
    return f":{port:04X} " in Path("/proc/net/tcp").read_text()


def elsewhere(directory: str, api_host: str = API) -> Path:
    """Bring another machine's copy of a profile in step, and say where it is."""
    folder = Path("/root/elsewhere", directory)
    folder.mkdir(parents=True, exist_ok=True)
    config = folder.with_suffix(".yaml")
    config.write_text(
        f"api_host: {api_host}\nstate_dir: {folder}.state\nprofiles:\n"
        f"  x: {{local_dir: {folder}, project: demo, bucket_dir: {directory}, settle: 0}}\n"
    )
    variables = f"UBIOPS_API_TOKEN={TOKEN} SSL_CERT_FILE={CONFIG.parent}/tls/cert.pem"
    sh(f"{variables} ubiops-file-sync --config {config} reconcile")
    return folder


def reach(path: Path, api_host: str = API) -> bool:
    """Whether a file of a profile has reached the other machine."""
    return (elsewhere(path.parent.name, api_host) / path.name).exists()


def live(profile: str) -> Found:
    """What `status --json` says of a profile."""
    told = json.loads(sh(f"ubiops-file-sync --config {CONFIG} status {profile} --json"))
    found: Found = told["profiles"][0]
    return found


def passes(profile: str) -> list[Found]:
    """What `history --json` says of a profile, oldest first."""
    told = json.loads(sh(f"ubiops-file-sync --config {CONFIG} history {profile} --json"))
    found: list[Found] = told["profiles"][0]["passes"]
    return found


def drop_in(unit: str, text: str) -> None:
    """What `systemctl edit` does."""
    folder = Path(f"/etc/systemd/system/{unit}.d")
    folder.mkdir(exist_ok=True)
    (folder / "override.conf").write_text(text)
    sh("systemctl daemon-reload")


def process() -> dict[str, Any]:
    """What the kernel says of the service's process."""
    folder = Path("/proc", prop("MainPID"))
    status = dict(
        line.split(":\t", 1)
        for line in (folder / "status").read_text().splitlines()
        if ":\t" in line
    )
    links = []
    for fd in (folder / "fd").iterdir():
        try:
            links.append(os.readlink(fd))
        except OSError:
            continue
    return {
        "environment": (folder / "environ").read_text().split("\0"),
        "user": sh(f"id -un {status['Uid'].split()[0]}").strip(),
        "capabilities": int(status["CapEff"], 16),
        "no_new_privileges": status["NoNewPrivs"].strip(),
        "seccomp": status["Seccomp"].strip(),
        "has_timerfd": any("timerfd" in link for link in links),
    }


# -- the steps -------------------------------------------------------------------------------------


@step
def installed() -> Found:
    """The README's first block, line by line, and then what install-service prints."""
    told = ""
    for line in readme_blocks()[0]:
        if line.startswith("sudo ubiops-file-sync install-service"):
            start_buckets()
            configure()
            sh(f"mkdir {MODELS}")
            (MODELS / "from-here.txt").write_text("from here\n")
        told = sh(line)
    return {"told": told, "commands": follow(told)}


@step
def running() -> Found:
    """Files go both ways, and over TLS."""
    eventually(lambda: prop("ActiveState") == "active", "the service")
    eventually(lambda: reach(MODELS / "from-here.txt"), "a file in the bucket")
    there = elsewhere("models")
    (there / "from-there.txt").write_text("from there\n")
    # Root's own file, which the service may replace, but not give back to root.
    (there / "from-here.txt").write_text("edited there\n")
    elsewhere("models")
    arrived = MODELS / "from-there.txt"
    eventually(arrived.exists, "a file from the bucket")
    edited = eventually(
        lambda: (MODELS / "from-here.txt").read_text() == "edited there\n", "an edit from there"
    )
    (SECURE / "x.txt").write_text("over TLS\n")
    eventually(lambda: reach(Path("/secure/x.txt"), API_TLS), "a file over TLS")
    return {
        "arrived": f"{arrived.owner()} {arrived.stat().st_mode & 0o777:o}",
        "edited": edited,
        "process": process(),
        "status_text": prop("StatusText"),
        "folders": sh(
            "stat -c '%U %a %n' /var/lib/ubiops-file-sync /run/ubiops-file-sync "
            "/var/log/ubiops-file-sync /etc/ubiops-file-sync/token"
        ).splitlines(),
    }


@step
def looked_at() -> Found:
    """The README's second block, line by line."""
    told = {line.split("#")[0].strip(): sh(line) for line in readme_blocks()[1]}
    return {"told": told}


@step
def by_hand() -> Found:
    """Commands of root's over the service's configuration leave no files of root's behind."""
    plan = sh("sudo ubiops-file-sync plan models")
    verify = sh("sudo ubiops-file-sync verify models")
    folders = f"/var/lib/ubiops-file-sync /run/ubiops-file-sync {MODELS}/.ubiops-sync"
    return {
        "plan": plan,
        "verify": verify,
        "not_the_services": sh(f"find {folders} ! -user ubiops-file-sync"),
    }


@step
def reloaded() -> Found:
    """A new configuration, a bad one, and one that names another directory."""
    before = prop("MainPID")
    (ADDED / "x").parent.mkdir()
    (ADDED / "x").write_text("x")
    added = f"  added: {{local_dir: {ADDED}, bucket_dir: added, every: 2s}}"
    configure(more=added)
    # Then it tells of each message that it gets from a service.
    sh("systemd-analyze log-level debug")
    try:
        sh("sudo systemctl reload ubiops-file-sync")
        eventually(lambda: prop("StatusText").startswith("4 profiles"), "the new configuration")
    finally:
        sh("systemd-analyze log-level info")
    heard = eventually(lambda: logged("RELOADING=1", "_PID=1"), "RELOADING=1")
    CONFIG.write_text("profiles: {models: {}}\n")
    sh("sudo systemctl reload ubiops-file-sync")
    bad = eventually(
        lambda: ("not usable" in prop("StatusText")) and prop("StatusText"), "words on a bad one"
    )
    log = eventually(lambda: logged("not taken over", "-u", SERVICE), "words in the log")
    configure("log: {file: /var/log/ubiops-file-sync/sync.log}", more=added)
    (installing,) = (one for one in readme_blocks()[0] if "install-service" in one)
    refused = sh(installing, ok=False)
    same_process = prop("MainPID") == before
    commands = follow(sh("sudo ubiops-file-sync install-service --force"))
    eventually(lambda: reach(ADDED / "x"), "a file of the added directory")
    return {
        "heard": heard,
        "bad": bad,
        "log": log,
        "same_process": same_process,
        "refused": refused,
        "commands": commands,
        "log_file": Path("/var/log/ubiops-file-sync/sync.log").read_text()[:2000],
    }


@step
def stuck() -> Found:
    """A process that no longer turns is ended by the watchdog, and the next one goes on."""
    configure()
    drop_in(SERVICE, "[Service]\nWatchdogSec=4\nTimeoutAbortSec=1\nRestartSec=100ms\n")
    sh("systemctl restart ubiops-file-sync")
    before = prop("MainPID")
    # Longer than the watchdog waits.
    time.sleep(5)
    is_left_alone = prop("MainPID") == before
    os.kill(int(before), 19)  # SIGSTOP
    eventually(lambda: int(prop("NRestarts")) > 0, "a restart by the watchdog")
    eventually(lambda: prop("ActiveState") == "active", "the service again")
    (MODELS / "after.txt").write_text("after\n")
    eventually(lambda: reach(MODELS / "after.txt"), "a pass of the new process")
    drop_in(SERVICE, "")
    return {
        "is_left_alone": is_left_alone,
        "is_another": prop("MainPID") != before,
        "ended": logged("Watchdog timeout", "-u", SERVICE),
        "result": logged("Failed with result 'watchdog'", "-u", SERVICE),
    }


def _begin_big_transfer() -> Path:
    big = BIG / "big"
    big.write_bytes(os.urandom(40 * MIB))
    return big


@step
def stopped() -> Found:
    """A stop in the midst of a big upload leaves parts that the next start goes on from."""
    sh("systemctl stop ubiops-file-sync")
    configure("bandwidth_limit: 5MiB/s")
    big = _begin_big_transfer()
    sh("systemctl start ubiops-file-sync")
    arrived = eventually(lambda: _arrived() >= 2, "the first parts") and live("big")["live"]
    sh("systemctl start ubiops-file-sync@big")
    busy = prop("Result", "ubiops-file-sync@big.service")
    unit = "ubiops-file-sync@big.service"
    busy_words = eventually(lambda: logged("already", "-u", unit), "words of the single pass")
    has_socket = any(Path("/run/ubiops-file-sync").iterdir())
    began = time.monotonic()
    sh("systemctl stop ubiops-file-sync")
    took_s = time.monotonic() - began
    ended = show(SERVICE, "Result", "ExecMainStatus", "ActiveState")
    [left] = live("big")["unfinished"]
    configure()
    sh("systemctl start ubiops-file-sync")
    eventually(lambda: len(passes("big")) > 1 and passes("big")[-1]["exit_code"] == 0, "the rest")
    there = elsewhere("big") / "big"
    return {
        "live": arrived,
        "busy": busy,
        "busy_words": busy_words,
        "has_socket": has_socket,
        "took_s": took_s,
        "ended": ended,
        "left": left,
        "rest": passes("big")[-1],
        "is_same": _digest(there) == _digest(big),
        "size": big.stat().st_size,
    }


def _arrived() -> int:
    """How many parts of the big file have arrived."""
    return sum(one["parts_done"] for one in live("big")["unfinished"])


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@step
def timed() -> Found:
    """The timer, instead of the service."""
    for line in readme_blocks()[2]:
        sh(line)
    drop_in(
        "ubiops-file-sync@models.timer",
        "[Timer]\nOnCalendar=\nOnCalendar=*:*:0/2\nRandomizedDelaySec=0\nAccuracySec=100ms\n",
    )
    sh("systemctl restart ubiops-file-sync@models.timer")
    (MODELS / "timed.txt").write_text("timed\n")
    eventually(lambda: reach(MODELS / "timed.txt"), "a pass by the timer")
    unit = "ubiops-file-sync@models.service"
    eventually(lambda: prop("ActiveState", unit) == "inactive", "the end of a pass")
    return {
        "service": prop("ActiveState"),
        "timer": show("ubiops-file-sync@models.timer", "ActiveState", "Persistent"),
        "one_pass": show(unit, "Result", "ExecMainStatus"),
        "journal": journal("-u", unit, "-n", "20"),
    }


@step
def broken_off() -> Found:
    """A single pass that is stopped leaves parts, too, and no failed unit."""
    configure("bandwidth_limit: 5MiB/s")
    big = _begin_big_transfer()
    unit = "ubiops-file-sync@big.service"
    sh(f"systemctl start --no-block {unit}")
    eventually(lambda: _arrived() >= 2, "the first parts")
    began = time.monotonic()
    sh(f"systemctl stop {unit}")
    took_s = time.monotonic() - began
    ended = prop("ActiveState", unit)
    [left] = live("big")["unfinished"]
    configure()
    sh(f"systemctl start {unit}")
    return {
        "took_s": took_s,
        "ended": ended,
        "is_same": _digest(elsewhere("big") / "big") == _digest(big),
        "left": left,
        "rest": passes("big")[-1],
        "size": big.stat().st_size,
    }


@step
def of_a_user() -> Found:
    """Somebody's own service, without root."""
    sh("useradd --create-home ann && loginctl enable-linger ann")
    runtime = Path("/run/user", sh("id -u ann").strip())
    eventually((runtime / "systemd/private").exists, "ann's systemd")
    config = Path("/home/ann/.config/ubiops-file-sync/config.yaml")
    sh(f"mkdir -p {config.parent} ~/own", user="ann")
    config.write_text(
        f"api_host: {API}\nprofiles:\n"
        "  own: {local_dir: ~/own, project: demo, bucket_dir: own, every: 2s, settle: 0}\n"
    )
    Path("/home/ann/own/x.txt").write_text("of ann\n")
    [line] = readme_blocks()[3]
    told = sh(line, user="ann")
    commands = follow(told, user="ann")
    eventually(lambda: reach(Path("/own/x.txt")), "a file of ann's")
    found = {
        "commands": commands,
        "active": sh("systemctl --user is-active ubiops-file-sync", user="ann").strip(),
        "status": sh("ubiops-file-sync status", user="ann"),
        "text": sh("systemctl --user show -p StatusText ubiops-file-sync", user="ann"),
    }
    sh("systemctl --user reload ubiops-file-sync", user="ann")
    sh("systemctl --user disable --now ubiops-file-sync", user="ann")
    return found


@step
def removed() -> Found:
    """The README's last block, line by line."""
    for line in readme_blocks()[4]:
        sh(line)
    return {
        "units": sh("systemctl list-unit-files --no-legend 'ubiops-file-sync*'", ok=False),
        "left": sh(f"ls /etc/ubiops-file-sync /var/lib/ubiops-file-sync {MODELS}"),
    }


@step
def secrets() -> Found:
    """What was logged in all that time has no token in it, and no signature of a URL."""
    everything = journal("-a", "-u", "'ubiops-file-sync*'", "-u", "user@*")
    secret = re.compile(rf"{TOKEN}|X-(Amz|Goog)-Signature|[?&]sig=|Signature=")
    return {
        "lines": len(everything.splitlines()),
        "told": [line for line in everything.splitlines() if secret.search(line)],
    }


if __name__ == "__main__":
    main()
