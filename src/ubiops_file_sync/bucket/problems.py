"""Failures of the service, in words that say what to do. The one place that translates them."""

from __future__ import annotations

from dataclasses import dataclass

from ubiops_file_sync.bucket.retry import RATE_LIMITED, Damaged, Refused, passes_by_itself
from ubiops_file_sync.bucket.trouble import NoAnswer, Trouble
from ubiops_file_sync.errors import (
    TRIED_AGAIN,
    AccessRefused,
    KeyFailure,
    KeyUnreachable,
    NoSuchBucket,
    RemoteUnreachable,
    SyncError,
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where in UbiOps a profile lives, and how to name it to its user."""

    profile: str
    api_host: str
    project: str
    bucket: str
    prefix: str
    """Empty, or ending in ``/``: without that, `data` would also list `database/…`."""
    token_source: str
    """Where the token came from, in words; never the token."""


_FORBIDDEN = {
    "list": (
        "may not list the bucket (a restricted reader?). A profile needs at least the role "
        "files-reader on it"
    ),
    "bucket": (
        "may not see the bucket's own details, whose ttl tells an expiry from a deletion. Let its "
        "role include buckets.get, or set `deletions: none` and `expired: reupload`"
    ),
    "get": "may not look at its files. Give it the role files-reader, or files-writer",
    "download": "may not read its files. Give it the role files-reader, or files-writer",
    "upload": (
        "may not write to the bucket. Give it the role files-writer, or set "
        "`direction: download` in the profile"
    ),
    "delete": (
        "may not delete in the bucket. Give it the role files-writer, or set "
        "`deletions: none` in the profile"
    ),
}


_NEED_ONLY_THE_BUCKET = {"list", "bucket", "upload"}
"""Endpoints that find something missing only if it is the bucket."""


_UNANSWERED = {
    Trouble.NAME: "the host name of {host} is not known here; check `api_host` and the DNS",
    Trouble.TLS: (
        "the secure connection failed (TLS): is the clock right, and the certificate trusted? "
        "REQUESTS_CA_BUNDLE or SSL_CERT_FILE names the certificates to trust"
    ),
    Trouble.CONNECT: (
        "no connection to {host} or its storage; check the network, `api_host`, and the proxy if "
        "there is one (HTTPS_PROXY)"
    ),
    Trouble.TIMEOUT: "no answer in time from {host} or its storage",
    Trouble.PROXY: "the proxy refused the connection; check HTTPS_PROXY and NO_PROXY",
    Trouble.FILES: (
        "no connection to {host} or its storage could be opened (too many open files); lower "
        "`workers`, or raise the limit (ulimit -n)"
    ),
    Trouble.BROKEN: "the connection to {host} or its storage broke off",
}


def explain(error: Exception, place: Place, endpoint: str, key: str | None) -> Exception:
    """The exception that tells a user of `error`, which came of `endpoint` (and of `key`).

    Errors of one key become `KeyFailure`, unless they concern every key alike.
    """
    start = f"profile {place.profile!r}: "
    if isinstance(error, Refused) and not error.storage:
        whole = _whole_pass(error, place, endpoint, start)
        if whole is not None:
            return whole
    what = what_happened(error, place)
    if key is None:
        return RemoteUnreachable(f"{start}{what}")
    if isinstance(error, Refused) and error.status == 404 and endpoint != "upload":
        return KeyFailure("it vanished from the bucket during the pass; the next one looks again")
    if isinstance(error, Refused) and not passes_by_itself(error):
        return KeyFailure(f"{what}; this may not pass by itself")
    return KeyUnreachable(f"{what}{TRIED_AGAIN}")


def _whole_pass(error: Refused, place: Place, endpoint: str, start: str) -> SyncError | None:
    if error.status == 401:
        return AccessRefused(
            f"{start}UbiOps at {place.api_host} does not know the token ({place.token_source}). "
            "Check that it is complete, not expired, and of this UbiOps installation"
        )
    if error.status == 403:
        wrong = _FORBIDDEN.get(endpoint, "may not do this")
        return AccessRefused(
            f"{start}the token ({place.token_source}) is valid, but in project {place.project!r}, "
            f"bucket {place.bucket!r} it {wrong}"
        )
    if error.status == 404 and endpoint in _NEED_ONLY_THE_BUCKET:
        return NoSuchBucket(
            f"{start}there is no bucket {place.bucket!r} in project {place.project!r} at "
            f"{place.api_host}, or the token ({place.token_source}) may not see it. Check "
            "`project`, `bucket` and `api_host`, or create the bucket"
        )
    return None


def what_happened(error: BaseException, place: Place) -> str:
    """In words, without a URL."""
    if isinstance(error, Refused):
        if error.status == RATE_LIMITED and not error.storage:
            return (
                "UbiOps allows no more calls for now (429): other programs behind this address "
                "may be using up the quota"
            )
        who = "the storage provider" if error.storage else f"UbiOps at {place.api_host}"
        return f"{who} answered {error}"
    if isinstance(error, NoAnswer):
        return _UNANSWERED[error.trouble].format(host=place.api_host)
    if isinstance(error, Damaged) and error.storage:
        return f"what the storage provider sent is damaged: {error}"
    return f"UbiOps at {place.api_host}: {error}"
