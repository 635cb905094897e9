"""What is told of file systems: their mounts as Linux lists them, and their quirks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ubiops_file_sync.errors import KeyFailure
from ubiops_file_sync.local.filesystem import (
    Quirks,
    find_quirks,
    mount_of,
    mounted_below,
    parse_mounts,
    read_mounts,
)

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /srv rw,relatime shared:7 master:2 - nfs4 nas:/srv rw,vers=4.2
31 30 8:17 / /srv/my\\040disk ro,noatime - xfs /dev/sdb1 ro
32 22 0:41 / /tmp rw - tmpfs tmpfs rw
33 22 0:42 / /home/me/cloud rw - fuse.sshfs me@host: rw
34 22 0:43 / /data rw - vfat /dev/sdc1 rw
35 22 0:44 / /data rw - ext4 /dev/sdd1 rw
a line that is none
"""


def test_the_nearest_mount_counts_and_of_two_at_one_place_the_later() -> None:
    mounts = parse_mounts(MOUNTS)
    assert len(mounts) == 7

    def kind(path: str) -> str:
        mount = mount_of(Path(path), mounts)
        assert mount is not None
        return mount.kind

    assert kind("/srv/models") == "nfs4"
    assert kind("/srv/my disk/x") == "xfs"
    assert kind("/srvx") == "ext4"
    assert kind("/data/x") == "ext4"


def test_what_they_are_is_told() -> None:
    by_place = {str(mount.at): mount for mount in parse_mounts(MOUNTS)}
    assert [at for at, mount in by_place.items() if mount.is_network] == ["/srv", "/home/me/cloud"]
    assert [at for at, mount in by_place.items() if mount.is_read_only] == ["/srv/my disk"]
    assert [at for at, mount in by_place.items() if mount.is_in_memory] == ["/tmp"]


def test_mounts_within_a_directory_are_told() -> None:
    assert mounted_below(Path("/srv"), parse_mounts(MOUNTS)) == [Path("/srv/my disk")]
    assert mounted_below(Path("/srv/my disk"), parse_mounts(MOUNTS)) == []


def test_this_machine_has_a_root() -> None:
    assert mount_of(Path("/"), read_mounts()) is not None


def test_an_ordinary_file_system_has_no_quirks_and_is_left_as_it_was(tmp_path: Path) -> None:
    assert find_quirks(tmp_path) == Quirks(
        folds_case=False, recomposes=False, has_links=True, time_step_ns=1, keeps_modes=True
    )
    assert list(tmp_path.iterdir()) == []


def test_a_control_directory_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / ".ubiops-sync" / "tmp").mkdir(parents=True)
    (tmp_path / ".ubiops-sync" / "tmp" / "models.x.y").touch()
    find_quirks(tmp_path)
    assert os.listdir(tmp_path / ".ubiops-sync" / "tmp") == ["models.x.y"]


def test_nothing_is_made_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / ".ubiops-sync").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyFailure, match="a file or a link"):
        find_quirks(tmp_path / "root")
    assert list((tmp_path / "elsewhere").iterdir()) == []
