"""`Profile` and `Settings`: what the rest of the program knows of a configuration.

Both may be built in Python as well as loaded; what is wrong then raises pydantic's
ValidationError, which hides its input.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StrictBool, model_validator

from ubiops_file_sync.config import addresses, commands, fields, tokens
from ubiops_file_sync.config.faults import nearest
from ubiops_file_sync.config.service import Service
from ubiops_file_sync.errors import ConfigError, UsageError
from ubiops_file_sync.model import ConflictPolicy, Deletions, Direction, Expired, Symlinks
from ubiops_file_sync.parts import MIB
from ubiops_file_sync.schedule import Cron, Every, Timing

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

DEFAULT_TOKEN_ENV = "UBIOPS_API_TOKEN"  # noqa: S105  the name of the variable, not a token
TOKEN_SETTINGS = ("token", "token_env", "token_file")
"""The ways to name a token. One level of a configuration uses at most one of them."""
SCHEDULE_SETTINGS = ("schedule", "every")
"""The ways to say when passes run. One level of a configuration uses at most one of them."""
ONE_SCHEDULE_ONLY = "give only one of schedule and every"
ONE_TOKEN_ONLY = "give only one of token, token_env and token_file"  # noqa: S105  no token

SYSTEM_CONFIG_DIR = Path("/etc/ubiops-file-sync")
SYSTEM_STATE_DIR = Path("/var/lib/ubiops-file-sync")
"""What the system's unit calls `StateDirectory=ubiops-file-sync`."""


def default_state_dir(env: Mapping[str, str] | None = None, config: Path | None = None) -> Path:
    """Where state is kept unless told: systemd's `$STATE_DIRECTORY`, else the XDG state folder.

    The state of a configuration in `SYSTEM_CONFIG_DIR` is where systemd keeps that of the system's
    service, so that whoever asks about it by hand finds it. systemd separates several folders by
    colons; the first is ours.
    """
    env = os.environ if env is None else env
    given = env.get("STATE_DIRECTORY", "").split(":")[0]
    if given:
        return Path(given)
    if config is not None and Path(os.path.normpath(config)).is_relative_to(SYSTEM_CONFIG_DIR):
        return SYSTEM_STATE_DIR
    xdg = env.get("XDG_STATE_HOME", "")
    if xdg and Path(xdg).is_absolute():
        return Path(xdg, "ubiops-file-sync")
    import platformdirs

    try:
        return platformdirs.user_state_path("ubiops-file-sync")
    except RuntimeError:
        raise ConfigError(
            "this user has no home folder to keep state in; set `state_dir`, or the variable "
            "STATE_DIRECTORY, to a folder that it may write to"
        ) from None


