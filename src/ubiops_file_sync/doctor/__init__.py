"""Everything that may keep profiles from their work, looked at in one go.

Nothing is changed: what is tried out on a disk or asked of UbiOps leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ubiops_file_sync import places
from ubiops_file_sync.bucket.access import CALLS, Access, find_access
from ubiops_file_sync.bucket.account import QUICK
from ubiops_file_sync.bucket.quota import Unpaced
from ubiops_file_sync.config import Profile, Settings
from ubiops_file_sync.config.needs import token_trouble
from ubiops_file_sync.contract import raw_bucket
from ubiops_file_sync.doctor.finding import Finding, Level, ok, problem, problem_of, warning
from ubiops_file_sync.doctor.of_bucket import of_bucket
from ubiops_file_sync.doctor.of_directory import DirectoryCheck
from ubiops_file_sync.doctor.of_service import of_service
from ubiops_file_sync.doctor.of_state import count_in_step, of_state, of_state_folder
from ubiops_file_sync.errors import ConfigError, SyncError
from ubiops_file_sync.phrases import counted
from ubiops_file_sync.report import worst_exit_code
from ubiops_file_sync.store import find_holder

__all__ = ["CALLS", "Doctor", "Finding", "Level", "exit_code_of", "of_no_configuration"]


def exit_code_of(findings: Iterable[Finding]) -> int:
    """0: nothing is a problem; else that of the worst."""
    return worst_exit_code(finding.exit_code for finding in findings)


def of_no_configuration(error: ConfigError) -> list[Finding]:
    """All there is to say where no configuration can be used: what is wrong with it, line by line,
    or that there is none."""
    faults = getattr(error, "faults", ())
    if not faults:
        # How to write one by hand is for another place than a diagnosis.
        words = str(error).partition("\nTo begin")[0]
        return [problem("configuration", words, "ubiops-file-sync init", error.exit_code)]
    found = []
    for fault in faults:
        wrong, fix = fault.wrong_and_fix
        source = getattr(error, "source", "")
        place = source if fault.line is None else f"{source}:{fault.line}"
        words = ": ".join(part for part in (place, fault.setting, wrong) if part)
        found.append(problem("configuration", words, fix, error.exit_code))
    return found


@dataclass(slots=True)
class Doctor:
    """One look at some profiles of a configuration. `api_calls` grows while it lasts."""

    settings: Settings
    profiles: Sequence[Profile]
    env: Mapping[str, str]
    api_calls: int = 0
    _known: dict[tuple[str, ...], Access | SyncError] = field(default_factory=dict, repr=False)
    """What was found out, by bucket and token: profiles that share them cost no further calls."""

    def findings(self) -> Iterator[Finding]:
        """All findings, each as soon as it is known: of everybody first, then by profile."""
        yield from self._of_configuration()
        yield from of_state_folder(self.settings)
        yield from of_service(self.settings)
        for profile in self.profiles:
            for finding in self._of_profile(profile):
                yield replace(finding, profile=profile.name)

    def _of_configuration(self) -> Iterator[Finding]:
        # Profiles that meet are refused when it is read.
        count = counted(len(self.settings.profiles), "profile")
        apart = ", of which no two meet" if len(self.settings.profiles) > 1 else ""
        yield ok("configuration", f"{self.settings.source}: {count}{apart}")
        for words in self.settings.warnings:
            wrong, _, fix = words.partition("; ")
            yield warning("configuration", wrong, fix)

    def _of_profile(self, profile: Profile) -> Iterator[Finding]:
        holder = find_holder(self.settings.state_dir, places.state_name(profile))
        if not profile.enabled:
            yield ok("profile", "not enabled, so that a service leaves it out")
        yield from self._of_remote(profile)
        in_step = count_in_step(profile, self.settings.state_dir)
        yield from DirectoryCheck(profile, holder is not None, in_step).findings()
        yield from of_state(profile, self.settings.state_dir, holder)

    def _of_remote(self, profile: Profile) -> Iterator[Finding]:
        trouble = token_trouble(profile, self.env)
        if trouble is not None:
            wrong, _, fix = trouble.message.partition("; ")
            yield problem("token", wrong, fix, ConfigError.exit_code)
            return
        access = self._access(profile)
        if isinstance(access, SyncError):
            yield problem_of("UbiOps", access)
            return
        source = profile.token_source(self.env)
        yield ok("token", f"{source}: UbiOps at {profile.api_host} knows it")
        yield from of_bucket(profile, access)

    def _access(self, profile: Profile) -> Access | SyncError:
        token = profile.read_token(self.env).get_secret_value()
        bucket = (profile.api_host, token, profile.project, profile.bucket)
        known = self._known.get(bucket)
        if known is not None:
            return replace(known, is_empty=None) if isinstance(known, Access) else known
        with raw_bucket(profile, self.env, QUICK, Unpaced()) as (raw, place):
            found: Access | SyncError
            try:
                found = find_access(raw, replace(place, prefix=profile.prefix))
            except SyncError as error:
                found = error
            self.api_calls += raw.calls
        self._known[bucket] = found
        return found
