"""The classic functions as their documentation has them, by environment variables alone."""

from __future__ import annotations

import pickle
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import ubiops

import ubiops_file_sync
from library.conftest import Place
from ubiops_file_sync import (
    AccessRefused,
    ConfigError,
    FilesFailed,
    NoSuchBucket,
    Outcome,
    Progress,
    Reason,
    RemoteUnreachable,
    SafetyHalt,
    UsageError,
    Verb,
)
from ubiops_file_sync.downloader import download_file, download_from_bucket
from ubiops_file_sync.emulator import Fault
from ubiops_file_sync.uploader import upload_file, upload_to_bucket
from ubiops_file_sync.watcher import shutdown, watch_local_and_upload

UP, DOWN = {Verb.UPLOAD: 1}, {Verb.DOWNLOAD: 1}
FLAG = pytest.mark.parametrize("flag", ["true", "false"])


def item(name: str) -> ubiops.FileItem:
    return ubiops.FileItem(file=name)


def listing(place: Place) -> list[Any]:
    """What the official client lists of the whole bucket."""
    configuration = ubiops.Configuration(host=place.server.api_host)
    configuration.api_key["Authorization"] = f"Token {place.server.token}"
    client = ubiops.ApiClient(configuration)
    listed = ubiops.CoreApi(client).files_list(place.server.project, place.server.bucket)
    client.close()
    files: list[Any] = listed.files
    return files


# -- the whole of it -------------------------------------------------------------------------------


@FLAG
@pytest.mark.parametrize("bucket_dir", ["", "data", "a/b", "data/"])
def test_the_documented_example(place: Place, bucket_dir: str, flag: str) -> None:
    place.setenv(BUCKET_DIR=bucket_dir, OVERWRITE_NEWER_FILES=flag)
    place.put("stub.txt", b"stub")
    place.put("models/resnet/weights.bin", b"weights")
    others = {"database/x": b"others'"} if bucket_dir else {}
    for key, content in others.items():
        place.server.put_object(key, content)

    download_file(item("stub.txt"))
    assert place.local() == {"stub.txt": b"stub"}

    download_from_bucket()
    assert place.local() == {"stub.txt": b"stub", "models/resnet/weights.bin": b"weights"}

    place.write("results/1.csv", b"one")
    place.write("results/deep/er/2.csv", b"two")
    upload_file(Path("results/1.csv"))
    assert place.remote()[f"{place.prefix}results/1.csv"] == b"one"
    assert f"{place.prefix}results/deep/er/2.csv" not in place.remote()

    upload_to_bucket()
    assert place.remote()[f"{place.prefix}results/deep/er/2.csv"] == b"two"

    watch_local_and_upload(0.2)
    place.write("watched.txt", b"three", age_s=None)
    place.eventually_stored("watched.txt", b"three")
    place.write("last.txt", b"four", age_s=None)
    shutdown()

    mine = {place.prefix + key: content for key, content in place.local().items()}
    assert len(mine) == 6
    assert place.remote() == mine | others
    assert place.trash() == set(), "nothing was replaced"
    place.server.reset_calls()
    assert (download_from_bucket().done, upload_to_bucket().done) == ({}, {})
    assert place.server.calls.api_count == 2, "what is in step takes a listing and no more"


def test_the_verbs_are_names_of_the_package_too() -> None:
    assert ubiops_file_sync.download_file is download_file
    assert ubiops_file_sync.download_from_bucket is download_from_bucket
    assert ubiops_file_sync.upload_file is upload_file
    assert ubiops_file_sync.upload_to_bucket is upload_to_bucket
    assert ubiops_file_sync.watch_local_and_upload is watch_local_and_upload
    assert set(ubiops_file_sync.__all__) <= set(dir(ubiops_file_sync))
    with pytest.raises(AttributeError, match="no attribute 'no_such'"):
        _ = ubiops_file_sync.no_such  # type: ignore[attr-defined]


# -- variables -------------------------------------------------------------------------------------