class Trash(BaseModel):
    """How long versions that were replaced or deleted are kept."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    keep_days: fields.Days = 30
    """Days."""
    max_size: fields.Size = 10 * 1024**3
    """Bytes; the oldest passes go first, and the last one only with the next."""


class Profile(BaseModel):
    """One local directory and one place in a bucket that are kept in step."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: fields.ProfileName
    """1 to 64 letters, digits, `.`, `_` and `-`; state files carry it."""
    local_dir: fields.LocalPath
    """The root on this machine; absolute once it is read, and in a file relative to its folder."""
    project: fields.BucketName
    """The UbiOps project."""
    bucket: fields.BucketName = "default"
    """The project's bucket."""
    bucket_dir: fields.BucketDir = ""
    """The root in the bucket, without slashes at its ends; empty: the whole bucket."""
    enabled: StrictBool = True
    """Whether a service runs the profile, and commands that are given no name take it."""
    schedule: fields.Schedule = "*/5 * * * *"
    """When a service passes over the profile: cron fields, a sixth one counting seconds."""
    every: fields.Interval | None = None
    """Seconds from one pass to the next, instead of `schedule`; None: as that says."""
    timezone: fields.TimeZone | None = None
    """IANA name in which `schedule` is read; None: that of `Settings`."""
    jitter: fields.Seconds = 0.0
    """Seconds by up to which a pass begins later than its time, so that not all do at once."""
    run_on_start: StrictBool = True
    """Whether a service that starts makes a pass at once."""
    max_backoff: fields.Seconds = 3600.0
    """Seconds that a profile whose passes fail is left alone for, at most."""
    on_failure: commands.Command = ()
    """A command, run without a shell after a pass that failed; empty: none."""
    on_change: commands.Command = ()
    """A command, run without a shell after a pass that changed anything; empty: none."""
    hook_timeout: fields.Interval = 60.0
    """Seconds after which such a command is ended."""
    direction: Direction = Direction.TWO_WAY
    """Which way files travel; a profile that goes one way never writes to its source."""
    conflict: ConflictPolicy = ConflictPolicy.NEWER_WINS
    """Who wins where both sides changed; the other version goes to the trash, or stays beside."""
    deletions: Deletions = Deletions.NONE
    """Which deletions travel to the other side."""
    max_delete: fields.Limit = "50%"
    """Most files that one pass may delete on a side: a number, or a share of the files there.
    Ten are always allowed where it is a share."""
    expired: Expired = Expired.REUPLOAD
    """What becomes of a file whose object the bucket's ttl has taken."""
    refresh_before: fields.Seconds | None = None
    """Seconds before an object's expiry at which it is uploaded again; None: never."""
    trash: Trash = Trash()
    """How long versions that were replaced or deleted are kept."""
    include: fields.Patterns = ()
    """gitignore patterns; if there are any, nothing else is synchronised."""
    exclude: fields.Patterns = ()
    """gitignore patterns of what is not synchronised."""
    min_size: fields.Size | None = None
    """Bytes; what is smaller is not synchronised."""
    max_size: fields.Size | None = None
    """Bytes; what is larger is not synchronised."""
    max_age: fields.Seconds | None = None
    """Seconds since the last change; what is older is not synchronised."""
    symlinks: Symlinks = Symlinks.SKIP
    """What becomes of symbolic links; those that lead out of the root are never followed."""
    ready_file: fields.FileName | None = None
    """A directory is uploaded only once a file of this name stands in it."""
    marker: fields.Key | None = None
    """A file below the root without which no pass runs: it proves that the disk is mounted."""
    min_free: fields.Size = 0
    """Bytes that must stay free on the root's file system."""
    multipart_threshold: fields.BigSize = 256 * MIB
    """Bytes from which on a file travels in parts, and is gone on with after an interruption."""
    max_skew: fields.Seconds = 600.0
    """Seconds between the two clocks beyond which no times are compared."""
    workers: fields.Workers = 16
    """Files that travel at the same time."""
    bandwidth_limit: fields.Rate | None = None
    """Bytes a second that all transfers of the process may move, both ways together; None: any."""
    settle: fields.Seconds = 2.0
    """Seconds that a file must have been left alone before it is sent."""
    api_host: addresses.ApiHost = addresses.DEFAULT_API_HOST
    """Address of the API including its version, without a slash at its end."""
    quota_share: fields.Share = fields.DEFAULT_QUOTA_SHARE
    """The share of the API's calls a minute that may be spent, above 0 and at most 1. One quota
    serves all profiles of a host, so that a file says it at its top, and the smallest counts."""
    token: fields.Token | None = Field(default=None, repr=False)
    """The token itself; a `token_file` keeps it out of the configuration."""
    token_env: fields.VariableName | None = DEFAULT_TOKEN_ENV
    """The variable that holds the token; asked only if neither of the other two is set."""
    token_file: fields.TokenPath | None = None
    """The file that holds the token, and nothing else; it is read anew for each pass."""

    @model_validator(mode="after")
    def _one_token_only(self) -> Self:
        given = [name for name in TOKEN_SETTINGS if getattr(self, name) is not None]
        if len(self.model_fields_set.intersection(given)) > 1:
            raise ValueError(ONE_TOKEN_ONLY)
        return self

    @model_validator(mode="after")
    def _one_schedule_only(self) -> Self:
        if self.every is not None and "schedule" in self.model_fields_set:
            raise ValueError(ONE_SCHEDULE_ONLY)
        return self

    @property
    def prefix(self) -> str:
        """What a listing is asked for: empty, or ending in `/`.

        Without the slash, `data` would list `database/` too (design section 2).
        """
        return f"{self.bucket_dir}/" if self.bucket_dir else ""

    def token_source(self, env: Mapping[str, str]) -> str:
        """Where the token comes from, in words for a message; never the token."""
        if self.token is not None:
            return "`token` in the configuration"
        return tokens.source_words(self.token_env or DEFAULT_TOKEN_ENV, self.token_file, env)

    def read_token(self, env: Mapping[str, str]) -> SecretStr:
        """The bare token, without `Token `, read anew at each call: token files get rotated.

        A credential of systemd that has the variable's name goes before the variable. Raises
        ConfigError, naming the profile and where the token was looked for.
        """
        if self.token is not None:
            return self.token
        variable = self.token_env or DEFAULT_TOKEN_ENV
        return tokens.read_token(self.name, variable, self.token_file, env)


class Settings(Service):
    """Everything that one configuration says, ready to use."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    version: Literal[1] = 1
    state_dir: fields.LocalPath = Field(default_factory=default_state_dir)
    """The folder of baselines, locks and history."""
    profiles: dict[fields.ProfileName, Profile]
    """By name, in the order of the file."""
    source: str = "Python"
    """Where it came from: a path, or `environment variables`."""
    warnings: tuple[str, ...] = ()
    """What works but should be seen to; each is a whole sentence."""

    def select(self, names: Sequence[str]) -> list[Profile]:
        """The named profiles in the order of the names, each once; all of them for no names.

        Raises UsageError for a name that does not exist.
        """
        for name in names:
            if name not in self.profiles:
                close = nearest(name, self.profiles)
                hint = f"did you mean {close!r}? " if close else ""
                raise UsageError(
                    f"there is no profile {name!r}; {hint}"
                    f"the profiles are: {', '.join(self.profiles)}"
                )
        return [self.profiles[name] for name in dict.fromkeys(names or self.profiles)]

    def select_to_run(self, names: Sequence[str]) -> list[Profile]:
        """As `select`, but for no names only the enabled profiles.

        Raises UsageError too if none is enabled.
        """
        selected = [profile for profile in self.select(names) if names or profile.enabled]
        if not selected:
            raise UsageError(
                "no profile is enabled; name one to run it all the same, or remove "
                "'enabled: false' from it"
            )
        return selected

    def zone(self, profile: Profile) -> ZoneInfo | None:
        """The time zone of the profile's schedule; None: the system's."""
        from zoneinfo import ZoneInfo

        name = profile.timezone or self.timezone
        return None if name is None else ZoneInfo(name)

    def timing(self, profile: Profile) -> Timing:
        """When a service is to run the profile."""
        return Timing(
            schedule=(
                Cron(profile.schedule, self.zone(profile))
                if profile.every is None
                else Every(profile.every)
            ),
            jitter_s=profile.jitter,
            run_on_start=profile.run_on_start,
            max_backoff_s=profile.max_backoff,
        )
