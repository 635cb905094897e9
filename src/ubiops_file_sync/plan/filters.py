"""Filters: the keys that a profile leaves alone. Pure.

A filter hides a key from both sides at once, so what it hides is never transferred and never
deleted: its baseline is forgotten, and once it comes into sight again the two sides meet as if
for the first time.

The patterns are gitignore's, read by pathspec. As in git, each folder on the way to a key is asked
before the key itself, and nothing comes into sight again below a hidden folder; so a folder that
is hidden need not be walked.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from ubiops_file_sync.model import FolderRules, LocalEntry, RemoteEntry
from ubiops_file_sync.plan.steady import steady

_CACHED_FILES = 256
"""Ignore files whose compiled rules are kept: many folders tend to hold the same one."""

_MOST_CACHED_LINES = 100
"""Lines of a file that is kept, so that the kept ones take little memory."""

_CHARACTER_CLASS = re.compile(r"\[[:.=]")
"""As in `[[:alpha:]]`, which git knows and pathspec takes for something else."""

_WILDCARD = re.compile(r"[*?\[\\]")


class BadPattern(ValueError):
    """A line that is no gitignore pattern, in words that can follow the name of its source."""


@dataclass(frozen=True, slots=True)
class _Pattern:
    hides: bool
    """False: the line began with `!`."""
    regex: re.Pattern[str]
    any_folder: bool
    """It is about folders, whatever their names."""

    def is_about(self, path: str) -> bool:
        """Whether the pattern matches `path` itself, and not only a folder above it.

        pathspec's expressions match all that is below a match as well. They have one group, and
        it then holds the slash behind the folder that was matched; where several folders could
        be that one, the search tries the deepest first.
        """
        found = self.regex.search(path)
        if found is None:
            return False
        through_folder = found.lastindex is not None
        if not path.endswith("/"):
            return not through_folder
        if through_folder:
            return self.any_folder or found.end() == len(path)
        return found.end() < len(path)  # `a/**` is about what is in `a/`, and not about `a/`.


@dataclass(frozen=True, slots=True)
class Rules:
    """The patterns of one source, for paths that are relative to its folder."""

    last_first: tuple[_Pattern, ...]

    def verdict(self, path: str) -> bool | None:
        """Whether the last pattern about `path` hides it; None: no pattern is about it.

        A folder is named with a slash behind it.
        """
        if "\n" in path:
            # A line holds none, so only wildcards can match it; but a dot would not.
            path = path.replace("\n", "\0")
        for pattern in self.last_first:
            if pattern.is_about(path):
                return pattern.hides
        return None


def compile_rules(lines: tuple[str, ...]) -> Rules:
    """The rules of an ignore file. Raises `BadPattern` with the number of the first bad line.

    git passes over a line that it cannot read. Here that line may be all that keeps a secret out
    of the bucket, so nobody may think that it is heeded.
    """
    if len(lines) > _MOST_CACHED_LINES:
        return Rules(tuple(_compiled(lines))[::-1])
    return _compile_cached(lines)


@lru_cache(maxsize=_CACHED_FILES)
def _compile_cached(lines: tuple[str, ...]) -> Rules:
    return Rules(tuple(_compiled(lines))[::-1])


def _compiled(lines: Iterable[str]) -> Iterator[_Pattern]:
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        pattern = _compile(line)
        if pattern is None:
            raise BadPattern(f"line {number} ({line!r}) cannot be read as a gitignore pattern")
        yield pattern


def _compile(line: str) -> _Pattern | None:
    from pathspec import GitIgnoreSpec

    bare = line.rstrip()
    if bare.endswith("/**/") and len(bare) > len("/**/"):
        # To pathspec that is the folder in front; to git, every folder below it.
        line = bare + "*/"
    if "\0" in line or _CHARACTER_CLASS.search(line):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # `[a--b]` may get another meaning.
            (pattern,) = GitIgnoreSpec.from_lines([line]).patterns
            if pattern.include is None or pattern.regex is None:
                return None
            source = pattern.regex.pattern
            return _Pattern(
                pattern.include, re.compile(steady(source)), any_folder=not source.startswith("^")
            )
    except (ValueError, re.error):
        return None


@dataclass(frozen=True, slots=True)
class Filters:
    """What a profile leaves alone. The default hides nothing."""

    include: Rules | None = None
    """If given, nothing is in sight that it does not name; a folder it names is so as a whole."""
    exclude: Rules | None = None
    """Hides whatever ignore files say: these may come out of the bucket, and a line of somebody
    else's must not uncover what the profile's owner keeps back."""
    reach: tuple[str, ...] = ("",)
    """How every path that `include` can name begins."""
    min_size: int | None = None
    max_size: int | None = None
    max_age_us: int | None = None
    ready_file: str | None = None
    """Name of the file without which nothing new goes up from its folder."""

    @classmethod
    def of(
        cls,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        *,
        min_size: int | None = None,
        max_size: int | None = None,
        max_age_s: float | None = None,
        ready_file: str | None = None,
    ) -> Self:
        """The filters of a profile's settings. Raises `BadPattern`."""
        return cls(
            include=_setting("include", include),
            exclude=_setting("exclude", exclude),
            reach=tuple(_beginning(line) for line in include if not line.startswith("!")),
            min_size=min_size,
            max_size=max_size,
            max_age_us=None if max_age_s is None else int(max_age_s * 1_000_000),
            ready_file=ready_file,
        )

    @property
    def has_limits(self) -> bool:
        """Whether sizes or ages are looked at."""
        return not (self.min_size is self.max_size is self.max_age_us is None)

    def beyond_limits(self, size: int, age_us: int) -> bool:
        """Whether a version of this size and age is out of sight."""
        return (
            (self.min_size is not None and size < self.min_size)
            or (self.max_size is not None and size > self.max_size)
            or (self.max_age_us is not None and age_us > self.max_age_us)
        )


