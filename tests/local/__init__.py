"""Tests of the local walk, and of reads and writes that cannot leave the root."""
