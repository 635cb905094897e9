"""Tests of the embedded bucket server: its rules one by one, and that official clients work."""
