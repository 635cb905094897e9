"""One pass at a time over a profile, and no lock that outlives its holder."""

from __future__ import annotations

import os
import signal
import stat
from pathlib import Path

import pytest

from store.states import child, lines_of
from ubiops_file_sync.errors import ConfigError, ProfileLocked
from ubiops_file_sync.store import find_holder, profile_lock

HOLD = """
with profile_lock(folder, "models"):
    print("held", flush=True)
    sys.stdin.read()
"""

FORK = """
import os
with profile_lock(folder, "models"):
    forked = os.fork()
    if not forked:
        sys.stdin.read()
        os._exit(0)
print("given back", flush=True)
os.waitpid(forked, 0)
"""
FORK_THAT_LEAVES = """
import os
with profile_lock(folder, "models"):
    forked = os.fork()
    if forked:
        os.waitpid(forked, 0)
        print("the child has left the block", flush=True)
        sys.stdin.read()
os._exit(0)
"""


def test_a_second_pass_is_told_who_holds_the_profile(tmp_path: Path) -> None:
    with profile_lock(tmp_path, "models"), pytest.raises(ProfileLocked) as caught:
        profile_lock(tmp_path, "models").__enter__()
    assert f"process {os.getpid()} since " in str(caught.value)
    assert "'models'" in str(caught.value)
    assert caught.value.exit_code == 5


def test_a_pass_of_another_process_is_named(tmp_path: Path) -> None:
    holder = child(tmp_path, HOLD)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(ProfileLocked, match=f"process {holder.pid} since "):
        profile_lock(tmp_path, "models").__enter__()
    lines_of(holder)
    with profile_lock(tmp_path, "models"):
        pass


def test_a_holder_that_is_killed_holds_nothing_any_more(tmp_path: Path) -> None:
    holder = child(tmp_path, HOLD)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    holder.send_signal(signal.SIGKILL)
    lines_of(holder)
    with profile_lock(tmp_path, "models"), pytest.raises(ProfileLocked) as caught:
        profile_lock(tmp_path, "models").__enter__()
    assert f"process {os.getpid()} " in str(caught.value), "not the one that is dead"


def test_a_pass_that_fails_frees_its_profile(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), profile_lock(tmp_path, "models"):
        raise ZeroDivisionError
    with profile_lock(tmp_path, "models"):
        pass


def test_a_child_that_was_forked_meanwhile_does_not_keep_the_profile(tmp_path: Path) -> None:
    """Programs that use the library fork, and their children live on."""
    forked = child(tmp_path, FORK)
    assert forked.stdout is not None
    assert forked.stdout.readline() == "given back\n"
    with profile_lock(tmp_path, "models"):
        pass
    assert forked.poll() is None, "the child is alive"
    lines_of(forked)


def test_a_child_that_was_forked_meanwhile_gives_nothing_back(tmp_path: Path) -> None:
    holder = child(tmp_path, FORK_THAT_LEAVES)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "the child has left the block\n"
    with pytest.raises(ProfileLocked):
        profile_lock(tmp_path, "models").__enter__()
    lines_of(holder)


def test_profiles_do_not_lock_each_other(tmp_path: Path) -> None:
    with profile_lock(tmp_path, "models"), profile_lock(tmp_path, "models.old"):
        assert set(os.listdir(tmp_path)) == {"models.lock", "models.old.lock"}


def test_the_state_folder_is_made_and_private(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with profile_lock(tmp_path / "new/state", "models"):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new/state").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "new/state/models.lock").stat().st_mode) == 0o600


def test_a_state_folder_that_cannot_be_made_is_a_fault_of_the_configuration(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match="state_dir"):
        profile_lock(tmp_path / "file/state", "models").__enter__()


def test_a_state_folder_that_may_not_be_written_to_is_a_fault_of_the_configuration(
    open_folder: Path,
) -> None:
    open_folder.chmod(0o555)
    code = """
from ubiops_file_sync.errors import ConfigError
if os.geteuid() == 0:
    os.setegid(65534)
    os.seteuid(65534)
try:
    profile_lock(folder, "models").__enter__()
except ConfigError as error:
    print("state_dir" in str(error))
"""
    assert lines_of(child(open_folder, code)) == ["True"]


def test_a_full_disk_does_not_keep_the_lock_from_holding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_fd: int, _text: bytes, _offset: int) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with profile_lock(tmp_path, "models"), pytest.raises(ProfileLocked, match="another process"):
        profile_lock(tmp_path, "models").__enter__()


# -- who holds it ----------------------------------------------------------------------------------


def test_nobody_holds_a_profile_that_has_no_lock_yet(tmp_path: Path) -> None:
    assert find_holder(tmp_path, "models") is None
    assert find_holder(tmp_path / "no such folder", "models") is None
    assert os.listdir(tmp_path) == []


def test_the_holder_is_told_without_taking_its_lock(tmp_path: Path) -> None:
    with profile_lock(tmp_path, "models"):
        for _ in range(2):
            holder = find_holder(tmp_path, "models")
            assert holder is not None
            assert holder.process == os.getpid()
            assert holder.words.startswith(f"process {os.getpid()} since ")
        with pytest.raises(ProfileLocked):
            profile_lock(tmp_path, "models").__enter__()
    assert find_holder(tmp_path, "models") is None, "what is left in the file is of the past"


def test_a_holder_in_another_process_is_told_until_it_is_killed(tmp_path: Path) -> None:
    process = child(tmp_path, HOLD)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    holder = find_holder(tmp_path, "models")
    assert holder is not None
    assert holder.process == process.pid
    process.send_signal(signal.SIGKILL)
    lines_of(process)
    assert find_holder(tmp_path, "models") is None


ASK = """
print("asking", flush=True)
asked = 0
while asked >= 0:
    find_holder(folder, "models")
    asked += 1
"""


def test_whoever_asks_without_end_never_keeps_a_pass_from_its_lock(tmp_path: Path) -> None:
    askers = [child(tmp_path, ASK) for _ in range(2)]
    for asker in askers:
        assert asker.stdout is not None
        assert asker.stdout.readline() == "asking\n"
    for _ in range(5000):
        with profile_lock(tmp_path, "models"):
            pass
    for asker in askers:
        assert asker.poll() is None
        asker.kill()
        lines_of(asker)
