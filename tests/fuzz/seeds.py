"""Good inputs of each kind, from which bad ones are made, and the words that mean something."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path

import msgspec

from fuzz.hostile import SEPARATOR, ok
from ubiops_file_sync.bucket import sdk
from ubiops_file_sync.bucket.sdk import patterns
from ubiops_file_sync.config.models import Profile, Settings

_HERE = Path(__file__).parents[2]
NASTY_NAMES = (
    b"..",
    b".",
    b"",
    b"/etc/passwd",
    b"a/../../secret",
    b"../secret",
    b"link/secret",
    b"d/link/secret",
    b"secret",
    b"a//b",
    b"a/",
    b"a\x00b",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    "\u202etxt.exe".encode(),
    b"\x1b]0;title\x07",
    b"\x1b[2J",
    b"new\nline",
    b"CASE",
    b"case",
    "é".encode(),
    "e\u0301".encode(),
    b"trailing ",
    b"trailing.",
    b"n" * 255,
    b"n" * 256,
    b"d/" * 500 + b"x",
    b"k" * 1025,
    b".ubiops-sync/tmp/x",
    b".ubiops-sync",
    b".ubiopsignore",
    b"a/b",
    b"a",
    b"-rf",
    b"%2e%2e%2fx",
    b"a?b#c&d",
    b"CON",
    b"C:\\x",
    b"a.conflict-20260101T000000Z.txt",
)
_LARGE = ("9223372036854775807", "9223372036854775808", "-1", "1e999", "NaN", "9" * 5000)
JSON_WORDS = (*_LARGE, "null", "true", '"\\ud800"', "[" * 2000, '{"a":' * 2000, "\\u0000", '""')


def configurations() -> list[bytes]:
    """The examples, and what they lack."""
    found = [path.read_bytes() for path in sorted((_HERE / "configs").glob("*.yaml"))]
    return [*found, _EVERYTHING, b"profiles: {m: {local_dir: /x, project: p}}\n"]


_EVERYTHING = b"""version: 1
api_host: https://api.example.com/v2.1
state_dir: state
timezone: Europe/Amsterdam
quota_share: 0.5
history_days: 3
bandwidth_limit: 20MiB/s
max_concurrent_profiles: 2
stop_timeout: 30s
log: {file: log.txt, level: debug, format: json, max_size: 1MiB, backups: 2}
metrics: {listen: 127.0.0.1:9000, textfile: m.prom}
defaults: &d
  project: ${SET}
  settle: 2s
profiles:
  a:
    <<: *d
    local_dir: a
    bucket: b
    bucket_dir: "x/y"
    every: 30s
    token_env: UBIOPS_API_TOKEN
    on_failure: [mail, "-s", "x y"]
    exclude: ["*.tmp", "!keep.tmp", "a/**/b"]
    max_delete: 50%
    trash: {keep_days: 3, max_size: 1GiB}
    min_size: 1
    max_age: 30d
    ready_file: _SUCCESS
    marker: m/x
    symlinks: follow
    expired: leave
    refresh_before: 1d
  b: {local_dir: ./b, project: p, schedule: "*/5 * * * *", jitter: 1s, enabled: false}
