"""Progress as lines that fit the terminal, whatever files are called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from ubiops_file_sync.bars import FANCY, PLAIN, Signs, View, drawn, one_line, shortened
from ubiops_file_sync.bucket.traffic import Transfer
from ubiops_file_sync.meter import Standing
from ubiops_file_sync.model import Direction

MIB = 1 << 20
HALF = Standing(1204, 10_000, 45 * MIB, 90 * MIB, 0.5, 4.0 * MIB, 74.0)
BIG = Transfer("models/weights.bin", Direction.UPLOAD, 40 * MIB, 10 * MIB, 3.0 * MIB)
DOWN = Transfer("x" * 60 + "/name.bin", Direction.DOWNLOAD, 5 * MIB, 0, 0.0)


def test_at_eighty_columns() -> None:
    assert drawn(View("models", 9.0, (), HALF, [DOWN, BIG]), 79, FANCY) == [
        "models ━━━━━━━━━━━━━━━━━━━━────────────────────  50 %",
        "  1,204 of 10,000 files · 45.0 MiB of 90.0 MiB · 4.0 MiB/s · 1 min left",
        "  ↑ models/weights.bin                        10.0 MiB of 40.0 MiB    3.0 MiB/s",
        "  ↓ …xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx/name.bin    0 bytes of 5.0 MiB             ",
    ]


def test_at_forty_columns() -> None:
    assert drawn(View("models", 9.0, (), HALF, [BIG]), 39, FANCY) == [
        "models ━━━━━━━━━━━━━─────────────  50 %",
        "  1,204 of 10,000 files",
        "  45.0 MiB of 90.0 MiB · 4.0 MiB/s",
        "  1 min left",
        "  ↑ models/weights.bin             25 %",
    ]


def test_where_a_terminal_knows_no_unicode() -> None:
    lines = drawn(View("models", 9.0, (), HALF, [BIG, DOWN]), 79, PLAIN)
    assert all(line.isascii() for line in lines)
    assert lines[0] == "models ####################--------------------  50 %"


def test_while_both_sides_are_compared() -> None:
    view = View("models", 12.0, ("comparing", "1,234 files here", "1,100 in the bucket"))
    assert drawn(view, 79, FANCY) == [
        "models: comparing · 1,234 files here · 1,100 in the bucket · 12.0 s"
    ]


def test_what_was_last_done_shows_where_all_files_are_small() -> None:
    view = View("models", 12.0, (), HALF, [], "a/\x1b[2Jb")
    assert drawn(view, 79, FANCY)[-1] == "  done: a/\\x1b[2Jb"


def test_no_more_big_files_than_there_is_room_for() -> None:
    many = [Transfer(f"f{n}", Direction.UPLOAD, n * MIB, 0, 0.0) for n in range(1, 12)]
    lines = drawn(View("models", 12.0, (), HALF, many), 79, FANCY)
    assert [line.split()[1] for line in lines[2:6]] == ["f11", "f10", "f9", "f8"]
    assert lines[6:] == ["  and 7 more big files"]


def test_a_log_gets_it_in_one_line() -> None:
    assert one_line("models", HALF) == (
        "models: 1,204 of 10,000 files, 45.0 MiB of 90.0 MiB, 4.0 MiB/s, 1 min left"
    )


@pytest.mark.parametrize(
    ("name", "width", "shown"),
    [
        ("short", 8, "short"),
        ("a/very/long/name.bin", 9, "…name.bin"),
        ("模型模型模型.bin", 9, "…模型.bin"),
        ("模型", 2, "…"),
    ],
)
def test_of_a_long_name_the_end_is_kept(name: str, width: int, shown: str) -> None:
    assert shortened(name, width, FANCY) == shown


texts = st.text(max_size=60)
standings = st.builds(
    Standing,
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.integers(0, 2**62),
    st.integers(0, 2**62),
    st.floats(0, 1),
    st.floats(0, 1e12),
    st.none() | st.floats(0, 1e7),
)
transfers = st.builds(
    Transfer,
    texts,
    st.sampled_from([Direction.UPLOAD, Direction.DOWNLOAD]),
    st.integers(0, 2**62),
    st.integers(0, 2**62),
    st.floats(0, 1e12),
)


@given(
    st.text("abcdefgh-_.", min_size=1, max_size=64),
    st.none() | standings,
    st.lists(transfers, max_size=8),
    texts,
    st.integers(1, 200),
    st.sampled_from([FANCY, PLAIN]),
)
def test_no_line_is_wider_than_the_terminal_nor_has_a_trick_in_it(
    profile: str,
    standing: Standing | None,
    moving: list[Transfer],
    latest: str,
    width: int,
    signs: Signs,
) -> None:
    lines = drawn(View(profile, 5.0, ("comparing",), standing, moving, latest), width, signs)
    assert lines
    assert len(lines) <= 20
    for line in lines:
        assert cell_len(line) <= width
        assert line.isprintable()
