"""The remote side: whether it answers, what the token may do there, and what that is good for."""

from __future__ import annotations

from collections.abc import Iterator

from ubiops_file_sync.bucket.access import Access
from ubiops_file_sync.config import Profile
from ubiops_file_sync.doctor.finding import Finding, ok, problem, warning
from ubiops_file_sync.errors import AccessRefused
from ubiops_file_sync.model import Deletions, Direction, Expired
from ubiops_file_sync.phrases import span_us

_FEW_LEFT = 0.1
"""The share of the quota below which somebody else is using it up."""
_TOLD_SKEW_US = 60_000_000
_REFUSED = AccessRefused.exit_code


def of_bucket(profile: Profile, access: Access) -> Iterator[Finding]:
    """What a profile makes of what its token may do."""
    yield _bucket(profile, access)
    yield from _rights(profile, access)
    yield _clock(profile, access)
    yield _quota(profile, access)


def _bucket(profile: Profile, access: Access) -> Finding:
    where = f"{profile.project}/{profile.bucket}"
    content = {
        None: "",
        True: f"; nothing is in {profile.prefix or 'it'} yet",
        False: f"; there are files in {profile.prefix or 'it'}",
    }[access.is_empty]
    facts = access.facts
    if facts is None:
        words = f"{where} is there, and does not show its details (provider, ttl){content}"
        if _needs_ttl(profile):
            return problem(
                "bucket",
                words,
                "let the role include buckets.get: the ttl tells an expiry from a deletion; or set "
                "'deletions: none' and 'expired: reupload', and no refresh_before",
                _REFUSED,
            )
        return ok("bucket", words)
    provider = f" ({facts.provider})" if facts.provider else ""
    if facts.ttl_us is None:
        return ok("bucket", f"{where}{provider} keeps its files{content}")
    words = f"{where}{provider} removes files {span_us(facts.ttl_us)} after they were stored"
    refresh_s = profile.refresh_before
    if refresh_s is not None and refresh_s * 1e6 >= facts.ttl_us:
        return warning(
            "bucket",
            f"{words}, and refresh_before is no shorter, so each pass sends every file again",
            "set refresh_before to a day or two",
        )
    return ok("bucket", words + content)


def _needs_ttl(profile: Profile) -> bool:
    return (
        profile.deletions is not Deletions.NONE
        or profile.expired is not Expired.REUPLOAD
        or profile.refresh_before is not None
    )


def _rights(profile: Profile, access: Access) -> Iterator[Finding]:
    """What is missing for what the profile is to do; or that nothing is."""
    source = f"the token {access.role}"
    writes_there = profile.direction is not Direction.DOWNLOAD
    deletes_there = writes_there and profile.deletions in {Deletions.TO_BUCKET, Deletions.BOTH}
    missing = []
    if not access.lists:
        missing.append(("list", "no pass can begin", "give it the role files-reader, or more"))
    if not access.reads:
        missing.append(("fetch files", "no pass can", "give it the role files-reader, or more"))
    if writes_there and not access.writes:
        remedy = "give it the role files-writer, or set 'direction: download'"
        missing.append(("write", f"'direction: {profile.direction}' needs that", remedy))
    if deletes_there and not access.deletes:
        remedy = "give it the role files-writer, or set 'deletions: none'"
        missing.append(("delete", f"'deletions: {profile.deletions}' needs that", remedy))
    for verb, why, remedy in missing:
        yield problem("role", f"{source}; it may not {verb}, and {why}", remedy, _REFUSED)
    if missing:
        return
    words = f"{source}: enough for direction {profile.direction}, deletions {profile.deletions}"
    more = "a token that may only read would do, and could do less harm"
    yield ok("role", words, more if access.writes and not writes_there else "")


def _clock(profile: Profile, access: Access) -> Finding:
    skew_us = access.skew_us
    if not skew_us:
        return ok("clock", "as UbiOps has it, to within three seconds")
    words = f"{span_us(skew_us)} {'ahead of' if skew_us > 0 else 'behind'} that of UbiOps"
    remedy = "set it right: timedatectl set-ntp true"
    if abs(skew_us) > profile.max_skew * 1e6:
        return warning(
            "clock", f"{words}, more than max_skew, so that conflicts keep both versions", remedy
        )
    if abs(skew_us) > _TOLD_SKEW_US:
        return warning("clock", f"{words}; passes reckon with that", remedy)
    return ok("clock", f"{words}; passes reckon with that")


def _quota(profile: Profile, access: Access) -> Finding:
    quota = access.quota
    if quota is None:
        return ok("quota", "this installation tells of none")
    share = f"passes spend {profile.quota_share:.0%} of them at most"
    words = f"{quota.remaining:,} of {quota.limit:,} API calls left until the window ends; {share}"
    if quota.remaining < quota.limit * _FEW_LEFT:
        return warning(
            "quota",
            words,
            "other programs behind this address are using them up: make them call less, or have "
            "passes come less often",
        )
    return ok("quota", words)
