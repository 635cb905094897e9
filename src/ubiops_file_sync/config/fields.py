"""The checked types of single settings, shared by profiles and by the file as a whole.

Each check raises ValueError with the sentence that the user reads, `what is wrong; what to do`,
and none repeats the value: people paste tokens into the wrong line.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo

from ubiops_file_sync.config.faults import looks_like_token, nearest
from ubiops_file_sync.config.quantities import (
    parse_duration,
    parse_limit,
    parse_rate,
    parse_share,
    parse_size,
)
from ubiops_file_sync.keys import refusal
from ubiops_file_sync.parts import SMALLEST_PART_BYTES

DEFAULT_API_HOST = "https://api.ubiops.com/v2.1"
DEFAULT_QUOTA_SHARE = 0.9
API_VERSION = "v2.1"
_MAX_TOKEN_LENGTH = 8192
"""No server takes a longer header."""

_API_VERSION_PART = re.compile(r"v[0-9]+(?:\.[0-9]+)?", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_PROFILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


def _check_profile_name(name: str) -> str:
    if not _PROFILE_NAME.fullmatch(name):
        raise ValueError(
            "a profile's name becomes a file name; use 1 to 64 letters, digits, '.', '_' and '-', "
            "beginning with a letter or a digit"
        )
    return name


def _check_bucket_name(name: str) -> str:
    # It becomes one part of a URL's path: '..' there would address something else altogether.
    if not name.strip() or name in {".", ".."} or "/" in name or not name.isprintable():
        raise ValueError("is not the name of a project or bucket; copy it from the UbiOps WebApp")
    return name


def _normalise_bucket_dir(text: str) -> str:
    stripped = text.strip("/")
    if not stripped:
        return ""
    if any(part in {"", ".", ".."} for part in stripped.split("/")):
        raise ValueError(
            "has an empty part, '.' or '..' in it; write the folder's plain path in the bucket, "
            "such as models/v2"
        )
    if not stripped.isprintable():
        raise ValueError("has a control character in it; write the folder's plain path")
    return stripped


def _check_big_size(size: int) -> int:
    if size < SMALLEST_PART_BYTES:
        raise ValueError("is less than 5MiB, the smallest part that S3 takes; write more")
    return size


def _check_path_text(value: object) -> object:
    if isinstance(value, str) and not value.strip():
        raise ValueError("is empty; give the path of a file or folder")
    if isinstance(value, str) and "\0" in value:
        raise ValueError("has a NUL character in it; give the path of a file or folder")
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("is not UTF-8 text; rename the file or folder") from None
    return value


def _anchor(path: Path, info: ValidationInfo) -> Path:
    """`~` expanded, and absolute: below the configuration file's folder, else the current one."""
    try:
        path = path.expanduser()
    except RuntimeError:
        raise ValueError("names a home folder that is not known; give the whole path") from None
    base = info.context.get("base") if isinstance(info.context, dict) else None
    return Path(base, path) if base is not None else path.absolute()


def _check_schedule(text: str) -> str:
    from datetime import UTC, datetime

    from croniter import CroniterBadDateError, croniter

    if not croniter.is_valid(text):
        raise ValueError(
            "is not a schedule; write five cron fields such as '*/5 * * * *' (a sixth counts "
            "seconds), or @hourly, @daily, @weekly"
        )
    try:
        # A fixed leap year, so that 29 February passes and no clock is read here.
        croniter(text, datetime(2024, 1, 1, tzinfo=UTC)).get_next()
    except CroniterBadDateError:
        raise ValueError("never comes; name a day that the calendar has") from None
    return text


def _check_timezone(name: str) -> str:
    from zoneinfo import ZoneInfo, available_timezones

    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        # OSError: a folder of the database, such as `Europe`. KeyError: not found.
        close = nearest(name, available_timezones())
        hint = f"did you mean {close}?" if close else "write one such as Europe/Amsterdam"
        raise ValueError(f"is not a time zone that this system knows; {hint}") from None
    return name


def _check_variable_name(name: str) -> str:
    if looks_like_token(name) or not _VARIABLE.fullmatch(name):
        raise ValueError(
            "must be the name of an environment variable, such as UBIOPS_API_TOKEN; "
            "put the token itself into that variable"
        )
    return name


def _refuse_token_as_path(value: object) -> object:
    if isinstance(value, str) and looks_like_token(value):
        raise ValueError("must be the path of a file; put the token itself into that file")
    return value


def _check_token(token: SecretStr) -> SecretStr:
    return SecretStr(clean_token(token.get_secret_value()))


