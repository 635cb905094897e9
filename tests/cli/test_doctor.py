"""`doctor --contract` as a user types it."""

from __future__ import annotations

import os
import signal
import subprocess
import time

from cli.conftest import COMMAND, SAME_PACKAGE, Shell
from ubiops_file_sync.emulator import Behaviour, Fault


def test_a_table_of_belief_against_truth(shell: Shell) -> None:
    shell.profile()
    shell.server.put_object("data/theirs", b"1")
    shell.server.quota.limit = 300
    shell.server.behaviour = Behaviour(unsorted=True)
    done = shell("doctor", "--contract")
    assert done.returncode == 0, done.stdout + done.stderr
    head, *lines = done.stdout.splitlines()
    assert head.split() == ["belief", "what", "was", "found", "holds?"]
    found, holds = head.index("what"), head.index("holds?")
    rows = {line[:found].strip(): line[holds:] for line in lines if not line.startswith("  so:")}
    assert rows["a listing is sorted by the UTF-8 bytes of the names"] == "no, covered"
    assert rows["an empty file can be stored"] == "yes"
    assert "  so: it sorts listings on disk, and remembers that" in lines
    assert lines[-1].startswith("models: 33 yes, 1 no, covered, 1 cannot be told; ")
    assert "nothing is left in .ubiops-file-sync-contract-" in lines[-1]
    assert set(shell.server.objects()) == {"data/theirs"}
    for secret in (shell.server.token, "X-Amz", "/storage/"):
        assert secret not in done.stdout + done.stderr


def test_it_tells_a_program_too(shell: Shell) -> None:
    shell.profile()
    told = shell.json("doctor", "--contract", "models", "--prefix", "scratch")
    assert told["exit_code"] == 0
    (document,) = told["profiles"]
    assert document["prefix"] == "scratch/"
    assert document["api_calls"] < 60
    by_name = {belief["name"]: belief for belief in document["beliefs"]}
    assert by_name["order"]["holds"] == "yes"
    assert by_name["quota-told"]["holds"] == "covered"
    assert document["left"] == []


def test_usage_and_trouble_have_their_own_codes(shell: Shell) -> None:
    shell.profile()
    shell.server.put_object("scratch/theirs", b"1")
    taken = shell("doctor", "--contract", "--prefix", "scratch/")
    assert (taken.returncode, "name an empty --prefix" in taken.stderr) == (2, True)
    shell.env["UBIOPS_API_TOKEN"] = "nobody's"
    refused = shell("doctor", "--contract")
    assert (refused.returncode, "does not know the token" in refused.stderr) == (3, True)
    assert "nobody's" not in refused.stdout + refused.stderr
    shell.profiles(a="{local_dir: files, bucket_dir: a}", b="{local_dir: other, bucket_dir: b}")
    several = shell("doctor", "--contract")
    assert (several.returncode, "name one of a, b" in several.stderr) == (2, True)


def test_ctrl_c_leaves_nothing_behind(shell: Shell) -> None:
    shell.profile()
    hanging = shell.server.faults.add(Fault("sign_part", "hang", seconds=60))
    process = subprocess.Popen(
        [*COMMAND, "doctor", "--contract"],
        cwd=shell.cwd,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": SAME_PACKAGE, **shell.env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    give_up = time.monotonic() + 30
    while not shell.server.faults.fired(hanging) and time.monotonic() < give_up:
        time.sleep(0.05)
    assert len(shell.server.objects()) > 5
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert (process.returncode, "interrupted" in told) == (130, True), told
    assert shell.server.objects() == {}
