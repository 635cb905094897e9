"""Keeps local directories and UbiOps buckets in step."""

__version__ = "0.1.0"
