"""Sorted streams for the merge, and what it makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from plan.sides import NOW_US
from ubiops_file_sync.model import (
    Action,
    BaselineRow,
    LocalBlock,
    LocalItem,
    PlanSummary,
    Problem,
    RemoteBlock,
    RemoteEntry,
    RowBlock,
)
from ubiops_file_sync.plan import Clash, Filters, Policy, plan_actions

Item = TypeVar("Item")


def one_by_one(items: Iterable[Item]) -> Iterator[list[Item]]:
    """The smallest blocks there are, read no further than the merge asks."""
    return ([item] for item in items)


@dataclass
class Planned:
    """A whole plan, as the pass keeps it: what clashes take back is gone."""

    actions: dict[str, Action] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    clashes: list[str] = field(default_factory=list)
    summary: PlanSummary = field(default_factory=PlanSummary)

    def verbs(self) -> dict[str, str]:
        return {key: action.verb.value for key, action in self.actions.items()}


def plan(
    local: Iterable[LocalItem] = (),
    remote: Iterable[RemoteEntry] = (),
    rows: Iterable[BaselineRow] = (),
    policy: Policy | None = None,
    filters: Filters | None = None,
) -> Planned:
    return plan_blocks(
        one_by_one(sorted(local, key=lambda entry: entry.key)),
        one_by_one(remote),
        one_by_one(sorted(rows, key=lambda row: row.key)),
        policy or Policy(),
        filters,
    )


def plan_blocks(
    local: Iterable[LocalBlock],
    remote: Iterable[RemoteBlock],
    rows: Iterable[RowBlock],
    policy: Policy,
    filters: Filters | None = None,
) -> Planned:
    planned = Planned()
    for item in plan_actions(
        local, remote, rows, policy, NOW_US, planned.summary, filters or Filters()
    ):
        if isinstance(item, Action):
            assert item.key not in planned.actions, "two actions on one key"
            planned.actions[item.key] = item
        elif isinstance(item, Problem):
            planned.problems.append(item)
        else:
            assert isinstance(item, Clash)
            planned.actions.pop(item.key, None)
            planned.clashes.append(item.key)
    assert list(planned.actions) == sorted(planned.actions)
    return planned
