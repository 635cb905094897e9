"""Buckets and folders full of names that programs, people and enemies give, from end to end."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from fuzz.ground import configured, empty_bucket, server, surroundings
from fuzz.judge import Surroundings, command
from fuzz.seeds import NASTY_NAMES
from ubiops_file_sync import keys
from ubiops_file_sync.keys import CONTROL_DIR
from ubiops_file_sync.phrases import printable

NASTY = [name.decode() for name in NASTY_NAMES if name not in {b"\xff\xfe", b"\xed\xa0\x80"}]
_characters = st.one_of(
    st.sampled_from("./\\ \n\r\t\0\x1b\x07\u202e\u2066\u200b\ufeff~-*?[]:;|&$'\"`%#é😀\ufffe"),
    st.characters(exclude_categories=["Cs"]),
)
_parts = st.one_of(st.sampled_from(NASTY), st.text(_characters, min_size=1, max_size=8))
nasty_keys = st.lists(_parts, min_size=1, max_size=3).map("/".join)
unhurried = settings(
    max_examples=10,
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def put(names: set[str]) -> set[str]:
    """Store an object under each name; those that the server takes."""
    stored = set()
    for name in names:
        if name:
            server().put_object(f"data/{name}", name.encode())
            stored.add(name)
    return stored


def assert_third_pass_does_nothing(config: str) -> None:
    """The second one heeds an ignore file that the first one fetched (I4)."""
    command("--config", config, "reconcile")
    third = json.loads(command("--config", config, "reconcile", "--json").out)
    assert third["profiles"][0]["done"] == {}


def clashes(name: str, names: set[str], place: Surroundings) -> bool:
    """Whether something else stands in the way of a file of that name."""
    is_above = any(other.startswith(f"{name}/") for other in names)
    is_below = any(name.startswith(f"{other}/") for other in names)
    parts = name.split("/")
    way = ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
    is_link = any(os.path.islink(place.root / step) for step in way)
    return is_above or is_below or is_link or (place.root / name).is_dir()


@unhurried
@example(set(NASTY))
@given(st.sets(nasty_keys, min_size=1, max_size=12))
def test_a_bucket_of_nasty_names_comes_down_as_far_as_it_can(names: set[str]) -> None:
    empty_bucket()
    stored = put(names)
    with surroundings() as place, place.guarded():
        config = str(configured(place))
        done = command("--config", config, "reconcile", "-v")
        refused = {name for name in stored if keys.refusal(name) is not None}
        # An empty object with a slash behind it is a folder's; none of these is empty.
        assert done.code == (1 if "problem: " in done.out else 0), done
        for name in refused:
            if name.split("/")[0] not in {
                "link",
                "d",
                "secret",
            }:  # Below a link nothing is looked at.
                assert f"problem: {printable(name)}: " in done.out
        for name in stored - refused:
            if not clashes(name, stored - refused, place):
                assert (place.root / name).read_bytes() == name.encode()
        assert_third_pass_does_nothing(config)
        for words in (("plan", "--all"), ("verify",), ("status",), ("history",), ("trash", "list")):
            command("--config", config, *words)
        for name in sorted(stored)[:3]:
            command("--config", config, "explain", "--", name.replace("\0", ""))


@unhurried
@example({b"d/" * 509 + b"name"})
@example({os.fsencode(name) for name in NASTY} | {b"\xff\xfe", b"a\xed\xa0\x80/b"})
@given(st.sets(st.one_of(nasty_keys.map(str.encode), st.binary(min_size=1, max_size=20))))
def test_a_folder_of_nasty_names_goes_up_as_far_as_it_can(names: set[bytes]) -> None:
    empty_bucket()
    with surroundings() as place:
        config = str(configured(place))
        made = {os.fsdecode(name) for name in names if _write_below(place.root, name)}
        with place.guarded():
            done = command("--config", config, "reconcile")
            assert done.code in {0, 1}
            ours = {name for name in made if keys.refusal(name) is None and _has_room(name)}
            hidden = _hidden(place.root)
            if not hidden:
                assert {key.removeprefix("data/") for key in server().objects()} == ours
            assert_third_pass_does_nothing(config)


def _has_room(name: str) -> bool:
    """Whether the bucket takes a name of that length, below the profile's prefix."""
    return len(os.fsencode(f"data/{name}")) <= 1024


def _write_below(root: Path, name: bytes) -> bool:
    """Make a file of that name, if a file system takes it and it stays below the root."""
    parts = name.split(b"/")
    if name.startswith(b"/") or not {b"", b".", b".."}.isdisjoint(parts) or b"\0" in name:
        return False
    if keys.IGNORE_FILE.encode() in parts[:-1]:
        return False  # A folder of that name halts the profile, until somebody removes it.
    path = os.path.join(os.fsencode(root), name)
    if os.path.realpath(path) != os.path.realpath(os.fsencode(root)) + b"/" + name:
        return False
    with suppress(OSError):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(name)
        return CONTROL_DIR.encode() not in parts
    return False


def _hidden(root: Path) -> bool:
    """Whether an ignore file of these names hides others."""
    return any(root.rglob(keys.IGNORE_FILE))
