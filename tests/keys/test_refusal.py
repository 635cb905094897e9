"""Which keys are refused, and which odd ones are not."""

from __future__ import annotations

import os
import posixpath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys.strategies import AROUND_THE_SLASH, names, unhurried, valid_keys
from ubiops_file_sync import keys

DANGEROUS = [
    pytest.param("", "empty", id="no name at all"),
    pytest.param("/", "outside the folder", id="the root of the file system"),
    pytest.param("/etc/passwd", "outside the folder", id="an absolute path"),
    pytest.param("//host/share", "outside the folder", id="two leading slashes"),
    pytest.param("..", "'..'", id="the folder above, or in a request path the bucket itself"),
    pytest.param("../x", "'..'", id="beside the folder"),
    pytest.param("a/../b", "'..'", id="another object once an HTTP client collapsed it"),
    pytest.param("a/..", "'..'", id="a dotted end"),
    pytest.param(".", "'.'", id="the folder itself"),
    pytest.param("./a", "'.'", id="a dotted beginning"),
    pytest.param("a/./b", "'.'", id="a dot in the middle"),
    pytest.param("a/.", "'.'", id="a dot at the end"),
    pytest.param("a//b", "empty", id="an empty part"),
    pytest.param("a/", "empty", id="a slash at the end"),
    pytest.param("a\0b", "NUL", id="a NUL character, which ends a C string"),
    pytest.param("../a\0", "'..'", id="two faults at once"),
    pytest.param("caf\udce9", "UTF-8", id="a byte that is no UTF-8"),
    pytest.param("\ud800", "UTF-8", id="half a surrogate pair"),
    pytest.param("a" * 256, "255 bytes", id="a name too long by a byte"),
    pytest.param("€" * 86, "255 bytes", id="a name too long in bytes, though not in characters"),
    pytest.param("d" * 256 + "/a", "255 bytes", id="a folder's name too long"),
    pytest.param(
        "/".join(["d" * 204] * 5) + "/", "empty", id="as long as may be, but a slash ends it"
    ),
    pytest.param("/".join(["d" * 204] * 5) + "e", "1024 bytes", id="a key too long by a byte"),
    pytest.param(".ubiops-sync", "own files", id="the control directory"),
    pytest.param(".ubiops-sync/trash/1/a", "own files", id="something in the control directory"),
    pytest.param("a/.ubiops-sync/b", "own files", id="the control directory of a root below"),
    pytest.param(".ubiopsignore/a", "file of rules", id="a folder where rules are looked for"),
    pytest.param("a/.ubiopsignore/b/c", "file of rules", id="such a folder further down"),
]


@pytest.mark.parametrize(("key", "why"), DANGEROUS)
def test_a_dangerous_key_is_refused_with_its_fault(key: str, why: str) -> None:
    message = keys.refusal(key)
    assert message is not None
    assert why in message


HARMLESS = [
    pytest.param("a", id="a letter"),
    pytest.param("...", id="three dots"),
    pytest.param("..a/b..", id="dots at the edge of names"),
    pytest.param(".hidden", id="a hidden file"),
    pytest.param("a/.ubiopsignore", id="a file of rules"),
    pytest.param(" ", id="a space"),
    pytest.param("a\nb", id="a line feed within"),
    pytest.param(".\n", id="a dot and a line feed"),
    pytest.param("a/..\n", id="two dots and a line feed"),
    pytest.param("a/\n", id="a line feed alone"),
    pytest.param("~", id="what a shell calls home"),
    pytest.param("-rf", id="what a shell calls an option"),
    pytest.param("a\\..\\b", id="backslashes, which are letters here"),
    pytest.param("%2e%2e/x", id="an escape, which stays as it is"),
    pytest.param("C:\\x", id="a drive, which is none here"),
    pytest.param("e\u0301", id="a letter in two pieces"),
    pytest.param("a" * 255, id="the longest name"),
    pytest.param("€" * 85, id="the longest name in bytes"),
    pytest.param("/".join(["d" * 204] * 5), id="the longest key"),
    pytest.param(".ubiops-sync2", id="a neighbour of the control directory"),
]


