"""The state file: private, never touched by a dry run, and refused rather than misread."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from store.states import (
    IDENTITY,
    child,
    entries,
    entry,
    intent,
    lines_of,
    made,
    recorded,
    snapshot,
)
from ubiops_file_sync.errors import ConfigError, SafetyHalt
from ubiops_file_sync.store import BaselineStore, Identity

BOTH_WAYS = [BaselineStore.open, BaselineStore.open_read_only]
both_ways = pytest.mark.parametrize("opened", BOTH_WAYS, ids=["a pass", "a dry run"])


def close(store: BaselineStore) -> None:
    store.__exit__()


# -- a dry run changes nothing (I8) ----------------------------------------------------------------


def test_a_dry_run_of_a_new_profile_is_empty_and_makes_no_file(path: Path) -> None:
    with BaselineStore.open_read_only(path, IDENTITY) as store:
        assert list(store.rows()) == []
        assert store.noted("listing_order") is None
    assert list(path.parent.iterdir()) == []


def test_a_dry_run_needs_no_state_folder(tmp_path: Path) -> None:
    with BaselineStore.open_read_only(tmp_path / "no/such/x.sqlite", IDENTITY) as store:
        assert list(store.rows()) == []
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_reads_everything_and_changes_no_byte(path: Path) -> None:
    made(path, *entries(3000))
    before = snapshot(path.parent)
    with BaselineStore.open_read_only(path, IDENTITY) as store:
        assert recorded(store) == entries(3000)
        store.note("listing_order", "unsorted")
        assert store.noted("listing_order") is None
        assert snapshot(path.parent) == before
    assert snapshot(path.parent) == before


def test_a_dry_run_cannot_write_even_if_it_wanted_to(path: Path) -> None:
    made(path, entry("a"))
    before = snapshot(path.parent)
    with BaselineStore.open_read_only(path, IDENTITY) as store:
        with pytest.raises(ConfigError, match="readonly"):
            store.record(in_step=[entry("b")])
        with pytest.raises(ConfigError, match="readonly"):
            store.drop_intents(10**18, 10**18)
    assert snapshot(path.parent) == before


def test_a_dry_run_beside_a_pass_sees_what_was_recorded_last(path: Path) -> None:
    made(path, entry("a"))
    with BaselineStore.open(path, IDENTITY) as busy:
        busy._db.execute("BEGIN IMMEDIATE")
        busy._db.execute("DELETE FROM baseline")
        before = set(os.listdir(path.parent))
        with BaselineStore.open_read_only(path, IDENTITY) as store:
            assert recorded(store) == [entry("a")]
        assert set(os.listdir(path.parent)) == before
        busy._db.execute("ROLLBACK")


# -- a pass that was killed (I5) -------------------------------------------------------------------

KILLED_IN_A_TRANSACTION = """
store = BaselineStore.open(folder / "models.sqlite", IDENTITY)
store.record(in_step=entries(3000), begun=[intent("z", 1, 5)])
# So small a cache that the file is written to before the transaction ends.
store._db.execute("PRAGMA cache_size = 2")
store._db.execute("BEGIN IMMEDIATE")
store._db.execute("DELETE FROM intent")
store._db.execute("UPDATE baseline SET size = -1")
os.kill(os.getpid(), signal.SIGKILL)
"""


def _killed_in_a_transaction(path: Path) -> None:
    process = child(path.parent, KILLED_IN_A_TRANSACTION)
    assert lines_of(process) == []
    assert process.returncode == -signal.SIGKILL
    assert (path.parent / "models.sqlite-journal").stat().st_size > 0
    with (
        closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        db.execute("SELECT * FROM meta")


def test_a_dry_run_after_a_kill_sees_the_last_good_state_and_changes_no_byte(path: Path) -> None:
    _killed_in_a_transaction(path)
    before = snapshot(path.parent)
    for _ in range(2):
        with BaselineStore.open_read_only(path, IDENTITY) as store:
            assert recorded(store) == entries(3000)
            assert list(store.pending()) == [intent("z", 1, 5)]
            assert snapshot(path.parent) == before
    assert snapshot(path.parent) == before


def test_a_pass_after_a_kill_goes_on_from_the_last_good_state(path: Path) -> None:
    _killed_in_a_transaction(path)
    with BaselineStore.open(path, IDENTITY) as store:
        assert recorded(store) == entries(3000)
        assert list(store.pending()) == [intent("z", 1, 5)]
    assert os.listdir(path.parent) == ["models.sqlite"]


def test_a_state_that_was_moved_away_after_a_kill_does_not_come_back(path: Path) -> None:
    """What the journal beside it holds belongs to the file that is gone."""
    _killed_in_a_transaction(path)
    path.rename(path.with_name("moved-away"))
    with BaselineStore.open(path, IDENTITY) as store:
        assert list(store.rows()) == []
        store.record(in_step=[entry("a")])
    with BaselineStore.open(path, IDENTITY) as store:
        assert recorded(store) == [entry("a")]
        assert store._db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_pass_that_was_killed_while_it_made_its_state_is_no_trouble(path: Path) -> None:
    for leftover in ("models.sqlite.new", "models.sqlite.new-journal"):
        (path.parent / leftover).write_bytes(b"half")
    with BaselineStore.open_read_only(path, IDENTITY) as store:
        assert list(store.rows()) == []
    with BaselineStore.open(path, IDENTITY) as store:
        store.record(in_step=[entry("a")])
    assert os.listdir(path.parent) == ["models.sqlite"]


# -- another place ---------------------------------------------------------------------------------

PLACES = [
    ("local_dir", "/data/other"),
    ("api_host", "https://elsewhere.example.com/v2.1"),
    ("project", "other"),
    ("bucket", "other"),
    ("bucket_dir", ""),
]


def _moved(name: str, value: str) -> Identity:
    return Identity(**{**asdict(IDENTITY), name: value})


@both_ways
@pytest.mark.parametrize(("name", "value"), PLACES)
def test_the_state_of_other_places_is_not_used(
    path: Path, name: str, value: str, opened: type[BaselineStore]
) -> None:
    made(path, entry("a"))
    before = snapshot(path.parent)
    with pytest.raises(SafetyHalt) as caught:
        opened(path, _moved(name, value))  # type: ignore[call-arg,arg-type]
    assert f"{name} was {asdict(IDENTITY)[name]!r} and is {value!r}" in str(caught.value)
    assert str(path) in str(caught.value)
    assert not any(f"{other} was" in str(caught.value) for other, _ in PLACES if other != name)
    assert snapshot(path.parent) == before


def test_an_upload_under_way_ties_a_state_to_its_places_too(path: Path) -> None:
    with BaselineStore.open(path, IDENTITY) as store:
        store.record(begun=[intent("a")])
    with pytest.raises(SafetyHalt):
        BaselineStore.open(path, replace(IDENTITY, bucket="other"))


def test_a_typo_that_is_corrected_before_anything_was_in_step_is_no_trouble(path: Path) -> None:
    made(path)
    corrected = replace(IDENTITY, bucket="other")
    close(BaselineStore.open_read_only(path, corrected))
    made(path, entry("a"), identity=corrected)
    with pytest.raises(SafetyHalt):
        BaselineStore.open(path, IDENTITY)


# -- what is not a state file ----------------------------------------------------------------------


@both_ways
def test_a_newer_version_s_state_is_not_touched(path: Path, opened: type[BaselineStore]) -> None:
    made(path, entry("a"))
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA user_version = 99")
    before = snapshot(path.parent)
    with pytest.raises(ConfigError, match="newer version"):
        opened(path, IDENTITY)  # type: ignore[call-arg,arg-type]
    assert snapshot(path.parent) == before


def _sqlite_of_another_program(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE cookies (name TEXT)")
    db.close()


DAMAGES = {
    "no content at all": b"",
    "something else": b"# not a database\n" * 1000,
    "zeros": bytes(8192),
}


def _read(opened: type[BaselineStore], path: Path) -> None:
    with opened(path, IDENTITY) as store:  # type: ignore[call-arg,arg-type]
        list(store.rows())


@both_ways
@pytest.mark.parametrize("content", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_state_is_refused_and_kept_as_it_is(
    path: Path, content: bytes, opened: type[BaselineStore]
) -> None:
    path.write_bytes(content)
    before = snapshot(path.parent)
    with pytest.raises(ConfigError) as caught:
        _read(opened, path)
    assert str(path) in str(caught.value)
    assert "move it away" in str(caught.value)
    assert snapshot(path.parent) == before


@both_ways
@pytest.mark.parametrize("kept", [50, 100, 511, 4096, 10_000, 50_000, -4096])
def test_a_state_that_was_cut_off_is_refused_and_kept_as_it_is(
    path: Path, kept: int, opened: type[BaselineStore]
) -> None:
    whole = made(path, *entries(3000)).read_bytes()
    path.write_bytes(whole[:kept])
    before = snapshot(path.parent)
    with pytest.raises(ConfigError):
        _read(opened, path)
    assert snapshot(path.parent) == before


@both_ways
def test_another_program_s_database_is_refused_and_kept_as_it_is(
    path: Path, opened: type[BaselineStore]
) -> None:
    _sqlite_of_another_program(path)
    before = snapshot(path.parent)
    with pytest.raises(ConfigError):
        _read(opened, path)
    assert snapshot(path.parent) == before


@both_ways
def test_a_folder_in_its_place_is_refused(path: Path, opened: type[BaselineStore]) -> None:
    path.mkdir()
    with pytest.raises(ConfigError):
        _read(opened, path)


# -- who may read it -------------------------------------------------------------------------------


def test_the_state_is_private_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        made(path, entry("a"))
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


AS_NOBODY = """
from ubiops_file_sync.errors import ConfigError
if os.geteuid() == 0:
    os.setegid(65534)
    os.seteuid(65534)
