"""Doing what was planned: one action, and the pool that runs many."""

from ubiops_file_sync.execute.action import Executor
from ubiops_file_sync.execute.pool import run_all

__all__ = ["Executor", "run_all"]
