"""Tests of what is remembered: the baseline, the lock, and the scratch space of a pass."""
