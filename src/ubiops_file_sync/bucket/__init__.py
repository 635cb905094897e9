"""The remote side: the storage contract, and UbiOps behind it."""

from ubiops_file_sync.bucket.contract import Bucket, CallCounter, Fetched, Receipt
from ubiops_file_sync.bucket.digest import Digest

__all__ = ["Bucket", "CallCounter", "Digest", "Fetched", "Receipt"]
