"""Doing what was planned: one action, and the pool that runs many."""

from ubiops_file_sync.execute.action import Executor
from ubiops_file_sync.execute.parted import Parted
from ubiops_file_sync.execute.pool import Ledger, run_all
from ubiops_file_sync.execute.steps import at_once

__all__ = ["Executor", "Ledger", "Parted", "at_once", "run_all"]
