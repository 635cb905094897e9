"""Why the next pass does with one key what it does: both sides, the baseline, and every rule.

Nothing is changed, and one call asks the bucket (one more where a rule needs its ttl).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from ubiops_file_sync import keys, places
from ubiops_file_sync.addresses import Address
from ubiops_file_sync.bucket import Bucket
from ubiops_file_sync.bucket.retry import RetryPolicy
from ubiops_file_sync.compare import policy_of, steady_skew_us
from ubiops_file_sync.errors import KeyFailure, RemoteUnreachable
from ubiops_file_sync.local import LocalTree
from ubiops_file_sync.model import (
    Action,
    BaselineRow,
    Decision,
    LocalEntry,
    Reason,
    RemoteEntry,
    Unknown,
)
from ubiops_file_sync.plan import Asked, Case, explain_decision, held_back
from ubiops_file_sync.sight import Sight, look_at
from ubiops_file_sync.store import BaselineStore
from ubiops_file_sync.verdict import (
    Verdict,
    held_for_ready,
    hidden,
    left_unknown,
    never_seen,
    refused,
    verdict_of,
)


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that is known of one key, and what comes of it."""

    address: Address
    local: LocalEntry | Unknown | None
    remote: RemoteEntry | None
    remote_asked: bool
    """The bucket was asked; else `remote` says nothing."""
    row: BaselineRow | None
    decision: Decision | None
    """None: no rule was asked, for the reason that the verdict gives."""
    asked: tuple[Asked, ...]
    verdict: Verdict
    notes: tuple[str, ...]
    api_calls: dict[str, int]
    evidence: tuple[Sight, Case] | None
    """What was judged: the bucket's ttl is in it if a rule asked for that. None: nothing was."""


@dataclass(frozen=True, slots=True)
class Explainer:
    """Explains single keys, each from what stands there at that moment."""

    state_dir: Path
    env: Mapping[str, str]
    retries: RetryPolicy | None = None
    now_ns: Callable[[], int] = time.time_ns

    def explain(self, address: Address) -> Explanation:
        """The explanation of one key. Takes no lock and changes nothing (I8).

        Raises `SyncError` where a pass over the profile could not even begin.
        """
        profile = address.profile
        with ExitStack() as stack:
            store = stack.enter_context(
                BaselineStore.open_read_only(
                    places.state_path(self.state_dir, profile), places.identity(profile)
                )
            )
            bucket = stack.enter_context(
                places.open_bucket(
                    profile, self.env, self.retries, self.now_ns, state_dir=self.state_dir
                )
            )
            tree = places.open_root(stack, profile, "explain", store)
            refusal = keys.refusal(address.key)
            if refusal is not None:
                return _refused(address, refusal)
            remote = _asked(bucket, address)
            sight = look_at(tree, address.key, places.filters(profile))
            row, skew_us = store.row(address.key), steady_skew_us(store, bucket.skew_us)
            return self._explained(address, tree, sight, remote, row, bucket, skew_us)

    def _explained(
        self,
        address: Address,
        tree: LocalTree | None,
        sight: Sight,
        remote: RemoteEntry | None,
        row: BaselineRow | None,
        bucket: Bucket,
        skew_us: int,
    ) -> Explanation:
        ttl = _Once(lambda: bucket.facts().ttl_us)
        policy = policy_of(address.profile, skew_us, ttl.ask)
        now_us = self.now_ns() // 1000
        case = Case(
            sight.local if isinstance(sight.local, LocalEntry) else None,
            remote,
            None if row is None else row.base,
            None if row is None else row.intent,
            policy,
            now_us,
        )
        decision, asked, verdict = judged(address.profile.name, sight, case)
        return Explanation(
            address=address,
            local=sight.local,
            remote=remote,
            remote_asked=True,
            row=row,
            decision=decision,
            asked=asked,
            verdict=verdict,
            notes=tuple(self._notes(address, sight.local, decision, tree)),
            api_calls=bucket.calls.by_endpoint(),
            evidence=(sight, replace(case, policy=replace(policy, ttl_us=ttl.told))),
        )

    def _notes(
        self,
        address: Address,
        local: LocalEntry | Unknown | None,
        decision: Decision | None,
        tree: LocalTree | None,
    ) -> list[str]:
        """What may keep the next pass from doing it, though it is decided."""
        if decision is None or decision.verb is None or not isinstance(local, LocalEntry):
            return []
        notes = []
        age_s = (self.now_ns() - local.mtime_ns) / 1e9
        if 0 <= age_s < address.profile.settle:
            notes.append(
                f"the file changed {age_s:.1f} s ago; a pass waits until it was left alone for "
                f"`settle` ({address.profile.settle:g} s)"
            )
        trouble = None if tree is None else _unreadable(tree, local)
        if trouble is not None:
            notes.append(f"its content cannot be read ({trouble}); check its permissions")
        return notes


