"""Tests of what a key may be, and of the names that are derived from one."""
