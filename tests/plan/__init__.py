"""Tests of the decision on one key, and of the walk over three sorted streams."""