def _asked(bucket: Bucket, address: Address) -> RemoteEntry | None:
    """What the bucket says of the key; there is nothing to explain without that."""
    try:
        return bucket.get(address.key)
    except KeyFailure as error:
        name = address.profile.name
        raise RemoteUnreachable(f"profile {name!r}: {error}") from error


def judged(
    name: str, sight: Sight, case: Case
) -> tuple[Decision | None, tuple[Asked, ...], Verdict]:
    """The decision, the rules that were asked for it, and the verdict; in the order of a pass.

    `name`: the profile's. Depends on nothing but what it is given.
    """
    unknown = sight.local if isinstance(sight.local, Unknown) else None
    if not (case.local or case.remote or case.base or unknown):
        return None, (), never_seen(name)
    scope = sight.scope(case.now_us, case.policy.skew_us)
    asked: tuple[Asked, ...] = ()
    if scope.active:
        filtered = sight.hidden(scope, case.local, None if unknown else case.remote)
        asked = (filtered,)
        if filtered.answer == "yes":
            was_in_step = case.base is not None
            return None, asked, hidden(name, filtered.because, was_in_step=was_in_step)
    if unknown is not None:
        return None, asked, left_unknown(name, unknown.reason)
    decision, rules = explain_decision(case)
    waits = _waits(decision, sight, case)
    if waits is not None:
        verdict = held_for_ready(name, waits, sight.filters.ready_file or "")
        return Decision(None, waits), asked + rules, verdict
    verdict = verdict_of(name, sight.key, decision, case.local, case.remote)
    return decision, asked + rules, verdict


def _waits(decision: Decision, sight: Sight, case: Case) -> Reason | None:
    """Why the ready file keeps a pass from doing what was decided; None: it does not."""
    if decision.verb is None or sight.filters.ready_file is None:
        return None
    action = Action(decision.verb, sight.key, decision.reason, case.local, case.remote)
    scope = sight.scope(case.now_us, case.policy.skew_us)
    return held_back(action, case.base, scope)


def _refused(address: Address, refusal: str) -> Explanation:
    return Explanation(
        address=address,
        local=None,
        remote=None,
        # Such a name cannot be asked for: in a request path it may address something else.
        remote_asked=False,
        row=None,
        decision=None,
        asked=(),
        verdict=refused(address.profile.name, refusal),
        notes=(),
        api_calls={},
        evidence=None,
    )


def _unreadable(tree: LocalTree, entry: LocalEntry) -> str | None:
    """Why the content of a file cannot be read; None: it can."""
    try:
        with tree.reading(entry):
            return None
    except KeyFailure:
        return None  # It changed this moment, which the next look shows.
    except OSError as error:
        return (error.strerror or os.strerror(error.errno or 0)).lower()


class _Once:
    """An answer that costs an API call, and is asked for once at most."""

    def __init__(self, ask: Callable[[], int | None]) -> None:
        self._ask = ask
        self._kept: list[int | None] = []

    def ask(self) -> int | None:
        """The answer."""
        if not self._kept:
            self._kept.append(self._ask())
        return self._kept[0]

    def told(self) -> int | None:
        """The answer, if it was asked for."""
        return self._kept[0] if self._kept else None
