"""What goes into a bundle: all that somebody needs who was not there, and no secret.

No token, no signed URL and no content of a file is in it (invariant I9): nothing here reads any,
and every text is looked through once more on its way out.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import msgspec

from ubiops_file_sync.addresses import Address
from ubiops_file_sync.bucket.account import QUICK
from ubiops_file_sync.chronicle import past_json
from ubiops_file_sync.config import Profile, Settings
from ubiops_file_sync.config.origin import Origins
from ubiops_file_sync.config.show import settings_lines
from ubiops_file_sync.doctor import Doctor, Finding
from ubiops_file_sync.errors import ConfigError, SyncError
from ubiops_file_sync.explain import Explainer
from ubiops_file_sync.redact import keep_secret, redacted
from ubiops_file_sync.service.control import ask_service
from ubiops_file_sync.status import read_history, read_status, status_json
from ubiops_file_sync.support.archive import DECISIONS
from ubiops_file_sync.support.logs import journal_lines, log_lines
from ubiops_file_sync.support.names import HashedNames
from ubiops_file_sync.support.replay import record_of
from ubiops_file_sync.support.shapes import Record
from ubiops_file_sync.support.versions import versions

MOST_PASSES = 50
MOST_KEYS = 20
"""Keys of a profile whose decision is recorded: each costs a call or two."""

File = tuple[str, str]
"""A name in the bundle, and a text."""

_ABOUT = """\
What is in here: versions, the configuration without its tokens, what 'doctor' found, and of each
profile how it is doing, its last passes, and the decisions on some files with all that they rest
on. 'ubiops-file-sync support-bundle --replay FILE' makes these decisions again.
"""
_NAMED = """\
Names of files, folders, projects and buckets are in it. 'support-bundle --hash-names' hides those
of files. Look through it before you hand it to anybody: it is text throughout.
"""
_HASHED = """\
Names of files are hashed, the same name to the same hash; the logs are left out, since names may
stand anywhere in them, and so are filters. Names of projects, buckets and local directories are in
it. Look through it before you hand it to anybody: it is text throughout.
"""


def files_without_settings(error: ConfigError, findings: Sequence[Finding]) -> Iterator[File]:
    """The bundle of a configuration that cannot be used."""
    yield "README.txt", _ABOUT
    yield "versions.json", _json(versions())
    yield "configuration-error.txt", redacted(f"{error}\n")
    yield "doctor.json", _json([asdict(finding) for finding in findings])


@dataclass(frozen=True, slots=True)
class Bundle:
    """What is gathered of some profiles of a configuration. Changes nothing."""

    settings: Settings
    origins: Origins
    profiles: Sequence[Profile]
    keys: Sequence[Address]
    """What to record the decisions on, beside the problems of each profile's last pass."""
    env: Mapping[str, str]
    now_us: int
    names: HashedNames | None = None
    """None: names are shown."""
    explainer: Explainer = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "explainer", Explainer(self.settings.state_dir, self.env, QUICK))

    def files(self) -> Iterator[File]:
        """Each file as it is made. What cannot be made tells why instead."""
        self._know_secrets()
        yield "README.txt", _ABOUT + (_NAMED if self.names is None else _HASHED)
        yield "versions.json", _json(versions())
        for profile in self.profiles:
            for name, text in self._of_profile(profile):
                yield f"profiles/{profile.name}/{name}", text
        yield "configuration.yaml", self._configuration()
        doctor = Doctor(self.settings, self.profiles, self.env)
        yield "doctor.json", self._document([asdict(finding) for finding in doctor.findings()])
        yield "service.json", self._service()
        if self.names is None:
            yield "log.txt", _lines(log_lines(self.settings.log.file))
            yield "journal.txt", _lines(journal_lines())

    def _know_secrets(self) -> None:
        """Every token of the configuration, so that it is found wherever it stands."""
        for profile in self.settings.profiles.values():
            try:
                keep_secret(profile.read_token(self.env).get_secret_value())
            except ConfigError:
                continue

    def _of_profile(self, profile: Profile) -> Iterator[File]:
        try:
            status = status_json(read_status(profile, self.settings.state_dir, self.now_us))
            newest = itertools.islice(read_history(profile, self.settings.state_dir), MOST_PASSES)
            history = [past_json(one) for one in newest]
        except SyncError as error:
            yield "state-error.txt", redacted(f"{error}\n")
            status, history = {}, []
        if self.names is not None:
            self.names.know(filter(None, (profile.marker, profile.ready_file)))
        keys = [address.key for address in self.keys if address.profile.name == profile.name]
        for one in history[:1]:
            keys.extend(problem["key"] for problem in one["problems"])
        keys = list(dict.fromkeys(keys))
        records, untold = self._decisions(profile, keys[:MOST_KEYS])
        untold += [{"key": key, "message": "one too many"} for key in keys[MOST_KEYS:]]
        yield (
            DECISIONS,
            redacted(msgspec.json.format(msgspec.json.encode(records), indent=1).decode()),
        )
        yield "undecided.json", self._document(untold)
        yield "status.json", self._document(status)
        yield "history.json", self._document(history)

    def _decisions(
        self, profile: Profile, keys: list[str]
    ) -> tuple[list[Record], list[dict[str, str]]]:
        """The records on these keys, and of which there is none, with the reason."""
        records: list[Record] = []
        untold: list[dict[str, str]] = []
        for key in keys:
            try:
                told = self.explainer.explain(Address(profile, key))
                hide = None if self.names is None else self.names.key
                record = record_of(told, profile, hide)
                # A name that is no Unicode cannot be written down.
                msgspec.json.encode(record)
            except (SyncError, UnicodeEncodeError, msgspec.MsgspecError) as error:
                untold.append({"key": key, "message": str(error)})
            else:
                if record is not None:
                    records.append(record)
                else:
                    why = "no rule decided on it, or a filter did and names are hashed"
                    untold.append({"key": key, "message": f"{told.verdict.because} ({why})"})
        return records, untold

    def _configuration(self) -> str:
        lines = settings_lines(
            self.settings, self.origins, for_strangers=True, without_names=self.names is not None
        )
        return _lines(lines)

    def _service(self) -> str:
        try:
            told = ask_service(self.settings.state_dir, {"command": "status"})
        except SyncError as error:
            return self._document({"error": str(error)})
        return self._document({name: told[name] for name in told if name != "profiles"})

    def _document(self, value: Any) -> str:
        if self.names is None:
            return _json(value)
        # Twice: a text may tell of a key that comes after it.
        self.names.document(value)
        return _json(self.names.document(value))


def _json(value: Any) -> str:
    return redacted(json.dumps(value, indent=1)) + "\n"


def _lines(lines: Iterator[str]) -> str:
    return "".join(f"{redacted(line)}\n" for line in lines)
