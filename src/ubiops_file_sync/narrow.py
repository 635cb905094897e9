"""What of a saved plan still holds, by a new comparison of both sides and the baseline.

An action of the saved plan is done only if the new comparison comes to the very same one: same
file, same object, same record, same rules. So a plan that was forged, or that time has passed by,
does nothing that a pass would not do now.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from ubiops_file_sync.compare import Plan
from ubiops_file_sync.errors import KeyFailure
from ubiops_file_sync.local import LocalTree
from ubiops_file_sync.model import Action, Problem, Verb
from ubiops_file_sync.saved_plan import SavedPlan
from ubiops_file_sync.store import Spool


def narrow(now: Plan, saved: SavedPlan, tree: LocalTree | None) -> None:
    """Leave of `now` what was saved too; each saved action that is no part of it is a problem.

    What it held besides is left to the next pass.
    """
    further = 0
    with ExitStack() as until_complete:
        kept = until_complete.enter_context(Spool(now.spool.big_bytes))
        for was, current in _side_by_side(saved.spool.actions(), now.spool.actions()):
            if was is not None and was == current:
                kept.add(was)
            elif was is not None:
                now.take(Problem(was.key, _why_stale(was, current, tree)))
            elif current is not None:
                further += 1
                if current.verb is Verb.UPLOAD:
                    # A ready file must not say of its folder that all of it went up.
                    now.unsent.note(current.key)
        until_complete.pop_all()
    now.spool.__exit__(None, None, None)
    now.spool, now.is_whole = kept, False
    now.summary.actions = {}
    kept.sum_up(now.summary)
    if further:
        now.notes.append(
            f"{further:,} more to do since the plan was saved ({saved.created}), or left out of "
            "it; the next pass takes that"
        )


def _side_by_side(
    saved: Iterator[Action], now: Iterator[Action]
) -> Iterator[tuple[Action | None, Action | None]]:
    """Two plans, both in key order, with the two actions on a key together."""
    was, current = next(saved, None), next(now, None)
    while was is not None or current is not None:
        key = min(action.key for action in (was, current) if action is not None)
        mine = theirs = None
        if was is not None and was.key == key:
            mine, was = was, next(saved, None)
        if current is not None and current.key == key:
            theirs, current = current, next(now, None)
        yield mine, theirs


def _why_stale(was: Action, current: Action | None, tree: LocalTree | None) -> str:
    return (
        f"{_what_changed(was, current, tree)} since the plan was saved, so it was left alone; the "
        "next pass takes it, or make a new plan"
    )


def _what_changed(was: Action, current: Action | None, tree: LocalTree | None) -> str:
    if current is None:
        try:
            local = None if tree is None else tree.look(was.key)
        except (KeyFailure, OSError) as error:
            return f"the local file cannot be told any more ({error}), as it could"
        if local != was.local:
            return "the local file changed"
        return "nothing is to be done for it any more: the bucket's version or its record changed"
    changed = []
    if current.local != was.local:
        changed.append("the local file")
    if current.remote != was.remote:
        changed.append("the bucket's version")
    if not changed:
        return f"the record of it or the clock changed the verdict ({current.reason})"
    return f"{' and '.join(changed)} changed"
