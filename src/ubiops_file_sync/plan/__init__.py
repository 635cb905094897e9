"""Deciding what a pass does: pure functions over sorted streams of plain values."""

from ubiops_file_sync.plan.decide import Policy, decide
from ubiops_file_sync.plan.filters import BadPattern, Filters, Scope
from ubiops_file_sync.plan.merge import (
    Clash,
    KeyOutOfOrder,
    plan_actions,
    recognise,
)

__all__ = [
    "BadPattern",
    "Clash",
    "Filters",
    "KeyOutOfOrder",
    "Policy",
    "Scope",
    "decide",
    "plan_actions",
    "recognise",
]