def test_everything_that_is_wrong_with_the_variables_is_one_error(place: Place) -> None:
    place.monkeypatch.delenv("BUCKET_DIR")
    place.monkeypatch.delenv("UBIOPS_API_TOKEN")
    place.setenv(BUCKET_NAME="", OVERWRITE_NEWER_FILES="perhaps", UBIOPS_API_HOST="ftp://x")
    for call in (
        lambda: download_file(item("a")),
        download_from_bucket,
        lambda: upload_file(Path("a")),
        upload_to_bucket,
        watch_local_and_upload,
        ubiops_file_sync.sync_and_watch,
    ):
        with pytest.raises(ConfigError) as caught:
            call()
        for name in ("BUCKET_DIR", "UBIOPS_API_TOKEN", "BUCKET_NAME", "OVERWRITE", "API_HOST"):
            assert name in str(caught.value)


def test_variables_are_read_when_a_call_needs_them(place: Place) -> None:
    place.write("a", b"1")
    place.setenv(BUCKET_NAME="")
    with pytest.raises(ConfigError):
        upload_to_bucket()
    place.setenv(BUCKET_NAME="default")
    upload_to_bucket()
    place.setenv(BUCKET_DIR="elsewhere")
    upload_to_bucket()
    assert set(place.remote()) == {"data/a", "elsewhere/a"}


def test_a_relative_folder_stays_where_it_was_first(place: Place, tmp_path: Path) -> None:
    place.write("a", b"1")
    place.monkeypatch.chdir(place.folder)
    place.setenv(LOCAL_SYNC_DIR="local")
    upload_to_bucket()
    place.write("b", b"1")
    (tmp_path / "local").mkdir()
    (tmp_path / "local/c").write_bytes(b"1")
    place.monkeypatch.chdir(tmp_path)
    upload_to_bucket()
    assert set(place.remote()) == {"data/a", "data/b"}


def test_a_token_may_change_at_any_time(place: Place) -> None:
    place.put("a", b"1")
    place.setenv(UBIOPS_API_TOKEN="a-wrong-token")
    with pytest.raises(AccessRefused, match="UBIOPS_API_TOKEN"):
        download_file(item("a"))
    place.setenv(UBIOPS_API_TOKEN=f"Token {place.server.token}")
    download_file(item("a"))


# -- which file is meant ---------------------------------------------------------------------------


def test_every_item_of_a_listing_comes_down(place: Place) -> None:
    keys = ("a", "data/a", "b/c.txt", "data/data/d")
    for key in keys:
        place.put(key, key.encode())
    place.server.put_object("data/b/", b"")
    for listed in listing(place):
        download_file(listed)
    assert place.local() == {key: key.encode() for key in keys}


def test_a_name_is_relative_or_a_full_key(place: Place) -> None:
    place.put("a/b", b"1")
    place.put("data/c", b"2")
    assert download_file(item("a/b")).done == DOWN
    assert download_file(item("data/a/b")).done == {}, "the same one"
    assert download_file(item("data/c")).done == DOWN, "relative: there is no data/c in full"
    assert place.local() == {"a/b": b"1", "data/c": b"2"}


def test_a_name_that_may_be_either_of_two_objects_is_neither(place: Place) -> None:
    place.put("a", b"1")
    place.put("data/a", b"2")
    with pytest.raises(UsageError, match=r"'data/data/a' .*and 'data/a'") as caught:
        download_file(item("data/a"))
    assert "time_created" in str(caught.value)
    assert place.local() == {}
    assert download_file(item("data/data/a")).done == DOWN
    assert place.local() == {"data/a": b"2"}
    [full] = [one for one in listing(place) if one.file == "data/a"]
    assert download_file(full).done == DOWN
    assert place.local() == {"data/a": b"2", "a": b"1"}