@pytest.mark.parametrize("key", HARMLESS)
def test_an_odd_key_that_is_harmless_is_taken(key: str) -> None:
    assert keys.refusal(key) is None


@unhurried
@given(st.text(st.sampled_from(AROUND_THE_SLASH + "a\n\0"), max_size=12))
def test_a_key_that_is_taken_names_one_file_below_the_root_and_no_other(key: str) -> None:
    if keys.refusal(key) is not None:
        return
    assert posixpath.normpath(posixpath.join("/base", key)) == "/base/" + key
    assert "\0" not in key


@unhurried
@given(st.text(max_size=20), st.sampled_from(["", ".", ".."]), st.text(max_size=20))
def test_an_odd_part_is_found_wherever_it_stands(before: str, odd: str, after: str) -> None:
    assert keys.refusal(f"{before}/{odd}/{after}") is not None
    assert keys.refusal(f"{before}/{odd}") is not None
    assert keys.refusal(f"{odd}/{after}") is not None


@unhurried
@given(st.lists(names, min_size=1, max_size=4))
def test_nothing_that_a_file_system_takes_is_refused(parts: list[str]) -> None:
    key = "/".join(parts)
    assert (keys.refusal(key) is None) == (parts[0] != keys.CONTROL_DIR)


@unhurried
@given(
    st.binary(min_size=1, max_size=8).filter(lambda name: b"/" not in name and b"\0" not in name)
)
def test_a_local_name_is_refused_exactly_if_its_bytes_are_no_utf_8(name: bytes) -> None:
    try:
        name.decode()
    except UnicodeDecodeError:
        assert "UTF-8" in (keys.refusal(os.fsdecode(name)) or "")
    else:
        assert name in {b".", b".."} or keys.refusal(os.fsdecode(name)) is None


@unhurried
@given(st.lists(valid_keys, max_size=20))
def test_keys_sort_by_their_utf_8_bytes(some: list[str]) -> None:
    assert sorted(some) == [raw.decode() for raw in sorted(key.encode() for key in some)]


MARKERS = [
    ("a/", 0, True),
    ("", 0, True),
    ("a/b/", 0, True),
    ("a/", 1, False),
    ("a", 0, False),
]


@pytest.mark.parametrize(("key", "size", "marker"), MARKERS)
def test_a_folder_marker_is_empty_and_ends_in_a_slash(key: str, size: int, marker: bool) -> None:
    assert keys.is_folder_marker(key, size) is marker


CHAINS = [
    ("a", [""]),
    ("a/b", ["", "a"]),
    ("a/b/c.txt", ["", "a", "a/b"]),
]


@pytest.mark.parametrize(("key", "chain"), CHAINS)
def test_the_folders_above_a_key_come_from_the_root_down(key: str, chain: list[str]) -> None:
    assert keys.parent_chain(key) == chain


@unhurried
@given(valid_keys)
def test_every_folder_above_a_key_is_a_prefix_of_it_once(key: str) -> None:
    chain = keys.parent_chain(key)
    assert len(chain) == len(set(chain)) == key.count("/") + 1
    assert all((key + "/").startswith(folder + "/") for folder in chain[1:])
    assert chain == sorted(chain)


_pieces = st.sampled_from(
    ["", ".", "..", "a", ".ubiops-sync", ".ubiopsignore", ".ubiops-syncs", "\0", "\n", "x" * 90]
)


@settings(unhurried, max_examples=1000)
@given(st.lists(_pieces, max_size=4).map("/".join))
def test_the_short_look_at_a_key_overlooks_nothing(key: str) -> None:
    """Most keys are let through by one expression; what it does not know must not be a rule."""
    assert keys.refusal(key) == keys._looked_at_closely(key)
