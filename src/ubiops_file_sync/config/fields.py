"""The checked types of single settings, shared by profiles and by the file as a whole.

Each check raises ValueError with the sentence that the user reads, `what is wrong; what to do`,
and none repeats the value: people paste tokens into the wrong line.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
)

from ubiops_file_sync.config import shapes
from ubiops_file_sync.config.faults import looks_like_token, nearest
from ubiops_file_sync.config.quantities import (
    duration_text,
    parse_duration,
    parse_limit,
    parse_rate,
    parse_share,
    parse_size,
    rate_text,
    size_text,
)
from ubiops_file_sync.keys import refusal
from ubiops_file_sync.parts import SMALLEST_PART_BYTES
from ubiops_file_sync.schedule import Cron

DEFAULT_QUOTA_SHARE = 0.9
_MAX_TOKEN_LENGTH = 8192
"""No server takes a longer header."""
_SMALLEST_LOG_BYTES = 4096

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


def _check_log_size(size: int) -> int:
    if size < _SMALLEST_LOG_BYTES:
        raise ValueError("is too small for a log file; write at least 4KiB")
    return size


def _check_interval(seconds: float) -> float:
    if seconds < 1:
        raise ValueError("is too short; write at least 1s")
    return seconds


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


def anchor(path: Path, info: ValidationInfo) -> Path:
    """`~` expanded, and absolute: below the configuration file's folder, else the current one."""
    try:
        path = path.expanduser()
    except RuntimeError:
        raise ValueError("names a home folder that is not known; give the whole path") from None
    base = info.context.get("base") if isinstance(info.context, dict) else None
    return Path(base, path) if base is not None else path.absolute()


def _check_schedule(text: str) -> str:
    """The fields with one space between them. What the service runs is what is tried here."""
    text = " ".join(text.split())
    Cron(text)
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


def _check_metrics_path(path: Path) -> Path:
    if path.suffix != ".prom":
        raise ValueError("must end in .prom, for node_exporter reads no other files; rename it")
    return path


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


def _written(text: Callable[[Any], str]) -> PlainSerializer:
    """How a value stands in a file, where it is dumped as JSON; Python gets it as it is."""
    return PlainSerializer(text, return_type=str, when_used="json")


ProfileName = Annotated[str, AfterValidator(_check_profile_name)]
BucketName = Annotated[str, AfterValidator(_check_bucket_name), WithJsonSchema(shapes.BUCKET_NAME)]
BucketDir = Annotated[str, AfterValidator(_normalise_bucket_dir)]
LocalPath = Annotated[
    Path, BeforeValidator(_check_path_text), AfterValidator(anchor), WithJsonSchema(shapes.PATH)
]
TokenPath = Annotated[LocalPath, BeforeValidator(_refuse_token_as_path)]
Schedule = Annotated[str, AfterValidator(_check_schedule), WithJsonSchema(shapes.SCHEDULE)]
TimeZone = Annotated[str, AfterValidator(_check_timezone)]
VariableName = Annotated[
    str, AfterValidator(_check_variable_name), WithJsonSchema(shapes.VARIABLE_NAME)
]
Token = Annotated[SecretStr, AfterValidator(_check_token), WithJsonSchema(shapes.TOKEN)]
Workers = Annotated[int, Field(strict=True, ge=1, le=64)]
Seconds = Annotated[
    float,
    BeforeValidator(parse_duration),
    _written(duration_text),
    WithJsonSchema(shapes.DURATION),
]
Interval = Annotated[Seconds, AfterValidator(_check_interval)]
Size = Annotated[int, BeforeValidator(parse_size), _written(size_text), WithJsonSchema(shapes.SIZE)]
Rate = Annotated[int, BeforeValidator(parse_rate), _written(rate_text), WithJsonSchema(shapes.RATE)]
BigSize = Annotated[Size, AfterValidator(_check_big_size)]
LogSize = Annotated[Size, AfterValidator(_check_log_size)]
Backups = Annotated[int, Field(strict=True, ge=1, le=1000)]
MetricsPath = Annotated[LocalPath, AfterValidator(_check_metrics_path)]
Limit = Annotated[str, BeforeValidator(parse_limit), WithJsonSchema(shapes.LIMIT)]
Share = Annotated[float, BeforeValidator(parse_share), WithJsonSchema(shapes.SHARE)]
Patterns = tuple[Annotated[str, AfterValidator(_check_pattern)], ...]
FileName = Annotated[str, AfterValidator(_check_file_name)]
Key = Annotated[str, AfterValidator(_check_key)]
Days = Annotated[int, Field(strict=True, ge=0, le=36_500)]
