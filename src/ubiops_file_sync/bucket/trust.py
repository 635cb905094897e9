"""The certificates that are trusted."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import pycurl

_CA_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Where Debian, Fedora, SUSE and Alpine keep the trusted certificates."""


def trusted_certificates() -> list[tuple[int, str]]:
    """libcurl's options for the certificates to trust.

    Those that the variables of OpenSSL, `requests` and curl name; else the system's; else those
    that come with the SDK.
    """
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        place = os.environ.get(name)
        if place:
            return [(pycurl.CAPATH if Path(place).is_dir() else pycurl.CAINFO, place)]
    own = ssl.get_default_verify_paths()
    for place in (own.cafile, *_CA_FILES):
        if place and Path(place).is_file():
            return [(pycurl.CAINFO, place)]
    import certifi

    return [(pycurl.CAINFO, certifi.where())]
