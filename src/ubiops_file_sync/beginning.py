"""A configuration in the making: each answer is checked when it is given, by asking UbiOps and by
looking at the disk. Nothing is written here.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from ubiops_file_sync.bucket.access import Access, find_access
from ubiops_file_sync.bucket.account import QUICK, Account, SeenBucket
from ubiops_file_sync.bucket.problems import Place
from ubiops_file_sync.bucket.quota import Unpaced
from ubiops_file_sync.bucket.raw import RawBucket, json_of
from ubiops_file_sync.config import (
    DEFAULT_API_HOST,
    Profile,
    Settings,
    normalise_api_host,
)
from ubiops_file_sync.config.draft import Draft, add_profile, draft_text
from ubiops_file_sync.config.elsewhere import met_elsewhere
from ubiops_file_sync.config.faults import BadConfiguration, nearest
from ubiops_file_sync.config.fields import clean_token
from ubiops_file_sync.config.load import settings_of_text
from ubiops_file_sync.errors import AccessRefused, ConfigError, NoSuchBucket, UsageError
from ubiops_file_sync.model import Direction
from ubiops_file_sync.phrases import counted, span_us
from ubiops_file_sync.redact import keep_secret

_NOT_YET = Draft("not-yet", "/.ubiops-file-sync-init/none", "not-yet", bucket_dir="not-yet")
"""What stands for answers that were not given, where the rest is checked."""
_FEW = 10
_NOBODYS_TOKEN = "0" * 40
_NO_NAME = re.compile(r"[^A-Za-z0-9._-]+", re.ASCII)


@dataclass(slots=True)
class Beginning:
    """What is known until now.

    Each `take_...` returns what one may want to know, or nothing. It raises `SyncError` for an
    answer that will not do, with what to do instead, and the answer is not taken.
    """

    path: Path
    """Where the configuration is to be; absolute."""
    env: Mapping[str, str]
    cwd: Path
    existing: str | None = None
    """The text of the file that gets one more profile; None: a new file is made."""
    draft: Draft = field(default_factory=lambda: Draft("", "", ""))
    api_host: str = DEFAULT_API_HOST
    projects: list[str] | None = None
    """None: the token is not told them."""
    buckets: list[SeenBucket] | None = None
    """Those of the project; None as above."""
    access: Access | None = None
    _token: str = field(default="", repr=False)

    # -- UbiOps ------------------------------------------------------------------------------------

    def take_host(self, text: str) -> str:
        """The address of the API: whether a UbiOps answers there, even to nobody. One call."""
        try:
            host = normalise_api_host(text)
        except ValueError as error:
            raise UsageError(f"the address {error}") from None
        account = Account(host, _NOBODYS_TOKEN)
        try:
            account.projects()
        except AccessRefused:
            pass  # As it should be.
        finally:
            account.close()
        self.api_host = host
        return ""

    def take_token(self, text: str) -> str:
        """The token itself: whether anybody knows it there. One call."""
        try:
            token = clean_token(text)
        except ValueError as error:
            raise UsageError(f"the token {error}") from None
        keep_secret(token)
        account = Account(self.api_host, token)
        try:
            self.projects = account.projects()
        finally:
            account.close()
        self._token = token
        if self.projects is None:
            return "UbiOps does not tell this token its projects; you will have to name one"
        return f"UbiOps knows it; it sees {counted(len(self.projects), 'project')}"

    def take_inherited_host(self) -> None:
        """The host that a new profile of the existing file has."""
        self.api_host = self._inheriting().api_host

    def take_inherited_token(self) -> str:
        """The token that a new profile of the existing file has. One call."""
        profile = self._inheriting()
        try:
            token = profile.read_token(self.env).get_secret_value()
        except ConfigError as error:
            raise ConfigError(str(error).removeprefix(f"profile {profile.name}: ")) from error
        return self.take_token(token)

    def _inheriting(self) -> Profile:
        return self._checked(replace(self.draft, bucket_dir=_NOT_YET.bucket_dir))

    def take_project(self, name: str) -> str:
        """The project: whether it is there. One call."""
        if self.projects is not None and name not in self.projects:
            raise NoSuchBucket(
                f"this token sees no project {name!r}{_instead(name, self.projects)}"
            )
        account = Account(self.api_host, self._token)
        try:
            # Where they are not told, the bucket will show whether there is such a project.
            self.buckets = account.buckets(name)
        finally:
            account.close()
        self.draft = replace(self.draft, project=name)
        return ""

    def take_bucket(self, name: str) -> str:
        """The bucket: whether it is there, and what the token may do in it. Five calls."""
        names = None if self.buckets is None else [bucket.name for bucket in self.buckets]
        if names is not None and name not in names:
            raise NoSuchBucket(
                f"project {self.draft.project!r} has no bucket {name!r}{_instead(name, names)}"
            )
        with self._raw(name) as (raw, place):
            try:
                access = find_access(raw, place)
            except NoSuchBucket:
                raise NoSuchBucket(
                    f"there is no bucket {name!r} in a project {self.draft.project!r}, or this "
                    "token may not see it; copy the names from the UbiOps WebApp"
                ) from None
        if not access.lists or not access.reads:
            raise AccessRefused(
                f"the token {access.role} in {self.draft.project}/{name}; give it the role "
                "files-reader, or files-writer, there (UbiOps WebApp, Permissions)"
            )
        self.access = access
        self.draft = replace(self.draft, bucket=name)
        return f"the token {access.role}{_expiry(access)}"

    def take_direction(self, direction: Direction) -> str:
        """Which way files travel: whether the token allows that."""
        if direction is not Direction.DOWNLOAD and self.access and not self.access.writes:
            raise AccessRefused(
                f"the token may not write to the bucket, which {direction.value} needs; choose "
                "download, or give it the role files-writer"
            )
        self.draft = replace(self.draft, direction=direction)
        return ""

    def take_bucket_dir(self, text: str) -> str:
        """The folder in the bucket: whether another profile has it. One call."""
        profile = self._checked(replace(self.draft, bucket_dir=text))
        with self._raw(profile.bucket) as (raw, _):
            listed = json_of(raw.list_page(profile.prefix, 1)).get("files")
        self.draft = replace(self.draft, bucket_dir=profile.bucket_dir)
        return "there are files in it already" if listed else "nothing is in it yet"

    # -- this machine ------------------------------------------------------------------------------

    def missing_parent(self, text: str) -> Path | None:
        """The folder that must be made before the local directory can be; None: none."""
        path = self._local(text)
        return None if os.path.lexists(path) or path.parent.is_dir() else path.parent

    def take_local_dir(self, text: str) -> str:
        """The local directory: what may be done there, and whether another profile has it."""
        path = self._local(text)
        parent = self.missing_parent(text)
        if parent is not None:
            raise UsageError(
                f"{parent} does not exist; make it: mkdir -p {shlex.quote(str(parent))}"
            )
        if os.path.lexists(path) and not path.is_dir():
            raise UsageError(f"{path} is no folder; name one, or one that is still to be made")
        is_there = path.is_dir()
        if not is_there and self.draft.direction is Direction.UPLOAD:
            raise UsageError(f"{path} does not exist; make it: mkdir {shlex.quote(str(path))}")
        needed = os.R_OK | os.X_OK
        if self.draft.direction is not Direction.UPLOAD:
            needed |= os.W_OK
        place = path if is_there else path.parent
        if not os.access(place, needed):
            verb = "write to" if needed & os.W_OK else "read"
            raise UsageError(f"this user may not {verb} {place}; name another, or allow that")
        draft = replace(self.draft, local_dir=str(path))
        met = met_elsewhere(self._checked(draft), self.path, self.env, self.cwd)
        if met is not None:
            raise ConfigError(met)
        self.draft = draft
        if not is_there:
            return "the first pass makes it"
        count = sum(1 for _ in path.iterdir())
        return f"{counted(count, 'file')} or folders are in it already" if count else ""

    def take_name(self, name: str) -> str:
        """The name of the profile: whether it can be one, and is not taken."""
        if self.existing is not None and name in self._existing_settings().profiles:
            raise UsageError(f"there is a profile {name!r} in {self.path}; choose another name")
        draft = replace(self.draft, name=name)
        self._checked(draft)
        self.draft = draft
        return ""

    @property
    def likely_name(self) -> str:
        """A name for the profile."""
        words = _NO_NAME.sub("-", Path(self.draft.local_dir).name).strip("-._")[:64] or "files"
        taken = () if self.existing is None else self._existing_settings().profiles
        if words not in taken:
            return words
        return next(f"{words}-{n}" for n in range(2, len(taken) + 3) if f"{words}-{n}" not in taken)

    # -- the file ----------------------------------------------------------------------------------

    def text(self) -> str:
        """The whole file. Raises `ConfigError` if the program could not read it."""
        self._checked(self.draft)
        return self._text(self.draft)

    def _text(self, draft: Draft) -> str:
        if self.existing is None:
            return draft_text(draft)
        text = add_profile(self.existing, draft)
        if text is None or not self._leaves_the_rest(text, draft.name):
            raise UsageError(
                f"{self.path} is written in a way that only a person can add to; make another file "
                "(ubiops-file-sync init NEW.yaml), and copy its profile below 'profiles:'"
            )
        return text

    def _leaves_the_rest(self, text: str, name: str) -> bool:
        """Whether the other profiles are what they were."""
        before = self._existing_settings()
        try:
            after = settings_of_text(text, self.path, self.env)
        except ConfigError:
            return True  # Of the new profile; `_checked` tells what is wrong with it.
        others = {one: after.profiles[one] for one in after.profiles if one != name}
        return others == before.profiles and list(after.profiles)[-1:] == [name]

    def _existing_settings(self) -> Settings:
        return settings_of_text(self.existing or "", self.path, self.env)

    def _settings(self, draft: Draft) -> Settings:
        """What the file would say with this draft; what is not known yet is made up."""
        known = {
            name: getattr(draft, name) or getattr(_NOT_YET, name)
            for name in ("name", "local_dir", "project")
        }
        text = self._text(replace(draft, **known))
        try:
            return settings_of_text(text, self.path, self.env)
        except BadConfiguration as error:
            reasons = "; and ".join(fault.message for fault in error.faults)
        raise ConfigError(reasons)

    def _checked(self, draft: Draft) -> Profile:
        return self._settings(draft).profiles[draft.name or _NOT_YET.name]

    def _local(self, text: str) -> Path:
        if not text.strip():
            raise UsageError("name a directory")
        try:
            return Path(os.path.normpath(self.cwd / Path(text).expanduser()))
        except RuntimeError:
            raise UsageError("names a home folder that is not known; give the whole path") from None

    @contextmanager
    def _raw(self, bucket: str) -> Iterator[tuple[RawBucket, Place]]:
        place = Place("init", self.api_host, self.draft.project, bucket, "", "as given")
        raw = RawBucket(place, self._token, QUICK, Unpaced())
        try:
            yield raw, place
        finally:
            raw.close()


def _instead(name: str, names: list[str]) -> str:
    close = nearest(name, names)
    few = ", ".join(names[:_FEW]) + (", …" if len(names) > _FEW else "")
    hint = f"did you mean {close!r}? " if close else ""
    return f"; {hint}there is {few or 'none'}"


def _expiry(access: Access) -> str:
    ttl_us = None if access.facts is None else access.facts.ttl_us
    return "" if ttl_us is None else f"; the bucket removes files after {span_us(ttl_us)}"
