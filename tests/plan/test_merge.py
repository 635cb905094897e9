"""The walk over three sorted streams: what it pairs, what it leaves out, what it refuses."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest

from plan.sides import EDITED_US, NOW_US, STORED_US, base, local, remote
from plan.streams import one_by_one, plan
from ubiops_file_sync.model import (
    BaselineRow,
    Direction,
    LocalEntry,
    PlanSummary,
    Reason,
    RemoteEntry,
    Unknown,
)
from ubiops_file_sync.plan import KeyOutOfOrder, Policy, plan_actions


def here(key: str) -> LocalEntry:
    """New here."""
    return local(NOW_US, 11, key)


def there(key: str) -> RemoteEntry:
    """New in the bucket."""
    return remote(NOW_US, 12, key)


def kept_here(key: str) -> LocalEntry:
    return local(EDITED_US, 10, key)


def kept_there(key: str) -> RemoteEntry:
    return remote(STORED_US, 10, key)


def known(key: str) -> BaselineRow:
    return BaselineRow(key, base(key), None)


def a_file(key: str, *, is_problem: bool = False) -> Unknown:
    return Unknown(key, "why", is_problem)


def a_tree(key: str, *, is_problem: bool = False) -> Unknown:
    return Unknown(key + "/", "why", is_problem)


# -- pairing --------------------------------------------------------------------------------------


def test_three_streams_meet_at_each_key() -> None:
    planned = plan(
        local=[here("a"), kept_here("c"), kept_here("d"), here("f")],
        remote=[there("b"), kept_there("c"), there("f")],
        rows=[known("c"), known("d"), known("e")],
    )
    assert planned.verbs() == {
        "a": "upload",
        "b": "download",
        "d": "upload",
        "e": "forget",
        "f": "download",
    }
    assert planned.problems == []
    assert (planned.summary.local_files, planned.summary.remote_files) == (4, 3)


def test_an_action_carries_what_the_plan_saw() -> None:
    action = plan([here("a")], [there("a")]).actions["a"]
    assert (action.local, action.remote) == (here("a"), there("a"))


def test_nothing_at_all_is_nothing_to_do() -> None:
    assert plan().verbs() == {}


def test_what_differs_and_stays_is_counted_by_its_reason() -> None:
    planned = plan([here("a"), here("b")], [there("c")], policy=Policy(Direction.DOWNLOAD))
    assert planned.verbs() == {"c": "download"}
    assert planned.summary.left == {Reason.OTHER_DIRECTION: 2}


# -- unknown is not missing (I12) ------------------------------------------------------------------


def test_a_file_that_cannot_be_read_is_left_alone() -> None:
    planned = plan([a_file("a"), here("a-b")], [kept_there("a")], [known("a")])
    assert planned.verbs() == {"a-b": "upload"}
    assert [(problem.key, problem.message) for problem in planned.problems] == [("a", "why")]


def test_a_folder_that_cannot_be_read_takes_all_below_it_out_of_the_pass() -> None:
    below = ["a/b", "a/c/d", "a/é"]
    planned = plan(
        [here("a-b"), here("a.txt"), a_tree("a"), here("a0")],
        [kept_there(key) for key in below] + [there("b")],
        [known(key) for key in ["a/a", *below]],
    )
    assert planned.verbs() == {
        "a-b": "upload",
        "a.txt": "upload",
        "a0": "upload",
        "b": "download",
    }
    assert [problem.key for problem in planned.problems] == ["a"]


def test_a_deletion_is_never_read_out_of_an_unreadable_folder() -> None:
    assert plan([a_tree("a")], [], [known("a/b")]).verbs() == {}


def test_a_link_is_silent_as_long_as_nothing_is_known_of_it() -> None:
    planned = plan([a_file("a"), a_tree("a")], [there("b")])
    assert planned.problems == []
    assert planned.verbs() == {"b": "download"}


def test_a_link_is_reported_once_the_bucket_knows_something_of_it() -> None:
    assert [p.key for p in plan([a_file("a"), a_tree("a")], [there("a/b")]).problems] == ["a"]
    assert [p.key for p in plan([a_file("a"), a_tree("a")], [there("a")]).problems] == ["a"]
    assert [p.key for p in plan([a_file("a"), a_tree("a")], [], [known("a/b")]).problems] == ["a"]


def test_a_link_to_where_the_bucket_has_but_a_folder_marker_is_silent() -> None:
    assert plan([a_file("a"), a_tree("a")], [remote(NOW_US, 0, "a/")]).problems == []


def test_an_empty_file_below_an_unreadable_folder_is_no_folder_marker() -> None:
    assert len(plan([a_tree("a")], [remote(NOW_US, 0, "a/b")]).problems) == 1


def test_trouble_is_reported_even_where_nothing_else_is_known() -> None:
    planned = plan([a_file("a", is_problem=True), a_tree("b", is_problem=True)])
    assert [problem.key for problem in planned.problems] == ["a", "b"]


def test_a_name_that_is_no_utf_8_is_reported_in_letters_that_can_be_printed() -> None:
    (problem,) = plan([a_file("d/caf\udce9", is_problem=True)]).problems
    assert problem.key == "d/caf\N{REPLACEMENT CHARACTER}"


def test_a_name_that_is_no_utf_8_stands_for_no_other_file() -> None:
    """Were it known by its printable name, it would hide the object that really is called so."""
    shown = "caf\N{REPLACEMENT CHARACTER}"
    planned = plan(
        [a_file("caf\udce9", is_problem=True), kept_here(shown)],
        [kept_there(shown)],
        [known(shown)],
    )
    assert planned.verbs() == {}
    assert len(planned.problems) == 1


# -- a file and a folder of one name ---------------------------------------------------------------

CLASHES = [
    pytest.param(["a"], ["a/b"], id="a file here, a folder in the bucket"),
    pytest.param(["a/b"], ["a"], id="a folder here, a file in the bucket"),
    pytest.param([], ["a", "a/b"], id="both in the bucket"),
    pytest.param([], ["a", "a-b", "a.txt", "a/b"], id="names that sort in between"),
    pytest.param(["a-b", "a.txt"], ["a", "a.txt.d/x", "a/b"], id="and other folders too"),
    pytest.param(["a"], ["a/b", "a/b/c", "a/d/e"], id="deep below"),
    pytest.param(["a", "a!", "a!!", "a!!!"], ["a/b"], id="many prefixes"),
]


@pytest.mark.parametrize(("locals_", "remotes"), CLASHES)
def test_nothing_at_or_below_a_clash_is_touched(locals_: list[str], remotes: list[str]) -> None:
    planned = plan([here(key) for key in locals_], [there(key) for key in remotes])
    assert planned.clashes == ["a"]
    others = {key for key in locals_ + remotes if key != "a" and not key.startswith("a/")}
    assert set(planned.actions) == others


def test_a_clash_says_what_to_do() -> None:
    summary = PlanSummary()
    items = list(plan_actions([[here("a")]], [[there("a/b")]], [], Policy(), NOW_US, summary))
    problem = getattr(items[-1], "problem", None)
    assert problem is not None
    assert problem.key == "a"
    assert "Rename or remove one" in problem.message


def test_two_clashes_are_two() -> None:
    planned = plan([here("a"), here("b/c")], [there("a/x"), there("b")])
    assert planned.clashes == ["a", "b"]
    assert planned.verbs() == {}


def test_a_file_is_not_fetched_to_where_an_unreadable_folder_stands() -> None:
    planned = plan([a_tree("a", is_problem=True)], [there("a")])
    assert planned.clashes == ["a"]
    assert planned.verbs() == {}
    assert len(planned.problems) == 1


def test_a_file_is_not_fetched_to_where_a_folder_with_but_a_socket_stands() -> None:
    assert plan([a_file("a/socket")], [there("a")]).clashes == ["a"]


def test_a_file_that_became_a_folder_on_both_sides_is_no_clash() -> None:
    planned = plan([here("a/b")], [], [known("a")])
    assert planned.verbs() == {"a": "forget", "a/b": "upload"}
    assert planned.clashes == []


def test_a_neighbour_whose_name_begins_alike_is_no_clash() -> None:
    planned = plan([here("a"), here("ab/c")], [there("a.d/x"), there("a0")])
    assert planned.clashes == []
    assert set(planned.actions) == {"a", "a.d/x", "a0", "ab/c"}


def test_a_folder_marker_beside_a_file_of_its_name_is_no_clash() -> None:
    planned = plan([kept_here("a")], [kept_there("a"), remote(NOW_US, 0, "a/")], [known("a")])
    assert planned.clashes == []
    assert planned.problems == []


def test_an_object_that_is_refused_is_in_nobody_s_way() -> None:
    planned = plan([kept_here("a")], [there("a"), there("a/../b"), there("a//b")], [known("a")])
    assert planned.verbs() == {"a": "download"}
    assert planned.clashes == []
    assert [problem.key for problem in planned.problems] == ["a/../b", "a//b"]


# -- markers and refusals --------------------------------------------------------------------------


@pytest.mark.parametrize("direction", Direction)
def test_folder_markers_are_passed_over_in_silence(direction: Direction) -> None:
    planned = plan(
        [], [remote(NOW_US, 0, "a/"), remote(NOW_US, 0, "a/b/")], policy=Policy(direction)
    )
    assert planned.verbs() == {}
    assert planned.problems == []
    assert planned.summary.left == {}
    assert planned.summary.remote_files == 2, "they take up room in the pages all the same"


REFUSED = ["/etc/passwd", "../x", "a/../b", "a//b", "x/", ".ubiops-sync/trash/x", "z" * 256, "\0"]


@pytest.mark.parametrize("key", REFUSED)
def test_a_dangerous_key_is_a_problem_of_its_own_and_stops_no_other(key: str) -> None:
    planned = plan([], sorted([there(key), there("fine")]))
    assert planned.verbs() == {"fine": "download"}
    assert [problem.key for problem in planned.problems] == [key]


def test_a_local_key_that_the_bucket_cannot_hold_is_a_problem() -> None:
    deep = "/".join(["d" * 200] * 6)
    planned = plan([here(deep), here("fine")])
    assert planned.verbs() == {"fine": "upload"}
    assert [problem.key for problem in planned.problems] == [deep]


def test_a_refused_key_that_was_once_recorded_can_still_be_forgotten() -> None:
    assert plan([], [], [known("../x")]).verbs() == {"../x": "forget"}


# -- order -----------------------------------------------------------------------------------------


def test_a_listing_out_of_order_is_not_trusted() -> None:
    with pytest.raises(KeyOutOfOrder) as caught:
        plan([], [there("b"), there("a")])
    assert caught.value.key == "a"


def test_a_listing_that_repeats_itself_is_not_trusted() -> None:
    with pytest.raises(KeyOutOfOrder):
        plan([], [there("a"), there("a")])


def test_order_is_looked_after_below_an_unreadable_folder_too() -> None:
    with pytest.raises(KeyOutOfOrder):
        plan([a_tree("a")], [there("a/c"), there("a/b")])


def test_a_folder_marker_counts_for_the_order() -> None:
    with pytest.raises(KeyOutOfOrder):
        plan([], [remote(NOW_US, 0, "b/"), there("a")])


# -- memory (I11) ----------------------------------------------------------------------------------


def _peak_bytes(count: int) -> int:
    """Of a plan for `count` new files, every one of them a prefix of some others."""

    def locals_() -> Iterator[LocalEntry]:
        for number in range(count):
            yield here(f"{number:07}")
            yield here(f"{number:07}.txt")

    tracemalloc.start()
    try:
        for _ in plan_actions(one_by_one(locals_()), [], [], Policy(), NOW_US, PlanSummary()):
            pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_plan_of_ten_times_the_files_takes_no_more_memory() -> None:
    _peak_bytes(10)
    assert _peak_bytes(5000) < _peak_bytes(500) + 10_000


def test_no_stream_is_read_ahead_of_the_walk() -> None:
    read = 0

    def remotes() -> Iterator[RemoteEntry]:
        nonlocal read
        for number in range(1000):
            read += 1
            yield there(f"{number:04}")

    walk = plan_actions([], one_by_one(remotes()), [], Policy(), NOW_US, PlanSummary())
    for seen, _ in zip(range(10), walk, strict=False):
        assert read <= seen + 2