@pytest.mark.parametrize("name", ["none", "data/none"])
def test_an_object_that_is_not_there_is_said_so(place: Place, name: str) -> None:
    with pytest.raises(UsageError, match=r"data/none'.* in bucket 'default' of project 'demo'"):
        download_file(item(name))
    place.setenv(BUCKET_NAME="no-such-bucket")
    with pytest.raises(NoSuchBucket, match="no-such-bucket"):
        download_file(item(name))


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a//b", "data/../../x", "a/"])
def test_a_name_that_leads_elsewhere_is_refused(place: Place, name: str) -> None:
    with pytest.raises(UsageError, match="the name of no file"):
        download_file(item(name) if name != "a/" else ubiops.FileItem(file="a/", size=7))
    assert place.server.calls.api_count == 0


@pytest.mark.parametrize("given", ["a", None, ubiops.FileItem(file=""), Path("a")])
def test_what_is_no_item_is_refused(place: Place, given: Any) -> None:
    with pytest.raises(UsageError, match="FileItem"):
        download_file(given)


def test_a_path_is_absolute_or_relative_to_the_folder_or_to_the_working_directory(
    place: Place,
) -> None:
    for key in ("a", "d/b", "d/c", "e/f"):
        place.write(key, key.encode())
    upload_file(place.root / "a")
    upload_file(Path("d/b"))
    place.monkeypatch.chdir(place.root / "d")
    upload_file(Path("c"))
    upload_file(Path("../e/f"))
    assert place.remote() == {f"data/{key}": key.encode() for key in ("a", "d/b", "d/c", "e/f")}
    upload_file("a")  # type: ignore[arg-type]  # As good as a path.


def test_a_folder_that_is_reached_through_a_link_is_the_same(place: Place) -> None:
    place.write("a", b"1")
    place.write("b", b"1")
    link = place.folder / "link"
    link.symlink_to(place.root)
    place.setenv(LOCAL_SYNC_DIR=str(link))
    upload_file(link / "a")
    upload_file(place.root / "b")
    assert set(place.remote()) == {"data/a", "data/b"}


def test_a_path_that_may_be_either_of_two_files_is_neither(place: Place) -> None:
    place.write("d/d/a", b"1")
    place.write("d/a", b"2")
    place.monkeypatch.chdir(place.root / "d")
    with pytest.raises(UsageError) as caught:
        upload_file(Path("d/a"))
    assert str(place.root / "d/a") in str(caught.value)
    assert str(place.root / "d/d/a") in str(caught.value)
    assert place.remote() == {}
    upload_file(place.root / "d/a")
    assert place.remote() == {"data/d/a": b"2"}


def test_a_file_outside_is_never_uploaded(place: Place, tmp_path: Path) -> None:
    outside = place.folder / "outside.txt"
    outside.write_bytes(b"1")
    (place.folder / "local-too").mkdir()
    (place.folder / "local-too/x").write_bytes(b"1")
    place.monkeypatch.chdir(place.folder)
    for path in (outside, Path("../outside.txt"), place.folder / "local-too/x"):
        with pytest.raises(UsageError, match="is not below"):
            upload_file(path)
    with pytest.raises(UsageError, match="there is no"):
        upload_file(Path("outside.txt"))
    (place.root / "link").symlink_to(outside)
    with pytest.raises(FilesFailed, match="link"):
        upload_file(Path("link"))
    assert place.remote() == {}


def test_a_path_that_names_no_file_is_refused(place: Place) -> None:
    place.write("d/a", b"1")
    for path, words in (("none", "there is no"), ("d", "is a folder"), (place.root, "is a folder")):
        with pytest.raises(UsageError, match=words):
            upload_file(Path(path))
    place.write(".ubiops-sync/trash/x", b"1")
    with pytest.raises(UsageError, match="keeps its own files"):
        upload_file(Path(".ubiops-sync/trash/x"))


# -- newer files -----------------------------------------------------------------------------------


