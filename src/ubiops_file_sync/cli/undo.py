"""`undo`: all that one pass replaced or deleted, put back from the trash."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ubiops_file_sync.cli.output import say, say_json
from ubiops_file_sync.cli.versions import (
    ambiguous,
    ask,
    human,
    listed,
    read_settings,
    version_json,
    what_next,
    when_trashed,
)
from ubiops_file_sync.errors import UsageError
from ubiops_file_sync.model import Verb

if TYPE_CHECKING:
    from ubiops_file_sync.config import Settings
    from ubiops_file_sync.restore import Restorer, Step


@click.command(
    short_help="Put back all that one pass replaced or deleted.",
    epilog="""\b
Examples:
  ubiops-file-sync undo 20261123T042015Z-ab12cd --dry-run
  ubiops-file-sync undo 20261123T042015Z-ab12cd

\b
The files that stand there go to the trash, so an undo can be undone. What the pass newly created
is not removed. Exit codes: 0 all is as it was, 1 some files failed or were skipped.
""",
)
@click.argument("pass_id", metavar="PASS_ID")
@click.option("--profile", help="The profile; needed only if several know that pass.")
@click.option("--dry-run", is_flag=True, help="Change nothing; show what would be done.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document; takes --yes.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Put back over files that were edited since, too.")
@click.pass_obj
def undo(
    config: Path | None,
    pass_id: str,
    profile: str | None,
    *,
    dry_run: bool,
    as_json: bool,
    yes: bool,
    force: bool,
) -> None:
    """Put back everything that the pass PASS_ID replaced or deleted here.

    The ids of passes are in `trash list`.
    """
    settings = read_settings(config)
    restorer = _find_pass(settings, profile, pass_id)
    zone = settings.zone(restorer.profile)
    turn = _Undo(restorer, pass_id, zone, force=force, as_json=as_json)
    if not (dry_run or yes) and (as_json or not sys.stdin.isatty()):
        raise UsageError(
            "an undo asks before it changes files, and nobody is here to answer; look at it with "
            "--dry-run, and give --yes"
        )
    sys.exit(turn.shown() if dry_run else turn.done(ask=not yes))


def _find_pass(settings: Settings, profile: str | None, pass_id: str) -> Restorer:
    from ubiops_file_sync.phrases import printable

    answers = ask(settings, profile, lambda restorer: restorer.passes())
    found = [restorer for restorer, passes in answers if pass_id in passes]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(ambiguous(f"a trash of pass {pass_id}", found))
    known = sorted({one for _, passes in answers for one in passes}, reverse=True)
    if not known:
        raise UsageError("the trash is empty: there is nothing to put back")
    raise UsageError(f"no pass {printable(pass_id)} has anything in the trash; {listed(known)}")


class _Done:
    """What an undo did: counts, and the steps that are to be told of one by one."""

    def __init__(self, *, keep_all: bool) -> None:
        self.counts: Counter[str] = Counter()
        self.steps: list[Step] = []
        self.kept_under: str | None = None
        self.next_verbs: set[Verb | None] = set()
        self._keep_all = keep_all

    def take(self, step: Step) -> None:
        """Heed one step that was done."""
        from ubiops_file_sync.restore import Fate

        self.counts[step.fate] += 1
        self.kept_under = self.kept_under or step.kept_under
        if step.fate is Fate.PUT_BACK:
            self.next_verbs.add(step.next_verb)
        if self._keep_all or step.fate is Fate.FAILED:
            self.steps.append(step)


class _Undo:
    """One undo: its plan for people, the asking, and how it went."""

    def __init__(
        self,
        restorer: Restorer,
        pass_id: str,
        zone: tzinfo | None,
        *,
        force: bool,
        as_json: bool,
    ) -> None:
        self._restorer = restorer
        self._pass_id = pass_id
        self._zone = zone
        self._force = force
        self._as_json = as_json

    def shown(self) -> int:
        """Show the plan. Returns the exit code."""
        steps = self._restorer.plan_undo(self._pass_id, force=self._force)
        if self._as_json:
            self._print_json(list(steps), dry_run=True)
        else:
            self._print_plan(steps)
        return 0

    def done(self, *, ask: bool) -> int:
        """Show the plan, ask if so wanted, and do it. Returns the exit code."""
        from ubiops_file_sync.restore import Fate

        if not self._as_json:
            plan = self._restorer.plan_undo(self._pass_id, force=self._force)
            counts = self._print_plan(plan)
            if not counts[Fate.PUT_BACK]:
                say("nothing was changed")
                return _exit_code(counts)
            if ask and not click.confirm("Put them back?"):
                say("nothing was changed")
                return 1
        done = _Done(keep_all=self._as_json)
        self._restorer.undo(self._pass_id, done.take, force=self._force)
        if self._as_json:
            self._print_json(done.steps, dry_run=False)
        else:
            self._print_outcome(done)
        return _exit_code(done.counts)

    def _print_plan(self, steps: Iterable[Step]) -> Counter[str]:
        name = self._restorer.profile.name
        say(f"{name}: undo of pass {self._pass_id}, {when_trashed(self._pass_id, self._zone)}")
        counts: Counter[str] = Counter()
        for step in steps:
            counts[step.fate] += 1
            say(_line(step))
        say(f"  {_totals(counts, 'to put back')}")
        say("  files that the pass newly created, if any, are not removed")
        return counts

    def _print_outcome(self, done: _Done) -> None:
        say(f"{self._restorer.profile.name}: {_totals(done.counts, 'put back')}")
        for step in done.steps:
            say(_line(step))
        if done.kept_under is not None:
            say(f"  to take that back: ubiops-file-sync undo {done.kept_under}")
        if done.next_verbs:
            say(f"  {what_next(self._restorer, done.next_verbs)}")

    def _print_json(self, steps: list[Step], *, dry_run: bool) -> None:
        from ubiops_file_sync.report import JSON_VERSION

        counts: Counter[str] = Counter(step.fate for step in steps)
        document = {
            "version": JSON_VERSION,
            "exit_code": 0 if dry_run else _exit_code(counts),
            "profile": self._restorer.profile.name,
            "pass_id": self._pass_id,
            "dry_run": dry_run,
            "kept_under": next((step.kept_under for step in steps if step.kept_under), None),
            "counts": dict(counts),
            "keys": [_step_json(step) for step in steps],
        }
        say_json(document)


def _exit_code(counts: Counter[str]) -> int:
    """1 if anything that the pass replaced or deleted is still not as it was."""
    from ubiops_file_sync.restore import Fate

    return 1 if counts[Fate.FAILED] or counts[Fate.EDITED] else 0


def _totals(counts: Counter[str], back: str) -> str:
    from ubiops_file_sync.restore import Fate

    words = {
        Fate.PUT_BACK: back,
        Fate.AS_THEN: "already as they were",
        Fate.EDITED: "skipped, since they were edited since (--force puts back over them)",
        Fate.FAILED: "failed",
    }
    told = [f"{counts[fate]:,} {word}" for fate, word in words.items() if counts[fate]]
    return ", ".join(told) or "nothing to put back"


def _line(step: Step) -> str:
    from ubiops_file_sync.phrases import printable
    from ubiops_file_sync.restore import Fate

    now = "deleted since" if step.now is None else human(step.now.size)
    then = "" if step.then is None else f"{now} -> {human(step.then.size)}"
    if step.fate is Fate.FAILED:
        return f"  failed     {printable(step.key)}: {step.why}"
    verbs = {Fate.PUT_BACK: "put back", Fate.AS_THEN: "as it was", Fate.EDITED: "skip"}
    reason = "; edited since" if step.fate is Fate.EDITED else ""
    return f"  {verbs[step.fate]:<9}  {printable(step.key)}  ({then}{reason})"


def _step_json(step: Step) -> dict[str, Any]:
    return {
        "key": step.key,
        "fate": step.fate.value,
        "then": None if step.then is None else version_json(step.then),
        "now": None if step.now is None else step.now._asdict(),
        "why": step.why or None,
        "kept_under": step.kept_under,
    }