"""
CONFIGURATION_WORDS = (
    *Profile.model_fields,
    *Settings.model_fields,
    *("&a ", "*a", "<<: ", "? ", "- ", "!!python/object:os.system ", "!!binary ", "!!timestamp "),
    *("${SET}", "${UNSET}", "${UNSET:-x}", "${", "$${", "\t", "\x00", "\u2028", "\ufeff", "---\n"),
    *("2024-99-99", "0b2", "0o9", "1:99:99", ".inf", ".nan", "1_000", "~", "yes", "@reboot"),
    *("* * * * * *", "0 0 31 2 *", "R R * * *", "*/0 * * * *", "99 * * * *", "1-0 * * * *"),
    *("../../..", "/", "/proc/self/mem", "/dev/zero", "Nowhere/City", "999999999999d", "1e400s"),
    *_LARGE,
)


def environments() -> list[bytes]:
    """The variables of the default profile."""
    good = {
        "UBIOPS_API_HOST": "https://api.ubiops.com/v2.1",
        "UBIOPS_API_TOKEN": "Token 0123456789abcdef",
        "BUCKET_PROJECT_NAME": "demo",
        "BUCKET_NAME": "default",
        "BUCKET_DIR": "data",
        "LOCAL_SYNC_DIR": "/srv/data",
        "OVERWRITE_NEWER_FILES": "true",
        "UBIOPS_QUOTA_SHARE": "0.9",
    }
    return ["\n".join(f"{name}={value}" for name, value in good.items()).encode()]


ENVIRONMENT_WORDS = (
    *("UBIOPS_API_HOST=", "CREDENTIALS_DIRECTORY=", "STATE_DIRECTORY=", "XDG_STATE_HOME="),
    *("XDG_CONFIG_HOME=", "UBIOPS_FILE_SYNC_CONFIG=", "HOME=", "UBIOPS_QUOTA_SHARE="),
    *("http://[::1", "https://x:99999/", "https://user:pw@x/", "//", "\x1b[2J", "\n", "Token "),
)


def arguments() -> list[bytes]:
    """Names of files, and of passes."""
    return [
        b"a",
        b"ubiops-file://default/data/a",
        b"/srv/data/a",
        b"20261123T042015Z-ab12cd",
        *NASTY_NAMES,
    ]


def key_names() -> list[bytes]:
    """Names of objects."""
    return [b"a", b"a/b/c.txt", *NASTY_NAMES]


def ignore_files() -> list[bytes]:
    """Rules, and names to ask about."""
    names = SEPARATOR + b"\n".join([b"a", b"a/b.txt", b"build/x", b"aaaaaaaaaaaaaaaaaaaaaaaaaa.b"])
    return [
        b"*.tmp\n!keep.tmp\nbuild/\n/top\na/**/b\n# comment\n\\#x\n" + names,
        b"[a-z]*.py\n**/x\nx/**\n?\n" + names,
        b"*a*a*a*a*a*a*b\n" + names,
    ]


PATTERN_WORDS = ("**", "**/", "/**", "!", "[", "]", "[!", "[^", "[a-", "\\", "*", "?", "\r\n", "#")


def _page(*names: bytes, token: str | None = None) -> bytes:
    items = [
        {
            "file": f"data/{name.decode(errors='surrogateescape')}",
            "size": number % 3,
            "time_created": f"2026-01-0{1 + number % 9}T00:00:00.00000{number % 9}Z",
        }
        for number, name in enumerate(names)
    ]
    return json.dumps({"files": items, "continuation_token": token}).encode()


def pages() -> list[bytes]:
    """Listings of one page and of several, in order and out of it."""
    nasty = sorted(NASTY_NAMES)
    return [
        _page(b"a", b"b/c", b"d"),
        SEPARATOR.join([_page(b"a", b"b", token="1"), _page(b"c", token="2"), _page(b"d")]),
        SEPARATOR.join([_page(b"b", token="1"), _page(b"a")] * 2),
        _page(*nasty),
        SEPARATOR.join([_page(*nasty[:20], token="1"), _page(*nasty[20:])]),
        SEPARATOR.join([_page(*reversed(nasty))] * 2),
    ]


PAGE_WORDS = (
    *('"files"', '"file"', '"size"', '"time_created"', '"continuation_token"', "data/"),
    *("2026-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "24:00"),
    *("\\ud800", "\\udfff\\ud800", "\\u001b[2J", "../", "..", "/", "\\u0000", "link/secret"),
    *JSON_WORDS,
)


def answers() -> list[bytes]:
    """What a pass that downloads one file and uploads one gets to hear."""
    list_page = ok(_page(b"down").replace(b'"size": 0', b'"size": 2'))
    signed = ok(b'{"url": "@HOST@/blob?X-Amz-Signature=s", "provider": "amazon_s3"}')
    md5 = b'Content-Length: 2\r\nETag: "%s"' % hashlib.md5(b"22").hexdigest().encode()
    blob = b"HTTP/1.1 200 OK\r\n" + md5 + b"\r\n\r\n22"
    put = b"HTTP/1.1 200 OK\r\nDate: Sat, 01 Jan 2028 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n"
    item = ok(b'{"file": "data/up", "size": 2, "time_created": "2026-01-01T00:00:00Z"}')
    facts = ok(b'{"id": "b", "provider": "amazon_s3", "ttl": 604800}')
    return [
        SEPARATOR.join([list_page, facts, signed, blob, signed, put, item, list_page]),
        SEPARATOR.join([list_page, facts, signed, signed, blob, put, item]),
        SEPARATOR.join([ok(b'{"files": []}'), facts, signed, put, item]),
        SEPARATOR.join([ok(b'{"error": "no"}', status="403 Forbidden")] * 2),
        SEPARATOR.join([list_page, facts, signed, ok(b"<Error/>", status="400 Bad")] * 2),
    ]


def part_answers() -> list[bytes]:
    """What transfers in parts get to hear."""
    facts = ok(b'{"id": "b", "provider": "amazon_s3", "ttl": 604800}')
    signed = ok(b'{"url": "@HOST@/blob", "provider": "amazon_s3"}')
    ranged = (
        b"HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes 0-4/10\r\n"
        b'ETag: "e"\r\n\r\n12345'
    )
    begun = ok(b'{"upload_id": "u", "provider": "amazon_s3"}')
    part = b'HTTP/1.1 200 OK\r\nETag: "e1"\r\nContent-Length: 0\r\n\r\n'
    whole = [facts, signed, ranged, begun, begun, signed, part, ok(b"{}")]
    azure = [one.replace(b"amazon_s3", b"azure_blob_storage") for one in whole]
    google = [one.replace(b"amazon_s3", b"google_cloud_storage") for one in whole]
    return [SEPARATOR.join(one) for one in (whole, azure, google)]


ANSWER_WORDS = (
    *(
        "HTTP/1.1 ",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "\r\n",
        "\r\n\r\n",
        "Content-Length: ",
        "0\r\n",
    ),
    *("Transfer-Encoding: chunked\r\n", "Content-Encoding: gzip\r\n", "Location: ", "ETag: "),
    *("x-goog-hash: crc32c=AAAAAA==", "x-goog-hash: md5=x", "Content-MD5: !", "Date: ", "@HOST@"),
    *("Content-Range: bytes ", "x-goog-generation: ", "x-ms-blob-content-md5: ", "Retry-After: "),
    *("file:///etc/passwd", "gopher://x/", "http://a\\u0000b/", "http://\\ud800/", "\\n", "ftp://"),
    *('"url"', '"provider"', '"upload_id"', '"ttl"', "azure_blob_storage", "google_cloud_storage"),
    *(" 206 ", " 301 ", " 401 ", " 404 ", " 409 ", " 412 ", " 416 ", " 429 ", " 500 ", " 999 "),
    *JSON_WORDS,
)


def headers() -> list[bytes]:
    """Headers of two answers and a refusal."""
    return [
        (
            b"x-ratelimit-limit: 300\nx-ratelimit-remaining: 299\nx-ratelimit-reset: 60\n"
            b"date: Sat, 01 Jan 2028 00:00:00 GMT\n\nx-ratelimit-limit: 300\n"
            b"x-ratelimit-remaining: 0\nx-ratelimit-reset: 1\n\n"
            b"x-refused: 1\nretry-after: 30\nx-ratelimit-reset: 30"
        ),
        b"date: Saturday, 01-Jan-28 00:00:00 GMT\n\ndate: Sat Jan  1 00:00:00 2028",
    ]


HEADER_WORDS = (
    *("x-ratelimit-limit: ", "x-ratelimit-remaining: ", "x-ratelimit-reset: ", "date: ", "refused"),
    *("GMT", "-0000", "+9999", "+99999999999999999999", "01 Jan 0001", "31 Dec 9999", "00 ", "60"),
    *("99999999999999999999", "-1", "1e9", "٣", "²", "Jan", "Sat, ", "\n\n", "AM", "J", ":"),
)


def states() -> list[bytes]:
    """What is changed in a state: values of a column, or single bytes."""
    return [
        b"",
        b"transfer direction sideways",
        b"part key elsewhere",
        b"meta value nothing\nbaseline size -1",
        b"pass asked_by nobody\npass account [[[",
        b"trouble problems [1]\nbaseline mtime_ns -9223372036854775808",
        b"baseline key ../secret\nintent key /etc/passwd",
        b"baseline key 0xff\npass pass_id 0xff",
        b"transfer handle ../../../outside/secret\ntransfer part_bytes 0",
        b"transfer part_bytes -5\ntransfer stamp 9223372036854775807\npart number -1",
        b"baseline created_us 9223372036854775807\npass began_us 9223372036854775807",
        b"@100 255\n@5000 0\n@9000 7",
        b"@18 9\n@19 9",
    ]


def small_files() -> list[bytes]:
    """The pauses, where the service is, who holds a lock, the calls, who is the service."""
    paused = {"p": "2126-01-01T00:00:00+00:00", "q": None}
    told = {"socket": "@DIR@/control.sock", "process": 1}
    lock = b"process 123 since 2026-11-23 04:20:15 UTC\n"
    good = [json.dumps(paused).encode(), json.dumps(told).encode(), lock, b"", lock]
    return [
        SEPARATOR.join(good),
        SEPARATOR.join([b'{"p": "0001-01-01"}', b'{"socket": "/a\\u0000b"}', b"process 9" * 20]),
        SEPARATOR.join([b"[" * 3000, b"[" * 3000, b"\xff\x1b[2J"]),
        SEPARATOR.join([b'{"p": 7}', b'{"socket": 7}']),
    ]


@cache
def _calls() -> bytes:
    kept = sdk._Kept(sdk._fingerprint() or "", dict(patterns()))
    return msgspec.json.encode(kept)


def api_calls() -> list[bytes]:
    """The file as it is, and one whose digest is right whatever it says."""
    digest = hashlib.sha256(_calls()).hexdigest().encode()
    return [
        digest + b"\n" + _calls(),
        b"!" + b'{"learnt_from": "", "patterns": {}}',
        b"!" + b"[" * 3000,
    ]


def plans() -> list[bytes]:
    """A plan of one upload and one download."""
    header = {
        "format": "ubiops-file-sync plan",
        "version": 1,
        "profile": "p",
        "places": {
            "local_dir": "@ROOT@",
            "api_host": "@HOST@",
            "project": "demo",
            "bucket": "default",
            "bucket_dir": "data",
        },
        "policy": {
            "direction": "two-way",
            "conflict": "newer-wins",
            "deletions": "both",
            "expired": "reupload",
            "refresh_before": None,
            "max_skew": 600.0,
        },
        "created": "2026-01-01T00:00:00+00:00",
        "actions": 2,
        "counts": {"upload": 1, "download": 1},
    }
    down = {
        "key": "down",
        "verb": "download",
        "reason": "new_remote",
        "loser": "none",
        "compare": False,
        "local": None,
        "remote": {"size": 2, "created_us": 1_700_000_000_000_000},
    }
    up = {
        "key": "up",
        "verb": "upload",
        "reason": "new_local",
        "loser": "none",
        "compare": False,
        "local": {"size": 1, "mtime_ns": 10**18},
        "remote": None,
    }
    out = {**up, "key": "../secret", "verb": "forget"}
    lines = [json.dumps(one).encode() + b"\n" for one in (header, down, up)]
    outside = [json.dumps(one).encode() + b"\n" for one in (header, out, up)]
    whole = b"".join(lines)
    end = json.dumps({"sha256": hashlib.sha256(whole).hexdigest()}).encode() + b"\n"
    return [b"!" + whole, b"!" + b"".join(outside), whole + end]


PLAN_WORDS = (
    *("upload", "download", "adopt", "forget", "delete-local", "delete-remote", "rename", "trash"),
    *("new_remote", "new_local", "../secret", "/etc/passwd", "\\u001b[2J", "\\ud800", "@ROOT@"),
    *JSON_WORDS,
)


def bundles() -> list[bytes]:
    """Decisions, which come to the bytes of a bundle by themselves."""
    record = {
        "profile": "p",
        "key": "a",
        "now_us": 1_700_000_000_000_000,
        "local": {"is": "file", "key": "a", "size": 1, "mtime_ns": 1},
        "remote": {"key": "a", "size": 1, "created_us": 1},
        "base": {"key": "a", "size": 1, "mtime_ns": 1, "created_us": 1},
        "intent": {"key": "a", "size": 1, "mtime_ns": 1, "started_us": 1, "finished_us": 1},
        "policy": {
            "direction": "two-way",
            "conflict": "newer-wins",
            "deletions": "both",
            "expired": "reupload",
            "ttl_us": 86_400_000_000,
            "refresh_before_us": 1,
            "skew_us": 0,
            "max_skew_us": 600_000_000,
        },
        "filters": {"include": ["*"], "exclude": ["b"], "max_age_s": 1.0, "ready_file": "r"},
        "rules": [{"key": "", "lines": ["*.tmp"], "ready": True}],
        "verdict": {
            "verb": "upload",
            "reason": "new_local",
            "loser": "none",
            "compare_first": False,
            "text": "t",
            "because": "b",
            "besides": [],
            "asked": [{"question": "q", "answer": "a", "because": "b"}],
        },
    }
    unknown = {**record, "local": {"is": "unknown", "key": "a", "reason": "r", "is_problem": True}}
    bare = {**record, "local": None, "base": None, "intent": None}
    return [
        b"!" + json.dumps([record, unknown]).encode(),
        b"!" + json.dumps([bare]).encode(),
        b"!" + b"[" * 3000,
        b"PK\x05\x06" + b"\0" * 18,
    ]


BUNDLE_WORDS = (
    *("file", "unknown", "newer-wins", "local-wins", "keep-both", "download", "to_local", "leave"),
    *("-9223372036854775808", "\\u001b[2J", "\\ud800", "[a-", "**", "../", "a/b/c", "a/"),
    *JSON_WORDS,
)


def requests() -> list[bytes]:
    """What commands ask of a service."""
    asked = [
        {"command": "status"},
        {"command": "trigger", "profile": "p"},
        {"command": "pause", "profile": "p", "seconds": 30},
        {"command": "pause", "profile": "p"},
        {"command": "resume", "profile": "p"},
        {"command": "reload"},
        {"command": ["status"]},
        {"command": {"a": 1}, "profile": []},
    ]
    return [*(json.dumps(one).encode() for one in asked), b"[" * 5000, b'{"a":' * 5000]


REQUEST_WORDS = (
    *("command", "profile", "seconds", "status", "trigger", "pause", "resume", "reload", "said"),
    *("Infinity", "1e-320", "31622400", "\\u001b[2J", '"p"', "error", "profiles", "until"),
    *JSON_WORDS,
)


def service_answers() -> list[bytes]:
    """What a service answers, good and strange."""
    live = {
        "is_running": False,
        "is_wanted": False,
        "next_due": "2026-01-01T00:00:00+00:00",
        "is_paused": False,
        "paused_until": None,
        "failures": 0,
        "backing_off": None,
        "last_exit_code": 0,
        "last_error": None,
        "quota_left": 3,
        "transfers": [
            {"key": "a", "way": "upload", "done_bytes": 1, "size_bytes": 2, "bytes_per_s": 3}
        ],
    }
    status = {
        "version": "0.1.0",
        "process": 1,
        "since": "2026-01-01T00:00:00+00:00",
        "is_stopping": False,
        "config_error": None,
        "profiles": {"p": live},
        "said": "the pass begins",
        "until": None,
    }
    return [
        json.dumps(status).encode() + b"\n",
        b'{"said": "\\u001b[2J", "until": 7}\n',
        b'{"error": "\\u001b]0;x\\u0007"}\n',
        b'{"profiles": []}\n',
        b"[" * 5000,
        b"",
    ]