@FLAG
def test_a_newer_file_here_and_a_download(place: Place, flag: str) -> None:
    place.setenv(OVERWRITE_NEWER_FILES=flag)
    place.put("a", b"the bucket's", age_s=1000)
    place.put("b", b"the bucket's", age_s=1000)
    for key in ("a", "b"):
        place.write(key, b"newer", age_s=10)
    one, everything = download_file(item("a")), download_from_bucket()
    if flag == "true":
        assert place.local() == {"a": b"newer", "b": b"newer"}
        assert one.planned.left == {Reason.DESTINATION_NEWER: 1}
        assert everything.planned.left == {Reason.DESTINATION_NEWER: 2}
    else:
        assert place.local() == {"a": b"the bucket's", "b": b"the bucket's"}
        assert place.trash() == {b"newer"}, "and even so it is not lost"


@FLAG
def test_a_newer_object_and_an_upload(place: Place, flag: str) -> None:
    place.setenv(OVERWRITE_NEWER_FILES=flag)
    for key in ("a", "b"):
        place.write(key, b"this folder's", age_s=1000)
        place.put(key, b"newer", age_s=10)
    one, everything = upload_file(Path("a")), upload_to_bucket()
    if flag == "true":
        assert place.remote() == {"data/a": b"newer", "data/b": b"newer"}
        assert one.planned.left == {Reason.DESTINATION_NEWER: 1}
        assert everything.planned.left == {Reason.DESTINATION_NEWER: 2}
    else:
        assert place.remote() == {"data/a": b"this folder's", "data/b": b"this folder's"}
        assert place.trash() == {b"newer"}, "and even so it is not lost"


@FLAG
def test_what_is_newer_than_what_was_in_step_wins_whatever_the_flag(
    place: Place, flag: str
) -> None:
    place.setenv(OVERWRITE_NEWER_FILES=flag)
    for key in ("mine", "theirs"):
        place.write(key, b"1", age_s=1000)
    upload_to_bucket()
    place.write("mine", b"12", age_s=500)  # `cp -p`: older than its object, and a change.
    place.put("theirs", b"123")
    assert upload_file(Path("mine")).done == UP
    assert download_file(item("theirs")).done == DOWN
    assert place.local() == {"mine": b"12", "theirs": b"123"}
    assert place.remote() == {"data/mine": b"12", "data/theirs": b"123"}


@FLAG
def test_what_is_in_step_does_not_travel(place: Place, flag: str) -> None:
    place.setenv(OVERWRITE_NEWER_FILES=flag)
    place.write("a", b"1")
    place.put("b", b"2")
    upload_to_bucket()
    download_from_bucket()
    place.server.reset_calls()
    for call in (
        partial(download_file, item("a")),
        partial(download_file, item("b")),
        partial(upload_file, Path("a")),
        partial(upload_file, Path("b")),
        download_from_bucket,
        upload_to_bucket,
    ):
        report = call()
        assert (report.done, report.bytes_up, report.bytes_down) == ({}, 0, 0)
    assert place.server.calls.api_count == 6


# -- one way is one way ----------------------------------------------------------------------------


def test_a_download_changes_nothing_in_the_bucket_and_an_upload_nothing_here(place: Place) -> None:
    place.write("here", b"1")
    place.put("there", b"2")
    here, there = place.local(), place.remote()
    download_from_bucket()
    assert place.remote() == there
    assert place.local() == here | {"there": b"2"}
    place.put("there too", b"2")
    upload_to_bucket()
    assert place.local() == here | {"there": b"2"}


def test_what_one_side_lost_comes_back_and_is_never_deleted_on_the_other(place: Place) -> None:
    for key in ("a", "b", "c"):
        place.write(key, b"1")
    upload_to_bucket()
    (place.root / "a").unlink()
    place.server.delete_object("data/b")
    assert download_from_bucket().done == DOWN
    assert upload_to_bucket().done == UP
    assert set(place.local()) == {"a", "b", "c"}
    assert set(place.remote()) == {"data/a", "data/b", "data/c"}