def clean_token(text: str) -> str:
    """The bare token: without surrounding white space and without a leading `Token `.

    Raises ValueError, which does not repeat the token, for what could not stand in an HTTP header.
    """
    words = text.split(maxsplit=1)
    bare = words[1] if len(words) > 1 and words[0].lower() == "token" else text
    bare = bare.strip()
    if not bare or bare.lower() == "token":
        raise ValueError("is empty; put the service user's token there")
    if len(bare) > _MAX_TOKEN_LENGTH or not all("!" <= letter <= "~" for letter in bare):
        raise ValueError("is not one token on one line; put only the service user's token there")
    return bare


def _check_pattern(text: str) -> str:
    """One gitignore rule.

    A bracket that Python's regular expressions warn of, such as `[[:digit:]]`, is refused: it
    would match something else than it says.
    """
    import warnings

    from pathspec.patterns.gitignore.basic import GitIgnoreBasicPattern

    if not text.strip() or "\n" in text or "\0" in text:
        raise ValueError("is empty or has a line break in it; write one gitignore pattern a line")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)
            GitIgnoreBasicPattern(text)
    except (ValueError, re.error, FutureWarning):
        raise ValueError(
            "is not a gitignore pattern that is understood here; see 'man gitignore', and write "
            "classes such as [[:digit:]] as [0-9]"
        ) from None
    return text


def _check_file_name(name: str) -> str:
    if not name.strip() or "/" in name or name in {".", ".."} or "\0" in name:
        raise ValueError("must be the plain name of a file, such as _SUCCESS, without any '/'")
    return name


def _check_key(key: str) -> str:
    trouble = refusal(key)
    if trouble is not None:
        raise ValueError("must be the path of a file below local_dir, such as .mounted")
    return key


def normalise_api_host(text: str) -> str:
    """`scheme://host[:port]/…/vN`: https where no scheme is given, `/v2.1` where no version is.

    Raises ValueError, which does not repeat the address, for anything but an http(s) address,
    and for one that holds a user name, a password, a query or a fragment.
    """
    text = text.strip()
    parts = _split_url(text if "://" in text else f"https://{text}")
    if "@" in parts.netloc:
        raise ValueError(
            "holds a user name or password; leave them out and set token, token_env or token_file"
        )
    if parts.scheme not in {"http", "https"} or not parts.hostname or not text.isprintable():
        raise ValueError(f"is not an http(s) address; write one such as {DEFAULT_API_HOST}")
    if parts.query or parts.fragment or any(letter.isspace() for letter in text):
        raise ValueError(f"has more than an address in it; write one such as {DEFAULT_API_HOST}")
    path = parts.path.rstrip("/")
    if not _API_VERSION_PART.fullmatch(path.rpartition("/")[2]):
        path = f"{path}/{API_VERSION}"
    return f"{parts.scheme}://{parts.netloc}{path}"


def _split_url(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        _ = parts.port  # only looked at when it is asked for
    except ValueError:
        # The library's message quotes the address, which may hold a password.
        raise ValueError(f"is not an address; write one such as {DEFAULT_API_HOST}") from None
    return parts


def sends_token_in_clear(api_host: str) -> bool:
    """Whether requests travel unencrypted and leave this machine."""
    parts = urlsplit(api_host)
    host = parts.hostname or ""
    if parts.scheme != "http" or host == "localhost" or host.endswith(".localhost"):
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True


ProfileName = Annotated[str, AfterValidator(_check_profile_name)]
BucketName = Annotated[str, AfterValidator(_check_bucket_name)]
BucketDir = Annotated[str, AfterValidator(_normalise_bucket_dir)]
LocalPath = Annotated[Path, BeforeValidator(_check_path_text), AfterValidator(_anchor)]
TokenPath = Annotated[LocalPath, BeforeValidator(_refuse_token_as_path)]
Schedule = Annotated[str, AfterValidator(_check_schedule)]
TimeZone = Annotated[str, AfterValidator(_check_timezone)]
VariableName = Annotated[str, AfterValidator(_check_variable_name)]
Token = Annotated[SecretStr, AfterValidator(_check_token)]
Workers = Annotated[int, Field(strict=True, ge=1, le=64)]
Seconds = Annotated[float, BeforeValidator(parse_duration)]
Size = Annotated[int, BeforeValidator(parse_size)]
Rate = Annotated[int, BeforeValidator(parse_rate)]
BigSize = Annotated[Size, AfterValidator(_check_big_size)]
Limit = Annotated[str, BeforeValidator(parse_limit)]
Share = Annotated[float, BeforeValidator(parse_share)]
Patterns = tuple[Annotated[str, AfterValidator(_check_pattern)], ...]
FileName = Annotated[str, AfterValidator(_check_file_name)]
Key = Annotated[str, AfterValidator(_check_key)]
Days = Annotated[int, Field(strict=True, ge=0, le=36_500)]
ApiHost = Annotated[str, AfterValidator(normalise_api_host)]
