"""Addresses: of the API, and of what a service serves itself.

No message repeats an address, which may hold a password.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, NamedTuple
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema

from ubiops_file_sync.config import shapes

DEFAULT_API_HOST = "https://api.ubiops.com/v2.1"
API_VERSION = "v2.1"

_API_VERSION_PART = re.compile(r"v[0-9]+(?:\.[0-9]+)?", re.ASCII)
_ADDRESS = re.compile(
    r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+)):(?P<port>[0-9]{1,5})", re.ASCII
)


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


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    """A name or an address; one of IPv6 without brackets."""
    port: int

    @property
    def is_private(self) -> bool:
        """Whether only this machine can connect to it."""
        return _is_loopback(self.host)

    @property
    def text(self) -> str:
        """As it stands in a file."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


_NO_ADDRESS = "is not an address to listen at; write one such as 127.0.0.1:9467"


def _parse_address(value: object) -> Address:
    """Raises ValueError, which does not repeat the value."""
    if isinstance(value, Address):
        return value
    text = value.strip() if isinstance(value, str) else ""
    match = _ADDRESS.fullmatch(text)
    if match is None or not 0 < int(match["port"]) < 65_536:
        raise ValueError(_NO_ADDRESS)
    if match["ipv6"]:
        try:
            ipaddress.IPv6Address(match["ipv6"])
        except ValueError:
            raise ValueError(_NO_ADDRESS) from None
    return Address(match["ipv6"] or match["name"], int(match["port"]))


def sends_token_in_clear(api_host: str) -> bool:
    """Whether requests travel unencrypted and leave this machine."""
    parts = urlsplit(api_host)
    return parts.scheme == "http" and not _is_loopback(parts.hostname or "")


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


ApiHost = Annotated[str, AfterValidator(normalise_api_host)]
Listen = Annotated[
    Address,
    BeforeValidator(_parse_address),
    PlainSerializer(lambda address: address.text, return_type=str, when_used="json"),
    WithJsonSchema(shapes.LISTEN),
]
