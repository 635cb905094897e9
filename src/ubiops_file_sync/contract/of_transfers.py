"""Beliefs about refusals, signed URLs, bytes and the quota."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

from ubiops_file_sync.bucket.digest import Digest, digests_of_upload, hasher, provider_digest
from ubiops_file_sync.bucket.raw import json_of
from ubiops_file_sync.bucket.server_clock import server_us
from ubiops_file_sync.contract.belief import Belief, Found, Holds, covered, either, no, yes
from ubiops_file_sync.contract.seen import (
    CONTENT,
    EMPTY,
    IN_PARTS,
    PART_BYTES,
    PARTS,
    PLAIN,
    RANGE,
    Seen,
)

_QUOTA = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")
_LONG_ENOUGH_S = 300


def _facts(seen: Seen) -> Found:
    body = json_of(seen.need(seen.bucket))
    lacking = [name for name in ("id", "provider", "ttl") if name not in body]
    if lacking:
        return no(f"no {', '.join(lacking)}")
    ttl = body["ttl"]
    return yes(f"{str(body['provider'])[:30]}, ttl {'none' if ttl is None else f'{ttl} s'}")


def _quota_told(seen: Seen) -> Found:
    without = [one for one in seen.answers if any(name not in one.headers for name in _QUOTA)]
    if without:
        return covered(f"not on {len(without)} of {len(seen.answers)} answers")
    limits = {one.headers[_QUOTA[0]] for one in seen.answers}
    return yes(f"{', '.join(sorted(limits))[:20]} calls a window")


def _one_a_call(seen: Seen) -> Found:
    left = [one.headers.get(_QUOTA[1], "") for one in seen.answers]
    counts = [int(text) for text in left if text.isdigit()]
    steps = [before - after for before, after in itertools.pairwise(counts) if before >= after]
    if not steps:
        return Found(Holds.OPEN, "no answer tells the quota")
    # Others behind the same address make steps larger, and none of them smaller.
    return either(min(steps) == 1, f"{min(steps)} a call", covered)


def _missing(seen: Seen) -> Found:
    statuses = [seen.need(seen.missing.get(name)).status for name in ("get", "download", "delete")]
    return either(set(statuses) == {404}, ", ".join(map(str, statuses)))


def _in_words(seen: Seen) -> Found:
    body = json_of(seen.need(seen.missing.get("get")))
    named = [name for name in ("error", "error_message", "detail") if name in body]
    return either(bool(named), f"in {named[0]!r}" if named else "no such words", covered)


def _no_bucket(seen: Seen) -> Found:
    status = seen.need(seen.no_bucket).status
    return either(status == 404, f"{status}", covered if status == 403 else no)


def _stranger(seen: Seen) -> Found:
    status = seen.need(seen.stranger).status
    return either(status == 401, f"{status}", covered if status == 403 else no)


def _forbidden(seen: Seen) -> Found:
    if any(one.status == 403 for one in seen.answers if one is not seen.stranger):
        return yes("403")
    return Found(Holds.OPEN, "this token may do all that was tried")


def _url_life(seen: Seen) -> Found:
    signed = seen.need(seen.download_signed)
    life_s = _life_s(str(json_of(signed).get("url")), server_us(signed.headers) / 1e6)
    if life_s is None:
        return Found(Holds.OPEN, "the URL does not say")
    return either(life_s >= _LONG_ENOUGH_S, f"{life_s:,} s", covered)


def _life_s(url: str, now_s: float) -> int | None:
    """How long a signed URL lasts by its own words; None: it has none."""
    query = {name.lower(): value for name, value in parse_qsl(urlsplit(url).query)}
    for name in ("x-amz-expires", "x-goog-expires"):
        if query.get(name, "").isdigit():
            return int(query[name])
    if query.get("expires", "").isdigit():
        return round(int(query["expires"]) - now_s)
    try:
        ends = datetime.fromisoformat(query["se"])
    except (KeyError, ValueError):
        return None
    return round((ends if ends.tzinfo else ends.replace(tzinfo=UTC)).timestamp() - now_s)


def _altered_url(seen: Seen) -> Found:
    status = seen.need(seen.altered_url).status
    if status == 200:
        return no("it was served")
    return either(status == 403, f"{status}", covered)


def _empty(seen: Seen) -> Found:
    status = seen.need(seen.stored.get(EMPTY)).put.status
    if status not in {200, 201}:
        return no(f"the storage answered {status}")
    return either(seen.item(EMPTY).size == 0, f"{seen.item(EMPTY).size} bytes")


def _bytes_back(seen: Seen) -> Found:
    answer = seen.need(seen.download)
    if answer.status != 200:
        return no(f"the storage answered {answer.status}")
    same = answer.data == CONTENT
    return either(same, f"{len(answer.data):,} bytes{'' if same else ', and others'}")


def _length(seen: Seen) -> Found:
    length = seen.need(seen.download).headers.get("content-length")
    return either(length == str(len(CONTENT)), f"{length}", covered)


def _hash(seen: Seen) -> Found:
    known = provider_digest(seen.need(seen.download).headers)
    return covered("none that can be used") if known is None else _right(known, CONTENT)


def _stored_hash(seen: Seen) -> Found:
    told = digests_of_upload(seen.need(seen.stored.get(PLAIN)).put.headers)
    right = [
        algorithm
        for algorithm, value in told.items()
        if _right(Digest(algorithm, value), CONTENT).holds is Holds.YES
    ]
    if told and not right:
        return no(f"{', '.join(told)}, of other bytes")
    words = ", ".join(right) or "none is told"
    return either(not {"crc32c", "crc64nvme"}.isdisjoint(right), words, covered)


def _right(told: Digest, content: bytes) -> Found:
    computing = hasher(told.algorithm)
    computing.update(content)
    right = computing.digest() == told.value
    return either(right, f"{told.algorithm}{'' if right else ', of other bytes'}")


def _range(seen: Seen) -> Found:
    answer = seen.need(seen.part_of_download)
    if answer.status != 206:
        return covered(f"{answer.status}")
    same = answer.data == CONTENT[RANGE[0] : RANGE[1] + 1]
    return either(same and "content-range" in answer.headers, "206" if same else "other bytes")


def _in_parts(seen: Seen) -> Found:
    statuses = [answer.status for answer in seen.multipart]
    if len(statuses) < 4 or any(not 200 <= status <= 299 for status in statuses):
        if not statuses:
            seen.need(None)
        return no(f"answers {', '.join(map(str, statuses))}")
    size = seen.item(IN_PARTS).size
    seam = seen.need(seen.parts_range)
    whole = b"".join(PARTS)
    around = {whole[PART_BYTES - 8 : PART_BYTES + 8], whole}
    if size != len(whole) or seam.data not in around:
        return no(f"{size} bytes, not those that were sent")
    return yes(f"{size:,} bytes, as sent")


def _parts_hash(seen: Seen) -> Found:
    known = provider_digest(seen.need(seen.parts_range).headers)
    return yes("none is told") if known is None else _right(known, b"".join(PARTS))


def _one_clock(seen: Seen) -> Found:
    signed, put = seen.need(seen.stored.get(PLAIN))
    apart_s = abs(server_us(put.headers) - server_us(signed.headers)) / 1e6
    return either(apart_s <= 3, f"{apart_s:.0f} s apart", covered)


def _deleted(seen: Seen) -> Found:
    first, look, _ = seen.need(seen.deleted if len(seen.deleted) == 3 else None)
    if not 200 <= first.status <= 299:
        return no(f"the deletion was answered {first.status}")
    return either(look.status == 404, f"{look.status}", no)


def _deleted_again(seen: Seen) -> Found:
    status = seen.need(seen.deleted if len(seen.deleted) == 3 else None)[2].status
    return either(status == 404, f"{status}", covered if 200 <= status <= 299 else no)


TRANSFERS = (
    Belief(
        "facts",
        "a bucket tells its id, provider and ttl",
        "a bucket made anew, and an expiry, are taken for deletions; keep `deletions: none`",
        _facts,
    ),
    Belief(
        "quota-told",
        "every answer tells the quota and what is left of it",
        "it goes on until a 429, and then waits a minute",
        _quota_told,
        may_stay_open=True,
    ),
    Belief(
        "one-a-call",
        "a call takes one of the quota, and the storage none",
        "passes take longer than `plan` says",
        _one_a_call,
        may_stay_open=True,
    ),
    Belief(
        "missing",
        "a file that is not there is 404, in get, download, delete",
        "such a key is reported as a problem in every pass",
        _missing,
    ),
    Belief(
        "refusal-words",
        "a refusal says why, in JSON",
        "messages have the status alone",
        _in_words,
    ),
    Belief(
        "no-bucket",
        "a bucket that is not there is 404",
        "the message speaks of missing rights instead",
        _no_bucket,
    ),
    Belief(
        "stranger",
        "an unknown token is 401",
        "the message speaks of missing rights instead",
        _stranger,
    ),
    Belief(
        "forbidden",
        "what a token may not do is 403",
        "the message has the status and UbiOps' own words",
        _forbidden,
        may_stay_open=True,
    ),
    Belief(
        "url-life",
        "a signed URL lives five minutes or longer",
        "an expired one is signed again, one call more",
        _url_life,
        may_stay_open=True,
    ),
    Belief(
        "altered-url",
        "the storage refuses an altered URL with 403",
        "the key is reported as a problem, and tried in the next pass",
        _altered_url,
    ),
    Belief(
        "one-clock",
        "API and storage have one clock",
        "its own uploads are recognised by their content, one call more for each",
        _one_clock,
    ),
    Belief(
        "empty",
        "an empty file can be stored",
        "empty files are reported as problems",
        _empty,
    ),
    Belief(
        "bytes",
        "bytes come back as they were sent",
        "nothing that is so spoilt is written; each such key is reported",
        _bytes_back,
    ),
    Belief(
        "length",
        "a download tells its length",
        "the size in the listing is the proof that all came",
        _length,
    ),
    Belief(
        "hash",
        "the storage tells the hash of what was sent in one piece",
        "to compare two versions of one size it downloads one of them",
        _hash,
    ),
    Belief(
        "stored-hash",
        "the answer to an upload tells a CRC of what was stored",
        "an MD5 is computed, which takes as long as the wire; with neither it is taken at its word",
        _stored_hash,
    ),
    Belief(
        "range",
        "a part of a file can be downloaded",
        "a download that breaks off begins anew",
        _range,
    ),
    Belief(
        "parts",
        "an upload in parts becomes one file when it is completed",
        "large files are reported as problems",
        _in_parts,
    ),
    Belief(
        "parts-hash",
        "no wrong hash is told of an upload in parts",
        "such files are taken for damaged when they are downloaded",
        _parts_hash,
    ),
    Belief(
        "deleted",
        "what was deleted is gone at once",
        "the next pass takes it for a new file, and fetches it again",
        _deleted,
    ),
    Belief(
        "deleted-again",
        "to delete what is gone is 404",
        "that is as good",
        _deleted_again,
    ),
)
