"""No token and no signature comes out of any handler, whoever logs it and however (I9)."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from no_secrets import watch
from ubiops_file_sync.emulator import Grant
from ubiops_file_sync.emulator.providers import Dialect
from ubiops_file_sync.emulator.signing import Signer
from ubiops_file_sync.logs import set_up
from ubiops_file_sync.redact import holds_secret, keep_secret, redacted

TOLD = "0d1f6f6a3e1c4b0f9b0a5c7f3f8a2b9c4d5e6f70"
UNTOLD = "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"
OLD_STYLE = "/b/k?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=vjbyPxybdZaNmGa%2ByT&Expires=1"


def _signed(dialect: Dialect) -> str:
    grant = Grant("GET", "bucket", "a key")
    now_us = time.time_ns() // 1000
    return "https://storage.test" + Signer(b"secret").target(dialect, grant, now_us, 60)


def _signature(url: str) -> str:
    query = parse_qs(urlsplit(url).query)
    return next(query[name][0] for name in query if name.lower().endswith(("sig", "signature")))


@pytest.mark.parametrize("dialect", list(Dialect))
def test_no_part_of_a_signed_url_remains_but_where_it_points(dialect: Dialect) -> None:
    url = _signed(dialect)
    text = f'urllib3: "GET {url} HTTP/1.1" 200'
    place = url.partition("?")[0]
    assert redacted(text) == f'urllib3: "GET {place}?*** HTTP/1.1" 200'
    assert _signature(url) not in redacted(url.partition("?")[2]), "nor where the query is alone"
    assert _signature(url) not in redacted(str(parse_qs(urlsplit(url).query)))
    assert _signature(url) not in redacted(str(parse_qsl(urlsplit(url).query)))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"Authorization: Token {UNTOLD}", "Authorization: ***"),
        (f"{{'Authorization': 'Token {UNTOLD}'}}", "{'Authorization': '***'}"),
        (f"('authorization', 'Bearer {UNTOLD}')", "('authorization', '***')"),
        (f"Proxy-Authorization: Basic {UNTOLD}", "Proxy-Authorization: ***"),
        (f"sent Token {UNTOLD} to it", "sent Token *** to it"),
        (f"sent Token%20{UNTOLD}", "sent Token%20***"),
        (OLD_STYLE, "/b/k?***"),
        ("<SignatureProvided>v/jbyP</SignatureProvided>", "<SignatureProvided>***</SignatureProv"),
        ("via http://me:pass@proxy:3128/", "via http://***@proxy:3128/"),
        ("?limit=1000&continuation_token=x", "?limit=1000&continuation_token=x"),
        ("the token (token file /etc/t) is valid", "the token (token file /etc/t) is valid"),
        ("Basic authentication failed", "Basic authentication failed"),
        ("Signature did not match.", "Signature did not match."),
    ],
)
def test_credentials_are_known_by_their_form(text: str, left: str) -> None:
    assert redacted(text).startswith(left)
    assert redacted(redacted(text)) == redacted(text)


def test_a_token_that_was_told_of_is_hidden_wherever_it_stands() -> None:
    token = "f00/ba+r-that-was-told-of=="
    assert not holds_secret(f"x{token}y")
    keep_secret(f" {token}\n")
    assert redacted(f"x{token}y") == "x***y"
    assert redacted("?next=f00%2Fba%2Br-that-was-told-of%3D%3D") == "?next=***"
    assert holds_secret(f"x{token}y")


def test_a_token_that_is_a_word_is_hidden_only_where_it_stands_alone() -> None:
    keep_secret("sesame")
    assert redacted("sesame, Sesame and sesameseed of sesame-oil") == (
        "***, Sesame and sesameseed of sesame-oil"
    )


def test_text_of_any_length_and_form_takes_no_time_to_speak_of() -> None:
    began = time.perf_counter()
    for part in ("?", "://a:", "Token ", "authorization: token ", "sig", "x-amz-", "a@b:c/"):
        redacted(part * 100_000)
    assert time.perf_counter() - began < 10


EVERY_WAY = """
token, untold, *urls = sys.argv[1:]
keep_secret(token)

