"""A decision that was written down comes out the same when it is made again from that."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ubiops_file_sync.addresses import Address
from ubiops_file_sync.config import Profile
from ubiops_file_sync.explain import Explanation, judged
from ubiops_file_sync.model import (
    BaselineEntry,
    BaselineRow,
    ConflictPolicy,
    Deletions,
    Direction,
    Expired,
    FolderRules,
    Intent,
    LocalEntry,
    RemoteEntry,
    Unknown,
)
from ubiops_file_sync.plan import Case, Filters, Policy
from ubiops_file_sync.sight import Sight
from ubiops_file_sync.support.names import HashedNames
from ubiops_file_sync.support.replay import record_of, replay
from ubiops_file_sync.support.shapes import Record

NOW_US = 1_795_000_000_000_000
DAY_US = 86_400_000_000
KEY = "runs/7/secret-name.bin"
TIMES_US = st.sampled_from([0, NOW_US - 40 * DAY_US, NOW_US - DAY_US, NOW_US - 5, NOW_US + DAY_US])
SIZES = st.sampled_from([0, 1, 2])
LOCALS = st.builds(LocalEntry, st.just(KEY), SIZES, TIMES_US.map(lambda us: us * 1000))
REMOTES = st.builds(RemoteEntry, st.just(KEY), SIZES, TIMES_US)
BASES = st.builds(BaselineEntry, st.just(KEY), SIZES, TIMES_US.map(lambda us: us * 1000), TIMES_US)
INTENTS = st.builds(
    Intent,
    st.just(KEY),
    SIZES,
    TIMES_US.map(lambda us: us * 1000),
    TIMES_US,
    st.none() | TIMES_US,
)
POLICIES = st.builds(
    Policy,
    direction=st.sampled_from(Direction),
    conflict=st.sampled_from(ConflictPolicy),
    deletions=st.sampled_from(Deletions),
    expired=st.sampled_from(Expired),
    ttl_us=st.sampled_from([None, 7 * DAY_US, 28 * DAY_US]).map(lambda us: lambda: us),
    refresh_before_us=st.sampled_from([None, DAY_US]),
    skew_us=st.sampled_from([0, 5_000_000, -3_600_000_000]),
)
CASES = st.builds(
    Case,
    st.none() | LOCALS,
    st.none() | REMOTES,
    st.none() | BASES,
    st.none() | INTENTS,
    POLICIES,
    st.just(NOW_US),
)
PROFILES = st.builds(
    Profile,
    name=st.just("runs"),
    local_dir=st.just("/srv/runs"),
    project=st.just("p"),
    include=st.sampled_from([(), ("*.bin",), ("other/",)]),
    exclude=st.sampled_from([(), ("secret*",)]),
    max_size=st.sampled_from([None, 1]),
    max_age=st.sampled_from([None, "2d"]),
    ready_file=st.sampled_from([None, "_SUCCESS"]),
)
RULES = st.sampled_from(
    [
        (),
        (FolderRules("", ("*.bin",), ready=False),),
        (FolderRules("runs/7/", (), ready=True),),
    ]
)


def explained(profile: Profile, sight: Sight, case: Case) -> Explanation:
    decision, asked, verdict = judged(profile.name, sight, case)
    row = BaselineRow(KEY, case.base, case.intent)
    address = Address(profile, KEY)
    return Explanation(
        address,
        sight.local,
        case.remote,
        True,
        row,
        decision,
        asked,
        verdict,
        (),
        {},
        (sight, case),
    )


def filters_of(profile: Profile) -> Filters:
    return Filters.of(
        profile.include,
        profile.exclude,
        max_size=profile.max_size,
        max_age_s=profile.max_age,
        ready_file=profile.ready_file,
    )


def through_json(record: Record) -> Record:
    return msgspec.json.decode(msgspec.json.encode(record), type=Record)


@given(PROFILES, CASES, RULES, st.booleans())
def test_it_comes_out_the_same(
    profile: Profile, case: Case, rules: tuple[FolderRules, ...], is_unreadable: bool
) -> None:
    local = Unknown(KEY, "it cannot be read", is_problem=True) if is_unreadable else case.local
    case = replace(case, local=None if is_unreadable else case.local)
    told = explained(profile, Sight(KEY, local, rules, filters_of(profile)), case)
    record = record_of(told, profile)
    assert record is not None
    replayed = replay(through_json(record))
    assert list(replayed.differences) == []
    assert replayed.now.text == told.verdict.text
    assert [asked.question for asked in replayed.now.asked] == [one.question for one in told.asked]


@given(PROFILES, CASES, RULES)
def test_with_hashed_names_too_and_no_name_is_in_it(
    profile: Profile, case: Case, rules: tuple[FolderRules, ...]
) -> None:
    told = explained(profile, Sight(KEY, case.local, rules, filters_of(profile)), case)
    record = record_of(told, profile, HashedNames().key)
    if record is None:
        return
    assert told.decision is None or record.verdict.reason == told.decision.reason.name.lower()
    text = msgspec.json.encode(record).decode()
    for name in ("secret", "runs/", ".bin", "_SUCCESS"):
        assert name not in text
    assert list(replay(through_json(record)).differences) == []


def test_another_verdict_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    profile = Profile(name="runs", local_dir="/srv/runs", project="p")
    case = Case(LocalEntry(KEY, 1, 1), None, None, None, Policy(), NOW_US)
    record = record_of(explained(profile, Sight(KEY, case.local, (), Filters()), case), profile)
    assert record is not None
    forged = msgspec.structs.replace(
        record, policy=msgspec.structs.replace(record.policy, direction=Direction.DOWNLOAD)
    )
    differences = list(replay(forged).differences)
    assert "reason: was 'new_local', is 'other_direction'" in differences
    assert any(line.startswith("text: ") for line in differences)


def test_the_same_name_has_the_same_hash_and_folders_still_show() -> None:
    names = HashedNames()
    one, other = names.key("a/b/c.txt"), names.key("a/b/d.txt")
    assert one.split("/")[:2] == other.split("/")[:2]
    assert one != other
    assert names.key("a/b/c.txt") == one
    assert HashedNames().key("a/b/c.txt") != one


def test_names_in_texts_are_hidden_and_the_rest_of_the_words_stays() -> None:
    names = HashedNames()
    document = {
        "outcome": "broken off: weights/model.bin clashes with 'weights/other.bin'",
        "problems": [{"key": "weights/model.bin", "message": "model.bin is a folder, not a file"}],
        "extra_keys": ["weights/model.conflict-20260101T000000Z.bin"],
        "bytes_up": 5,
    }
    names.document(document)
    told = names.document(document)
    text = str(told)
    for name in ("weights", "model", "other.bin"):
        assert name not in text
    assert told["problems"][0]["message"].endswith(" is a folder, not a file")
    assert told["outcome"].startswith("broken off: ")
    assert told["bytes_up"] == 5
