"""Deciding what a pass does: pure functions over sorted streams of plain values."""

from ubiops_file_sync.plan.agreement import Finding, agreement
from ubiops_file_sync.plan.blocks import KeyOutOfOrder
from ubiops_file_sync.plan.case import Case, Policy
from ubiops_file_sync.plan.decide import decide, judge
from ubiops_file_sync.plan.explain import Asked, explain_decision
from ubiops_file_sync.plan.filters import BadPattern, Filters, Scope
from ubiops_file_sync.plan.intents import recognise
from ubiops_file_sync.plan.merge import (
    Clash,
    held_back,
    merged,
    plan_actions,
)

__all__ = [
    "Asked",
    "BadPattern",
    "Case",
    "Clash",
    "Filters",
    "Finding",
    "KeyOutOfOrder",
    "Policy",
    "Scope",
    "agreement",
    "decide",
    "explain_decision",
    "held_back",
    "judge",
    "merged",
    "plan_actions",
    "recognise",
]