def test_results_that_a_program_writes_anew_all_go_up(place: Place) -> None:
    for version in (b"1", b"12"):
        for n in range(12):
            place.write(f"{n}", version)
        assert upload_to_bucket().done == {Verb.UPLOAD: 12}


# -- the folder ------------------------------------------------------------------------------------


def test_a_download_makes_its_folder(place: Place) -> None:
    place.setenv(LOCAL_SYNC_DIR=str(place.folder / "deep/er/local"))
    place.put("a", b"1")
    download_file(item("a"))
    assert (place.folder / "deep/er/local/a").read_bytes() == b"1"


@pytest.mark.parametrize("is_gone", [False, True])
def test_a_folder_that_was_emptied_is_filled_again(place: Place, *, is_gone: bool) -> None:
    for n in range(3):
        place.put(f"{n}", b"1")
    download_from_bucket()
    for n in range(3):
        (place.root / f"{n}").unlink()
    if is_gone:
        place.root.rename(place.folder / "moved away")
    assert download_from_bucket().done == {Verb.DOWNLOAD: 3}


def test_a_file_put_into_an_emptied_folder_makes_no_other_a_deleted_one(place: Place) -> None:
    """A two-way pass that carries deletions must not take the folder for one with a single file."""
    from ubiops_file_sync import Deletions, Reconciler

    for n in range(3):
        place.put(f"{n}", b"1")
    download_from_bucket()
    for n in range(3):
        (place.root / f"{n}").unlink()
    download_file(item("0"))
    settings = ubiops_file_sync.load_settings()
    profile = settings.profiles["default"].model_copy(update={"deletions": Deletions.BOTH})
    report = Reconciler(profile, settings.state_dir).run()
    assert report.done == {Verb.DOWNLOAD: 2}
    assert len(place.remote()) == 3


def test_an_upload_needs_its_folder(place: Place) -> None:
    place.setenv(LOCAL_SYNC_DIR=str(place.folder / "none"))
    with pytest.raises(SafetyHalt, match="does not exist"):
        upload_to_bucket()
    with pytest.raises(SafetyHalt, match="cannot be read"):
        watch_local_and_upload()
    with pytest.raises(UsageError, match="there is no"):
        upload_file(Path("a"))


def test_a_file_in_the_folder_s_place_is_left(place: Place) -> None:
    file = place.folder / "file"
    file.write_bytes(b"1")
    place.put("a", b"1")
    place.setenv(LOCAL_SYNC_DIR=str(file))
    with pytest.raises(SafetyHalt, match="not a directory"):
        download_from_bucket()
    place.setenv(LOCAL_SYNC_DIR=str(file / "below"))
    with pytest.raises(ConfigError, match="LOCAL_SYNC_DIR"):
        download_from_bucket()
    assert file.read_bytes() == b"1"


# -- trouble ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["reset_before", "reset_after", "status", "truncate"])
def test_trouble_that_passes_is_waited_out(place: Place, kind: str) -> None:
    place.put("a", b"content")
    place.write("b", b"content")
    operations = ["get", "list", "sign_download", "sign_upload", "put", "get_blob"]
    for operation in operations if kind != "truncate" else ["get_blob"]:
        place.server.faults.add(Fault(operation, kind, code=503))
    assert download_from_bucket().done == DOWN
    assert upload_file(Path("b")).done == UP
    assert place.local() == {"a": b"content", "b": b"content"}


def test_files_that_fail_are_named_after_all_others_are_done(place: Place) -> None:
    for n in range(8):
        place.put(f"{n}", b"1")
    place.server.faults.add(
        Fault("get_blob", "status", key=lambda key: key[-1] in "01234", times=None, code=404)
    )
    with pytest.raises(
        FilesFailed, match=r"5 files failed.*\n0: .*\n1: .*\n2: .*\nand 2 more"
    ) as e:
        download_from_bucket()
    assert set(place.local()) == {"5", "6", "7"}
    assert e.value.report.done == {Verb.DOWNLOAD: 3}
    assert e.value.exit_code == 1
    again = pickle.loads(pickle.dumps(e.value))
    assert (str(again), again.report) == (str(e.value), e.value.report)
    with pytest.raises(FilesFailed, match=r"^0: "):
        download_file(item("0"))
    place.server.faults.clear()
    assert download_from_bucket().done == {Verb.DOWNLOAD: 5}


