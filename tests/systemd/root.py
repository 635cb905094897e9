"""A root of its own for a systemd: made by debootstrap once, copied and booted by systemd-nspawn.

Never over this machine's own root. It has a network of its own without a way out, and registers
nowhere.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
INSIDE = Path(__file__).with_name("inside.py")
PACKAGES = (
    *("systemd", "systemd-sysv", "libpam-systemd", "dbus", "procps", "sudo"),
    *("python3", "python3-venv", "openssl", "ca-certificates"),
)
CLONED = ("src", "configs", "pyproject.toml", "README.md", "LICENSE")
FINDINGS = "findings.json"
BOOT_TIMEOUT_S = 300
_CGROUPS = Path("/sys/fs/cgroup")
_UNIT = """[Unit]
After=multi-user.target
[Service]
Type=exec
ExecStart=/usr/bin/python3 /root/inside.py
StandardOutput=journal
"""


class CannotBoot(Exception):
    """This machine cannot do it; the reason."""


def require_tools() -> None:
    """Raises `CannotBoot`."""
    if os.geteuid() != 0:
        raise CannotBoot("only root may boot a root")
    for tool in ("apt-get", "debootstrap", "systemd-nspawn"):
        if shutil.which(tool) is None:
            raise CannotBoot(f"{tool} is not installed (Debian: systemd-container, debootstrap)")


def base_root(cache: Path) -> Path:
    """The root as debootstrap makes it, of an earlier run if there was one. Raises `CannotBoot`."""
    mirror, suite = _mirror()
    key = hashlib.sha256("\n".join((suite, *PACKAGES)).encode()).hexdigest()[:12]
    made = cache / f"{suite}-{key}"
    if made.exists():
        return made
    cache.mkdir(parents=True, exist_ok=True)
    fresh = cache / f"{made.name}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    log = cache / "debootstrap.log"
    options = ("--variant=minbase", f"--include={','.join(PACKAGES)}")
    with log.open("w") as output:
        done = subprocess.run(
            ["debootstrap", *options, suite, fresh, mirror],
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode != 0:
        raise CannotBoot(f"debootstrap failed; see {log}:\n{log.read_text()[-500:]}")
    fresh.rename(made)
    return made


def _mirror() -> tuple[str, str]:
    """Where apt has its packages from: the address, and the name of the release."""
    form = "$(SITE) $(CODENAME) $(RELEASE) $(COMPONENT)"
    told = subprocess.run(
        ["apt-get", "indextargets", "--format", form, "Created-By: Packages"],
        text=True,
        capture_output=True,
        check=False,
    ).stdout
    for line in told.splitlines():
        site, codename, _release, component = line.split()
        if component == "main" and "-" not in codename:
            return site, codename
    raise CannotBoot("apt knows no mirror; run apt-get update")


def findings_of(base: Path, folder: Path) -> str:
    """What `inside.py` finds in a copy of a root, as JSON. Raises `CannotBoot`."""
    _require_containers(base)
    root = prepared(base, folder)
    said = boot(root)
    found = root / FINDINGS
    assert found.exists(), f"nothing was found in it; its console said:\n{said[-1000:]}"
    text = found.read_text()
    # It takes half a gigabyte, and pytest keeps the folders of three runs.
    shutil.rmtree(root)
    return text


def prepared(base: Path, folder: Path) -> Path:
    """A copy of a root that has a clone of this repository, and an index of what it needs."""
    root = folder / "root"
    subprocess.run(["cp", "-a", "--reflink=auto", base, root], check=True)
    _require_same_python(root)
    wheels = root / "root/wheels"
    wheels.mkdir()
    _collect_wheels(wheels)
    clone = root / "root/clone"
    clone.mkdir()
    for name in CLONED:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, clone)
    # There is no network inside.
    (root / "etc/pip.conf").write_text("[global]\nno-index = true\nfind-links = /root/wheels\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost box\n")
    shutil.copy(INSIDE, root / "root")
    unit = root / "etc/systemd/system/inside.service"
    unit.write_text(_UNIT)
    wanted = unit.with_name("multi-user.target.wants") / unit.name
    wanted.parent.mkdir(exist_ok=True)
    wanted.symlink_to(f"../{unit.name}")
    return root


def _require_same_python(root: Path) -> None:
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    if not (root / "usr/bin" / name).exists():
        raise CannotBoot(f"the release has no {name}, which the wheels here are for")


def _collect_wheels(folder: Path) -> None:
    """All that `pip install .` needs, from the index that this machine has."""
    pip = [sys.executable, "-m", "pip", "wheel", "-qq", "-w", str(folder)]
    done = subprocess.run(
        [*pip, str(REPOSITORY), "hatchling"], text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, f"the index has not all that is needed:\n{done.stderr[-1000:]}"
    for own in folder.glob("ubiops_file_sync-*"):
        own.unlink()


def _require_containers(root: Path) -> None:
    """Whether this machine lets one run at all; many containers do not."""
    with _cgroups_of_its_own() as places:
        done = subprocess.run(
            [*_nspawn(root), "--console=pipe", "--read-only", "/bin/true"],
            text=True,
            capture_output=True,
            check=False,
            preexec_fn=lambda: _enter(places),
        )
    if done.returncode != 0:
        raise CannotBoot(f"systemd-nspawn does not work here: {done.stderr[-500:]}")


def boot(root: Path) -> str:
    """Boot a root and wait until it has powered itself off: what was written on its console."""
    with _cgroups_of_its_own() as places, (root.parent / "console").open("w+") as console:
        process = subprocess.Popen(
            [*_nspawn(root), "--console=pipe", "-b"],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: _enter(places),
        )
        try:
            process.wait(BOOT_TIMEOUT_S)
        finally:
            # Its processes end with it: they are in a namespace of theirs.
            process.kill()
            process.wait()
            console.seek(0)
            said = console.read()
    return said


def _nspawn(root: Path) -> list[str]:
    command = ["systemd-nspawn", "-q", "-D", str(root), "--hostname=box"]
    command += ["--register=no", "--private-network"]
    if not Path("/run/systemd/system").is_dir():
        # No systemd here that could give it a unit.
        command.append("--keep-unit")
    return command


def _enter(places: Sequence[Path]) -> None:
    for place in places:
        (place / "cgroup.procs").write_text(str(os.getpid()))


@contextlib.contextmanager
def _cgroups_of_its_own() -> Iterator[Sequence[Path]]:
    """Folders for the control groups that the booted systemd makes, so that none is left here."""
    hierarchies = [_CGROUPS / "systemd", _CGROUPS / "unified"]
    if (_CGROUPS / "cgroup.procs").exists():
        hierarchies = [_CGROUPS]
    places = []
    for hierarchy in hierarchies:
        place = hierarchy / f"ubiops-file-sync-{os.getpid()}"
        with contextlib.suppress(OSError):
            place.mkdir()
            places.append(place)
    try:
        yield places
    finally:
        for place in places:
            for folder in sorted(place.rglob("*/"), reverse=True):
                with contextlib.suppress(OSError):
                    folder.rmdir()
            with contextlib.suppress(OSError):
                place.rmdir()


@contextlib.contextmanager
def only_one(cache: Path) -> Iterator[None]:
    """Have the cache alone, whoever else runs these tests."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