for way in (BaselineStore.open, BaselineStore.open_read_only):
    try:
        with way(folder / "models.sqlite", IDENTITY) as store:
            print(len(recorded(store)))
            if way == BaselineStore.open:
                store.record(in_step=[entry("b")])
    except ConfigError as error:
        print("refused")
"""


def test_a_folder_that_may_not_be_written_to_stops_a_pass_in_words(open_folder: Path) -> None:
    open_folder.chmod(0o555)
    assert lines_of(child(open_folder, AS_NOBODY)) == ["refused", "0"]


def test_a_dry_run_reads_a_state_that_it_may_not_write(open_folder: Path) -> None:
    made(open_folder / "models.sqlite", entry("a")).chmod(0o444)
    open_folder.chmod(0o555)
    assert lines_of(child(open_folder, AS_NOBODY)) == ["1", "refused", "1"]


def test_a_state_of_another_user_is_refused_in_words(open_folder: Path) -> None:
    path = made(open_folder / "models.sqlite", entry("a"))
    path.chmod(0o600 if os.geteuid() == 0 else 0)
    assert lines_of(child(open_folder, AS_NOBODY)) == ["refused", "refused"]


def test_a_folder_that_may_not_be_searched_is_refused_in_words(open_folder: Path) -> None:
    made(open_folder / "models.sqlite", entry("a"))
    open_folder.chmod(0o700 if os.geteuid() == 0 else 0)
    assert lines_of(child(open_folder, AS_NOBODY)) == ["refused", "refused"]


def test_odd_characters_in_the_path_are_only_characters(tmp_path: Path) -> None:
    for name in ("a?mode=memory", "b#c", "d%20e", "é 😀", "f&cache=shared"):
        path = tmp_path / name / "x.sqlite"
        path.parent.mkdir()
        made(path, entry("a"))
        with BaselineStore.open_read_only(path, IDENTITY) as store:
            assert recorded(store) == [entry("a")]
        assert os.listdir(path.parent) == ["x.sqlite"]


# -- damage that SQLite does not notice by itself --------------------------------------------------


def test_what_nobody_foresaw_has_the_state_looked_through(path: Path) -> None:
    made(path, *entries(300))
    with (
        BaselineStore.open(path, IDENTITY) as store,
        pytest.raises(KeyError, match="a bug"),
        store.suspected(),
    ):
        raise KeyError("a bug, and the state is well")
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA writable_schema = ON")
        # As if a byte of the schema were another: what the rows hold is now against it.
        db.execute("UPDATE sqlite_schema SET sql = replace(sql, 'size INTEGER', 'size TEXT   ')")
    with (
        BaselineStore.open(path, IDENTITY) as store,
        pytest.raises(ConfigError, match=r"is damaged \(.*move it away: mv "),
        store.suspected(),
    ):
        raise KeyError("not a bug: the state is damaged")


def test_text_that_is_none_is_damage_and_is_not_quoted(path: Path) -> None:
    made(path, entry("a-key-to-be-found"))
    path.write_bytes(path.read_bytes().replace(b"a-key-to-be-found", b"a-key-\x1b[31m\xff\xfefoun"))
    with (
        BaselineStore.open(path, IDENTITY) as store,
        pytest.raises(
            ConfigError, match=r"is damaged \(it holds what no pass has written\)"
        ) as caught,
    ):
        recorded(store)
    assert str(caught.value).isprintable()


def test_a_state_that_another_program_keeps_locked_says_so(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(path, entry("a"))
    monkeypatch.setattr("ubiops_file_sync.store.state_file._BUSY_S", 0.01)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(ConfigError, match="another program has it open: end that one"):
        BaselineStore.open(path, IDENTITY)
    other.close()