def test_an_upload_into_no_bucket_says_so(place: Place) -> None:
    place.write("a", b"1")
    place.setenv(BUCKET_NAME="no-such-bucket")
    for call in (upload_to_bucket, partial(upload_file, Path("a"))):
        with pytest.raises(NoSuchBucket, match="no-such-bucket"):
            call()


def test_no_connection_is_said_to_be_one(place: Place) -> None:
    place.setenv(UBIOPS_API_HOST="http://no-such-host.invalid")
    place.write("a", b"1")
    with pytest.raises(RemoteUnreachable, match="no-such-host"):
        upload_file(Path("a"))


def test_a_file_that_changes_while_it_is_sent_is_not_taken_for_sent(place: Place) -> None:
    path = place.write("a", b"1" * 1000)

    def change(_key: str) -> bool:
        path.write_bytes(b"2")
        return True

    # The file is open when the signed URL is asked for.
    place.server.faults.add(Fault("sign_upload", "latency", key=change, seconds=0))
    with pytest.raises(FilesFailed, match="while it was read"):
        upload_file(path)
    assert place.remote() == {}
    place.server.faults.clear()
    assert upload_file(path).done == UP
    assert place.remote() == {"data/a": b"2"}


# -- progress, threads, output ---------------------------------------------------------------------


def test_progress_is_told_of_every_file(place: Place) -> None:
    class Names(Progress):
        def __init__(self) -> None:
            self.names: list[str] = []

        def did(self, outcome: Outcome) -> None:
            self.names.append(outcome.action.key)

    names = Names()
    place.put("a", b"1")
    place.put("b", b"1")
    place.write("c", b"1")
    download_file(item("a"), progress=names)
    download_from_bucket(progress=names)
    upload_file(Path("c"), progress=names)
    place.write("d", b"1")
    upload_to_bucket(progress=names)
    assert names.names == ["a", "b", "c", "d"]


def test_a_callback_that_begins_another_pass_is_told_that_it_must_not(place: Place) -> None:
    class Nested(Progress):
        def did(self, outcome: Outcome) -> None:
            upload_to_bucket()

    place.write("a", b"1")
    with pytest.raises(UsageError, match="once the first one has ended"):
        upload_file(Path("a"), progress=Nested())


def test_threads_take_turns(place: Place) -> None:
    errors: list[BaseException] = []

    def upload(n: int) -> None:
        try:
            upload_file(Path(f"{n}"))
        except BaseException as error:  # noqa: BLE001  looked at below
            errors.append(error)

    for n in range(12):
        place.write(f"{n}", b"1")
    threads = [threading.Thread(target=upload, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(place.remote()) == 12


def test_nothing_is_printed_and_no_logger_is_set_up(
    place: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    import logging

    before = list(logging.getLogger().handlers), logging.getLogger("ubiops_file_sync").handlers
    place.put("a", b"1")
    download_from_bucket()
    after = list(logging.getLogger().handlers), logging.getLogger("ubiops_file_sync").handlers
    assert after == before
    assert capfd.readouterr() == ("", "")


def test_what_was_left_is_in_the_log(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    place.put("a", b"the bucket's", age_s=1000)
    place.write("a", b"newer", age_s=10)
    with caplog.at_level("INFO", "ubiops_file_sync"):
        download_file(item("a"))
    assert "a left as it is: the side being written to holds a version" in caplog.text


def test_files_of_the_state_are_private(place: Place) -> None:
    place.write("a", b"1")
    upload_file(Path("a"))
    for path in (place.state_dir, *place.state_dir.iterdir()):
        assert path.stat().st_mode & 0o077 == 0, path