foreign = logging.FileHandler("foreign.log")
foreign.setFormatter(logging.Formatter("%(name)s %(message)s"))
logging.getLogger().addHandler(foreign)
own = logging.StreamHandler(open("own.log", "w"))
uvicorn = logging.getLogger("uvicorn.access")
uvicorn.addHandler(own)
uvicorn.propagate = False

class Said(Exception):
    pass

class Address:
    def __init__(self, url): self.url = url
    def __str__(self): return self.url

file = LogFile(Path("out.log"), "DEBUG", LogFormat[sys.stdin.readline().strip()])
set_up(Stderr("DEBUG"), file)
names = ["", "ubiops", "ubiops.rest", "urllib3.connectionpool", "uvicorn.access", "py.warnings"]
count = 0
for name in [*names, "ubiops_file_sync.bucket.ubiops"]:
    log = logging.getLogger(name)
    log.setLevel(logging.DEBUG)
    for secret in [token, "Token " + untold, f"{{'Authorization': 'Token {untold}'}}", *urls]:
        log.debug(f"GET {secret} HTTP/1.1")
        log.info("GET %s", secret)
        log.info("GET %(a)s", {"a": Address(secret)})
        log.info("Token %s", untold)
        log.warning("%r and %s", [Address(secret).url], {"url": secret})
        log.error("too few %s %s", secret)
        log.error("none", extra={"headers": {"Authorization": "Token " + untold}, "url": secret})
        log.error("none", stack_info=True)
        try:
            try:
                raise Said(secret)
            except Said as error:
                raise Said("again", secret) from error
        except Said:
            log.exception("it failed")
        count += 9

def end(text):
    raise Said(text)

for secret in [token, *urls]:
    thread = threading.Thread(target=end, args=(secret,))
    thread.start()
    thread.join()
logging.shutdown()
print(count)
"""


@pytest.mark.parametrize("format_", ["TEXT", "JSON"])
def test_no_handler_of_anybody_lets_a_secret_out(
    start: Callable[..., object], tmp_path: Path, format_: str
) -> None:
    """Ours on stderr and in a file; one put up before ours, and one of a logger of its own."""
    urls = [*map(_signed, Dialect), "https://s.test" + OLD_STYLE]
    process = start(EVERY_WAY, TOLD, UNTOLD, *urls, stdin=-1)
    stdout, stderr = process.communicate(format_, timeout=60)  # type: ignore[attr-defined]
    assert process.returncode == 0, stderr  # type: ignore[attr-defined]
    logged = (tmp_path / "out.log").read_text()
    foreign = (tmp_path / "foreign.log").read_text() + (tmp_path / "own.log").read_text()
    signatures = [*map(_signature, urls), "AKIAIOSFODNN7EXAMPLE", "vjbyPxybdZaNmGa%2ByT"]
    for place in (stderr, logged, foreign):
        assert place.count("it failed") > 10
        assert "Traceback" in place
        for secret in (TOLD, UNTOLD, *signatures):
            assert secret not in place
            assert secret.replace("+", "%2B").replace("/", "%2F") not in place
    assert "Logging error" not in stderr
    assert "ended by a bug" in stderr
    if format_ == "JSON":
        lines = [json.loads(line) for line in logged.splitlines()]
        # The loggers but uvicorn's, and the threads.
        assert len(lines) == int(stdout) * 6 // 7 + 1 + len(urls)


@pytest.mark.usefixtures("torn_down")
def test_what_a_test_logs_is_looked_at_as_it_was_logged() -> None:
    """The watch over all tests sees this record too, and must not find anything in it."""
    keep_secret(TOLD)
    before = watch.seen
    set_up()
    logging.getLogger("ubiops").warning("%s and %s", TOLD, _signed(Dialect.S3))
    assert watch.seen == before + 1
