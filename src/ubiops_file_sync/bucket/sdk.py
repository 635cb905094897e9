"""The official SDK, which defines the API. The only module that imports it.

To load it takes more CPU than all of a pass that finds nothing to do, so that what it sends
(`CallPattern`) is kept in a file, and learnt anew as soon as the SDK is not the same any more.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

import msgspec

from ubiops_file_sync.bucket.pattern import CallPattern, Listener, Unlearnable, learn_pattern
from ubiops_file_sync.bucket.rest import PooledRest
from ubiops_file_sync.errors import RemoteError

CALLS_FILE = "api-calls.json"
"""What the file is called in the state folder. It holds no token, no host and no name."""

_BUCKET = ("project_name", "bucket_name")
_FILE = (*_BUCKET, "file")
CALLS = {
    "buckets_get": _BUCKET,
    "files_list": (*_BUCKET, "prefix", "continuation_token", "limit"),
    "files_get": _FILE,
    "files_delete": _FILE,
    "files_download": _FILE,
    "files_upload": (*_FILE, "upload_id", "part_number"),
    "files_start_multipart_upload": _FILE,
    "files_complete_multipart_upload": (*_FILE, "data"),
}
"""The methods of the SDK's `CoreApi` that are used, and with which options."""
_EXAMPLES: Mapping[str, Any] = {
    "limit": 73,
    "data": {"upload_id": "an-upload", "parts": [{"PartNumber": 1, "ETag": "a-part"}]},
}
_DEFINING = (
    "__init__.py",
    "api_client.py",
    "configuration.py",
    "api/core_api.py",
    "api/files.py",
    "models/file_complete_multipart_upload.py",
)
"""Files of the SDK that have a say in what is sent for one of `CALLS`."""


class _Kept(msgspec.Struct, forbid_unknown_fields=True):
    """What the file holds."""

    learnt_from: str
    """`_fingerprint` of the SDK."""
    patterns: dict[str, CallPattern]


def core_api(api_host: str, token: str, rest: PooledRest | Listener) -> Any:
    """The SDK's definition of the API, with our own client under it."""
    import ubiops

    configuration = ubiops.Configuration(host=api_host, api_key={"Authorization": token})
    client = ubiops.ApiClient(configuration)
    client.rest_client = rest
    return ubiops.CoreApi(client)


def patterns(file: Path | None = None, *, keep: bool = False) -> Mapping[str, CallPattern]:
    """What is sent for each of `CALLS`: from `file` if that is of this SDK, else from the SDK.

    With `keep` the file is written if it was of no use; its folder must be there. Raises
    `RemoteError` for an SDK that is not understood.
    """
    seen = None if file is None else _fingerprint()
    if file is None or seen is None:
        return _learnt()
    kept = _read(file, seen)
    if kept is not None:
        return kept
    learnt = _learnt()
    if keep:
        # Without it the next process takes longer, which is no reason to keep this one from work.
        with suppress(OSError):
            _write(file, _Kept(seen, dict(learnt)))
    return learnt


@cache
def _learnt() -> Mapping[str, CallPattern]:
    try:
        return {
            name: learn_pattern(core_api, name, options, _EXAMPLES)
            for name, options in CALLS.items()
        }
    except Unlearnable as error:
        raise RemoteError(
            f"this version of the package ubiops sends something unexpected ({error}); install "
            "the one that ubiops-file-sync was installed with: pip install 'ubiops>=4.15,<5'"
        ) from None


def _fingerprint() -> str | None:
    """What changes as soon as the SDK would send something else; None: it cannot be told.

    By content, since versions alone say nothing of an SDK that somebody mended in place.
    """
    spec = PathFinder.find_spec("ubiops")
    folders = None if spec is None else spec.submodule_search_locations
    if not folders:
        return None
    digest = hashlib.sha256(repr((CALLS, CallPattern.__struct_fields__)).encode())
    try:
        for name in _DEFINING:
            digest.update(Path(folders[0], name).read_bytes())
    except OSError:
        return None
    return digest.hexdigest()


def _read(file: Path, seen: str) -> Mapping[str, CallPattern] | None:
    """What was kept; None: nothing, or of another SDK, or it is damaged in any bit of it."""
    try:
        told, _, content = file.read_bytes().partition(b"\n")
        if told != _digest(content):
            return None
        kept = msgspec.json.decode(content, type=_Kept)
    except (OSError, ValueError, RecursionError):
        return None
    is_ours = kept.learnt_from == seen and kept.patterns.keys() == CALLS.keys()
    return kept.patterns if is_ours else None


def _write(file: Path, kept: _Kept) -> None:
    """Replace the file as a whole; profiles of one state folder may do so at the same time.

    What a killed process left half-written goes. If it is another's that is being written now,
    that one fails, and this file is as good.
    """
    for leftover in file.parent.glob(f"{file.name}.*"):
        leftover.unlink(missing_ok=True)
    content = msgspec.json.encode(kept)
    with tempfile.NamedTemporaryFile(
        prefix=f"{file.name}.", dir=file.parent, delete=False
    ) as whole:
        new = Path(whole.name)
        try:
            whole.write(_digest(content) + b"\n" + content)
            whole.flush()
            new.replace(file)
        except BaseException:
            new.unlink(missing_ok=True)
            raise


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
