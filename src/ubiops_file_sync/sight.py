"""One key as the local side has it, and whether a filter lets it be seen."""

from __future__ import annotations

from dataclasses import dataclass

from ubiops_file_sync.errors import KeyFailure
from ubiops_file_sync.keys import IGNORE_FILE
from ubiops_file_sync.local import LocalTree, Wanted
from ubiops_file_sync.model import FolderRules, LocalEntry, RemoteEntry, Unknown
from ubiops_file_sync.plan import Asked, Filters, Scope
from ubiops_file_sync.system_errors import remedy_for, words_of


@dataclass(frozen=True, slots=True)
class Sight:
    """What stands at a key, and what the folders above it say."""

    key: str
    local: LocalEntry | Unknown | None
    rules: tuple[FolderRules, ...]
    """Of the folders from the root down to the key's own."""
    filters: Filters

    def scope(self, now_us: int, skew_us: int) -> Scope:
        """The filters as they apply at the key."""
        scope = Scope(self.filters, local_now_us=now_us, remote_now_us=now_us - skew_us)
        for rules in self.rules:
            scope.enter(rules)
        return scope

    def hidden(self, scope: Scope, local: LocalEntry | None, remote: RemoteEntry | None) -> Asked:
        """Whether a filter hides the key, and which kind of filter."""
        question = "does a filter hide it?"
        if not (scope.active and scope.hides_entry(self.key, local, remote)):
            return Asked(question, "no", "neither patterns nor limits of size or age are about it")
        if Scope(self.filters).hides(self.key):
            because = "`include` or `exclude` of the profile"
        elif scope.hides(self.key):
            because = f"a line of {IGNORE_FILE}, in its folder or above it"
        else:
            because = "`min_size`, `max_size` or `max_age` of the profile"
        return Asked(question, "yes", f"it is hidden by {because}")


def look_at(tree: LocalTree | None, key: str, filters: Filters) -> Sight:
    """One key below the root. Reads the folders above it, and nothing else.

    Raises `SafetyHalt` if the ignore file at the root cannot be used.
    """
    if tree is None:
        return Sight(key, None, (), filters)
    rules = []
    found: LocalEntry | Unknown | None = None
    for item in tree.walk(Wanted(_WayTo(key, Scope(filters)), filters.ready_file)):
        if isinstance(item, FolderRules):
            rules.append(item)
        elif item.key == key or (isinstance(item, Unknown) and item.covers(key)):
            found = found or item
    return Sight(key, found or look_or_unknown(tree, key), tuple(rules), filters)


@dataclass(frozen=True, slots=True)
class _WayTo:
    """Keeps a walk to the folders above one key, as far as they are in sight."""

    key: str
    scope: Scope

    def enter(self, rules: FolderRules) -> None:
        """Heed what a folder says of itself; ValueError if its ignore file is malformed."""
        self.scope.enter(rules)

    def hides(self, key: str) -> bool:
        """Whether the walk passes by."""
        leads_there = self.key.startswith(key) if key.endswith("/") else key == self.key
        return not leads_there or self.scope.hides(key)


def look_or_unknown(tree: LocalTree, key: str) -> LocalEntry | Unknown | None:
    """What stands at a key; what must not or cannot be read is unknown, and never missing."""
    try:
        return tree.look(key)
    except KeyFailure as error:
        return Unknown(key, str(error), is_problem=True)
    except OSError as error:
        remedy = remedy_for(error, "check its permissions")
        return Unknown(key, f"it cannot be read ({words_of(error)}); {remedy}", is_problem=True)
