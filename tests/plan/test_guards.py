"""The guards over the totals of a plan: what halts, and what a person allowed."""

from __future__ import annotations

from dataclasses import replace

from ubiops_file_sync.plan.guards import Totals, find_halt

FINE = Totals(profile="p", local_dir="/d", in_step=100, local_files=100, remote_files=100)


def halted_by(totals: Totals, *allowed: str) -> str | None:
    halt = find_halt(totals, allowed)
    return None if halt is None else halt.name


def test_an_ordinary_plan_goes_ahead() -> None:
    assert halted_by(FINE) is None


def test_an_empty_root_halts() -> None:
    empty = replace(FINE, local_files=0)
    assert halted_by(empty) == "empty-root"
    assert halted_by(empty, "empty-root") is None


def test_too_many_deletions_on_either_side_halt() -> None:
    assert halted_by(replace(FINE, deletes_local=50, deletes_remote=50)) is None
    assert halted_by(replace(FINE, deletes_local=51)) == "max-delete"
    assert halted_by(replace(FINE, deletes_remote=51)) == "max-delete"


def test_who_allows_one_guard_allows_no_other() -> None:
    both = replace(FINE, local_files=0, deletes_remote=100)
    assert halted_by(both, "empty-root") == "max-delete"
    assert halted_by(both, "max-delete") == "empty-root"
    assert halted_by(both, "max-delete", "empty-root") is None
