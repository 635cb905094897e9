"""Deciding what a pass does: pure functions over sorted streams of plain values."""

from ubiops_file_sync.plan.decide import Policy, decide
from ubiops_file_sync.plan.merge import (
    Clash,
    KeyOutOfOrder,
    plan_actions,
    recognise,
)

__all__ = [
    "Clash",
    "KeyOutOfOrder",
    "Policy",
    "decide",
    "plan_actions",
    "recognise",
]
