"""The three places of a pass, opened and checked: the local root, the bucket, the state."""

from __future__ import annotations

import hashlib
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

from ubiops_file_sync.bucket import Bucket
from ubiops_file_sync.bucket.problems import Place
from ubiops_file_sync.bucket.retry import RetryPolicy
from ubiops_file_sync.bucket.traffic import Traffic
from ubiops_file_sync.config import Profile
from ubiops_file_sync.errors import ConfigError, SafetyHalt
from ubiops_file_sync.local import LocalTree, unreadable_root
from ubiops_file_sync.model import Direction
from ubiops_file_sync.plan import BadPattern, Filters
from ubiops_file_sync.redact import keep_secret
from ubiops_file_sync.store import BaselineStore, Identity
from ubiops_file_sync.system_errors import remedy_for, words_of


def state_path(state_dir: Path, profile: Profile) -> Path:
    """The file of a profile's baseline."""
    return state_dir / f"{state_name(profile)}.sqlite"


def state_name(profile: Profile) -> str:
    """What the profile's files in the state folder are called.

    The profile that environment variables make is always `default`, so that two folders that are
    synchronised in this way would share one state; its name carries a digest of its places.
    """
    if profile.name != "default":
        return profile.name
    places = "\0".join(asdict(identity(profile)).values())
    return f"{profile.name}-{hashlib.sha256(places.encode()).hexdigest()[:12]}"


def identity(profile: Profile) -> Identity:
    """The two places that the profile's baseline speaks of."""
    return Identity(
        local_dir=str(profile.local_dir),
        api_host=profile.api_host,
        project=profile.project,
        bucket=profile.bucket,
        bucket_dir=profile.bucket_dir,
    )


def filters(profile: Profile) -> Filters:
    """What the profile leaves alone. Raises `ConfigError` for a pattern that cannot be read."""
    try:
        return Filters.of(
            profile.include,
            profile.exclude,
            min_size=profile.min_size,
            max_size=profile.max_size,
            max_age_s=profile.max_age,
            ready_file=profile.ready_file,
        )
    except BadPattern as error:
        raise ConfigError(f"profile {profile.name!r}: {error}. Nothing was changed") from error


@contextmanager
def open_bucket(
    profile: Profile,
    env: Mapping[str, str],
    retries: RetryPolicy | None,
    now_ns: Callable[[], int],
    traffic: Traffic | None = None,
    *,
    state_dir: Path | None = None,
    keep: bool = False,
) -> Iterator[Bucket]:
    """The profile's place in UbiOps; nothing is asked of it yet. Raises `ConfigError`.

    `state_dir`: where to look up what the SDK sends, and with `keep` to write it down.
    """
    # Late, so that a command that asks nothing of UbiOps need not load what speaks to it.
    from ubiops_file_sync.bucket.bandwidth import bandwidth_for
    from ubiops_file_sync.bucket.quota import quota_for
    from ubiops_file_sync.bucket.sdk import CALLS_FILE, patterns
    from ubiops_file_sync.bucket.ubiops import UbiOpsBucket

    token = profile.read_token(env).get_secret_value()
    keep_secret(token)
    place = Place(
        profile=profile.name,
        api_host=profile.api_host,
        project=profile.project,
        bucket=profile.bucket,
        prefix=profile.prefix,
        token_source=profile.token_source(env),
    )
    quota = quota_for(profile.api_host, profile.quota_share)
    limit = profile.bandwidth_limit
    bandwidth = None if limit is None else bandwidth_for(limit)
    calls = patterns(None if state_dir is None else state_dir / CALLS_FILE, keep=keep)
    bucket = UbiOpsBucket(place, token, retries, now_ns, quota, bandwidth, traffic, calls)
    try:
        yield bucket
    finally:
        bucket.close()


def open_root(
    stack: ExitStack, profile: Profile, pass_id: str, store: BaselineStore
) -> LocalTree | None:
    """The local root, closed with `stack`; None: it is not there yet, and a first pass makes it.

    Raises `SafetyHalt` if it cannot be used, or is missing and must not be made.
    """
    _require_utf8_names()
    try:
        is_there = profile.local_dir.exists()
    except OSError as error:
        raise unreadable_root(profile.name, profile.local_dir, error) from error
    if is_there:
        return _opened(stack, profile, pass_id)
    _require_first_pass(profile, store)
    return None


def make_root(stack: ExitStack, profile: Profile, pass_id: str) -> LocalTree:
    """A new local root, for the first pass. Raises `SafetyHalt`."""
    try:
        profile.local_dir.mkdir(exist_ok=True)
    except OSError as error:
        remedy = remedy_for(error, "give this user the right to write to the folder above it")
        raise SafetyHalt(
            f"profile {profile.name!r}: `local_dir` {profile.local_dir} cannot be made "
            f"({words_of(error)}). Nothing was changed; {remedy}, or make it yourself, and run it "
            "again"
        ) from error
    return _opened(stack, profile, pass_id)


def _require_utf8_names() -> None:
    """Keys are UTF-8; under another encoding of file names every key would be a wrong one."""
    if sys.getfilesystemencoding().lower() != "utf-8":
        raise ConfigError(
            f"file names are read as {sys.getfilesystemencoding()} here, and the bucket needs "
            "UTF-8. Set LC_ALL=C.UTF-8 (or PYTHONUTF8=1) and run it again"
        )


def existing_root(profile: Profile, pass_id: str) -> LocalTree:
    """The local root as it stands, for those who need no bucket. Raises `SafetyHalt`."""
    _require_utf8_names()
    try:
        return LocalTree(profile.local_dir, profile.name, pass_id, symlinks=profile.symlinks)
    except OSError as error:
        raise unreadable_root(profile.name, profile.local_dir, error) from error


def _opened(stack: ExitStack, profile: Profile, pass_id: str) -> LocalTree:
    tree = stack.enter_context(existing_root(profile, pass_id))
    if profile.direction is not Direction.UPLOAD and not tree.is_writable():
        raise SafetyHalt(
            f"profile {profile.name!r}: `local_dir` {profile.local_dir} cannot be written to, "
            f"which `direction: {profile.direction}` needs. Nothing was changed; give this user "
            "the right to write (is its disk mounted read-only?), or set `direction: upload`"
        )
    return tree


def _require_first_pass(profile: Profile, store: BaselineStore) -> None:
    """A root that is missing is made only if it never was there, and its parent is.

    An unmounted disk, or a folder that was moved, must not look like deleted files.
    """
    root = profile.local_dir
    quoted = shlex.quote(str(root))
    start = f"profile {profile.name!r}: `local_dir` {root}"
    if profile.direction is Direction.UPLOAD or not root.parent.is_dir():
        raise SafetyHalt(
            f"{start} does not exist. Nothing was changed. Create it (mkdir -p {quoted}) or "
            "correct `local_dir`, and run it again"
        )
    if not store.is_empty():
        raise SafetyHalt(
            f"{start} is missing, but files were in step there. Is its disk mounted? Nothing was "
            f"changed. If the folder is gone for good, begin with an empty one: mkdir {quoted} && "
            f"ubiops-file-sync reconcile {profile.name} --allow empty-root"
        )
