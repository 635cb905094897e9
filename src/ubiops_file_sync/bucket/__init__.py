"""The remote side: the storage contract, and UbiOps behind it."""

from ubiops_file_sync.bucket.contract import (
    Bucket,
    BucketFacts,
    CallCounter,
    Fetched,
    PartedUpload,
    Ranges,
    Receipt,
)
from ubiops_file_sync.bucket.digest import Digest

__all__ = [
    "Bucket",
    "BucketFacts",
    "CallCounter",
    "Digest",
    "Fetched",
    "PartedUpload",
    "Ranges",
    "Receipt",
]