def _setting(name: str, lines: Sequence[str]) -> Rules | None:
    if not lines:
        return None
    for line in lines:
        if line.startswith("#"):
            raise BadPattern(
                f"`{name}`: {line!r} is a comment, and means nothing; write '\\#' for a name that "
                "begins so"
            )
    try:
        return compile_rules(tuple(lines))
    except BadPattern as error:
        raise BadPattern(f"`{name}`: {error}") from error


def _beginning(line: str) -> str:
    """How every path begins that a pattern can match: its text up to the first wildcard."""
    bare = line.rstrip()
    if "/" not in bare[:-1]:
        return ""  # It is not anchored, and matches at every depth.
    return _WILDCARD.split(bare.removeprefix("/"), maxsplit=1)[0]


@dataclass(slots=True)
class _Folder:
    """A folder on the way to the current key."""

    prefix: str
    """Empty for the root; else it ends in a slash."""
    hidden: bool
    included: bool
    ready: bool
    rules: Rules | None = None


class Scope:
    """The filters as they apply at the current place of a walk in key order.

    Holds one entry a level, so memory does not grow with the number of files (invariant I11).
    Two walks over the same folder rules come to the same verdicts: the local walk leaves out
    just what the merge hides.
    """

    def __init__(self, filters: Filters, *, local_now_us: int = 0, remote_now_us: int = 0) -> None:
        """Ages are told by each side's own clock; a walk that asks for none needs none."""
        self._filters = filters
        self._local_now_us = local_now_us
        self._remote_now_us = remote_now_us
        self._way = [_Folder("", hidden=False, included=filters.include is None, ready=False)]
        self._has_patterns = filters.include is not None or filters.exclude is not None
        self.active = self._has_patterns or filters.has_limits
        """Whether anything at all may be hidden; a walk without filters asks no more than that."""

    def enter(self, rules: FolderRules) -> None:
        """Heed what a folder says, from here to its end. Raises `BadPattern`."""
        folder = self._folder(rules.key)
        folder.ready = folder.ready or rules.ready
        if rules.lines:
            folder.rules = compile_rules(rules.lines)
            self.active = self._has_patterns = True

    def hides(self, key: str) -> bool:
        """Whether patterns hide `key`; with a slash behind it, a folder and all that is below."""
        if not self._has_patterns:
            return False
        folder = self._folder(_folder_of(key))
        if key.endswith("/"):
            return folder.hidden or not (folder.included or self._may_include_below(key))
        return folder.hidden or self._excludes(key) or not self._includes(folder, key)

    def hides_entry(self, key: str, local: LocalEntry | None, remote: RemoteEntry | None) -> bool:
        """Whether `key` is hidden, by a pattern or by what either side has of it."""
        if self.hides(key):
            return True
        if not self._filters.has_limits:
            return False
        beyond = self._filters.beyond_limits
        if local is not None and beyond(local.size, self._local_now_us - local.mtime_ns // 1000):
            return True
        return remote is not None and beyond(remote.size, self._remote_now_us - remote.created_us)

    def is_ready(self, key: str) -> bool:
        """Whether a ready file stands in the folder of `key` or above it."""
        return self._folder(_folder_of(key)).ready

    def is_ready_file(self, key: str) -> bool:
        """Whether `key` is a ready file itself."""
        return key.rpartition("/")[2] == self._filters.ready_file

    def _folder(self, prefix: str) -> _Folder:
        way = self._way
        while not prefix.startswith(way[-1].prefix):
            way.pop()
        while way[-1].prefix != prefix:
            end = prefix.index("/", len(way[-1].prefix)) + 1
            way.append(self._below(way[-1], prefix[:end]))
        return way[-1]

    def _below(self, above: _Folder, prefix: str) -> _Folder:
        return _Folder(
            prefix,
            hidden=above.hidden or self._excludes(prefix),
            included=self._includes(above, prefix),
            ready=above.ready,
        )

    def _excludes(self, path: str) -> bool:
        """What the profile says, else the ignore file nearest to `path` that speaks of it."""
        exclude = self._filters.exclude
        if exclude is not None and exclude.verdict(path):
            return True
        for folder in reversed(self._way):
            if folder.rules is not None:
                verdict = folder.rules.verdict(path[len(folder.prefix) :])
                if verdict is not None:
                    return verdict
        return False

    def _includes(self, above: _Folder, path: str) -> bool:
        include = self._filters.include
        verdict = None if include is None else include.verdict(path)
        return above.included if verdict is None else verdict

    def _may_include_below(self, prefix: str) -> bool:
        return any(prefix.startswith(one) or one.startswith(prefix) for one in self._filters.reach)


def _folder_of(key: str) -> str:
    """The folder of `key`, or the folder that it is, with its slash.

    Never the folder above: the walk would leave the one that it is in, and with it its rules.
    """
    return key[: key.rfind("/") + 1]
